"""A hold: tasks that stay paused without a block, until ``resume`` or a time limit."""

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
from taurusdb_starrocks.durable._clock import Moment
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._keeper import Keeper
from taurusdb_starrocks.durable._records import Owned
from taurusdb_starrocks.durable._watch import Watch


class Hold(Keeper):
    """The recorder of a hold, which is a window that leaves its tasks paused when it closes."""

    kind = "hold"
    called = "pause"
    _holds = False  # Whether all tasks are paused and stay paused.

    def opened(self, tasks: Sequence[Task], /) -> list[Task]:
        """The tasks, which are on hold from now on, except those that were paused before."""
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
        """Once all tasks are paused, resume none."""
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
        """Start a guardian that outlives this process."""
        watch.start(None)


class Resumption(Keeper):
    """The recorder of ``resume``, which takes over holds."""

    called = "resume"
    takes_holds = True
    _known: Collection[str] = ()  # Tasks that the journal listed as paused before.

    def claim(
        self, c: Connection, row: Mapping[str, Any], now: Moment
    ) -> tuple[dict[str, Any], list[Owned]]:
        """Remember which tasks the journal listed before."""
        taken, tasks = super().claim(c, row, now)
        self._known = taken.keys()
        return taken, tasks

    def opening(self) -> Earlier:
        """What the journal knows about the tasks. All of them are resumed."""
        earlier = super().opening()
        self._unhandled.clear()
        return earlier

    def closed(
        self, left: Mapping[str, ReplicationError], seen: Sequence[Task], /
    ) -> Collection[str]:
        """Keep the tasks that the journal listed before, or whose resume may have arrived.

        The journal never had a pause of the others, and nothing changed.
        """
        new = [task for name, task in self.tasks.items() if name not in self._known]
        try:
            unchanged = self.journal.read(
                lambda c: {task.name for task in new if not _records.effective(c, task.id)}
            )
        except JournalError:
            unchanged = set()
        kept = {name: error for name, error in left.items() if name not in unchanged}
        return super().closed(kept, seen)


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
    """Pause tasks and put them on hold: they stay paused after the program ends.

    When the lease expires, a guardian resumes the tasks; it keeps running after the program ends.
    If it was killed, ``recover`` resumes them. ``resume`` ends a hold earlier. If a task cannot be
    paused, the others are resumed.

    In an asyncio program, call it in a thread, for example with ``asyncio.to_thread``. A
    cancellation does not stop the thread. The same applies to ``resume`` and ``recover``.

    Args:
        client: Client that sends the requests; not an ``AsyncClient``.
        instance_id: StarRocks instance.
        task_names: One name or several.
        journal: Journal in which the hold and its requests are recorded.
        lease: Maximum time that the tasks stay paused, in seconds, at most 1,000,000. It is counted
            from just before the first pause request. None means no limit: only ``resume`` resumes
            them.
        guardian: Whether a guardian resumes the tasks when the lease expires. Without one, only
            ``recover`` does.
        reason: Why the tasks are paused, shown to people who read the journal.
        **waiting: How to wait, see ``Waiting``.

    Returns:
        The tasks as shown by the last poll. Tasks that were already paused are not part of the hold
        and stay paused when it ends; a warning lists them.

    Raises:
        ReplicationError: As for ``window``. The tasks are running, unless a ``NotResumedError``
            lists them.
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
    """Resume tasks, wait until all are running, and end their holds.

    It also takes over a window whose program has exited. A task that is not in the journal is
    resumed too.

    Args:
        client: Client that sends the requests; not an ``AsyncClient``.
        instance_id: StarRocks instance.
        task_names: One name or several.
        journal: Journal in which the requests are recorded.
        **waiting: How to wait, see ``Waiting``.

    Returns:
        The tasks as shown by the last poll.

    Raises:
        TaskBusyError: A task belongs to an open window. Nothing was sent.
        JournalError: The journal cannot be written. Nothing was sent. ``Client.ensure_running``
            resumes tasks without a journal.
        NotResumedError: Tasks may still be paused. Of these tasks, the journal lists the ones that
            it listed before the call, and the ones whose resume request may have reached the
            service. ``recover`` tries to resume all tasks that the journal lists.
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
        raise ConfigurationError("A hold needs a Client. From coroutines, call this in a thread.")
    return client
