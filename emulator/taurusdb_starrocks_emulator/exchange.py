"""One call while it is handled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from .auth import SignedRequest
from .contract import Route
from .faults import Met
from .strict_json import Malformed, strict_json

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

    @cached_property
    def document(self) -> Any:
        """The document in the body. Raises Malformed if the body is empty or not JSON."""
        return strict_json(self.read_body())

    def read_body(self) -> bytes:
        """The body.

        Raises:
            Malformed: It was too long.
        """
        if self.body is None:
            raise Malformed(f"the body is longer than {BODY_LIMIT} bytes")
        return self.body

    def named_task(self) -> str | None:
        """The task name: from the query of a GET, otherwise from the body. None if unreadable."""
        if self.method == "GET":
            return parse_qs(self.query).get("task_name", [None])[0] if self.query else None
        try:
            name = self.document.get("task_name") if isinstance(self.document, dict) else None
        except Malformed:
            return None
        return name if isinstance(name, str) else None

    def signed(self) -> SignedRequest:
        """The data that a signature covers. A body that is too long matches no signature."""
        return SignedRequest(
            method=self.method,
            path=self.path,
            query=self.query,
            headers=self.headers,
            body=self.body or b"",
        )
