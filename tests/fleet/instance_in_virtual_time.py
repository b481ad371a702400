"""An instance whose tasks are brought somewhere in virtual time: nothing sleeps or is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from taurusdb_starrocks import Job, Poll, ReplicationError, Stage, Task
from taurusdb_starrocks.fleet._group import Ask, Group, Look, Mark, Pausing, Resuming, Tell, Terms

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
POLL = Poll(first=5.0, interval=10.0, longest=60.0)
SETTLE = 60.0


class Instance:
    """Tasks by name, and a clock that only the steps move.

    Attributes:
        now: Reading of the clock.
        stages: Stage of each task.
        status: Status of each task.
        sent: The requests: when, and about what.
        told: What became of each task: state, error and when.
        looks: How often the list was read.
        answers: What the next requests about a task come to: an error, or ``lost`` to have it take
            effect after so many seconds and then say that nothing is known. None is accepted.
        lists: What the next reads of the list fail with; None to succeed.
        takes: Seconds until an accepted request has its effect.
        stop_after: After how many requests no more may be sent.
    """

    def __init__(self, **stages: str) -> None:
        self.now = 1000.0
        self.stages = {name: Stage(stage) for name, stage in stages.items()}
        self.status: dict[str, str] = defaultdict(lambda: "Yes")
        self.sent: list[tuple[float, str]] = []
        self.told: dict[str, tuple[str, ReplicationError | None, float]] = {}
        self.looks = 0
        self.answers: dict[str, list[Any]] = defaultdict(list)
        self.lists: list[ReplicationError | None] = []
        self.takes = 0.0
        self.stop_after = 1_000_000
        self.goal = Stage.PAUSED
        self._events: list[tuple[float, Callable[[], object]]] = []

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something happen so many seconds from now."""
        self._events.append((self.now + seconds, act))

    def becomes(self, seconds: float, name: str, stage: str) -> None:
        self.after(seconds, lambda: self.stages.update({name: Stage(stage)}))

    def pause(self, marks: Sequence[Mark] | None = None, timeout: float = 1800.0) -> None:
        self._drive(Pausing, marks, timeout)

    def resume(self, marks: Sequence[Mark] | None = None, timeout: float = 1800.0) -> None:
        self.goal = Stage.INCREMENTAL
        self._drive(Resuming, marks, timeout)

    @property
    def states(self) -> dict[str, str]:
        return {name: state for name, (state, _, _) in self.told.items()}

    def error(self, name: str) -> str:
        return str(self.told[name][1])

    def _drive(self, kind: type[Group], marks: Sequence[Mark] | None, timeout: float) -> None:
        self.began = self.now
        terms = Terms(self.now + timeout, SETTLE, POLL, lambda: self.now, lambda: 0.5)
        group = kind(INSTANCE, marks or [Mark(name) for name in self.stages], terms)
        steps = group.steps()
        try:
            step = next(steps)
            for _ in range(5000):
                try:
                    answer = self._perform(step)
                except ReplicationError as error:
                    answer = error
                step = steps.send(answer)
        except StopIteration:
            return
        raise AssertionError("the steps do not come to an end")

    def _perform(self, step: Any) -> Any:
        if isinstance(step, Tell):
            assert step.name not in self.told
            self.told[step.name] = (step.state, step.error, self.now - self.began)
            return None
        if isinstance(step, Look):
            return self._look(step)
        if isinstance(step, Ask):
            return self._ask(step.name)
        assert step.seconds >= 0
        return self._pass(step.seconds)

    def _pass(self, seconds: float) -> None:
        end = self.now + seconds
        while due := sorted((event for event in self._events if event[0] <= end), key=_when):
            self._events.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = end

    def _look(self, step: Look) -> dict[str, Task]:
        self.looks += 1
        self._pass(0.0)
        error = self.lists.pop(0) if self.lists else None
        if error is not None:
            raise error
        return {
            name: Task(name, stage, stage.value, self.status[name], None, None, None)
            for name, stage in self.stages.items()
            if name in step.names
        }

    def _ask(self, name: str) -> Job | None:
        if len(self.sent) == self.stop_after:
            return None
        self.sent.append((self.now - self.began, name))
        answer = self.answers[name].pop(0) if self.answers[name] else None
        if isinstance(answer, tuple):
            seconds, answer = answer
            self.becomes(seconds, name, self.goal.value)
        if answer is not None:
            raise answer
        self.becomes(self.takes, name, self.goal.value)
        return Job(id="1", request_id=None)


def _when(event: tuple[float, Any]) -> float:
    return event[0]
