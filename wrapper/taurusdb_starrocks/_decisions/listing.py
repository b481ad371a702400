"""What the list of an instance says about the tasks that somebody named."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

from taurusdb_starrocks._decisions import paging
from taurusdb_starrocks._decisions.paging import PageRequest
from taurusdb_starrocks._decisions.polling import Chances, Patience
from taurusdb_starrocks._decisions.steps import ReadPage, Sleep, Steps
from taurusdb_starrocks._errors import (
    ConflictError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
    TaskFailedError,
)
from taurusdb_starrocks._instances import advice
from taurusdb_starrocks._operations import Goal
from taurusdb_starrocks._tasks import Stage, Task

E = TypeVar("E", bound=ReplicationError)
# A service that fails with these may answer the next request.
PASSING = (NotSentError, ConflictError, RateLimitError, ServerError, OutcomeUnknownError)


def read(
    instance_id: str, names: Collection[str], deadline: float | None = None
) -> Steps[dict[str, Task]]:
    """Those of the named tasks that the instance has, as they are now."""
    reading, page = paging.read(names), None
    while True:
        try:
            step = reading.send(page)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # The tasks that it has read.
        page = None
        if isinstance(step, PageRequest):
            page = yield ReadPage(instance_id, step.offset, step.limit, deadline)


def find(instance_id: str, name: str) -> Steps[Task]:
    """One task as it is now, or ``NotFoundError``."""
    found = yield from read(instance_id, [name])
    if name not in found:
        raise absent(instance_id, [name])
    return found[name]


def find_all(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances, deadline: float
) -> Steps[dict[str, Task]]:
    """All of the named tasks as they are now; a poll that fails in a way that may pass is repeated.

    Raises:
        NotFoundError: The instance does not list one of them.
        ReplicationError: The time was over before a poll succeeded.
    """
    pause = patience.poll.interval
    while True:
        try:
            found = yield from read(instance_id, names, deadline)
        except PASSING as error:
            pause = patience.poll.after(error, pause, chances.chance())
            if chances.clock() + pause >= deadline:
                raise
            yield Sleep(pause)
            continue
        missing = [name for name in names if name not in found]
        if missing:
            raise absent(instance_id, missing)
        return found


def failed(task: Task) -> bool:
    """Whether a task will not get anywhere by itself."""
    return task.abnormal or task.stage is Stage.CANCELLED


def failure(instance_id: str, task: Task, goal: Goal) -> TaskFailedError:
    """The error of a task that will not get anywhere by itself."""
    what = "was cancelled" if task.stage is Stage.CANCELLED else "is abnormal"
    error = TaskFailedError(
        f"The task {task.name} {what} (stage {task.stage_text!r}, status {task.status!r}) and will "
        f"not be {goal.name} by itself: see to it on the instance.",
        task=task,
    )
    return about(error, instance_id, task.name)


def absent(instance_id: str, names: Sequence[str]) -> NotFoundError:
    """The error of tasks that a complete list lacks."""
    error = NotFoundError(
        f"Instance {instance_id} lists no synchronization task {', '.join(names)}."
        f"{advice(instance_id)}",
        status=200,
    )
    return about(error, instance_id, names[0])


def about(error: E, instance_id: str, name: str) -> E:
    """The error, told which task it is about."""
    error.instance_id, error.task_name = instance_id, name
    return error
