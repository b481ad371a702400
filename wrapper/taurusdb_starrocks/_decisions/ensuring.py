"""The verbs that bring tasks of one instance to a stage, and wait for it."""

from __future__ import annotations

from collections.abc import Sequence

from taurusdb_starrocks._decisions.convergence import Convergence
from taurusdb_starrocks._decisions.listing import find_all
from taurusdb_starrocks._decisions.polling import Chances, Patience
from taurusdb_starrocks._decisions.recording import Earlier
from taurusdb_starrocks._decisions.steps import Steps
from taurusdb_starrocks._errors import NotResumedError
from taurusdb_starrocks._operations import PAUSE, RESUME, Operation
from taurusdb_starrocks._tasks import Task


def ensure_paused(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances
) -> Steps[dict[str, Task]]:
    """Pause the tasks that are not paused yet, and wait until all are paused."""
    effort = Convergence(PAUSE, instance_id, names, patience, chances)
    before = yield from find_all(instance_id, names, patience, chances, effort.deadline)
    effort.skip(before)
    yield from effort.request_all()
    return (yield from effort.wait())


def ensure_running(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances
) -> Steps[dict[str, Task]]:
    """Resume all tasks, whatever their stage, and wait until all run."""
    effort = Convergence(RESUME, instance_id, names, patience, chances)
    yield from effort.request_all()
    return (yield from effort.wait())


def take_over(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances, earlier: Earlier
) -> Steps[dict[str, Task]]:
    """Resume tasks that were paused by a program that has ended, and wait until all run."""
    effort = Convergence(
        RESUME, instance_id, names, patience, chances, stubborn=True, earlier=earlier
    )
    yield from effort.request_all()
    seen = yield from effort.wait()
    if effort.failed:
        first = next(iter(effort.failed.values()))
        raise not_resumed(instance_id, effort.left) from first
    return seen


def not_resumed(instance_id: str, names: Sequence[str]) -> NotResumedError:
    """The error for tasks that may still be paused."""
    lines = "; ".join(f"client.ensure_running({instance_id!r}, {name!r})" for name in names)
    error = NotResumedError(
        f"May still be paused: {', '.join(names)}. A task that stays paused longer than the "
        "source keeps its binary log cannot catch up. Check the stage and resume the task "
        f"yourself, again if a pause that is still in progress stops it later: {lines}",
        instance_id=instance_id,
        task_names=names,
    )
    error.task_name = names[0]
    return error


def wait_until(
    operation: Operation, instance_id: str, name: str, patience: Patience, chances: Chances
) -> Steps[Task]:
    """Wait until one task is at the goal of an operation. Sends no request to change it."""
    seen = yield from Convergence(operation, instance_id, [name], patience, chances).wait()
    return seen[name]
