"""An HTTP request and its response, as every layer of this package passes them on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Origin(NamedTuple):
    """Where requests go: ``scheme`` is ``https`` or ``http``, ``host`` has no brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: the value of a ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else self.netloc

    @property
    def netloc(self) -> str:
        """Host and port, always both: what a proxy is asked to connect to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Request(NamedTuple):
    """One HTTP request, complete but for ``Host`` and ``Content-Length``.

    Attributes:
        method: In capitals.
        origin: Where it goes.
        target: Path and query, percent-encoded, as they are sent.
        headers: Values by name. No name occurs in two spellings.
        body: As it is sent.
    """

    method: str
    origin: Origin
    target: str
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""

    def __repr__(self) -> str:
        # Headers and body hold secrets.
        return f"Request({self.method} {self.origin}{self.target})"

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """The same request with further headers."""
        return Request(
            self.method, self.origin, self.target, {**self.headers, **headers}, self.body
        )


class Reply(NamedTuple):
    """One HTTP response, read whole.

    Attributes:
        status: HTTP status.
        headers: Values by name in lower case; where a name occurs twice, joined by a comma.
        body: Decoded; empty if it could not be read.
        unread: Why the body could not be read, as the end of a sentence that begins "a body that";
            None if it was.
    """

    status: int
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""
    unread: str | None = None

    def __repr__(self) -> str:
        return f"Reply({self.status})"  # As above.


class Unanswered(Exception):  # noqa: N818  # It is a result that the next layer turns into an error.
    """A request got no response that could be read.

    Attributes:
        what: What happened, in words that hold nothing of the request.
        sent: Whether a byte of the request may have left.
        lasting: Whether it would fail in the same way again, as an untrusted certificate does.
    """

    def __init__(self, what: str, *, sent: bool, lasting: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.sent = sent
        self.lasting = lasting
