"""Durable windows, and what their blocks get."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Unpack, overload

from taurusdb_starrocks import AsyncClient, AsyncWindow, Client, Task, Waiting, Window
from taurusdb_starrocks.durable import _clock, _term
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._keeper import Keeper


class _Handle:
    """What a block gets from a window of either kind of client."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    @property
    def id(self) -> str:
        """ID of the window in the journal."""
        return self._keeper.window

    @property
    def expires(self) -> datetime:
        """When the lease ends, in UTC, according to the current system time."""
        return _clock.now().after(self._keeper.term.left).date

    @property
    def remaining(self) -> float:
        """Seconds until the lease ends; 0 when it has ended."""
        return self._keeper.term.left

    @property
    def found_paused(self) -> tuple[str, ...]:
        """Names of the tasks that were paused before the window opened, and stay paused."""
        return self._keeper.found_paused

    @property
    def taken_over(self) -> tuple[str, ...]:
        """Names of the tasks that an earlier window of the journal had left paused."""
        return self._keeper.taken_over

    @property
    def tasks(self) -> list[Task]:
        """The tasks as shown by the last poll before the block started."""
        return list(self._keeper.tasks_seen)

    def check(self) -> None:
        """Raise an error if the lease has ended.

        Raises:
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. With ``guardian=False``, the tasks may still be paused.
        """
        self._keeper.term.check()


class DurableWindow(_Handle):
    """An open window of a ``Client``, which ``window`` passes to its block."""

    def extend(self, seconds: float) -> None:
        """Extend the lease to this many seconds from now. A lease is never shortened.

        Raises:
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. With ``guardian=False``, the tasks may still be paused.
            JournalError: The journal cannot be written. The lease was not extended.
        """
        self._keeper.extend(seconds)

    def guard(self, process_group: int, *, grace: float = 10.0) -> None:
        """Make the guardian wait for a group of child processes before it resumes the tasks.

        After the program has exited, the guardian waits until the group has exited. When the lease
        expires, the guardian sends SIGTERM to the group, and SIGKILL after ``grace`` seconds.
        A block that ends before the lease does not wait for the group.

        Args:
            process_group: ID of the group. It is the process ID of a child that was started with
                ``process_group=0`` or ``start_new_session=True``.
            grace: Seconds between the two signals.

        Raises:
            ConfigurationError: The first process of the group has exited. Nothing was recorded.
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. With ``guardian=False``, the tasks may still be paused.
            JournalError: The journal cannot be written. Nothing was recorded.
        """
        self._keeper.guard(process_group, grace)


class AsyncDurableWindow(_Handle):
    """An open window of an ``AsyncClient``."""

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
    """Pause tasks while a ``with`` block runs, and resume them even if the program is killed.

    The window works like ``client.paused``, and records its requests in a journal. A guardian (a
    second process) resumes the tasks if the program exits before the end of the block, or when the
    lease expires. If the guardian is killed too, ``recover`` resumes the tasks.

    Tasks that were paused before stay paused, unless an unfinished window of this journal paused
    them. Then this window takes over these tasks, logs a warning, and resumes them at its end. The
    window cannot detect whether someone has resumed and paused such a task again in the meantime.

    If the lease expires before the block ends, the window waits at the end of the block until the
    guardian has resumed the tasks. After ``timeout`` seconds, this program takes them back and
    resumes them itself.

    Args:
        client: A ``Client`` for ``with``, or an ``AsyncClient`` for ``async with``.
        instance_id: StarRocks instance.
        task_names: One name or several.
        journal: Journal in which the window and its requests are recorded.
        lease: Maximum time that the tasks stay paused, in seconds, at most 1,000,000. It is counted
            from just before the first pause request. The block does not start if less than half of
            it is left.
        guardian: Whether to start a guardian. Without one, only this program and ``recover`` resume
            the tasks, even when the lease expires.
        reason: Why the tasks are paused, shown to people who read the journal.
        **waiting: How to wait, see ``Waiting``.

    Raises:
        TaskBusyError: A task belongs to another open window of this journal, or is on hold. Nothing
            was sent.
        GuardianError: The guardian could not be started. Nothing was sent.
        JournalError: A write to the journal failed. After that, no pause was sent. The tasks that
            this window had already paused were resumed.
        LeaseExpiredError: The lease ended before the block did, or too little of it was left to
            start the block. The tasks are running again.
        NotResumedError: As for ``client.paused``. The guardian keeps trying.
        ConfigurationError: An argument is malformed, or the client cannot be created in the
            guardian. Nothing was sent.
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
