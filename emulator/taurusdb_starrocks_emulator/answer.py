"""What is sent back: an answer, and the shapes that a refusal takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

__all__ = ["Answer", "Refused", "gateway_refusal", "iam_refusal", "json_answer", "service_refusal"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status, headers and body, ready for the wire."""

    status: int
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> Answer:
        """The same answer with further headers."""
        return replace(self, headers={**self.headers, **headers})

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI has them, without the length."""
        own = {} if self.content_type is None else {"content-type": self.content_type}
        return [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in {**own, **self.headers}.items()
        ]


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """Ends the handling of a call with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(document: Any, *, status: int = 200) -> Answer:
    """An answer whose body is this document."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, body=body)


def service_refusal(status: int, code: str, message: str) -> Answer:
    """The shape in which the service itself refuses."""
    return json_answer({"error_code": code, "error_msg": message}, status=status)


def gateway_refusal(status: int, code: str, message: str, request_id: str) -> Answer:
    """The shape in which the gateway in front of the service refuses."""
    document = {"error_code": code, "error_msg": message, "request_id": request_id}
    return json_answer(document, status=status)


def iam_refusal(status: int, message: str) -> Answer:
    """The shape in which the identity service refuses."""
    title = HTTPStatus(status).phrase
    error = {"message": message, "code": status, "title": title}
    return json_answer({"error": error}, status=status)
