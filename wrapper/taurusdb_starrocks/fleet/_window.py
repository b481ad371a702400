"""A block in which all tasks of a fleet are paused, with a lease and one guardian for all."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

import attrs

from taurusdb_starrocks import ConfigurationError, Poll, Rebuild, ReplicationError
from taurusdb_starrocks.durable import (
    Batch,
    GuardianError,
    Journal,
    JournalError,
    LeaseExpiredError,
    Link,
    batched,
)
from taurusdb_starrocks.fleet._budget import Budget, most_errors
from taurusdb_starrocks.fleet._targets import Source, Target, Targets
from taurusdb_starrocks.fleet._verbs import (
    CONCURRENCY,
    RATE,
    SETTLE,
    Options,
    Result,
    carry_out,
    checked,
    connect,
)

logger = logging.getLogger("taurusdb_starrocks.durable")

SHARE = 0.5  # Of the lease that is left when a block begins, at least.
WARN_AT = 0.2  # Of the lease that is left.
TICK = 0.5  # Seconds between looks at the lease and the guardian.
GUARDIAN = "taurusdb_starrocks.fleet._guardian"


class FleetError(ReplicationError):
    """Targets of a window could not be paused, so that its block did not begin, or not be resumed.

    Attributes:
        result: What became of the targets. Those that may still be paused are in the journal, and
            the guardian goes on with them.
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class FleetWindow:
    """An open window, as ``window`` gives it to its block.

    Attributes:
        id: ID of the window in the journal.
        result: What became of the targets when they were paused. Those ``found`` paused stay so.
    """

    def __init__(self, batch: Batch, watch: _Watch, result: Result) -> None:
        self.id = batch.id
        self.result = result
        self._batch = batch
        self._watch = watch

    @property
    def remaining(self) -> float:
        """Seconds until the lease is over; 0 when it is."""
        return self._batch.left

    @property
    def expires(self) -> datetime:
        """When the lease ends; in UTC, by the clock on the wall as it is now."""
        return datetime.now(UTC) + timedelta(seconds=self._batch.left)

    def check(self) -> None:
        """Make sure that the lease is not over.

        Raises:
            LeaseExpiredError: It is. The tasks run, or are about to.
        """
        if self._batch.left <= 0:
            raise expired("The lease is over: the tasks are resumed, or about to be.")

    def extend(self, seconds: float) -> None:
        """Have the lease end so many seconds from now. It never ends earlier than it would.

        Raises:
            LeaseExpiredError: It is over. The tasks run, or are about to.
            JournalError: It could not be written down, so the lease ends when it would.
        """
        self.check()
        self._batch.extend(seconds)
        self._watch.tell(left=self._batch.left)


def expired(message: str) -> LeaseExpiredError:
    """The error of a lease that is over."""
    return LeaseExpiredError(message, expired=datetime.now(UTC))


class _Watch:
    """Keeps a guardian there, and warns before the lease ends."""

    def __init__(
        self,
        batch: Batch,
        targets: Targets,
        lease: float,
        options: Options,
    ) -> None:
        self._batch = batch
        self._targets = targets
        self._lease = lease
        self._over = threading.Event()
        self._changing = threading.Lock()
        self._clients = self._built()
        self._given = {
            "journal": str(batch.journal.path),
            "batch": batch.id,
            "parent": os.getpid(),
            "call_timeout": targets.call_timeout,
            "options": {
                "settle": options.get("settle", SETTLE),
                "concurrency": options.get("concurrency", CONCURRENCY),
                "rate": options.get("rate", RATE),
                "poll": attrs.asdict(options.get("poll", Poll())),
            },
        }
        self._link = self._start()
        self._thread = threading.Thread(target=self._keep, name="fleet-watch", daemon=True)
        self._thread.start()

    def _built(self) -> list[tuple[str, str, dict[str, Any]]]:
        """How the clients are built in the guardian; secrets included."""
        found = []
        for (endpoint, project_id), client in self._targets.clients.items():
            try:
                rebuild = client.rebuild()
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"{error.message} So there can be no guardian: with guardian=False, only this "
                    "program and recover() resume the tasks. Nothing was sent."
                ) from None
            if not rebuild.lasting and not hasattr(self, "_clients"):
                logger.warning(
                    "fleet: the guardian gets a token whose end is unknown (tokens live 24 hours); "
                    "once it has ended, only this program can resume the tasks"
                )
            made = Rebuild("taurusdb_starrocks:AsyncClient", rebuild.arguments, rebuild.lasting)
            found.append((endpoint, project_id, made.to_document()))
        return found

    def _start(self) -> Link:
        actor = uuid.uuid4().hex
        self._batch.guarded_by(actor)
        given = {**self._given, "actor": actor, "clients": self._clients, "left": self._batch.left}
        return Link(given, GUARDIAN)

    def _keep(self) -> None:
        warned = False
        while not self._over.wait(TICK):
            late = self._batch.left <= WARN_AT * self._lease
            if late and not warned:
                logger.warning("fleet: %.0f s of the lease are left", self._batch.left)
            warned = late
            with self._changing:
                self._renew()

    def _renew(self) -> None:
        """Start another guardian if it is gone, and hand it credentials that have changed."""
        clients = self._built()
        changed, self._clients = clients != self._clients, clients
        if self._link.ended() and not self._over.is_set():
            logger.warning("fleet: the guardian is gone, another is started")
            self._link.close()
            try:
                self._link = self._start()
            except (GuardianError, JournalError):
                logger.exception("fleet: there is no guardian; another attempt follows")
        elif changed:
            self._link.tell({"clients": clients})

    def tell(self, **what: Any) -> None:
        """Tell the guardian something."""
        self._link.tell(what)

    def stop(self) -> None:
        """Start no other guardian any more."""
        self._over.set()
        with self._changing:  # One that is being started is told what comes next.
            pass

    def end(self) -> None:
        """Tell the guardian that the window is over, and wait until it is gone."""
        self.tell(over=True)
        self._link.close()

    def leave(self) -> None:
        """Tell it the same, and leave it to go on with what does not run."""
        threading.Thread(target=self.end, name="fleet-guardian", daemon=True).start()


class _NoWatch:
    """Without a guardian."""

    def tell(self, **what: Any) -> None:
        """Nobody listens."""

    stop = end = leave = tell


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
    """A block in which all targets are paused, and after which they run, whatever happens.

    It is ``durable.window`` for a fleet: one guardian resumes all tasks when the program is gone
    without having closed the window, and at the end of the lease; ``recover`` does where that was
    killed too. Tasks that were found paused stay so.

    Args:
        targets: As for ``pause``.
        journal: Where it is recorded.
        lease: Seconds from before the first pause after which the tasks are resumed in any case.
            The block does not begin with less than half of it left.
        guardian: Whether there is a guardian.
        max_errors: How many targets may fail until no further one is paused. The block does not
            begin unless all are paused.
        reason: Why the tasks are paused, for whoever reads the journal.
        **options: See ``Options``.

    Yields:
        The window.

    Raises:
        FleetError: A target could not be paused: the block did not begin, and all were resumed. Or
            one could not be resumed.
        LeaseExpiredError: The lease ended before the block did, and the tasks were resumed. Or too
            little of it was left when they were paused: the block did not begin.
        GuardianError: There is no guardian. Nothing was sent.
        ConfigurationError: Targets or arguments are wrong. Nothing was sent.
        JournalError: The journal cannot be written. Nothing was sent.
    """
    checked(max_errors, options)
    found = Targets(targets, options.get("connect", connect), options.get("allow_endpoints", ()))
    batch = Batch(
        journal,
        "pause",
        call_timeout=found.call_timeout,
        settle=options.get("settle", SETTLE),
        lease=lease,
        reason=reason,
        kind="window",
    )
    try:
        process = os.getpid()
        watch: Any = _Watch(batch, found, lease, options) if guardian else _NoWatch()
        try:
            yield _opened(batch, found, watch, lease, max_errors, options)
        finally:
            if os.getpid() == process:  # A forked child has a copy, which does nothing.
                _close(batch, watch, options)
    finally:
        batch.close()


def _opened(
    batch: Batch,
    found: Targets,
    watch: _Watch,
    lease: float,
    max_errors: int | str | None,
    options: Options,
) -> FleetWindow:
    """Pause all, or say why not."""
    budget = Budget(most_errors(max_errors, len(found)))
    result = asyncio.run(_carried_out(batch, found, budget, options))
    if not result.complete:
        failed = next(result.outcomes())
        raise FleetError(
            f"{sum(result.counts.values()) - result.counts['confirmed'] - result.counts['found']} "
            f"of {len(found)} targets could not be paused. The block did not begin, and all are "
            f"resumed. The first: {failed.target.task_name} of {failed.target.instance_id} is "
            f"{failed.state}. {failed.error}",
            result,
        )
    if batch.left < SHARE * lease:
        raise expired(
            f"Pausing took so long that only {batch.left:.0f} s of the lease of {lease:g} s are "
            "left, less than a half. The block did not begin, and the tasks are resumed."
        )
    return FleetWindow(batch, watch, result)


async def _carried_out(batch: Batch, found: Targets, budget: Budget, options: Options) -> Result:
    try:
        return await carry_out(batch, found, budget, options)
    finally:
        await found.aclose()


def _close(batch: Batch, watch: Any, options: Options) -> None:
    """Resume what the window has paused; the guardian goes on with what fails."""
    watch.stop()
    over = batch.left <= 0
    result: Result | None = None
    left = True  # Whether there may be something to resume for the guardian.
    try:
        if over:
            watch.end()  # It is resuming them.
        result = _resumed(batch, options)
        left = result is not None and not result.complete
    finally:
        if left:
            watch.leave()
        elif not over:
            watch.end()
    if result is not None and left:
        first = [outcome.target.task_name for outcome in itertools.islice(result.outcomes(), 10)]
        raise FleetError(
            f"May still be paused: {', '.join(first)}"
            f"{' and others' if len(first) == 10 else ''}. A task that stays paused longer than "
            "the source keeps its binary log cannot catch up. The guardian goes on, and so does "
            "taurusdb_starrocks.durable.recover(journal).",
            result,
        )
    if over:
        raise expired("The lease ended before the block did, and the tasks were resumed.")


def _resumed(batch: Batch, options: Options) -> Result | None:
    """Resume what the batch has; None if that is nothing."""
    left = (
        Target(place[2], name, None, place[0], place[1])
        for place, names in batched(batch.journal, batch.id)
        for name in names
    )
    first = next(left, None)
    if first is None:
        return None
    found = Targets(itertools.chain([first], left), options.get("connect", connect))
    heir = Batch(
        batch.journal,
        "resume",
        call_timeout=found.call_timeout,
        settle=options.get("settle", SETTLE),
        heir_of=batch.id,
    )
    try:
        return asyncio.run(_carried_out(heir, found, Budget(None, endless=True), options))
    finally:
        heir.close()
