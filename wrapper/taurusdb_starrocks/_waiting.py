"""Knowing that a pause or a resume took effect, and a safe pause around a block of code.

Everything here is a generator that says what to do next (ask, look, sleep) and is told how it
went, so that it is written once and both clients run it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar

import attrs

from taurusdb_starrocks import _rules
from taurusdb_starrocks._errors import (
    BadRequestError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    NotResumedError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
    TaskFailedError,
    WaitTimeoutError,
)
from taurusdb_starrocks._instances import ReadConfiguration, ReadInstances, advice
from taurusdb_starrocks._paging import PageRequest, read
from taurusdb_starrocks._tasks import Job, Stage, Task

Verb = Literal["pause", "resume"]
Progress = Callable[[Task], object]
T = TypeVar("T")

# A service that has these to say may say otherwise when asked again.
PASSING = (NotSentError, ConflictError, RateLimitError, ServerError, OutcomeUnknownError)
# How many looks must show no change before a request without an answer is taken for lost.
LOOKS_UNTIL_LOST = 2


@attrs.frozen
class Poll:
    """When to look while waiting, in seconds; as the vendor's Terraform provider does it.

    Attributes:
        first: Until the first look.
        interval: Between looks; each is spread by up to a tenth, so that many waits do not look
            at once.
        longest: Between looks while the service throttles, where the doubling ends.
    """

    first: float = 5.0
    interval: float = 10.0
    longest: float = 60.0

    def __attrs_post_init__(self) -> None:
        _rules.seconds("Poll.interval", self.interval)
        _rules.seconds("Poll.longest", self.longest)
        if self.first != 0:
            _rules.seconds("Poll.first", self.first)
        if not self.first >= 0 or not 0 < self.interval <= self.longest:
            raise ConfigurationError(
                "Poll needs first >= 0 and 0 < interval <= longest, in seconds."
            )


@attrs.frozen
class Patience:
    """How long to wait, how to look meanwhile, and whom to tell."""

    timeout: float = 1800.0
    poll: Poll = Poll()
    progress: Progress | None = None

    def __attrs_post_init__(self) -> None:
        _rules.seconds("timeout", self.timeout)
        if not isinstance(self.poll, Poll):
            raise ConfigurationError("poll must be a Poll.")
        if self.progress is not None and not callable(self.progress):
            raise ConfigurationError("progress must be callable with a Task.")


class Waiting(TypedDict, total=False):
    """How to wait for a task; all are optional.

    Attributes:
        timeout: Longest time to wait, in seconds; 1800 by default. A look under way when it is
            over is not cut short: it has the deadline of a call.
        poll: When to look while waiting.
        progress: Called with the task after each look at it.
    """

    timeout: float
    poll: Poll
    progress: Progress | None


@attrs.frozen
class Ask:
    """Ask for a task to be paused or resumed; the answer is a job."""

    verb: Verb
    instance_id: str
    task_name: str


@attrs.frozen
class Look:
    """Look at a page of an instance's tasks; the answer is the service's total and the entries."""

    instance_id: str
    page: PageRequest


@attrs.frozen
class Sleep:
    """Wait so many seconds."""

    seconds: float


Effect = Ask | Look | ReadConfiguration | ReadInstances | Sleep
Steps = Generator[Effect, Any, T]


def run(steps: Steps[T], perform: Callable[[Effect], Any]) -> T:
    """Carry the steps out and return what they come to."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = perform(effect)
            except BaseException as error:  # noqa: BLE001  # The steps decide what it means.
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration carries the T of Steps.


async def arun(steps: Steps[T], perform: Callable[[Effect], Awaitable[Any]]) -> T:
    """The same for coroutines."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = await perform(effect)
            except BaseException as error:  # noqa: BLE001  # The steps decide what it means.
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


def ask(verb: Verb, instance_id: str, name: str) -> Steps[Job]:
    """Ask for one task to be paused or resumed."""
    job: Job = yield Ask(verb, instance_id, name)
    return job


def look(instance_id: str, names: Collection[str]) -> Steps[dict[str, Task]]:
    """Those of the named tasks that the instance has, as they are now."""
    reading, page = read(names), None
    while True:
        try:
            step = reading.send(page)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # The tasks that it has read.
        page = (yield Look(instance_id, step)) if isinstance(step, PageRequest) else None


def find(instance_id: str, name: str) -> Steps[Task]:
    """One task as it is now, or ``NotFoundError``."""
    found = yield from look(instance_id, [name])
    if name not in found:
        raise _absent(instance_id, [name])
    return found[name]


def change(verb: Verb, instance_id: str, name: str, patience: Patience) -> Steps[Job]:
    """Ask for one task to be paused or resumed and wait until it is."""
    effort = Effort(verb, instance_id, [name], patience)
    yield from effort.ask(name)
    yield from effort.wait()
    return effort.jobs.get(name, Job(id="", request_id=None))


def reach(verb: Verb, instance_id: str, name: str, patience: Patience) -> Steps[Task]:
    """Wait for one task to be paused or running."""
    seen = yield from Effort(verb, instance_id, [name], patience).wait()
    return seen[name]


class Effort:
    """Bringing tasks of one instance to where they should be.

    Args:
        verb: ``pause`` for paused, ``resume`` for running.
        instance_id: Their instance.
        names: The tasks.
        patience: How long to wait for all of them together.
        stubborn: Whether to go on with the other tasks when one fails, and to ask again where
            asking failed in a way that may pass, until the time is over.
    """

    def __init__(
        self,
        verb: Verb,
        instance_id: str,
        names: Sequence[str],
        patience: Patience,
        *,
        stubborn: bool = False,
    ) -> None:
        self._verb = verb
        self._instance_id = instance_id
        self._patience = patience
        self._stubborn = stubborn
        self._deadline = time.monotonic() + patience.timeout
        self.jobs: dict[str, Job] = {}
        self.seen: dict[str, Task] = {}
        self.touched: set[str] = set()  # Tasks that may have changed by our asking.
        self.pending = dict.fromkeys(names)
        self.failed: dict[str, ReplicationError] = {}  # Filled by the stubborn; others raise.
        self._unsure: dict[str, int] = {}  # Tasks whose asking was not accepted: looks since.
        self._refused: set[str] = set()  # Those of them where it was refused.
        self._missed: dict[str, int] = {}  # Looks in a row that did not show a task.

    def ask(self, name: str) -> Steps[None]:
        """Ask once. A request without a usable answer is left to the looks to settle."""
        again = name in self.touched
        self.touched.add(name)  # Before asking: an interrupt may come instead of an answer.
        try:
            self.jobs[name] = yield Ask(self._verb, self._instance_id, name)
        except (OutcomeUnknownError, ServerError):
            self._doubt(name, refused=False)
        except ReplicationError as error:
            if not again:
                self.touched.discard(name)
            # A repeated request may be refused because the first one worked: the stage tells.
            # And who is stubborn asks again where that may help.
            refused = type(error) is BadRequestError
            passing = isinstance(error, PASSING)
            if (again or self._stubborn) and (refused or passing):
                self._doubt(name, refused=refused)
            else:
                self._fail(name, error)
        else:
            self._unsure.pop(name, None)

    def _doubt(self, name: str, *, refused: bool) -> None:
        self._unsure[name] = 0
        note = self._refused.add if refused else self._refused.discard
        note(name)

    def wait(self) -> Steps[dict[str, Task]]:
        """Look until every task is there, and return them as last seen.

        Raises:
            WaitTimeoutError: One did not get there in time.
            TaskFailedError: One turned abnormal or was cancelled.
            NotFoundError: One is not in the list any more.
            ServiceError: A look was refused in a way that does not pass.
        """
        pause = self._patience.poll.first
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise self._late()
            yield Sleep(min(pause, left))
            try:
                found = yield from look(self._instance_id, self.pending)
            except PASSING as error:
                pause = self._after(error, pause)
                continue
            pause = self._spread(self._patience.poll.interval)
            self._take(found)
            if not self.pending:
                return self.seen
            yield from self._ask_again()

    def _take(self, found: Mapping[str, Task]) -> None:
        # A list that changes while it is read may leave a task out once.
        absent = [name for name in self.pending if name not in found]
        self._missed = {name: self._missed.get(name, 0) + 1 for name in absent}
        for name in absent:
            if self._missed[name] > 1:
                self._fail(name, _absent(self._instance_id, [name]))
        for name, task in found.items():
            self.seen[name] = task
            if self._patience.progress is not None:
                self._patience.progress(task)
            if self._there(task):
                if self._settled(name):
                    self.pending.pop(name, None)
                else:
                    self._unsure[name] = LOOKS_UNTIL_LOST
            elif _failed(task):
                self._fail(name, _failure(task, self._goal))
            elif name in self._unsure:
                self._unsure[name] += 1

    def _fail(self, name: str, error: ReplicationError) -> None:
        if not self._stubborn:
            raise error
        self.failed[name] = error
        self.pending.pop(name, None)

    def _there(self, task: Task) -> bool:
        if self._verb == "pause":
            return task.stage is Stage.PAUSED
        return task.stage.running and not task.abnormal

    def _settled(self, name: str) -> bool:
        """Whether the stage alone is proof enough.

        A list may lag behind. What was running before it was paused, and is said to run when
        nobody has accepted to resume it, is asked for once more by the stubborn.
        """
        return not self._stubborn or name not in self._unsure or name in self._refused

    def _ask_again(self) -> Steps[None]:
        for name in list(self.pending):
            if self._unsure.get(name, 0) >= LOOKS_UNTIL_LOST:
                yield from self.ask(name)

    def _after(self, error: ReplicationError, pause: float) -> float:
        """Until the next look after a look that failed: longer when the service throttles."""
        poll = self._patience.poll
        if isinstance(error, RateLimitError):
            asked = error.retry_after or 0.0
            return max(asked, min(poll.longest, max(pause, poll.interval) * 2))
        return self._spread(poll.interval)

    def _spread(self, seconds: float) -> float:
        return seconds * random.uniform(0.9, 1.1)  # noqa: S311  # Spreads load; nothing to guess.

    @property
    def _goal(self) -> str:
        return "paused" if self._verb == "pause" else "running"

    def _late(self) -> WaitTimeoutError:
        name = next(iter(self.pending))
        task = self.seen.get(name)
        last = f"last seen in stage {task.stage_text!r}" if task else "and no look succeeded"
        return WaitTimeoutError(
            f"The task {name} is not {self._goal} after {self._patience.timeout:g} s, {last}. The "
            "job may still bring it there: look again before doing anything that depends on it.",
            task=task,
        )


class Window:
    """A time in which tasks are paused: opened before a block of code and closed after it."""

    def __init__(self, instance_id: str, names: Sequence[str], patience: Patience) -> None:
        self._instance_id = instance_id
        self._names = list(dict.fromkeys(names))
        self._patience = patience
        self._opening: Effort | None = None

    def open(self) -> Steps[list[Task]]:
        """Pause the tasks that are not paused yet, and wait until all are."""
        before = yield from look(self._instance_id, self._names)
        absent = [name for name in self._names if name not in before]
        if absent:
            raise _absent(self._instance_id, absent)
        running = [name for name in self._names if before[name].stage is not Stage.PAUSED]
        for name in running:
            if _failed(before[name]):
                raise _failure(before[name], "paused")
        self._opening = Effort("pause", self._instance_id, running, self._patience)
        for name in running:
            yield from self._opening.ask(name)
        after = (yield from self._opening.wait()) if running else {}
        return [after.get(name, before[name]) for name in self._names]

    def close(self) -> Steps[None]:
        """Resume the tasks that may have been paused here, and wait until they run.

        Raises:
            NotResumedError: One is not known to run again.
        """
        touched = sorted(self._opening.touched) if self._opening else []
        effort = Effort("resume", self._instance_id, touched, self._patience, stubborn=True)
        try:
            for name in touched:
                yield from effort.ask(name)
            if effort.pending:
                yield from effort.wait()
        except Exception as error:  # Whatever it is, the tasks must be named.
            raise self._left_paused([*effort.failed, *effort.pending]) from error
        except BaseException as interrupt:  # noqa: BLE001  # Raised again, in the group.
            left = self._left_paused([*effort.failed, *effort.pending])
            raise BaseExceptionGroup("interrupted while resuming", [interrupt, left]) from None
        if effort.failed:
            first = next(iter(effort.failed.values()))
            raise self._left_paused([*effort.failed]) from first

    def _left_paused(self, names: Sequence[str]) -> NotResumedError:
        lines = "; ".join(f"client.resume({self._instance_id!r}, {name!r})" for name in names)
        return NotResumedError(
            f"May still be paused: {', '.join(names)}. A task that stays paused longer than the "
            f"source keeps its binary log cannot catch up. Look, and resume by hand: {lines}",
            instance_id=self._instance_id,
            task_names=names,
        )


def both(error: BaseException, failure: BaseException) -> BaseException:
    """What went wrong in the block, and then in closing the window, as one."""
    return BaseExceptionGroup("the window failed, and so did resuming", [error, failure])


def _failed(task: Task) -> bool:
    return task.abnormal or task.stage is Stage.CANCELLED


def _failure(task: Task, goal: str) -> TaskFailedError:
    what = "was cancelled" if task.stage is Stage.CANCELLED else "is abnormal"
    return TaskFailedError(
        f"The task {task.name} {what} (stage {task.stage_text!r}, status {task.status!r}) and will "
        f"not be {goal} by itself: see to it on the instance.",
        task=task,
    )


def _absent(instance_id: str, names: Sequence[str]) -> NotFoundError:
    return NotFoundError(
        f"Instance {instance_id} lists no synchronization task {', '.join(names)}."
        f"{advice(instance_id)}",
        status=200,
    )
