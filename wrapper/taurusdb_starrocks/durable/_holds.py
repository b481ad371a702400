"""A pause without a block: a hold, which is resumed by hand or at its limit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection
from typing import Any, Unpack

from taurusdb_starrocks import (
    Client,
    ConfigurationError,
    Earlier,
    NotResumedError,
    ReplicationError,
    Task,
    Waiting,
)
from taurusdb_starrocks.durable import _clock, _records, _term
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._keeper import Keeper
from taurusdb_starrocks.durable._watch import Watch


class Hold(Keeper):
    """The recorder of a hold: a window that leaves its tasks paused when it closes."""

    kind = "hold"
    _holds = False  # Whether all tasks are paused, and to stay so.

    def opened(self, tasks: Sequence[Task], /) -> list[Task]:
        """The tasks, which are on hold from now on. Those that were found paused are left out."""
        self.term.check()
        found = [self.tasks[name] for name in self.found_paused]
        now = _clock.now()

        def write(c: Connection) -> None:
            _records.release(c, self.window, found)
            if len(found) == len(self.tasks):
                _records.close(c, self.window, now, "all were paused before")

        self.journal.write(write)
        self._holds = True
        self._watch.tell(look=True)
        return list(tasks)

    def closing(self, task_names: Sequence[str], /) -> Collection[str]:
        """Nothing is resumed once all are paused."""
        return () if self._holds else super().closing(task_names)

    def closed(
        self, left: Mapping[str, ReplicationError], seen: Sequence[Task], /
    ) -> Collection[str]:
        """Leave the tasks to the guardian."""
        try:
            if not self._holds:
                return super().closed(left, seen)
            self.leave()
            return ()
        finally:
            self._watch.part()

    def begin_watch(self, watch: Watch) -> None:
        """Have a guardian stay by itself."""
        watch.start(None)


class Resumption(Keeper):
    """The recorder of a resume by hand, which takes holds over."""

    takes_holds = True

    def opening(self) -> Earlier:
        """What is known of the tasks, all of which are resumed."""
        earlier = super().opening()
        self._unhandled.clear()
        return earlier


def pause(
    client: Client,
    instance_id: str,
    task_names: str | list[str] | tuple[str, ...],
    *,
    journal: Journal,
    lease: float | None,
    guardian: bool = True,
    reason: str = "",
    **waiting: Unpack[Waiting],
) -> list[Task]:
    """Pause tasks and put them on hold: recorded, and without a block that they belong to.

    A hold has no owner that has to live. At its limit a guardian, which stays after the program,
    resumes the tasks; where that was killed, ``recover`` does. Until then both leave them alone.
    ``resume`` ends a hold. If one of the tasks cannot be paused, the others are resumed.

    Args:
        client: Sends the requests.
        instance_id: StarRocks instance.
        task_names: One name or several.
        journal: Where it is recorded.
        lease: Seconds from before the first pause after which the tasks are resumed. None is no
            limit, explicitly: nothing but ``resume`` then resumes them.
        guardian: Whether a guardian resumes them at the limit. Without one, only ``recover`` does.
        reason: Why the tasks are paused, for whoever reads the journal.
        **waiting: How to wait, see ``Waiting``.

    Returns:
        The tasks as they were last seen. Those that were found paused are left out of the hold, and
        stay paused at its end; a WARNING names them.

    Raises:
        ReplicationError: As for ``window``. The tasks run, unless a ``NotResumedError`` names them.
    """
    hold = Hold(
        _sync(client),
        instance_id,
        _names(task_names),
        journal=journal,
        lease=None if lease is None else _term.checked(lease),
        guardian=guardian and lease is not None,
        reason=reason,
        waiting=waiting,
    )
    options: Any = {**waiting, "recorder": hold}
    with client.paused(instance_id, _names(task_names), **options) as tasks:
        return tasks


def resume(
    client: Client,
    instance_id: str,
    task_names: str | list[str] | tuple[str, ...],
    *,
    journal: Journal,
    **waiting: Unpack[Waiting],
) -> list[Task]:
    """Resume tasks, wait until all run, and close what the journal has about them.

    That may be a hold, or a window whose program is gone. A task that the journal knows nothing of
    is resumed too.

    Args:
        client: Sends the requests.
        instance_id: StarRocks instance.
        task_names: One name or several.
        journal: Where it is recorded.
        **waiting: How to wait, see ``Waiting``.

    Returns:
        The tasks as they were last seen.

    Raises:
        TaskBusyError: A task is in a window that lives. Nothing was sent.
        JournalError: The journal cannot be written. Nothing was sent.
        NotResumedError: Tasks are not known to run. They stay in the journal, for ``recover``.
    """
    names = _names(task_names)
    keeper = Resumption(
        _sync(client),
        instance_id,
        names,
        journal=journal,
        lease=None,
        guardian=False,
        reason="resumed by hand",
        waiting=waiting,
    )
    left: Mapping[str, ReplicationError] = {
        name: ReplicationError("The resume was interrupted.") for name in names
    }
    try:
        earlier = keeper.opening()
        options: Any = {**waiting, "recorder": keeper, "earlier": earlier}
        tasks: list[Task] = client.ensure_running(instance_id, names, **options)
        left = {}
    except NotResumedError as error:
        left = dict.fromkeys(error.task_names, error)
        raise
    finally:
        keeper.closed(left, [])
    return tasks


def _names(task_names: str | list[str] | tuple[str, ...]) -> list[str]:
    return [task_names] if isinstance(task_names, str) else list(task_names)


def _sync(client: Client) -> Client:
    if not isinstance(client, Client):
        raise ConfigurationError("A hold takes a Client; call it in a thread from coroutines.")
    return client
