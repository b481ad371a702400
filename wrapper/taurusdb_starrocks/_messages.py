"""An HTTP request and its response, as used by all layers of this package."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Origin(NamedTuple):
    """The first part of a URL: where the server is.

    Attributes:
        scheme: ``https`` or ``http``.
        host: Host name or IP address; an IPv6 address has no brackets.
        port: The port, even if it is the default port of the scheme.
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of a ``Host`` header: the host, and the port if it is not the default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else self.netloc

    @property
    def netloc(self) -> str:
        """Host and port, always both, as in a CONNECT request to a proxy."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Request(NamedTuple):
    """One HTTP request, complete except for ``Host`` and ``Content-Length``.

    Attributes:
        method: HTTP method, in uppercase.
        origin: Scheme, host and port.
        target: Path and query, percent-encoded, as sent.
        headers: Values by name. Names are unique regardless of case.
        body: The body, as sent.
    """

    method: str
    origin: Origin
    target: str
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""

    def __repr__(self) -> str:
        # Headers and body contain secrets.
        return f"Request({self.method} {self.origin}{self.target})"

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """The same request with additional headers."""
        return Request(
            self.method, self.origin, self.target, {**self.headers, **headers}, self.body
        )


class Reply(NamedTuple):
    """One complete HTTP response.

    Attributes:
        status: HTTP status.
        headers: Values by lowercase name. Repeated headers are joined by a comma.
        body: The decoded body; empty if it could not be read.
        unread: Why the body could not be read, as the end of a sentence that starts with "a body
            that"; None if it was read.
    """

    status: int
    headers: Mapping[str, str] = NO_HEADERS
    body: bytes = b""
    unread: str | None = None

    def __repr__(self) -> str:
        return f"Reply({self.status})"  # As above.


class Unanswered(Exception):  # noqa: N818  # Not an error yet: the next layer raises one.
    """A request got no readable response.

    Attributes:
        what: What happened, in words that contain nothing from the request.
        sent: Whether any byte of the request may have been sent.
        lasting: Whether it would fail in the same way again, for example because a certificate
            is not trusted.
    """

    def __init__(self, what: str, *, sent: bool, lasting: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.sent = sent
        self.lasting = lasting
