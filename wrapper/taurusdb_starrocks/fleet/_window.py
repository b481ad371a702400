"""A block in which all tasks of a fleet are paused, with a lease and one guardian for all."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Unpack

from taurusdb_starrocks import ReplicationError, alert
from taurusdb_starrocks.durable import Batch, Former, Journal, Watch, batched
from taurusdb_starrocks.fleet._budget import Budget, most_errors
from taurusdb_starrocks.fleet._in_thread import in_thread
from taurusdb_starrocks.fleet._shield import shielded
from taurusdb_starrocks.fleet._targets import Source, Target, Targets
from taurusdb_starrocks.fleet._verbs import (
    LEFT,
    SETTLE,
    TIMEOUT,
    Options,
    Result,
    carry_out,
    checked,
    connect,
)
from taurusdb_starrocks.fleet._watched import WatchedFleet

logger = logging.getLogger("taurusdb_starrocks.durable")

TICK = 0.05  # Seconds between checks that the guardian is done.
QUIET = 1.0  # Seconds of waiting for the guardian until that is logged.
NAMED = 10  # Tasks that an error names.


class FleetError(ReplicationError):
    """Targets could not be paused, so the block did not start; or targets could not be resumed.

    If targets may still be paused, the error is also logged at CRITICAL. An alert on the log then
    works even if the program handles the exception.

    Attributes:
        result: The outcome of each target.
        may_be_paused: Whether targets may still be paused. If so, they are in the journal, and the
            guardian or ``durable.recover`` keeps trying to resume them.
    """

    def __init__(self, message: str, result: Result, *, may_be_paused: bool) -> None:
        super().__init__(message)
        self.result = result
        self.may_be_paused = may_be_paused


class _Handle:
    """What the sync and the async window have in common."""

    def __init__(self, batch: Batch, watch: Watch, result: Result) -> None:
        self.id = batch.id
        self.result = result
        self._batch = batch
        self._watch = watch

    @property
    def remaining(self) -> float:
        """Seconds until the lease ends; 0 when it has ended."""
        return self._batch.left

    @property
    def expires(self) -> datetime:
        """When the lease ends, in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self._batch.left)

    def check(self) -> None:
        """Raise an error if the lease has ended.

        Raises:
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. With ``guardian=False``, the tasks may still be paused.
        """
        self._batch.check()

    def _extend(self, seconds: float) -> None:
        self._batch.extend(seconds)
        self._watch.tell(look=True)

    def _guard(self, process_group: int, grace: float) -> None:
        self._batch.guard(process_group, grace)
        self._watch.tell(look=True)


class FleetWindow(_Handle):
    """An open window, which ``window`` passes to its block.

    Attributes:
        id: ID of the window in the journal.
        result: The outcome of each target when it was paused. Targets that were already paused
            (``found``) stay paused.
    """

    def extend(self, seconds: float) -> None:
        """Extend the lease to this many seconds from now. A lease is never shortened.

        Raises:
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. With ``guardian=False``, the tasks may still be paused.
            JournalError: The journal cannot be written. The lease was not extended.
        """
        self._extend(seconds)

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
        self._guard(process_group, grace)


class AsyncFleetWindow(_Handle):
    """An open window, which ``awindow`` passes to its block.

    Attributes:
        id: ID of the window in the journal.
        result: As ``FleetWindow.result``.
    """

    async def extend(self, seconds: float) -> None:
        """As ``FleetWindow.extend``."""
        await asyncio.to_thread(self._extend, seconds)

    async def guard(self, process_group: int, *, grace: float = 10.0) -> None:
        """As ``FleetWindow.guard``."""
        await asyncio.to_thread(self._guard, process_group, grace)


class _Window:
    """A window from its first pause to its last resume."""

    def __init__(
        self,
        targets: Source,
        journal: Journal,
        lease: float,
        guardian: bool,
        max_errors: int | str | None,
        reason: str,
        options: Options,
    ) -> None:
        checked(max_errors, options)
        self._options = options
        self._max_errors = max_errors
        self._lease = lease
        self._targets = Targets(
            targets, options.get("connect", connect), options.get("allow_endpoints", ())
        )
        self.batch = Batch(
            journal,
            "pause",
            call_timeout=self._targets.call_timeout,
            settle=options.get("settle", SETTLE),
            lease=lease,
            reason=reason,
            kind="window",
        )
        self._process = os.getpid()
        self._pauses = False  # Whether it has begun to pause targets.
        self._opened = False  # Whether all were seen paused before the lease ended.
        try:
            self.watch = Watch(WatchedFleet(self.batch, self._targets, options), guarded=guardian)
        except BaseException:
            self.batch.close()
            raise

    async def open(self) -> Result:
        """Start the guardian and pause all, or say why not."""
        atexit.register(self.name_open)
        starting = asyncio.ensure_future(asyncio.to_thread(self.watch.start, self._process))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting  # It cannot be stopped, and is told at the end that the window is over.
            raise
        finally:
            self.watch.keep()
        self._pauses = True
        budget = Budget(most_errors(self._max_errors, len(self._targets)))
        result = await self._carry_out(self.batch, self._targets, budget)
        if not result.complete:
            failed = next(result.outcomes())
            left = sum(result.counts.values()) - result.counts["confirmed"] - result.counts["found"]
            changed = sum(result.counts[state] for state in ("confirmed", "accepted", "unknown"))
            undone = (
                f"Targets that were or may be paused, and are resumed: {changed}."
                if changed
                else "No target was paused."
            )
            raise FleetError(
                f"Targets that could not be paused: {left} of {len(self._targets)}. The block did "
                f"not begin. {undone} The first: {failed.target.task_name} of "
                f"{failed.target.instance_id} is {failed.state}. {failed.error or result.stopped}",
                result,
                may_be_paused=False,
            )
        if self.batch.short:
            raise self.batch.expired(
                f"Pausing took so long that only {self.batch.left:.0f} s of the lease of "
                f"{self._lease:g} s are left, less than a half. The block did not begin, and the "
                "tasks are resumed."
            )
        self._opened = True
        self.watch.tell(look=True)
        return result

    async def close(self) -> None:
        """Resume what the window has paused. The guardian goes on with what fails.

        One interrupt or cancellation is deferred until the tasks are running; another one stops the
        resume.

        In a forked child, which has a copy of the window, it does nothing.
        """
        if os.getpid() != self._process:
            return
        try:
            await self._close()
        except FleetError as error:
            alert("tasks not resumed", error)
            raise
        finally:
            atexit.unregister(self.name_open)

    def name_open(self) -> None:
        """Log the tasks of a window that is still open when the process exits."""
        if os.getpid() == self._process:
            try:
                self._cut_short(None)
            except FleetError as error:
                alert("window still open at exit", error)

    async def _close(self) -> None:
        self.watch.end()
        resuming = asyncio.ensure_future(self._resume())
        held_back: asyncio.CancelledError | None = None
        try:
            try:
                result, expired = await asyncio.shield(resuming)
            except asyncio.CancelledError as interrupt:
                held_back = interrupt
                result, expired = await self._persisted(resuming)
        except BaseException as error:  # Also what `connect`, which is the program's own, raises.
            self._cut_short(error)
            raise
        finally:
            # It ends when nothing is left, and otherwise goes on with that.
            self.watch.tell(over=True)
            self.batch.close()
        if result is not None and not result.complete:
            raise self._not_resumed(result, f"The first error: {next(result.outcomes()).error}")
        if held_back is not None:
            raise held_back
        if expired:
            raise self.batch.expired(
                "The lease ended before the block did, and the tasks were resumed."
            )

    async def _persisted(
        self, resuming: asyncio.Future[tuple[Result | None, bool]]
    ) -> tuple[Result | None, bool]:
        """What the resume comes to. It starts again if it was cancelled, and not this coroutine.

        ``asyncio.run`` does that when its coroutine has ended: it cancels every task once.
        """
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        try:
            return await resuming
        except asyncio.CancelledError:
            if task.cancelling() > before:
                raise
        return await self._resume()

    def _cut_short(self, cause: BaseException | None) -> None:
        """Raise a ``FleetError`` if tasks may still be paused.

        Args:
            cause: What stopped ``close``; None if it was never called.
        """
        why = "The window is still open."
        if isinstance(cause, asyncio.CancelledError):
            why = "The resume was interrupted."
        elif cause is not None:
            told = isinstance(cause, ReplicationError)
            why = str(cause) if told else f"The resume was stopped by {type(cause).__name__}."
        try:
            found = self._left()
        except Exception:  # noqa: BLE001  # Without the journal or a client, all are named.
            if not self._pauses:
                return
            result = Result(self._targets, why, 0.0, 0)
            raise self._not_resumed(result, why, ("confirmed", *LEFT)) from cause
        if found is not None:
            raise self._not_resumed(Result(found, why, 0.0, 0), why) from cause

    async def _resume(self) -> tuple[Result | None, bool]:
        """Resume what is left, and say whether the lease is over: then the guardian is first."""
        while True:
            expired = self.batch.left <= 0
            if expired:
                self.watch.tell(over=True)
                await self._guardian_ends()
                if not self._opened:
                    Former(self.batch.journal, self.batch.id, self._heir, 0.0).reclaim()
            result = await self._resume_left()
            if expired or result is None or result.complete or self.batch.left > 0:
                return result, expired

    @property
    def _heir(self) -> str:
        """ID of the batch that resumes the tasks at the end."""
        return f"{self.batch.id}-closing"

    async def _guardian_ends(self) -> None:
        """Wait until the guardian has resumed what it can, for at most ``timeout`` seconds."""
        began, timeout = time.monotonic(), self._options.get("timeout", TIMEOUT)
        waits = False
        while not self.watch.ended() and (waited := time.monotonic() - began) < timeout:
            if waited > QUIET and not waits:
                waits = True
                logger.warning(
                    "fleet: the lease has ended; waiting for at most %g s until its guardian has "
                    "resumed the tasks",
                    timeout,
                )
            await asyncio.sleep(TICK)

    async def _resume_left(self) -> Result | None:
        """Resume what the batch has; None if that is nothing."""
        found = self._left()
        if found is None:
            return None
        heir = Batch(
            self.batch.journal,
            "resume",
            call_timeout=found.call_timeout,
            settle=self._options.get("settle", SETTLE),
            heir_of=self.batch.id,
            number=self._heir,
        )
        try:
            return await self._carry_out(heir, found, Budget(None, endless=True))
        finally:
            heir.close()

    def _left(self) -> Targets | None:
        """What the batch has in the journal; None if that is nothing."""
        left = (
            Target(place[2], name, None, place[0], place[1])
            for place, names in batched(self.batch.journal, self.batch.id)
            for name in names
        )
        first = next(left, None)
        if first is None:
            return None
        return Targets(chain([first], left), self._options.get("connect", connect))

    async def _carry_out(self, batch: Batch, targets: Targets, budget: Budget) -> Result:
        try:
            return await carry_out(batch, targets, budget, self._options)
        finally:
            await targets.aclose()

    def _not_resumed(self, result: Result, why: str, states: Collection[str] = LEFT) -> FleetError:
        left = list(islice(result.outcomes(*states), NAMED + 1))
        names = ", ".join(outcome.target.task_name for outcome in left[:NAMED])
        more = " and others" if len(left) > NAMED else ""
        return FleetError(
            f"May still be paused: {names}{more}. A task that stays paused longer than the source "
            f"keeps its binary log cannot catch up. {why} {self._who()}",
            result,
            may_be_paused=True,
        )

    def _who(self) -> str:
        """Who resumes what this program did not."""
        recover = "taurusdb_starrocks.durable.recover(journal)"
        if self.watch.ended():
            return f"No guardian resumes what is still paused: run {recover}."
        return f"The guardian goes on to resume what is still paused, and so does {recover}."


@contextmanager
def window(
    targets: Source,
    *,
    journal: Journal,
    lease: float,
    guardian: bool = True,
    max_errors: int | str | None = 0,
    reason: str = "",
    **options: Unpack[Options],
) -> Iterator[FleetWindow]:
    """Pause all targets while a ``with`` block runs, and resume them no matter how it exits.

    This is ``durable.window`` for a fleet. One guardian resumes all tasks if the program exits
    before the end of the block, or when the lease expires. If the guardian was killed too,
    ``recover`` resumes them. Tasks that were already paused stay paused.

    Args:
        targets: As for ``pause``.
        journal: Journal in which the window and its requests are recorded.
        lease: Maximum time that the tasks stay paused, in seconds, at most 1,000,000. It is counted
            from just before the first pause request. The block does not start if less than half of
            it is left.
        guardian: Whether to start a guardian. Without one, only this program and ``recover`` resume
            the tasks.
        max_errors: How many targets may fail before pausing stops, as for ``pause``; 0 by default.
            The block starts only if all targets are paused.
        reason: Why the tasks are paused, shown to people who read the journal.
        **options: See ``Options``.

    Yields:
        The window, for ``as``.

    Raises:
        FleetError: If ``may_be_paused`` is false, a target could not be paused: the block did not
            start, and all were resumed. If it is true, targets could not be resumed within
            ``timeout``, or the resume was interrupted twice: the guardian keeps trying. The first
            interrupt during the resume (Ctrl-C, or an exception of a signal handler) is deferred.
        LeaseExpiredError: The lease ended before the block did, or too little of it was left to
            start the block. The tasks are running again.
        GuardianError: The guardian could not be started. Nothing was sent.
        ConfigurationError: Targets or arguments are invalid. Nothing was sent.
        JournalError: The journal cannot be read or written. The block did not start, and no task
            stays paused.
    """
    made = _Window(targets, journal, lease, guardian, max_errors, reason, options)
    try:
        result = in_thread(made.open())
        yield FleetWindow(made.batch, made.watch, result)
    finally:
        in_thread(made.close())


@asynccontextmanager
async def awindow(
    targets: Source,
    *,
    journal: Journal,
    lease: float,
    guardian: bool = True,
    max_errors: int | str | None = 0,
    reason: str = "",
    **options: Unpack[Options],
) -> AsyncIterator[AsyncFleetWindow]:
    """``window`` for coroutines, with ``async with``.

    If the block is cancelled, the tasks are resumed before the cancellation propagates. The first
    cancellation during the resume is deferred. The second cancellation stops the resume and is
    replaced by a ``FleetError``, and the guardian resumes the remaining tasks.
    ``AsyncClient.paused`` differs: after the block was cancelled, one more cancellation stops the
    resume.
    """
    made = await asyncio.to_thread(
        _Window, targets, journal, lease, guardian, max_errors, reason, options
    )
    try:
        result = await made.open()
        yield AsyncFleetWindow(made.batch, made.watch, result)
    finally:
        with shielded():
            await made.close()
