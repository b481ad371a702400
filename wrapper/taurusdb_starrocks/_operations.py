"""The calls that exist, one row each, and the one place where a request is recognized as one.

Whatever needs to know what a request is about (retries, verdicts, errors, log lines, spans) reads
it from the ``Call`` that is made here. Another call is another row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs

from taurusdb_starrocks._tasks import Stage, Task

Document = Mapping[str, Any]
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Far more entries, and tables of a task, than any response has; what has more is not read.
MOST_ENTRIES = 1000
MOST_TABLES = 10_000


class Goal(NamedTuple):
    """Where a change brings a task.

    Attributes:
        name: How a message says it: "the task is not paused".
        stages: The stages that show it.
        healthy: Whether a task that the service calls abnormal is not there yet.
    """

    name: str
    stages: frozenset[Stage]
    healthy: bool = False

    def reached(self, task: Task) -> bool:
        """Whether a task is there."""
        return task.stage in self.stages and not (self.healthy and task.abnormal)


PAUSED = Goal("paused", frozenset({Stage.PAUSED}))
RUNNING = Goal("running", frozenset({Stage.FULL, Stage.INCREMENTAL}), healthy=True)


def _anything(_document: Document) -> str | None:
    return None


def _lacks_job(document: Document) -> str | None:
    job_id = document.get("job_id")
    return None if isinstance(job_id, str) and job_id.strip() else "has no usable job_id"


def _lacks_entries(name: str) -> Callable[[Document], str | None]:
    """For a response that is a list: whether it is one, even where it is empty."""

    def lacks(document: Document) -> str | None:
        entries = document.get(name)
        if isinstance(entries, list):
            if not all(isinstance(entry, dict) for entry in entries):
                return f"has {name} that are no objects"
            if not entries and _is_error(document):
                return f"has an error in place of {name}"
            return _too_long(document)
        if entries is not None:
            return f"has no list of {name}"
        if _is_error(document):
            return f"has an error in place of {name}"
        # An empty list is there, or null, or counted.
        empty = name in document or document.get("total_count") in {0, "0"}
        return None if empty else f"has no {name}"

    return lacks


def _lacks_configuration(document: Document) -> str | None:
    if _is_error(document):
        return "has an error in place of the configuration"
    return _too_long(document)


def _is_error(document: Document) -> bool:
    return any(document.get(name) for name in ("error_code", "error_msg", "errorCode", "error"))


def _too_long(document: Document) -> str | None:
    """That a list in the document is longer than any can be, if one is: it is not read."""
    database = document.get("database_info")
    for part in (document, database if isinstance(database, dict) else {}):
        for name, value in part.items():
            most = MOST_TABLES if name == "table_infos" else MOST_ENTRIES
            if isinstance(value, list) and len(value) > most:
                return f"has a list of more than {most} entries"
    return None


class Operation(NamedTuple):
    """One call of the service, or of the IAM in front of it.

    Attributes:
        name: How errors and log lines name it.
        method: HTTP method.
        template: Path with its parameters in braces, as in the contract.
        changes: Whether it may change something. What does not is safe to repeat.
        lacks: Says what a successful response's document lacks to be usable; None if nothing.
        status: HTTP status of its success.
        goal: Where it brings a task, for a change of a task.
        since: The contract that it came with, where a service may follow an older one.
    """

    name: str
    method: str
    template: str
    changes: bool
    lacks: Callable[[Document], str | None] = _anything
    status: int = 200
    goal: Goal | None = None
    since: str | None = None

    @property
    def verified_goal(self) -> Goal:
        """The goal of an operation that has one."""
        assert self.goal is not None
        return self.goal


_INSTANCE = "/v3/{project_id}/instances/{instance_id}"
_REPLICATION = f"{_INSTANCE}/starrocks/databases/replication"

PAUSE = Operation("pause", "POST", f"{_REPLICATION}/pause", True, _lacks_job, goal=PAUSED)
RESUME = Operation("resume", "POST", f"{_REPLICATION}/resume", True, _lacks_job, goal=RUNNING)
LIST = Operation("list", "GET", _REPLICATION, False, _lacks_entries("replications"), since="1.1")
CONFIGURATION = Operation(
    "configuration",
    "GET",
    f"{_REPLICATION}/configuration",
    False,
    _lacks_configuration,
    since="1.2",
)
INSTANCES = Operation(
    "instances", "GET", f"{_INSTANCE}/htap", False, _lacks_entries("instances"), since="1.2"
)
LOGIN = Operation("login", "POST", "/v3/auth/tokens", False, status=201)
PROJECTS = Operation("projects", "GET", "/v3/projects", False, _lacks_entries("projects"))

OPERATIONS = (PAUSE, RESUME, LIST, CONFIGURATION, INSTANCES, LOGIN, PROJECTS)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))


_BY_PATH = [(operation, _pattern(operation.template)) for operation in OPERATIONS]


def recognize(method: str, path: str) -> tuple[Operation, str | None]:
    """The operation that a request is, and the instance it is about.

    What is none of the known operations, and can only come through ``Client.api``, is an operation
    by the name of its method.
    """
    for operation, pattern in _BY_PATH:
        if operation.method == method and (match := pattern.fullmatch(path)):
            return operation, match.groupdict().get("instance_id")
    return Operation(method, method, path, method not in READING), None


@attrs.define
class Call:
    """What is known of a call under way. Times are readings of the monotonic clock, in seconds.

    Attributes:
        operation: What it is.
        host: Where it goes.
        instance_id: Instance it is about, if any.
        task_name: Task it is about, if any.
        started: When it began.
        deadline: When it must be over.
        attempts: How often its request was sent or tried to be sent.
        logins: The same of the logins on the way.
        secrets: What was sent that no message may repeat.
    """

    operation: Operation
    host: str
    instance_id: str | None
    task_name: str | None
    started: float
    deadline: float
    attempts: int = 0
    logins: int = 0
    secrets: list[str] = attrs.field(factory=list, repr=False)
