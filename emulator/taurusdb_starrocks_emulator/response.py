"""Responses, and the formats of errors in them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from starlette.types import Send

__all__ = ["Refused", "Response", "gateway_error", "iam_error", "json_response", "service_error"]


@dataclass(frozen=True, kw_only=True)
class Response:
    """Status, headers and body, ready to send.

    `document` is the document in the body, if it is JSON. With a `stream`, its chunks are sent
    before the body, without a length unless `headers` has one.
    """

    status: int
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    document: Any = None

    def with_headers(self, headers: Mapping[str, str]) -> Response:
        """The same response with additional headers."""
        return replace(self, headers={**self.headers, **headers})

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers in ASGI format, without the length."""
        own = {} if self.content_type is None else {"content-type": self.content_type}
        return [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in {**own, **self.headers}.items()
        ]

    async def send(self, send: Send) -> None:
        """Send it through the server."""
        headers = self.raw_headers()
        if self.stream is None:
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if self.stream is not None:
            async for piece in self.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": self.body})

    def to_bytes(self, *, close: bool = True) -> bytes:
        """The whole response as HTTP/1.1 bytes, for writing directly to the connection."""
        headers = [
            *self.raw_headers(),
            (b"content-length", str(len(self.body)).encode()),
            (b"connection", b"close" if close else b"keep-alive"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        start = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n".encode()
        return start + lines + b"\r\n" + self.body


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Refused(Exception):  # noqa: N818 - an error of the caller, not of the program
    """Raised to end a call with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def json_response(document: Any, *, status: int = 200) -> Response:
    """A response with this document as its body."""
    body = _encoder.encode(document).encode()
    return Response(status=status, body=body, document=document)


def service_error(status: int, code: str, message: str) -> Response:
    """An error in the format of the service."""
    return json_response({"error_code": code, "error_msg": message}, status=status)


def gateway_error(status: int, code: str, message: str, request_id: str) -> Response:
    """An error in the format of the gateway in front of the service."""
    document = {"error_code": code, "error_msg": message, "request_id": request_id}
    return json_response(document, status=status)


def iam_error(status: int, message: str) -> Response:
    """An error in the format of IAM."""
    title = HTTPStatus(status).phrase
    error = {"message": message, "code": status, "title": title}
    return json_response({"error": error}, status=status)
