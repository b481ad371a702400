"""Pausing or resuming the targets of one instance, as steps. Pure: no I/O and no clock.

Both work the same way: read the list, which all targets of the instance share; send a request for
each target that needs one; wait, and read the list again. A request of unknown outcome is sent
again when ``settle`` seconds have passed and the list shows no effect. A pause that was accepted is
never sent again, a resume only if the task stayed paused for that long.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from taurusdb_starrocks import (
    Job,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    Poll,
    RateLimitError,
    ReplicationError,
    ServerError,
    Stage,
    Task,
    TaskFailedError,
    WaitTimeoutError,
)
from taurusdb_starrocks.durable import SupersededError
from taurusdb_starrocks.fleet._budget import kind_of

PASSING = (NotSentError, OutcomeUnknownError, RateLimitError, ServerError)
# Number of polls in a row that must miss a task, or show no effect, before that counts.
ENOUGH_POLLS = 2


class Look(NamedTuple):
    """Read the list; the answer is the named tasks that are there, by name, or an error."""

    names: Collection[str]


class Ask(NamedTuple):
    """Send the request for a task; the answer is its job, an error, or None to send no more."""

    name: str


class Tell(NamedTuple):
    """Store the outcome of a target."""

    name: str
    state: str
    error: ReplicationError | None = None


class Rest(NamedTuple):
    """Wait this many seconds."""

    seconds: float


Steps = Generator[Any, Any, None]


@attrs.define
class Mark:
    """A target that has no outcome yet.

    Attributes:
        name: The task.
        state: ``planned``, ``unknown``, ``accepted``, or ``confirmed`` by an earlier run.
        quiet: Time on the clock until which no request is sent.
        late: Time on the clock until which a pause may arrive that was never seen. Until then, a
            running task proves nothing.
        twice: Whether the pause was sent twice, so that the second may arrive after the first had
            its effect.
        since: When the request was accepted.
        polls: How many polls in a row showed no effect of it.
        missed: How many polls in a row did not list the task.
        failures: How many requests failed in a row.
        doubtful: Whether a request of unknown outcome came before one that was refused.
        error: What the last request failed with.
    """

    name: str
    state: str = "planned"
    quiet: float = 0.0
    late: float = 0.0
    twice: bool = False
    since: float = 0.0
    polls: int = 0
    missed: int = 0
    failures: int = 0
    doubtful: bool = False
    error: ReplicationError | None = None


@attrs.frozen
class Terms:
    """When to stop waiting, and the sources of time and chance.

    Attributes:
        deadline: Time on the clock at which waiting ends.
        settle: Seconds in which a request of unknown outcome may still have an effect.
        poll: When to read the list.
        clock: Reads a monotonic clock.
        chance: Gives a random number from 0 to 1.
    """

    deadline: float
    settle: float
    poll: Poll
    clock: Callable[[], float]
    chance: Callable[[], float]


class Group(ABC):
    """The targets of an instance that are all to be paused, or all to be resumed.

    Args:
        instance_id: The instance.
        marks: The targets.
        terms: When to stop waiting.
    """

    def __init__(self, instance_id: str, marks: Sequence[Mark], terms: Terms) -> None:
        self.instance_id = instance_id
        self.pending = {mark.name: mark for mark in marks}
        self.terms = terms
        self.began = terms.clock()
        self.stopped = False
        self.unread_since: float | None = None  # When the list first failed, of those in a row.
        self.unread_error: ReplicationError | None = None  # How it failed last, if it still does.

    def steps(self) -> Steps:
        """Pause or resume them, and yield the outcome of each."""
        poll, pause = self.terms.poll, self.terms.poll.first
        while self.pending:
            found: Mapping[str, Task] | ReplicationError = yield Look(tuple(self.pending))
            if isinstance(found, ReplicationError):
                self.unread_error = found
                yield from self.unread(found)
                pause = poll.after(found, pause, self.terms.chance())
            else:
                self.unread_since = self.unread_error = None
                for mark in self._marks():
                    yield from self._seen(mark, found.get(mark.name))
                yield from self._request_each()
            left = self.terms.deadline - self.terms.clock()
            if left <= 0:
                for mark in self._marks():
                    yield from self.overdue(mark)
            if self.pending:
                yield Rest(min(pause, left) if left > 0 else pause)
                pause = poll.after(None, pause, self.terms.chance())

    def _marks(self) -> list[Mark]:
        return list(self.pending.values())

    def _seen(self, mark: Mark, task: Task | None) -> Steps:
        if task is not None:
            mark.missed = 0
            yield from self.seen(mark, task)
            return
        mark.missed += 1
        if mark.missed >= ENOUGH_POLLS:
            mark.failures += 1
            error = NotFoundError("The instance lists no such task.", status=404, code=None)
            yield from self.failed(mark, self._about(mark, error))

    def _about(self, mark: Mark, error: ReplicationError) -> ReplicationError:
        error.instance_id, error.task_name = self.instance_id, mark.name
        return error

    def _request_each(self) -> Steps:
        for mark in self._marks():
            if not self.stopped and self._due(mark):
                answer: Job | ReplicationError | None = yield Ask(mark.name)
                if isinstance(answer, ReplicationError):
                    yield from self._refused(mark, answer)
                elif answer is None:
                    self.stopped = True
                else:
                    mark.state, mark.since, mark.error = "accepted", self.terms.clock(), None
                    mark.polls = mark.failures = 0
        if self.stopped:
            for mark in self._marks():
                if mark.state == "planned":
                    yield from self.over(mark, "planned", mark.error)

    def _due(self, mark: Mark) -> bool:
        now = self.terms.clock()
        if mark.missed or mark.doubtful or now < mark.quiet or now < mark.late:
            return False
        return mark.state == "planned" or (mark.state == "unknown" and mark.polls >= ENOUGH_POLLS)

    def _refused(self, mark: Mark, error: ReplicationError) -> Steps:
        kind, now = kind_of(error), self.terms.clock()
        mark.error = error
        mark.failures += 1
        mark.polls = 0
        if kind == "throttled":
            asked = getattr(error, "retry_after", None)
            mark.quiet = now + (self.backoff(mark) if asked is None else asked)
        elif kind == "unknown":
            mark.state, mark.quiet = "unknown", now + self.terms.settle
        else:
            yield from self.failed(mark, error)

    def backoff(self, mark: Mark) -> float:
        """Seconds until the next attempt after a failure: growing, with jitter."""
        poll = self.terms.poll
        longest = min(poll.longest, poll.interval * 2.0 ** min(mark.failures, 30))
        return longest * (0.5 + 0.5 * self.terms.chance())

    def over(self, mark: Mark, state: str, error: ReplicationError | None = None) -> Steps:
        """Yield the outcome of a target."""
        del self.pending[mark.name]
        yield Tell(mark.name, state, error)

    def late_error(self, mark: Mark, goal: str) -> ReplicationError:
        """The error of a target whose request was accepted and has no effect in time."""
        waited = self.terms.clock() - self.began
        error = WaitTimeoutError(
            f"The task {mark.name} is not {goal} after {waited:.0f} s. The job may still finish: "
            "read the stage of the task before you do anything that depends on it.",
            task=None,
        )
        return self._about(mark, error)

    def lost(self, mark: Mark, task: Task) -> ReplicationError:
        """The error of a task that can be neither paused nor resumed."""
        error = TaskFailedError(
            f"The task {mark.name} is in stage {task.stage_text!r} with status {task.status!r}.",
            task=task,
        )
        return self._about(mark, error)

    @abstractmethod
    def unread(self, error: ReplicationError) -> Steps:
        """The list could not be read."""

    @abstractmethod
    def seen(self, mark: Mark, task: Task) -> Steps:
        """The list shows a task."""

    @abstractmethod
    def failed(self, mark: Mark, error: ReplicationError) -> Steps:
        """A request about a target failed, or the list does not have the task."""

    @abstractmethod
    def overdue(self, mark: Mark) -> Steps:
        """The deadline has passed."""


class Pausing(Group):
    """Pauses tasks, each once: what fails is left for another run."""

    def unread(self, error: ReplicationError) -> Steps:
        """Poll again after an error that may be temporary, for ``settle`` seconds.

        Until the deadline if the service throttles, or if requests are in flight.
        """
        now, throttled = self.terms.clock(), isinstance(error, RateLimitError)
        under_way = any(mark.state != "planned" for mark in self._marks())
        since = now if self.unread_since is None else self.unread_since
        self.unread_since = None if throttled else since
        limit = self.terms.deadline if under_way or throttled else since + self.terms.settle
        if isinstance(error, PASSING) and now < limit:
            return
        for mark in self._marks():
            if mark.state == "planned":
                yield from self.failed(mark, error)
            else:
                yield from self.overdue(mark)

    def seen(self, mark: Mark, task: Task) -> Steps:
        """A task that is paused is done, and one that cannot be paused is given up."""
        mark.polls += 1
        if task.stage is Stage.PAUSED:
            yield from self.over(mark, "found" if mark.state == "planned" else "confirmed")
        elif task.stage is Stage.CANCELLED or task.abnormal:
            yield from self.over(mark, "refused", self.lost(mark, task))
        elif mark.state == "confirmed":  # It has been resumed since.
            mark.state = "planned"
        elif mark.polls >= ENOUGH_POLLS and self.terms.clock() >= mark.quiet:
            if mark.doubtful:
                yield from self.over(mark, "refused", mark.error)
            elif self.stopped and mark.state == "unknown":
                yield from self.over(mark, "unknown", mark.error)

    def failed(self, mark: Mark, error: ReplicationError) -> Steps:
        """Leave it for another run, unless an earlier request may still have an effect."""
        mark.error = error
        if mark.state == "unknown" and not isinstance(error, SupersededError):
            mark.doubtful, mark.quiet = True, self.terms.clock() + self.terms.settle
        else:
            kind = kind_of(error)
            yield from self.over(mark, "unreachable" if kind != "refused" else kind, error)

    def overdue(self, mark: Mark) -> Steps:
        """Give up: what was sent may still have an effect."""
        error = mark.error or self.unread_error
        if mark.state == "planned" and error is not None:
            yield from self.failed(mark, error)
        elif mark.state in {"planned", "unknown"}:
            yield from self.over(mark, mark.state, mark.error)
        else:
            yield from self.over(mark, "accepted", self.late_error(mark, "paused"))


class Resuming(Group):
    """Resumes tasks, and does not give up: it tries again until the deadline."""

    def unread(self, error: ReplicationError) -> Steps:
        """Poll again after any error."""
        for mark in self._marks():
            mark.error = error
            mark.failures += 1
        yield from ()

    def seen(self, mark: Mark, task: Task) -> Steps:
        """A task that runs is done once no pause can arrive any more."""
        now = self.terms.clock()
        mark.polls += 1
        if task.stage.running:
            if now >= mark.late:
                yield from self.over(mark, "found" if mark.state == "planned" else "confirmed")
        elif task.stage is Stage.CANCELLED:
            yield from self.over(mark, "refused", self.lost(mark, task))
        elif task.stage is Stage.PAUSED:
            mark.late = mark.late if mark.twice else 0.0
            if mark.state == "accepted" and now - mark.since >= self.terms.settle:
                mark.state = "planned"

    def failed(self, mark: Mark, error: ReplicationError) -> Steps:
        """Try again later, unless another process has the task now."""
        mark.error = error
        mark.quiet = self.terms.clock() + self.backoff(mark)
        if isinstance(error, SupersededError):
            yield from self.over(mark, "refused", error)

    def overdue(self, mark: Mark) -> Steps:
        """Give up, unless no request about it was sent yet."""
        if mark.state == "planned" and not mark.failures:
            return
        error = mark.error or self.late_error(mark, "running")
        kind = mark.state
        if kind == "planned":
            kind = {"throttled": "unreachable"}.get(kind_of(error), kind_of(error))
        yield from self.over(mark, kind, error)
