"""Carries out the steps of many instances at once."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from taurusdb_starrocks import (
    Job,
    NotSentError,
    Poll,
    RateLimitError,
    ReplicationError,
    Task,
)
from taurusdb_starrocks.durable import (
    Batch,
    JournalError,
    Known,
    LeaseExpiredError,
    Members,
    SupersededError,
)
from taurusdb_starrocks.fleet._budget import Budget, Kind, kind_of
from taurusdb_starrocks.fleet._group import Ask, Group, Look, Mark, Pausing, Resuming, Tell, Terms
from taurusdb_starrocks.fleet._pace import Pace
from taurusdb_starrocks.fleet._targets import Place, Target, Targets

logger = logging.getLogger("taurusdb_starrocks.durable")

T = TypeVar("T")
OPEN = 32  # Instances at the same time. Most of them wait for their tasks.


class Event(NamedTuple):
    """The outcome of a target, as soon as it is known.

    Attributes:
        target: The target, with its endpoint and project.
        state: As in ``Result.counts``.
        error: The error, if it failed.
        done: How many targets have an outcome so far.
        total: How many there are.
    """

    target: Target
    state: str
    error: ReplicationError | None
    done: int
    total: int


Events = Callable[[Event], object]


class Run:
    """One run over all targets.

    Args:
        targets: The targets.
        batch: Records the requests.
        budget: How many targets may fail.
        concurrency: Maximum number of requests in flight.
        rate: Maximum number of requests per second and project.
        timeout: Seconds from now until waiting ends.
        settle: Seconds in which a request of unknown outcome may still have an effect.
        poll: When to read the lists.
        everything: Whether to also resume tasks that the journal does not show as paused.
        events: Called with the event of each target.
    """

    def __init__(
        self,
        targets: Targets,
        batch: Batch,
        budget: Budget,
        *,
        concurrency: int,
        rate: float,
        timeout: float,
        settle: float,
        poll: Poll,
        everything: bool,
        events: Events,
    ) -> None:
        self.targets = targets
        self.batch = batch
        self.budget = budget
        self.events = events
        self.everything = everything
        self.repeated = 0
        self._done, self._total = 0, len(targets)
        self._failing = False  # Whether `events` has failed.
        self.slots = asyncio.Semaphore(concurrency)  # One for each request in flight.
        self._paces: dict[tuple[str, str], Pace] = defaultdict(lambda: Pace(rate))
        deadline = time.monotonic() + timeout
        self._terms = Terms(deadline, settle, poll, time.monotonic, random.random)

    async def run(self) -> None:
        """Record all targets as planned, and then process those that are."""
        await self._for_each_place(self._plan)
        await self._for_each_place(self._bring)

    async def _for_each_place(self, act: Callable[[Place], Awaitable[None]]) -> None:
        places = self.targets.places()

        async def work() -> None:
            for place in places:
                await act(place)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(OPEN):
                    workers.create_task(work())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _plan(self, place: Place) -> None:
        names = self.targets.names(place)
        refused = await self.batch.plan(place, names, everything=self.everything)
        for name, error in refused.items():
            if error is None:
                self.tell(place, Tell(name, "found"))
            else:
                self.budget.failed("refused", error)
                self.tell(place, Tell(name, "refused", error))

    def tell(self, place: Place, told: Tell) -> None:
        """Store the outcome of a target, and report it."""
        self.targets.note(place, told.name, told.state, told.error or "")
        target = Target(place.instance_id, told.name, None, place.endpoint, place.project_id)
        self._done += 1
        try:
            self.events(Event(target, told.state, told.error, self._done, self._total))
        except Exception:  # The caller's own code. It must not stop the run.
            if not self._failing:
                logger.exception("the function for the events of a fleet fails")
            self._failing = True

    async def _bring(self, place: Place) -> None:
        names = self.targets.planned(place)
        if names:
            members = await self.batch.members(place, names)
            await _Visit(self, place, members).visit(self._terms)

    async def turn(self, place: Place) -> Pace:
        """Wait until the rate of a project allows the next request."""
        pace = self._paces[place.endpoint, place.project_id]
        await asyncio.sleep(pace.delay(time.monotonic()))
        return pace


class _Visit:
    """One instance in a run.

    Args:
        run: The run.
        place: The instance.
        members: Its tasks in the journal.
    """

    def __init__(self, run: Run, place: Place, members: Members) -> None:
        self._run = run
        self._place = place
        self._members = members
        self._client = run.targets.clients[place.endpoint, place.project_id]
        self._budget = run.budget
        self._doubtful = {name for name, known in members.known.items() if known.state == "unknown"}
        self._counted: set[str] = set()  # The budget has counted their failure.
        self._done: list[str] = []  # Not recorded yet.

    async def visit(self, terms: Terms) -> None:
        """Pause or resume the tasks."""
        now = terms.clock()
        marks = []
        for name, known in self._members.known.items():
            if self._run.batch.verb == "resume" and not (known.paused or self._run.everything):
                await self._tell(Tell(name, "found"))
            else:
                marks.append(_mark(name, known, now))
        kind: type[Group] = Pausing if self._run.batch.verb == "pause" else Resuming
        group = kind(self._place.instance_id, marks, terms)
        steps = group.steps()
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._perform(step))
        except StopIteration:
            await self._flush()

    async def _perform(self, step: Any) -> Any:
        if isinstance(step, Tell):
            return await self._tell(step)
        await self._flush()
        if isinstance(step, Look):
            return await self._look(step)
        if isinstance(step, Ask):
            return await self._ask(step.name)
        return await asyncio.sleep(step.seconds)

    async def _look(self, step: Look) -> dict[str, Task] | ReplicationError:
        async def read() -> dict[str, Task]:
            tasks = self._client.tasks(self._place.instance_id)
            return {task.name: task async for task in tasks if task.name in wanted}

        wanted = frozenset(step.names)
        pace = await self._run.turn(self._place)
        async with self._run.slots:
            return await _paced(pace, read())

    async def _ask(self, name: str) -> Job | ReplicationError | None:
        """Send a request; return None if no more requests may be sent."""
        pausing = self._run.batch.verb == "pause"
        pace = await self._run.turn(self._place)
        async with self._run.slots:
            if self._budget.stopped:
                return None
            try:
                await self._members.sending(name)
            except (JournalError, LeaseExpiredError) as error:
                self._budget.stop(str(error))
                return None
            except SupersededError as error:
                return error
            if self._budget.stopped:  # While the request was being recorded.
                await self._members.answered(name, NotSentError(self._budget.stopped))
                return None
            self._run.repeated += name in self._doubtful
            send = self._client.pause if pausing else self._client.resume
            answer = await _paced(pace, send(self._place.instance_id, name))
            self._count(name, answer)
            await self._members.answered(name, answer)
        return answer

    def _count(self, name: str, answer: Job | ReplicationError) -> None:
        """Tell the budget, before another coroutine runs."""
        if isinstance(answer, Job):
            self._budget.accepted()
            return
        kind = kind_of(answer)
        if kind == "throttled" or name in self._counted:
            return
        self._counted.add(name)
        if kind == "unknown":
            self._doubtful.add(name)
        self._budget.failed(kind, answer)

    async def _tell(self, told: Tell) -> None:
        if told.state == "confirmed":
            if told.name in self._doubtful & self._counted:
                self._budget.settled()
            self._done.append(told.name)
        else:
            if told.error and told.state not in _NO_FAILURES and told.name not in self._counted:
                kind: Kind = "refused" if told.state == "refused" else "unreachable"
                self._budget.failed(kind, told.error)
            if told.state not in {"accepted", "unknown"}:
                await self._members.left(told.name, told.state, told.error)
        self._run.tell(self._place, told)

    async def _flush(self) -> None:
        if self._done:
            done, self._done = self._done, []
            await self._members.done(done)


# No failures, or counted already.
_NO_FAILURES = {"planned", "found", "accepted", "unknown"}


def _mark(name: str, known: Known, now: float) -> Mark:
    """The state in which a target starts, from what the journal knows."""
    return Mark(
        name,
        state=known.state,
        quiet=now + known.quiet,
        late=now + known.late if known.late else 0.0,
        twice=known.twice,
        since=now,
    )


async def _paced(pace: Pace, answer: Awaitable[T]) -> T | ReplicationError:
    """Await a response or an error, and lower the rate if the request was throttled."""
    try:
        found = await answer
    except ReplicationError as error:
        if isinstance(error, RateLimitError):
            pace.throttled(time.monotonic(), error.retry_after)
        return error
    pace.succeeded()
    return found
