"""A window with a recorder, in virtual time: what it is asked when, and what its answers do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    Configuration,
    Earlier,
    Job,
    NotResumedError,
    PermissionDeniedError,
    ReplicationError,
    Stage,
    UnsupportedOperationError,
)
from taurusdb_starrocks._decisions.steps import Read, Record
from taurusdb_starrocks._decisions.window import WindowSteps
from virtual_time import INSTANCE, World, drive, lost, patience

BOTH = ["orders", "events"]


class ToldError(ReplicationError):
    """What a recorder raises."""


class Recorder:
    """Notes what it is asked; ``raises`` and ``answers`` say what it does then."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.raises: dict[str, BaseException] = {}
        self.answers: dict[str, Any] = {}

    def _ask(self, name: str, *what: Any) -> Any:
        self.asked.append((name, *what))
        if name in self.raises:
            raise self.raises.pop(name)
        return self.answers.get(name)

    def opening(self) -> Earlier:
        return self._ask("opening") or Earlier()

    def found(self, tasks: Any, found_paused: Any) -> Any:
        return self._ask("found", [task.name for task in tasks], tuple(found_paused)) or []

    def configured(self, task_name: str, configuration: Any) -> None:
        self._ask("configured", task_name, configuration)

    def sending(self, verb: str, task_name: str) -> None:
        self._ask(f"sending {verb}", task_name)

    def answered(self, verb: str, task_name: str, answer: Any) -> None:
        self._ask(f"answered {verb}", task_name, type(answer).__name__)

    def reached(self, verb: str, task_names: Any) -> None:
        self._ask(f"reached {verb}", *task_names)

    def opened(self, tasks: Any) -> Any:
        return self._ask("opened", [task.stage for task in tasks]) or "handle"

    def closing(self, task_names: Any) -> Any:
        answer = self._ask("closing", *task_names)
        return task_names if answer is None else answer

    def closed(self, left: Mapping[str, Any], seen: Any) -> Any:
        answer = self._ask("closed", sorted(left), sorted(task.name for task in seen))
        return list(left) if answer is None else answer


class Recorded:
    """A world, a recorder, and a window over its tasks."""

    def __init__(self, **stages: str) -> None:
        self.world = World(**(stages or dict.fromkeys(BOTH, "Incremental")))
        self.recorder = Recorder()
        self.configurations: dict[str, Any] = {}
        self.steps = WindowSteps(
            INSTANCE,
            list(self.world.stages),
            patience(recorder=self.recorder),
            self.world.chances,
            "keep",
        )

    def perform(self, step: Any) -> Any:
        if isinstance(step, Record):
            return step.act(*step.arguments)
        if isinstance(step, Read):
            answer = self.configurations[str(step.task_name)]
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return self.world.perform(step)

    def open(self) -> Any:
        return drive(self.steps.open(), self.perform)

    def close(self, *, interrupted: bool = False) -> None:
        drive(self.steps.close(interrupted=interrupted), self.perform)

    @property
    def names(self) -> list[str]:
        return [asked[0] for asked in self.recorder.asked]


def test_the_whole_of_a_window() -> None:
    """It is asked before each request leaves and after its response, and at each stage."""
    recorded = Recorded()
    assert recorded.open() == "handle"
    recorded.close()
    assert recorded.recorder.asked == [
        ("opening",),
        ("found", BOTH, ()),
        ("sending pause", "orders"),
        ("answered pause", "orders", "Job"),
        ("sending pause", "events"),
        ("answered pause", "events", "Job"),
        ("reached pause", "events", "orders"),
        ("opened", [Stage.PAUSED] * 2),
        ("closing", "orders", "events"),
        ("sending resume", "orders"),
        ("answered resume", "orders", "Job"),
        ("sending resume", "events"),
        ("answered resume", "events", "Job"),
        ("reached resume", "events", "orders"),
        ("closed", [], BOTH[::-1]),
    ]
    assert not recorded.steps.unfinished


def test_a_request_that_must_not_be_sent() -> None:
    """It counts as one that was not, and its error ends the opening."""
    recorded = Recorded()
    recorded.recorder.raises["sending pause"] = ToldError("no")
    with pytest.raises(ToldError):
        recorded.open()
    assert recorded.world.changes == []
    assert recorded.steps.touched == []
    recorded.close()
    assert recorded.names[-2:] == ["closing", "closed"]


@pytest.mark.parametrize("first", [True, False])
def test_an_interrupt_while_a_pause_is_recorded(first: bool) -> None:
    """That pause was not sent, so the window does not wait for it to take effect."""
    recorded = Recorded()
    if first:
        recorded.recorder.raises["sending pause"] = KeyboardInterrupt()
    else:

        def answered(_verb: str, _name: str, _answer: object) -> None:
            recorded.recorder.raises["sending pause"] = KeyboardInterrupt()

        recorded.recorder.answered = answered  # type: ignore[method-assign]  # Once one is sent.
    with pytest.raises(KeyboardInterrupt):
        recorded.open()
    assert recorded.steps.touched == ([] if first else ["orders"])
    recorded.close(interrupted=True)
    assert recorded.world.stages == dict.fromkeys(BOTH, "Incremental")
    assert recorded.world.elapsed < 30.0
    assert recorded.recorder.asked[-1][:2] == ("closed", [])


def test_a_failed_request_is_told() -> None:
    """With its error."""
    recorded = Recorded(orders="Incremental")
    recorded.world.scripts["pause orders"] = [lost()]
    recorded.open()
    assert ("answered pause", "orders", "OutcomeUnknownError") in recorded.recorder.asked


def test_an_opening_that_is_refused() -> None:
    """Nothing is sent, and the recorder is told that it is over."""
    recorded = Recorded()
    recorded.recorder.raises["opening"] = ToldError("busy")
    with pytest.raises(ToldError):
        recorded.open()
    assert recorded.steps.unfinished
    recorded.close()
    assert recorded.names == ["opening", "closing", "closed"]
    assert recorded.world.log == []


def test_a_block_that_must_not_begin() -> None:
    """The tasks are resumed."""
    recorded = Recorded()
    recorded.recorder.raises["opened"] = ToldError("too late")
    with pytest.raises(ToldError):
        recorded.open()
    recorded.close()
    assert set(recorded.world.stages.values()) == {"Incremental"}


def test_configurations_are_read_before_the_first_pause() -> None:
    """Those that are asked for, if the service has them."""
    recorded = Recorded()
    kept = Configuration(None, None, None, 3600, None, "")
    recorded.recorder.answers["found"] = BOTH
    recorded.configurations = {
        "orders": UnsupportedOperationError("no", status=404),
        "events": kept,
    }
    recorded.open()
    asked = recorded.recorder.asked
    assert asked.index(("configured", "events", kept)) < asked.index(("sending pause", "orders"))
    assert sum(one[0] == "configured" for one in asked) == 1


def test_what_an_earlier_window_left_is_taken_over() -> None:
    """It is not paused again, no part of what was found, and resumed at the end."""
    recorded = Recorded(orders="Paused", events="Paused")
    recorded.recorder.answers["opening"] = Earlier(paused=["orders"])
    recorded.open()
    assert recorded.steps.found_paused == ("events",)
    assert recorded.world.changes == []
    recorded.close()
    assert recorded.world.changes == [("resume", "orders")]


def test_a_resume_that_is_under_way_is_waited_for() -> None:
    """Only then are the tasks paused."""
    recorded = Recorded(orders="Paused")
    recorded.world.becomes(20.0, "orders", "Incremental")
    recorded.recorder.answers["opening"] = Earlier(paused=["orders"], accepted=["orders"])
    recorded.open()
    assert [(verb, time) for verb, _name, time in recorded.world.times] == [("pause", 25.0)]


def test_a_resume_that_fails_while_it_opens() -> None:
    """The window does not open, and tries once more as it closes."""
    recorded = Recorded(orders="Paused")
    recorded.recorder.answers["opening"] = Earlier(paused=["orders"], unknown={"orders": 1.0})
    denied = PermissionDeniedError("no", status=403)
    recorded.world.scripts["resume orders"] = [denied, denied]
    with pytest.raises(PermissionDeniedError):
        recorded.open()
    assert recorded.steps.touched == ["orders"]
    with pytest.raises(NotResumedError):
        recorded.close()
    assert recorded.recorder.asked[-1] == ("closed", ["orders"], [])


def test_a_late_pause_of_the_former_owner() -> None:
    """Until it cannot come any more, it proves nothing that the task runs."""
    recorded = Recorded(orders="Incremental")
    recorded.recorder.answers["opening"] = Earlier(pauses={"orders": 10.0})
    recorded.open()
    recorded.world.becomes(40.0, "orders", "Paused")
    recorded.close()
    assert recorded.world.elapsed >= 70.0
    assert recorded.world.stages == {"orders": "Incremental"}


def test_tasks_that_somebody_else_resumes() -> None:
    """They are left alone."""
    recorded = Recorded()
    recorded.open()
    recorded.recorder.answers["closing"] = ["events"]
    recorded.close()
    assert recorded.world.changes[2:] == [("resume", "events")]


def test_what_is_left_is_what_the_recorder_says() -> None:
    """Somebody else may have resumed it meanwhile."""
    recorded = Recorded()
    recorded.open()
    recorded.world.scripts["resume orders"] = [PermissionDeniedError("no", status=403)]
    recorded.recorder.answers["closed"] = []
    recorded.close()
    recorded = Recorded()
    recorded.open()
    recorded.world.scripts["resume orders"] = [PermissionDeniedError("no", status=403)]
    with pytest.raises(NotResumedError) as raised:
        recorded.close()
    assert raised.value.task_names == ("orders",)


@pytest.mark.parametrize("held", [True, False])
def test_what_the_recorder_raises_while_tasks_are_left(held: bool) -> None:
    """The tasks are named, and its error is the cause."""
    recorded = Recorded()
    recorded.open()
    denied = PermissionDeniedError("no", status=403)
    recorded.world.scripts["resume orders"] = [interrupt, denied] if held else [denied]
    error = recorded.recorder.raises["closed"] = ToldError("the record is full")
    with pytest.raises(NotResumedError) as raised:
        recorded.close()
    assert raised.value.task_names == ("orders",)
    assert raised.value.__cause__ is error
    assert isinstance(raised.value.block_error, KeyboardInterrupt) == held


def test_a_callback_that_fails_while_an_earlier_window_is_taken_over() -> None:
    """The window does not open, but the earlier resume was waited for."""
    recorded = Recorded(orders="Paused")
    recorded.recorder.answers["opening"] = Earlier(paused=["orders"], unknown={"orders": 0.0})

    def callback(*_: object) -> None:
        raise BrokenPipeError

    recorded.steps = WindowSteps(
        INSTANCE,
        ["orders"],
        patience(recorder=recorded.recorder, progress=callback),
        recorded.world.chances,
        "keep",
    )
    with pytest.raises(BrokenPipeError):
        recorded.open()
    assert recorded.world.stages == {"orders": "Incremental"}


def interrupt() -> Job:
    raise KeyboardInterrupt


def test_what_the_recorder_raises_last() -> None:
    """It reaches the user, after the interrupt that was held back."""
    recorded = Recorded()
    recorded.open()
    recorded.recorder.raises["closed"] = ToldError("the lease ended")
    with pytest.raises(ToldError):
        recorded.close()
    recorded = Recorded()
    recorded.open()
    recorded.world.scripts["resume orders"] = [interrupt]
    told = recorded.recorder.raises["closed"] = ToldError("the lease ended")
    with pytest.raises(KeyboardInterrupt) as raised:
        recorded.close()
    assert raised.value.__cause__ is told


def test_interrupts_while_the_recorder_is_asked() -> None:
    """The first is held back, and it is asked again; the second ends it with the names."""
    recorded = Recorded()
    recorded.open()
    recorded.recorder.raises["closing"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        recorded.close()
    assert recorded.names.count("closing") == 2
    assert set(recorded.world.stages.values()) == {"Incremental"}
    recorded = Recorded()
    recorded.open()
    recorded.recorder.raises["closing"] = KeyboardInterrupt()
    with pytest.raises(NotResumedError) as raised:
        recorded.close(interrupted=True)
    assert raised.value.task_names == tuple(BOTH)


def test_an_interrupt_at_the_very_end() -> None:
    """It is raised as it is when all tasks run; otherwise they are named."""
    recorded = Recorded()
    recorded.open()
    recorded.recorder.raises["closed"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        recorded.close()
    recorded = Recorded()
    recorded.open()
    recorded.world.scripts["resume orders"] = [PermissionDeniedError("no", status=403)]
    recorded.recorder.raises["closed"] = KeyboardInterrupt()
    with pytest.raises(NotResumedError) as raised:
        recorded.close()
    assert raised.value.task_names == ("orders",)
    assert isinstance(raised.value.block_error, KeyboardInterrupt)


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), ValueError("a fault")])
def test_an_effort_that_is_cut_short_is_recorded(ends: BaseException) -> None:
    """A second interrupt, or an error that is not of the package: the record is told."""
    recorded = Recorded()
    recorded.open()
    recorded.world.scripts["list"] = [ends]
    with pytest.raises(NotResumedError) as raised:
        recorded.close(interrupted=True)
    assert raised.value.task_names == tuple(BOTH)
    assert raised.value.__cause__ is ends
    assert recorded.recorder.asked[-1] == ("closed", sorted(BOTH), [])
    assert not recorded.steps.unfinished


def test_a_closing_that_the_recorder_cannot_begin() -> None:
    """Its error is the cause, and the tasks are named."""
    recorded = Recorded()
    recorded.open()
    recorded.recorder.raises["closing"] = error = ToldError("The record is locked.")
    with pytest.raises(NotResumedError) as raised:
        recorded.close()
    assert raised.value.task_names == tuple(BOTH)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), ValueError("a fault"), None])
def test_an_effort_that_others_complete(ends: BaseException | None) -> None:
    """The record says that all tasks run: only what is not about them is raised."""
    recorded = Recorded()
    recorded.open()
    recorded.world.scripts["list"] = [ends or AuthenticationError("no", status=401)] * 99
    recorded.recorder.answers["closed"] = []
    if ends is None:
        recorded.close(interrupted=True)
    else:
        with pytest.raises(type(ends)):
            recorded.close(interrupted=True)


def test_closing_steps_that_are_closed() -> None:
    """Nothing can be awaited anymore: the record is told directly."""
    recorded = Recorded()
    recorded.open()
    closing = recorded.steps.close(interrupted=False)
    next(closing)
    with pytest.raises(NotResumedError) as raised:
        closing.close()
    assert isinstance(raised.value.__cause__, GeneratorExit)
    assert recorded.recorder.asked[-1] == ("closed", sorted(BOTH), [])
