"""Records of the emulator: calls, tasks and access keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["PAUSED", "Call", "Change", "InstanceRow", "Key", "Row", "TaskState"]

PAUSED = "Paused"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One recorded call to the service.

    Attributes:
        seq: Number of the call, from 1.
        time: When it was handled, in seconds since the epoch, by the emulator's clock.
        method: HTTP method.
        path: Path, as sent.
        query: Query, as sent.
        operation: `pause`, `resume`, `list`, `configuration`, `instances`, `login`, `projects`, or
            None for anything else.
        instance_id: The instance ID in the path; None if the path is not the path of an operation,
            or contains no instance.
        task_name: The task in the body or the query, if it could be parsed.
        status: Status of the response; None if a fault suppressed the response.
        request_id: ID of the call; also in the response's `X-Request-Id`.
        caller: User, access key or `static token`; None if the call was not authenticated.
        fault: Kind of the fault that affected the call; None if there was none. If a task fault and
            another fault affected the call, both kinds, the task fault first: `late-pause, close`.
        job_id: ID of the job, if the call started one, even if a fault hid it from the caller.
    """

    seq: int
    time: float
    method: str
    path: str
    query: str
    operation: str | None
    instance_id: str | None
    task_name: str | None
    status: int | None
    request_id: str
    caller: str | None
    fault: str | None
    job_id: str | None


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """The real state of a task, independent of responses and faults.

    Attributes:
        instance_id: Instance of the task.
        name: Name of the task.
        stage: Current stage.
        target: Stage that the task is changing to; equal to `stage` when it has reached it.
        changes: How many times the task was paused or resumed.
    """

    instance_id: str
    name: str
    stage: str
    target: str
    changes: int


class Row(NamedTuple):
    """A task in the database, in the order of the columns. Two columns contain JSON."""

    id: int
    instance_id: str
    name: str
    source_database: str
    target_database: str
    status: str
    progress: str
    configuration: str
    resumes_to: str
    stage: str
    target: str
    due: float
    meanwhile: str
    changes: int

    def stage_at(self, now: float) -> str:
        """The stage at a given time."""
        return self.target if now >= self.due else self.stage

    def holds_at(self, now: float) -> str:
        """What happens to a resume at a given time: `refused`, `ignored`, or empty for normal."""
        return self.meanwhile if now < self.due else ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The effect of a pause or a resume on its task.

    Attributes:
        target: New stage; None for a change without effect.
        delay: Seconds until the new stage.
        meanwhile: What happens to a resume until then: `refused`, `ignored`, or empty for normal.
    """

    target: str | None
    delay: float
    meanwhile: str = ""


@dataclass(frozen=True, kw_only=True)
class InstanceRow:
    """An instance in the database."""

    id: str
    project_id: str
    source_instance_id: str | None
    name: str
    engine_name: str
    engine_version: str
    status: str


@dataclass(frozen=True, kw_only=True)
class Key:
    """An access key in the database."""

    access_key: str
    secret_key: str
    security_token: str | None
    projects: frozenset[str]
    failures: int
    locked_until: float
