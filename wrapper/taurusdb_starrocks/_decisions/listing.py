"""Find tasks by name in the list of an instance."""

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
# After these errors, the next request may succeed.
PASSING = (NotSentError, ConflictError, RateLimitError, ServerError, OutcomeUnknownError)


def read(
    instance_id: str, names: Collection[str], deadline: float | None = None
) -> Steps[dict[str, Task]]:
    """The current state of the named tasks that exist."""
    reading, page = paging.read(names), None
    while True:
        try:
            step = reading.send(page)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # The tasks that were read.
        page = None
        if isinstance(step, PageRequest):
            page = yield ReadPage(instance_id, step.offset, step.limit, deadline)


def find(instance_id: str, name: str) -> Steps[Task]:
    """The current state of one task. Raises ``NotFoundError``."""
    found = yield from read(instance_id, [name])
    if name not in found:
        raise absent(instance_id, [name])
    return found[name]


def find_all(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances, deadline: float
) -> Steps[dict[str, Task]]:
    """The current state of all named tasks. A poll that fails temporarily is repeated.

    Raises:
        NotFoundError: One of the tasks does not exist.
        ReplicationError: No poll succeeded in time.
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
    """Whether a task cannot make progress on its own."""
    return task.abnormal or task.stage is Stage.CANCELLED


def failure(instance_id: str, task: Task, goal: Goal) -> TaskFailedError:
    """The error for a task that cannot make progress on its own."""
    what = "was cancelled" if task.stage is Stage.CANCELLED else "is abnormal"
    error = TaskFailedError(
        f"The task {task.name} {what} (stage {task.stage_text!r}, status {task.status!r}) and will "
        f"not be {goal.name} on its own: check the task on the instance.",
        task=task,
    )
    return about(error, instance_id, task.name)


def absent(instance_id: str, names: Sequence[str]) -> NotFoundError:
    """The error for tasks that are missing from a complete list."""
    error = NotFoundError(
        f"Instance {instance_id} has no synchronization task {', '.join(names)}."
        f"{advice(instance_id)}",
        status=200,
    )
    return about(error, instance_id, names[0])


def about(error: E, instance_id: str, name: str) -> E:
    """Set the task of an error."""
    error.instance_id, error.task_name = instance_id, name
    return error
