"""Steps carried out in virtual time: nothing sleeps, and nothing is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from taurusdb_starrocks import (
    BadRequestError,
    Job,
    NotSentError,
    OutcomeUnknownError,
    Poll,
)
from taurusdb_starrocks._decisions.polling import Chances, Patience
from taurusdb_starrocks._decisions.steps import Change, ReadPage, Sleep, Steps

T = TypeVar("T")
INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
# Without a spread: with a chance of 0.5, the pause between polls is the interval.
POLL = Poll(first=5.0, interval=10.0, longest=60.0)
START = 0.0


def lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("No response")


def refused() -> BadRequestError:
    return BadRequestError("The stage does not allow it.", status=400, code="DBS.200086")


def unsent() -> NotSentError:
    return NotSentError("The connection was refused.")


def patience(**options: Any) -> Patience:
    return Patience(**{"timeout": 1800.0, "settle": 60.0, "poll": POLL, **options})


class World:
    """An instance with tasks, and a clock that only the steps move.

    Attributes:
        now: Reading of the clock.
        stages: Stage of each task.
        status: Status of each task.
        takes: Seconds until a change shows, by verb.
        log: What was done: ``(verb, task)`` for a change, ``list`` or the seconds slept.
        times: When each change was requested, as seconds since the start.
        deadlines: The deadlines that the steps had, as seconds since the start, by verb.
        scripts: The next outcomes of ``pause NAME``, ``resume NAME`` or ``list``: an exception, or
            a function that is called and whose result, if any, is the answer.
    """

    def __init__(self, **stages: str) -> None:
        self.now = START
        self.stages = stages
        self.status = dict.fromkeys(stages, "Yes")
        self.takes: dict[str, float] = defaultdict(float)
        self.log: list[Any] = []
        self.times: list[tuple[str, str, float]] = []
        self.deadlines: dict[str, list[float | None]] = defaultdict(list)
        self.scripts: dict[str, list[Any]] = defaultdict(list)
        self._events: list[tuple[float, Callable[[], object]]] = []

    @property
    def chances(self) -> Chances:
        return Chances(clock=lambda: self.now, chance=lambda: 0.5)

    @property
    def elapsed(self) -> float:
        return round(self.now - START, 6)

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [entry for entry in self.log if isinstance(entry, tuple)]

    @property
    def sleeps(self) -> list[float]:
        return [round(entry, 6) for entry in self.log if isinstance(entry, float)]

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something happen so many seconds after the start."""
        self._events.append((START + seconds, act))

    def becomes(self, seconds: float, name: str, stage: str) -> None:
        self.at(seconds, lambda: self.stages.update({name: stage}))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while due := sorted(
            (event for event in self._events if event[0] <= end), key=lambda event: event[0]
        ):
            self._events.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = end

    def perform(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            self.log.append(step.seconds)
            assert step.seconds >= 0
            return self.pass_time(step.seconds)
        deadline = None if step.deadline is None else round(step.deadline - START, 6)
        assert step.instance_id == INSTANCE
        if isinstance(step, Change):
            verb, name = step.operation.name, step.task_name
            self.log.append((verb, name))
            self.times.append((verb, name, self.elapsed))
            self.deadlines[verb].append(deadline)
            return self._scripted(f"{verb} {name}") or self.change(verb, name)
        assert isinstance(step, ReadPage)
        self.log.append("list")
        self.deadlines["list"].append(deadline)
        return self._scripted("list") or self._page(step)

    def _scripted(self, what: str) -> Any:
        script = self.scripts[what]
        answer = script.pop(0) if script else None
        if isinstance(answer, BaseException):
            raise answer
        return answer() if callable(answer) else answer

    def change(self, verb: str, name: str) -> Job:
        stage = "Paused" if verb == "pause" else "Incremental"
        self.at(self.elapsed + self.takes[verb], lambda: self.stages.update({name: stage}))
        self.pass_time(0.0)
        return Job(id="1", request_id=None)

    def _page(self, step: ReadPage) -> tuple[object, list[dict[str, Any]]]:
        entries = [
            {"task_name": name, "stage": stage, "status": self.status[name]}
            for name, stage in self.stages.items()
        ]
        return len(entries), entries[step.offset : step.offset + step.limit]

    def hang(self, seconds: float, error: BaseException) -> Callable[[], None]:
        """An outcome that takes time: the error comes after so many seconds."""

        def act() -> None:
            self.pass_time(seconds)
            raise error

        return act


class Stuck(AssertionError):  # noqa: N818  # It is no error of the package.
    """The steps do not come to an end."""


def drive(steps: Steps[T], perform: Callable[[Any], Any], most: int = 2000) -> T:
    """Carry steps out with ``next``, ``send`` and ``throw``; return what they come to."""
    try:
        step = next(steps)
        for _ in range(most):
            try:
                answer = perform(step)
            except BaseException as error:  # noqa: BLE001  # As a performer does.
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise Stuck(f"{most} steps")
