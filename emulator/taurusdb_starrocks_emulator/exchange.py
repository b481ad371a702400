"""One call while it is handled, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from starlette.datastructures import Headers

from .auth import SignedRequest
from .contract import Route, Wire
from .faults import Met
from .strict_json import Malformed

__all__ = ["BODY_LIMIT", "Exchange"]

BODY_LIMIT = 64 << 10


@dataclass
class Exchange:
    """One call. `body` is None if it was too long to be read."""

    route: Route
    request_id: str
    method: str
    path: str
    query: str
    headers: Headers
    body: bytes | None
    met: Met
    caller: str | None = None
    task_name: str | None = None
    job_id: str | None = None

    def read_body(self) -> bytes:
        """The body.

        Raises:
            Malformed: It was too long.
        """
        if self.body is None:
            raise Malformed(f"the body is longer than {BODY_LIMIT} bytes")
        return self.body

    def signed(self) -> SignedRequest:
        """What a signature covers. A body that was too long matches no signature."""
        return SignedRequest(
            method=self.method,
            path=self.path,
            query=self.query,
            headers=self.headers,
            body=self.body or b"",
        )

    def wire(self) -> Wire:
        """What the contract speaks of. A content type that is there twice is none."""
        types = self.headers.getlist("content-type")
        languages = self.headers.getlist("x-language")
        return Wire(
            method=self.method,
            path=unquote(self.path),
            query=self.query,
            language=", ".join(languages) if languages else None,
            content_type=types[0] if len(types) == 1 else None,
            body=self.body or b"",
        )
