"""The verbs that bring tasks of one instance to a stage, and wait for it."""

from __future__ import annotations

from collections.abc import Sequence

from taurusdb_starrocks._decisions.convergence import Convergence
from taurusdb_starrocks._decisions.listing import find_all
from taurusdb_starrocks._decisions.polling import Chances, Patience
from taurusdb_starrocks._decisions.recording import Earlier
from taurusdb_starrocks._decisions.steps import Steps
from taurusdb_starrocks._errors import NotResumedError, ReplicationError
from taurusdb_starrocks._operations import PAUSE, RESUME, Operation
from taurusdb_starrocks._tasks import Task


def ensure_paused(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances
) -> Steps[dict[str, Task]]:
    """Pause the tasks that are not paused yet, and wait until all are paused."""
    effort = Convergence(PAUSE, instance_id, names, patience, chances)
    before = yield from find_all(instance_id, names, patience, chances, effort.deadline)
    effort.skip(before)
    try:
        yield from effort.request_all()
        return (yield from effort.wait())
    except BaseException as error:
        _add_changed(error, effort.changed)
        raise


def _add_changed(error: BaseException, names: Sequence[str]) -> None:
    """Add the tasks that may be paused now to an error."""
    if isinstance(error, ReplicationError):
        error.possibly_paused = tuple(names)
    elif names:
        error.add_note(f"May be paused now: {', '.join(names)}.")


def ensure_running(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances
) -> Steps[dict[str, Task]]:
    """Resume all tasks, whatever their stage, and wait until all run."""
    effort = Convergence(RESUME, instance_id, names, patience, chances, independent=True)
    if len(names) > 1:
        return (yield from _resume_each(effort, instance_id))
    yield from effort.request_all()
    seen = yield from effort.wait()
    raise_last(next(iter(effort.failed.values()), None), effort.callback_error)
    return seen


def take_over(
    instance_id: str, names: Sequence[str], patience: Patience, chances: Chances, earlier: Earlier
) -> Steps[dict[str, Task]]:
    """Resume tasks that were paused by a program that has ended, and wait until all run."""
    effort = Convergence(
        RESUME, instance_id, names, patience, chances, stubborn=True, earlier=earlier
    )
    return (yield from _resume_each(effort, instance_id))


def _resume_each(effort: Convergence, instance_id: str) -> Steps[dict[str, Task]]:
    """Resume tasks independently. The error names all that may still be paused."""
    yield from effort.request_all()
    seen = yield from effort.wait()
    error = None
    if effort.failed:
        error = not_resumed(instance_id, effort.left)
        error.__cause__ = next(iter(effort.failed.values()))
    raise_last(error, effort.callback_error)
    return seen


def raise_last(error: BaseException | None, callback_error: Exception | None) -> None:
    """Raise an error, with a note about the exception of a callback, or else that exception."""
    if error is None:
        error = callback_error
    elif callback_error is not None:
        error.add_note(f"A callback raised {type(callback_error).__name__}: {callback_error}")
    if error is not None:
        raise error


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
