"""What the emulator stores and shows: calls, tasks and access keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["PAUSED", "Call", "Change", "InstanceRow", "Key", "Row", "TaskState"]

PAUSED = "Paused"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that was sent to the service.

    Attributes:
        seq: Number of the call, from 1.
        time: When it was handled, in seconds since the epoch, by the emulator's clock.
        method: HTTP method.
        path: Path as it was sent.
        query: Query as it was sent.
        operation: `pause`, `resume`, `list`, `configuration`, `instances`, `login`, `projects`, or
            None for anything else.
        instance_id: The instance that the path names, if it leads to an operation.
        task_name: The task that the body or the query names, as far as it was understood.
        status: Status of the response; None if a fault left the call without one.
        request_id: ID of the call; also in the response's `X-Request-Id`.
        caller: User, access key or `static token`; None if the call was not authenticated.
        fault: Kind of the fault that met the call; two kinds if one of the task came on top.
        job_id: ID of the job, if the call started one. It stands here even if a fault kept it
            from the caller.
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
    """How a task really is, whatever the service may respond.

    Attributes:
        stage: Stage at this moment.
        target: Stage it is moving to; the same as `stage` once it is there.
        changes: How many times a pause or a resume was carried out on it.
    """

    instance_id: str
    name: str
    stage: str
    target: str
    changes: int


class Row(NamedTuple):
    """A task as the database has it, in the order of its columns; two of them hold JSON."""

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
        """The stage at a moment."""
        return self.target if now >= self.due else self.stage

    def holds_at(self, now: float) -> str:
        """What becomes of a resume at a moment: `refused`, `ignored`, or nothing special."""
        return self.meanwhile if now < self.due else ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a pause or a resume does to its task.

    Attributes:
        target: Stage that it moves to; None for a change without effect.
        delay: Seconds until it is there.
        meanwhile: What becomes of a resume until then: `refused`, `ignored`, or nothing special.
    """

    target: str | None
    delay: float
    meanwhile: str = ""


@dataclass(frozen=True, kw_only=True)
class InstanceRow:
    """An instance as the database has it."""

    id: str
    project_id: str
    source_instance_id: str | None
    name: str
    engine_name: str
    engine_version: str
    status: str


@dataclass(frozen=True, kw_only=True)
class Key:
    """An access key as the database has it."""

    access_key: str
    secret_key: str
    security_token: str | None
    projects: frozenset[str]
    failures: int
    locked_until: float
