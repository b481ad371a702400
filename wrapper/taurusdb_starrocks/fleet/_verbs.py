"""What a program calls: pause or resume many tasks, and report what is recorded about them."""

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
LEFT = ("refused", "unreachable", "unknown", "accepted", "planned")  # The best reason first.
CONCURRENCY, RATE, TIMEOUT, SETTLE = 16, 20.0, 3600.0, 60.0
POLL = Poll()
MOST_AT_ONCE = 100  # The number of connections of a client.


class Options(TypedDict, total=False):
    """How to pause or resume. All keys are optional.

    Attributes:
        connect: Function that takes an endpoint and a project ID and returns an ``AsyncClient``.
            Either can be None; the value then comes from the environment. By default,
            ``taurusdb_starrocks.fleet.connect``.
        allow_endpoints: Endpoints that a targets file may contain although they belong to no known
            region.
        concurrency: Maximum number of requests in flight, 16 by default, up to 100.
        rate: Maximum number of requests per second to each project in a region, including polls; 20
            by default. It is halved when the service throttles a request, and then grows again.
        timeout: Seconds until waiting ends; 3600 by default.
        settle: Seconds for which a request with an unknown outcome may still take effect; 60 by
            default.
        poll: When to read the list of an instance.
        events: Called with an ``Event`` for each target as soon as its outcome is known.
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
    """The outcome of all targets.

    Attributes:
        counts: Number of targets in each state. ``confirmed``: seen paused, or running, after the
            request. ``found``: there was nothing to do. ``accepted``: the job was accepted, but the
            task did not reach the state in time. ``unknown``: there was no usable response, and no
            effect was seen. ``refused`` and ``unreachable``: the request failed, and nothing
            changed. ``planned``: not tried.
        stopped: Why no more tasks were paused; empty if all were tried.
        elapsed: Duration in seconds.
        repeated: How many requests were sent again because their outcome was unknown.
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
        """The targets in these states, state by state.

        By default, all that are neither confirmed nor found: those that failed come first, and
        those that were not tried come last.
        """
        for state in states or LEFT:
            yield from self._targets.outcomes((state,))

    def write_left(self, path: str | os.PathLike[str]) -> int:
        """Write the targets that failed or were not tried to a file for the next run.

        Returns:
            Their number.
        """
        return self._targets.write(path, LEFT)


class _Unthrottled(RetryPolicy):
    """Does not retry a throttled request: the fleet as a whole slows down instead."""

    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        """None for a request that was throttled."""
        return None if kind_of(error) == "throttled" else super().delay(error, attempt, chance)


def connect(endpoint: str | None, project_id: str | None, **settings: Any) -> AsyncClient:
    """Create a client for a fleet. It does not retry throttled requests.

    Instead, the fleet sends fewer requests per second to the project, and tries again.

    Args:
        endpoint: Base URL of the service. If it is None, the endpoint comes from the environment.
        project_id: Project. If it is None, the project comes from the environment.
        **settings: Other settings of the ``AsyncClient``.
    """
    return AsyncClient(endpoint=endpoint, project_id=project_id, retry=_Unthrottled(), **settings)


_connect = connect  # Where an argument has its name.


def _quiet(_event: Event) -> None:
    """Ignore an event."""


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

    After a crash, the same call continues where it left off. It waits for requests that were
    accepted, and does not send them again. A request with an unknown outcome is sent again only if
    it had no effect within ``settle`` seconds.

    Pausing stops when more than ``max_errors`` targets have failed, when the first ten all failed
    in the same way, or when the journal can no longer be written. At most ``concurrency - 1`` more
    requests are then in flight, and the call waits for those that are accepted. ``stopped`` of the
    result has the reason. The call does not resume the tasks that it has already paused.

    The paused tasks are on hold, as after ``durable.pause``, but there is no guardian: they stay
    paused until you resume them, or until ``durable.recover`` resumes them after the lease. Tasks
    that were already paused are not on hold, and stay paused.

    Args:
        targets: Targets, or the path of a file of them: CSV with a header, or JSON Lines.
        journal: Journal in which the requests are recorded, and which shows where to continue.
        lease: Seconds from now after which ``recover`` resumes the tasks, at most 1,000,000. None
            means no limit.
        max_errors: How many targets may fail: a number, or a percentage such as ``2%``. Rejected,
            unreachable, and unknown targets all count. None means no limit, but pausing still stops
            if the first ten targets all fail in the same way.
        reason: Why the tasks are paused, shown to people who read the journal.
        **options: See ``Options``.

    Raises:
        ConfigurationError: An argument or targets are invalid; the error lists all of them. Nothing
            was sent.
        JournalError: The journal could not be written at the start, and nothing was sent. Or it
            could not be read later; the tasks that the call has already paused stay paused.
    """
    return asyncio.run(
        apause(
            targets, journal=journal, lease=lease, max_errors=max_errors, reason=reason, **options
        )
    )


def resume(
    targets: Source, *, journal: Journal, everything: bool = False, **options: Unpack[Options]
) -> Result:
    """Resume many tasks: the targets that the journal lists as paused.

    It tries every target, and retries failures at increasing intervals until ``timeout`` seconds
    have passed. The result contains the tasks that are not running by then. The journal still lists
    them as paused, and the same call tries them again.

    Args:
        targets: As for ``pause``.
        journal: Journal in which the tasks were paused.
        everything: Whether to also resume the other targets, no matter who paused them.
        **options: See ``Options``.

    Raises:
        ConfigurationError: As for ``pause``.
        JournalError: The journal could not be written at the start, or could not be read later.
            Tasks may still be paused. If writing the journal fails later, no error is raised, and
            the tasks are resumed anyway.
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
    """Pause or resume all targets, as the batch says."""
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
    """A target and the last request about it.

    Attributes:
        target: The target, with its endpoint and project.
        recorded: The last request in the journal; None if there is none.
    """

    target: Target
    recorded: Recorded | None


def report(
    targets: Source,
    *,
    journal: Journal,
    connect: Connect | None = None,
    allow_endpoints: Collection[str] = (),
) -> Iterator[Row]:
    """Return each target with its last request in the journal. Nothing is sent.

    The targets are grouped by instance.

    Args:
        targets: As for ``pause``.
        journal: The journal.
        connect: As in ``Options``. It provides the default endpoint and project.
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
