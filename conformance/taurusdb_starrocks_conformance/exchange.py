"""A request, its response, and both together as an exchange."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from .contract import IDENTIFIERS, TASK_NAME, Operation, operations

# A valid name that no task has.
UNKNOWN_TASK = "no_such_task_of_the_suite"


@dataclass(frozen=True)
class Request:
    """A request as sent. `path` can be any string and is not changed."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The values of a header, or None."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(found) if found else None

    @cached_property
    def document(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def task_name(self) -> Any:
        """The task name in the query of a GET, or in the body."""
        if self.method == "GET":
            return dict(parse_qsl(self.query, keep_blank_values=True)).get("task_name")
        return self.document.get("task_name") if isinstance(self.document, dict) else None

    @property
    def query(self) -> str:
        """The part after the question mark."""
        return self.path.partition("?")[2]

    def operation(self, base: str = "") -> tuple[Operation, str, str] | None:
        """The operation of the path, and the identifiers in it, even if they are malformed."""
        path = self.path.removeprefix(base).partition("?")[0]
        for operation in operations().values():
            match = _pattern(operation.template).fullmatch(path)
            if match and self.method == operation.method:
                return operation, unquote(match["project_id"]), unquote(match["instance_id"])
        return None


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @cached_property
    def document(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            return None

    @property
    def accepted(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Expectation:
    """The allowed responses to a request.

    Attributes:
        check: The check that fails if a documented status or a 2xx is not allowed.
        what: What is special about the request.
        allowed: Statuses that the contract allows, or that HTTP allows a server to send.
        tolerated: Statuses that frameworks send on their own. They cause a warning.
        may_drop: Whether no response is also allowed.
        slip: The common cause of several requests that a framework tolerates.
    """

    check: str
    what: str
    allowed: frozenset[int]
    tolerated: frozenset[int] = frozenset()
    may_drop: bool = False
    slip: str = ""


@dataclass
class Exchange:
    """A request, its response or the error, and its origin.

    Attributes:
        seconds: Duration of the response.
        time: When it was sent, in seconds since the epoch.
        case: Whether it counts as a test case; false for preparation and follow-up requests.
        excused: Whether a 5xx was provoked, or is judged by the sender.
        failed: The checks that it failed.
    """

    number: int
    source: str
    request: Request
    reply: Reply | None
    error: str | None = None
    seconds: float = 0.0
    time: float = 0.0
    case: bool = True
    excused: bool = False
    expect: Expectation | None = None
    failed: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The status; 0 if there is no response."""
        return self.reply.status if self.reply else 0


def is_well_formed(project_id: str, instance_id: str) -> bool:
    """Whether both identifiers match the contract."""
    return bool(
        IDENTIFIERS["project_id"].fullmatch(project_id)
        and IDENTIFIERS["instance_id"].fullmatch(instance_id)
    )


def is_task_name(value: Any) -> bool:
    """Whether a value is a valid task name."""
    return isinstance(value, str) and TASK_NAME.fullmatch(value) is not None


def canary(seed: str) -> str:
    """An invalid token that a response can contain only if it echoes the request."""
    return "canary" + hashlib.sha256(seed.encode()).hexdigest()[:34]


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """A pattern for the path of an operation with any identifiers."""
    pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))


def _refuse(name: str) -> Any:
    raise ValueError(name)
