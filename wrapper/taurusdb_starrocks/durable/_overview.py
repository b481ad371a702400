"""Which tasks the journal has as paused, and leaving one paused on purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from sqlite3 import Connection, Row
from typing import Any, Literal, NamedTuple

from taurusdb_starrocks import ConfigurationError
from taurusdb_starrocks.durable import _clock, _locks, _records
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import State

# After the end of the lease. An attempt of a guardian takes 30 minutes by default.
OVERDUE = timedelta(hours=1)


class Entry(NamedTuple):
    """A task that the journal lists as paused, being paused, or being resumed.

    Attributes:
        endpoint: Base URL of the service.
        project_id: Project of the instance.
        instance_id: Instance of the task.
        task_name: The task.
        window: ID of the window or hold in the journal.
        kind: ``window`` or ``hold``.
        owner: Program, process and machine that paused it.
        reason: Why it is paused; empty if no reason was given.
        since: When the window or hold began, in UTC.
        until: When the lease ends, in UTC; None if there is no limit.
        state: ``live`` while the block runs, ``held`` for a hold before its limit, ``elsewhere``
            for a window of another machine before its lease ends, ``expired`` after the lease, and
            ``abandoned`` if the program has exited. A guardian or ``recover`` resumes the last two.
            A window belongs to another machine if both the boot ID and the machine ID differ. An
            example is a new container that runs after its host was rebooted.
        guarded: Whether a guardian process is running that resumes the task.
        trouble: Error of the last attempt to resume the task; empty if there was none.
        planned: Whether a fleet has claimed the task, but has not sent a request that may have
            paused it. Such a task is not paused, unless another program paused it.
    """

    endpoint: str
    project_id: str
    instance_id: str
    task_name: str
    window: str
    kind: Literal["window", "hold"]
    owner: str
    reason: str
    since: datetime
    until: datetime | None
    state: State
    guarded: bool
    trouble: str
    planned: bool = False

    @property
    def due(self) -> bool:
        """Whether ``recover`` resumes the task.

        It does if ``state`` is ``expired`` or ``abandoned``, and one of these is true: no guardian
        is running, the last attempt to resume the task failed, or the lease ended more than an hour
        ago.
        """
        over = self.state in {"expired", "abandoned"}
        hangs = self.until is not None and datetime.now(UTC) - self.until > OVERDUE
        return over and (not self.guarded or bool(self.trouble) or hangs)


def overview(journal: Journal) -> list[Entry]:
    """Return the tasks that the journal lists as paused, the oldest first.

    Raises:
        JournalError: The journal cannot be read.
    """
    return journal.read(lambda c: entries(c, _alive(journal)))


def of_window(journal: Journal, window: str) -> list[Entry]:
    """The tasks of one window.

    Raises:
        JournalError: The journal cannot be read.
    """
    return journal.read(lambda c: entries(c, _alive(journal), window))


def _alive(journal: Journal) -> Callable[[str], bool]:
    """Whether a process holds the lock of an actor, tested once for each."""
    return cache(lambda actor: bool(actor) and _locks.alive(journal.lock_path(actor)))


def entries(c: Connection, alive: Callable[[str], bool], window: str | None = None) -> list[Entry]:
    """The tasks that are paused, or those of one window; inside a transaction."""
    which = "IS NOT NULL" if window is None else "= ?"
    rows = c.execute(
        f"SELECT window.*, task.name AS task_name, {_records.PLANNED} AS planned "  # noqa: S608  # Texts of ours.
        "FROM task JOIN window ON window.id = task.window "
        f"WHERE task.window {which} ORDER BY window.began_wall, task.id",
        () if window is None else (window,),
    )
    now = _clock.now()
    return [entry(row, row["task_name"], now, alive) for row in rows]


def entry(window: Row, task_name: str, now: Any, alive: Callable[[str], bool]) -> Entry:
    """The entry of a task of a window."""
    return Entry(
        endpoint=window["endpoint"],
        project_id=window["project_id"],
        instance_id=window["instance_id"],
        task_name=task_name,
        window=window["id"],
        kind=window["kind"],
        owner=_records.owner(window),
        reason=window["reason"],
        since=_records.date(window["began_wall"]),
        until=None if window["ends_wall"] is None else _records.date(window["ends_wall"]),
        state=_records.state(window, now, alive),
        guarded=alive(window["guardian"]),
        trouble=window["trouble"],
        planned=bool(window["planned"]),
    )


def forget(journal: Journal, instance_id: str, task_name: str, reason: str) -> list[Entry]:
    """Leave a task paused: neither a guardian nor ``recover`` resumes it afterwards.

    You can still resume it with ``resume`` or ``Client.ensure_running``.

    Args:
        journal: The journal.
        instance_id: Instance of the task.
        task_name: The task.
        reason: Why the task stays paused, shown to people who read the journal.

    Returns:
        The entries of the task, which the journal no longer lists as paused.

    Raises:
        ConfigurationError: The journal has no such task, or no reason is given. Nothing changed.
        TaskBusyError: The program that paused it is running. Nothing changed.
        JournalError: The journal cannot be written. Nothing changed.
    """
    if not reason.strip():
        raise ConfigurationError("Give a reason to forget a task. Nothing changed.")
    alive = _alive(journal)

    def write(c: Connection) -> list[Entry]:
        now = _clock.now()
        found = [
            one
            for one in entries(c, alive)
            if (one.instance_id, one.task_name) == (instance_id, task_name)
        ]
        if not found:
            raise ConfigurationError(
                f"The journal has no paused task {task_name} of instance {instance_id}. Nothing "
                "changed."
            )
        for one in found:
            window = _records.find(c, one.window)
            if one.kind == "window" and _records.busy(window, now, alive):
                raise _records.refusal(window, task_name, now, alive)
            tasks = [task for task in _records.owned(c, one.window) if task.name == task_name]
            _records.release(c, one.window, tasks)
            c.execute("UPDATE task SET epoch = epoch + 1 WHERE id = ?", (tasks[0].id,))
            _records.note(c, one.window, "forgotten", f"{task_name}: {reason}", now)
            if not _records.owns_tasks(c, one.window):
                _records.close(c, one.window, now, "forgotten")
        return found

    return journal.write(write)
