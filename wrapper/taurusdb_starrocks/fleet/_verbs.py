"""What a program calls: pause or resume many tasks, and report what the journal has of them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

from taurusdb_starrocks import (
    AsyncClient,
    ConfigurationError,
    Poll,
    ReplicationError,
    RetryPolicy,
)
from taurusdb_starrocks.durable import Batch, Journal, Recorded, recorded
from taurusdb_starrocks.fleet._budget import Budget, kind_of, most_errors
from taurusdb_starrocks.fleet._run import Event, Events, Run
from taurusdb_starrocks.fleet._targets import Connect, Outcome, Source, Target, Targets

STATES = ("confirmed", "found", "accepted", "unknown", "refused", "unreachable", "planned")
LEFT = STATES[2:]
CONCURRENCY, RATE, TIMEOUT, SETTLE = 16, 20.0, 3600.0, 60.0
POLL = Poll()
MOST_AT_ONCE = 100  # As many connections has a client by default.


class Options(TypedDict, total=False):
    """How to go about it; all are optional.

    Attributes:
        connect: Makes the client of an endpoint and a project, of which None means the default.
            By default it takes everything else from the environment.
        allow_endpoints: Endpoints outside of the region table that a file of targets may name.
        concurrency: Most requests at once, 16 by default, 100 at most.
        rate: Most requests a second to one project of a region, polls included; 20 by default.
            Whenever the service throttles it is halved for all, and grows again by and by.
        timeout: Seconds until waiting ends; 3600 by default.
        settle: Seconds in which a request of unknown outcome may still have an effect; 60 by
            default.
        poll: When to read the list of an instance.
        events: Called with an ``Event`` for each target as soon as it is done with.
    """

    connect: Connect
    allow_endpoints: Collection[str]
    concurrency: int
    rate: float
    timeout: float
    settle: float
    poll: Poll
    events: Events


class Result:
    """What became of the targets.

    Attributes:
        counts: How many are in each state. ``confirmed``: seen paused, or running, after the
            request. ``found``: there was nothing to do. ``accepted``: the job was accepted and the
            task not seen there in time. ``unknown``: no usable response came, and nothing was seen
            of an effect. ``refused`` and ``unreachable``: it failed, and nothing changed.
            ``planned``: not tried.
        stopped: Why no more tasks were paused; empty if all were tried.
        elapsed: Seconds that it took.
        repeated: How many requests were sent again because the outcome of one was unknown.
    """

    def __init__(self, targets: Targets, stopped: str, elapsed: float, repeated: int) -> None:
        self._targets = targets
        self.counts = dict.fromkeys(STATES, 0) | targets.counts()
        self.stopped = stopped
        self.elapsed = elapsed
        self.repeated = repeated

    @property
    def complete(self) -> bool:
        """Whether every target is confirmed or found."""
        return not any(self.counts[state] for state in LEFT)

    def outcomes(self, *states: str) -> Iterator[Outcome]:
        """The targets in these states; by default those that are neither confirmed nor found."""
        return self._targets.outcomes(states or LEFT)

    def write_left(self, path: str | os.PathLike[str]) -> int:
        """Write a file of targets for another run: what failed, and what was not tried.

        Returns:
            How many there are.
        """
        return self._targets.write(path, LEFT)


class _Unthrottled(RetryPolicy):
    """Leaves waiting to the fleet, which then slows down as a whole."""

    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        """None for a request that was throttled."""
        return None if kind_of(error) == "throttled" else super().delay(error, attempt, chance)


def connect(endpoint: str | None, project_id: str | None, **settings: Any) -> AsyncClient:
    """A client for a fleet, which leaves it to the fleet to go slower when it is throttled.

    Args:
        endpoint: Base URL of the service; None for that of the environment.
        project_id: Project; None for that of the environment.
        **settings: Of an ``AsyncClient``. The rest comes from the environment.
    """
    return AsyncClient(endpoint=endpoint, project_id=project_id, retry=_Unthrottled(), **settings)


_connect = connect  # Where an argument has its name.


def _quiet(_event: Event) -> None:
    """Tell nothing."""


async def apause(
    targets: Source,
    *,
    journal: Journal,
    lease: float | None,
    max_errors: int | str | None = None,
    reason: str = "",
    **options: Unpack[Options],
) -> Result:
    """``pause`` for coroutines."""
    return await _go(
        "pause", targets, journal, lease, max_errors, reason, everything=False, options=options
    )


async def aresume(
    targets: Source, *, journal: Journal, everything: bool = False, **options: Unpack[Options]
) -> Result:
    """``resume`` for coroutines."""
    return await _go(
        "resume", targets, journal, None, None, "", everything=everything, options=options
    )


def pause(
    targets: Source,
    *,
    journal: Journal,
    lease: float | None,
    max_errors: int | str | None = None,
    reason: str = "",
    **options: Unpack[Options],
) -> Result:
    """Pause many tasks, of many instances.

    The same call after a crash goes on where it stopped: what was accepted is waited for and not
    requested again, and what may have been requested is requested again only once ``settle``
    seconds are over without an effect.

    No further task is paused once more than ``max_errors`` targets failed, or the first ten all did
    in the same way. At most ``concurrency - 1`` more requests are under way then, and those that
    were accepted are waited for.

    The tasks are on hold, as by ``durable.pause``. What was found paused is not, and stays so. No
    guardian watches over them: after the lease, it is ``durable.recover`` that resumes them.

    Args:
        targets: Targets, or the path of a file of them: CSV with a header, or JSON Lines.
        journal: Where it is recorded, and what tells where to go on.
        lease: Seconds from now after which ``recover`` resumes them. None is no limit, explicitly.
        max_errors: How many targets may fail, a number or a share like ``2%``; refused, unreachable
            and unknown ones together. None for no limit beside that of the first ten.
        reason: Why they are paused, for whoever reads the journal.
        **options: See ``Options``.

    Raises:
        ConfigurationError: Targets are wrong, all of which are named, or an argument is. Nothing
            was sent.
        JournalError: The journal cannot be read or written. Nothing was sent.
    """
    return asyncio.run(
        apause(
            targets, journal=journal, lease=lease, max_errors=max_errors, reason=reason, **options
        )
    )


def resume(
    targets: Source, *, journal: Journal, everything: bool = False, **options: Unpack[Options]
) -> Result:
    """Resume many tasks: those of the targets that the journal has as paused.

    It does not give up: every target is visited, and what fails is tried again, at growing
    intervals, until ``timeout`` seconds are over. What does not run then is in the result, stays in
    the journal, and is resumed by the same call again.

    Args:
        targets: As for ``pause``.
        journal: Where it is recorded what was paused.
        everything: Whether to resume the other targets too, whoever paused them.
        **options: See ``Options``.

    Raises:
        ConfigurationError: As for ``pause``.
        JournalError: As for ``pause``.
    """
    return asyncio.run(aresume(targets, journal=journal, everything=everything, **options))


async def _go(
    verb: Literal["pause", "resume"],
    source: Source,
    journal: Journal,
    lease: float | None,
    max_errors: int | str | None,
    reason: str,
    *,
    everything: bool,
    options: Options,
) -> Result:
    checked(max_errors, options)
    targets = Targets(source, options.get("connect", connect), options.get("allow_endpoints", ()))
    try:
        batch = Batch(
            journal,
            verb,
            call_timeout=targets.call_timeout,
            settle=options.get("settle", SETTLE),
            lease=lease,
            reason=reason,
        )
        try:
            budget = Budget(most_errors(max_errors, len(targets)), endless=verb == "resume")
            return await carry_out(batch, targets, budget, options, everything=everything)
        finally:
            batch.close()
    finally:
        await targets.aclose()


async def carry_out(
    batch: Batch, targets: Targets, budget: Budget, options: Options, *, everything: bool = False
) -> Result:
    """Do what a batch is about with all targets."""
    began = time.monotonic()
    run = Run(
        targets,
        batch,
        budget,
        concurrency=options.get("concurrency", CONCURRENCY),
        rate=options.get("rate", RATE),
        timeout=options.get("timeout", TIMEOUT),
        settle=options.get("settle", SETTLE),
        poll=options.get("poll", POLL),
        everything=everything,
        events=options.get("events", _quiet),
    )
    await run.run()
    return Result(targets, budget.stopped, time.monotonic() - began, run.repeated)


def checked(max_errors: int | str | None, options: Options) -> None:
    """Refuse options that cannot be.

    Raises:
        ConfigurationError: One cannot.
    """
    concurrency = options.get("concurrency", CONCURRENCY)
    if type(concurrency) is not int or not 1 <= concurrency <= MOST_AT_ONCE:
        raise ConfigurationError(
            f"concurrency must be a number from 1 to {MOST_AT_ONCE}, not {concurrency!r}."
        )
    _positive("rate", options.get("rate", RATE))
    _positive("timeout", options.get("timeout", TIMEOUT))
    _positive("settle", options.get("settle", SETTLE))
    most_errors(max_errors, 0)


def _positive(name: str, value: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= 1_000_000:
        raise ConfigurationError(f"{name} must be a number above 0, not {value!r}.")


class Row(NamedTuple):
    """A target, and the last request about it that the journal has; None if it has none."""

    target: Target
    recorded: Recorded | None


def report(
    targets: Source,
    *,
    journal: Journal,
    connect: Connect | None = None,
    allow_endpoints: Collection[str] = (),
) -> Iterator[Row]:
    """What the journal has of each target, instance by instance. Nothing is sent.

    Args:
        targets: As for ``pause``.
        journal: The journal.
        connect: As in ``Options``: it says what the default endpoint and project are.
        allow_endpoints: As in ``Options``.

    Raises:
        ConfigurationError: As for ``pause``.
        JournalError: The journal cannot be read.
    """
    return _rows(Targets(targets, connect or _connect, allow_endpoints), journal)


def _rows(found: Targets, journal: Journal) -> Iterator[Row]:
    for place in found.places():
        names = found.names(place)
        rows = recorded(journal, place, names)
        for name in names:
            target = Target(place.instance_id, name, None, place.endpoint, place.project_id)
            yield Row(target, rows.get(name))
