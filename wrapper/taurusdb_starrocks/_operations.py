"""The table of calls, and the only place that recognizes which call a request is.

Code that needs to know the call of a request (retries, verdicts, errors, log lines, spans) reads
it from the ``Call`` that is created here. To add a call, add a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs

from taurusdb_starrocks._tasks import Stage, Task

Document = Mapping[str, Any]
READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Far more entries than any real response has. A longer list is not read.
MOST_ENTRIES = 1000
MOST_TABLES = 10_000


class Goal(NamedTuple):
    """The state that a change brings a task to.

    Attributes:
        name: Name of the state in messages: "the task is not paused".
        stages: The stages that mean this state.
        healthy: Whether an abnormal task does not count as being in this state.
    """

    name: str
    stages: frozenset[Stage]
    healthy: bool = False

    def reached(self, task: Task) -> bool:
        """Whether a task is in this state."""
        return task.stage in self.stages and not (self.healthy and task.abnormal)


PAUSED = Goal("paused", frozenset({Stage.PAUSED}))
RUNNING = Goal("running", frozenset({Stage.FULL, Stage.INCREMENTAL}), healthy=True)


def _anything(_document: Document) -> str | None:
    return None


def _lacks_job(document: Document) -> str | None:
    if _is_error(document):
        return "has an error beside or in place of its job_id"
    job_id = document.get("job_id")
    return None if isinstance(job_id, str) and job_id.strip() else "has no usable job_id"


def _lacks_entries(name: str) -> Callable[[Document], str | None]:
    """A check for responses with a list: what is wrong with the list, if anything."""

    def lacks(document: Document) -> str | None:
        entries = document.get(name)
        if isinstance(entries, list):
            if not all(isinstance(entry, dict) for entry in entries):
                return f"has {name} that are not objects"
            if not entries and _is_error(document):
                return f"has an error in place of {name}"
            return _too_long(document)
        if entries is not None:
            return f"has no list of {name}"
        if _is_error(document):
            return f"has an error in place of {name}"
        # An empty list is present, null, or has a total.
        empty = name in document or document.get("total_count") in (0, "0")
        return None if empty else f"has no {name}"

    return lacks


def _lacks_configuration(document: Document) -> str | None:
    if _is_error(document):
        return "has an error in place of the configuration"
    return _too_long(document)


def _is_error(document: Document) -> bool:
    return any(document.get(name) for name in ("error_code", "error_msg", "errorCode", "error"))


def _too_long(document: Document) -> str | None:
    """Check that no list in the document is too long to be read."""
    database = document.get("database_info")
    for part in (document, database if isinstance(database, dict) else {}):
        for name, value in part.items():
            most = MOST_TABLES if name == "table_infos" else MOST_ENTRIES
            if isinstance(value, list) and len(value) > most:
                return f"has a list of more than {most} entries"
    return None


class Operation(NamedTuple):
    """One call of the service or of IAM.

    Attributes:
        name: Name of the call in errors and log lines.
        method: HTTP method.
        template: Path with its parameters in braces, as in the contract.
        changes: Whether it can change something. A call that cannot is safe to repeat.
        lacks: Returns what a successful response's document lacks to be usable, or None.
        status: HTTP status of success.
        goal: The state that it brings a task to, if it changes a task.
        since: The contract version that introduced it, if a service may implement an older one.
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
        """The goal of an operation that changes a task."""
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
    """The operation and the instance of a request.

    A request that is not a known operation can come only through ``Client.api``. Its operation is
    named after its HTTP method.
    """
    for operation, pattern in _BY_PATH:
        if operation.method == method and (match := pattern.fullmatch(path)):
            return operation, match.groupdict().get("instance_id")
    return Operation(method, method, path, method not in READING), None


@attrs.define
class Call:
    """The state of a call in progress. Times are readings of the monotonic clock, in seconds.

    Attributes:
        operation: The operation.
        host: The host of the request.
        instance_id: The instance, if any.
        task_name: The task, if any.
        started: When the call started.
        deadline: When the call must end.
        attempts: How many times the client sent the request or tried to.
        logins: The same for logins within the call.
        secrets: Secrets that were sent and that no message may repeat.
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
