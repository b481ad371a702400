"""The vocabulary: a request, its response, and both together as an exchange."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from .contract import IDENTIFIERS, TASK_NAME, Operation, operations

# A valid name that nobody gives to a task.
UNKNOWN_TASK = "no_such_task_of_the_suite"


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire. `path` is not touched: it may be anything."""

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
        """The task that the query names, in a GET, or else the body."""
        if self.method == "GET":
            return dict(parse_qsl(self.query, keep_blank_values=True)).get("task_name")
        return self.document.get("task_name") if isinstance(self.document, dict) else None

    @property
    def query(self) -> str:
        """What follows the question mark."""
        return self.path.partition("?")[2]

    def operation(self, base: str = "") -> tuple[Operation, str, str] | None:
        """The operation that the path leads to, with the identifiers in it, however they look."""
        path = self.path.removeprefix(base).partition("?")[0]
        for operation in operations().values():
            match = _pattern(operation.template).fullmatch(path)
            if match and self.method == operation.method:
                return operation, unquote(match["project_id"]), unquote(match["instance_id"])
        return None


@dataclass(frozen=True)
class Reply:
    """What came back."""

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
    """What may be answered to a request.

    Attributes:
        check: The check that fails on a documented status, or a 2xx, that is not allowed.
        what: What is particular about the request.
        allowed: Statuses that follow the contract, or that HTTP leaves to a server.
        tolerated: Statuses that frameworks answer by themselves: worth a warning.
        may_drop: Whether no answer at all will do, too.
        slip: What several requests have in common that a framework tolerates.
    """

    check: str
    what: str
    allowed: frozenset[int]
    tolerated: frozenset[int] = frozenset()
    may_drop: bool = False
    slip: str = ""


@dataclass
class Exchange:
    """A request, its response or what came in its place, and where it comes from.

    Attributes:
        seconds: How long the response took.
        time: When it was sent, in seconds since the epoch.
        case: Whether it counts as a case, and is not there to prepare or look after one.
        excused: Whether a 5xx was asked for, or is judged by whoever sent the request.
        failed: The checks that it has failed.
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
    """Whether both identifiers are written as the contract says."""
    return bool(
        IDENTIFIERS["project_id"].fullmatch(project_id)
        and IDENTIFIERS["instance_id"].fullmatch(instance_id)
    )


def is_task_name(value: Any) -> bool:
    """Whether a value can be the name of a task."""
    return isinstance(value, str) and TASK_NAME.fullmatch(value) is not None


def canary(seed: str) -> str:
    """A token that is certainly wrong, and that nothing but an echo can contain."""
    return "canary" + hashlib.sha256(seed.encode()).hexdigest()[:34]


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """What paths look like that lead to an operation, however their identifiers look."""
    pattern = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern))


def _refuse(name: str) -> Any:
    raise ValueError(name)
