"""Windows that outlive their program, and what their blocks are given."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Unpack, overload

from taurusdb_starrocks import AsyncClient, AsyncWindow, Client, Task, Waiting, Window
from taurusdb_starrocks.durable import _clock, _term
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._keeper import Keeper


class _Handle:
    """What both kinds of handles are."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    @property
    def id(self) -> str:
        """ID of the window in the journal."""
        return self._keeper.window

    @property
    def expires(self) -> datetime:
        """When the lease ends; in UTC, by the clock on the wall as it is now."""
        return _clock.now().after(self._keeper.term.left).date

    @property
    def remaining(self) -> float:
        """Seconds until the lease ends; 0 when it is over."""
        return self._keeper.term.left

    @property
    def found_paused(self) -> tuple[str, ...]:
        """Names of the tasks that were paused before the window opened, and stay so."""
        return self._keeper.found_paused

    @property
    def taken_over(self) -> tuple[str, ...]:
        """Names of the tasks that an unfinished window of the journal had left."""
        return self._keeper.taken_over

    @property
    def tasks(self) -> list[Task]:
        """The tasks as they were seen when the block began."""
        return list(self._keeper.tasks_seen)

    def check(self) -> None:
        """Make sure that the lease is not over.

        Raises:
            LeaseExpiredError: It is. The tasks run, or are about to.
        """
        self._keeper.term.check()


class DurableWindow(_Handle):
    """An open window of a ``Client``, as ``window`` gives it to its block."""

    def extend(self, seconds: float) -> None:
        """Have the lease end so many seconds from now. It never ends earlier than it would.

        Raises:
            LeaseExpiredError: It is over. The tasks run, or are about to.
            JournalError: It could not be written down, so the lease ends when it would.
        """
        self._keeper.extend(seconds)

    def guard(self, process_group: int, *, grace: float = 10.0) -> None:
        """Have a group of child processes gone before the guardian resumes the tasks.

        When the program is gone, the guardian waits for the group until the lease ends. Then, or at
        the lease's end, it sends SIGTERM to the group, and SIGKILL after ``grace`` seconds.

        Args:
            process_group: ID of the group, as of a child that was started with
                ``process_group=0`` or in a session of its own.
            grace: Seconds between the two signals.

        Raises:
            ConfigurationError: The leader of the group has exited, so that nothing tells the group
                from a later one of the same number.
            LeaseExpiredError: The lease is over. The tasks run, or are about to.
            JournalError: It could not be written down.
        """
        self._keeper.guard(process_group, grace)


class AsyncDurableWindow(_Handle):
    """The same for a window of an ``AsyncClient``."""

    async def extend(self, seconds: float) -> None:
        """As ``DurableWindow.extend``."""
        import asyncio  # noqa: PLC0415  # Only coroutines come here, and it takes long to load.

        await asyncio.to_thread(self._keeper.extend, seconds)

    async def guard(self, process_group: int, *, grace: float = 10.0) -> None:
        """As ``DurableWindow.guard``."""
        import asyncio  # noqa: PLC0415  # As above.

        await asyncio.to_thread(self._keeper.guard, process_group, grace)


@overload
def window(
    client: Client,
    instance_id: str,
    task_names: str | list[str] | tuple[str, ...],
    *,
    journal: Journal,
    lease: float,
    guardian: bool = True,
    reason: str = "",
    **waiting: Unpack[Waiting],
) -> Window[DurableWindow]: ...


@overload
def window(
    client: AsyncClient,
    instance_id: str,
    task_names: str | list[str] | tuple[str, ...],
    *,
    journal: Journal,
    lease: float,
    guardian: bool = True,
    reason: str = "",
    **waiting: Unpack[Waiting],
) -> AsyncWindow[AsyncDurableWindow]: ...


def window(
    client: Client | AsyncClient,
    instance_id: str,
    task_names: str | list[str] | tuple[str, ...],
    *,
    journal: Journal,
    lease: float,
    guardian: bool = True,
    reason: str = "",
    **waiting: Unpack[Waiting],
) -> Any:
    """A block in which tasks are paused, and after which they run even if the program is gone.

    It is a window of ``client.paused`` whose requests are in a journal. A guardian, a process of
    its own, resumes the tasks when the program is gone without having closed the window, and when
    the lease is over. What kills both is left to ``recover``.

    Tasks that are found paused stay so afterwards, unless an unfinished window of this journal left
    them paused: they are taken over, with a WARNING, and resumed at the end. That somebody resumed
    such a task and paused it again in between cannot be known.

    Args:
        client: A ``Client``, for ``with``, or an ``AsyncClient``, for ``async with``.
        instance_id: StarRocks instance.
        task_names: One name or several.
        journal: Where it is recorded.
        lease: Seconds from before the first pause after which the tasks are resumed in any case.
            The block does not begin with less than half of it left.
        guardian: Whether there is a guardian. Without one, only this program and ``recover`` resume
            the tasks, also at the end of the lease.
        reason: Why the tasks are paused, for whoever reads the journal.
        **waiting: How to wait, see ``Waiting``.

    Raises:
        TaskBusyError: A task is in another window, which lives, or on hold. Nothing was sent.
        JournalError: The journal cannot be written. No pause was sent after that.
        LeaseExpiredError: At the end of the block: the lease had ended before, and the tasks were
            resumed. Or too little of it was left when they were paused: the block did not begin.
        NotResumedError: As for ``client.paused``. The guardian goes on trying.
        ConfigurationError: An argument is malformed, or the client cannot be built in the guardian.
            Nothing was sent.
        ReplicationError: As for ``client.paused``.
    """
    names = [task_names] if isinstance(task_names, str) else list(task_names)
    keeper = Keeper(
        client,
        instance_id,
        names,
        journal=journal,
        lease=_term.checked(lease),
        guardian=guardian,
        reason=reason,
        waiting=waiting,
        handle=DurableWindow if isinstance(client, Client) else AsyncDurableWindow,
    )
    made: Any = client.paused  # Of either kind.
    return made(instance_id, task_names, **{**waiting, "recorder": keeper})
