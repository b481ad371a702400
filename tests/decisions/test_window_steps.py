"""The steps of a window in virtual time: what is resumed, until when, and who is told."""

from __future__ import annotations

from typing import Any

import pytest
from taurusdb_starrocks import (
    AlreadyPausedError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    NotResumedError,
    NotSentError,
    PermissionDeniedError,
    RateLimitError,
    ReplicationError,
    Stage,
    TaskFailedError,
    UnsupportedOperationError,
    WaitTimeoutError,
)
from taurusdb_starrocks._decisions.window import WindowSteps, with_block_error
from virtual_time import INSTANCE, START, World, drive, lost, patience, refused, unsent

ONE = ["orders"]
TWO = ["orders", "events"]


def window(
    world: World, names: list[str] = ONE, already_paused: Any = "keep", **options: Any
) -> WindowSteps:
    return WindowSteps(INSTANCE, names, patience(**options), world.chances, already_paused)


def opened(
    world: World, names: list[str] = ONE, already_paused: Any = "keep", **options: Any
) -> WindowSteps:
    """A window that is open, from whose log the opening is left out."""
    steps = window(world, names, already_paused, **options)
    tasks = drive(steps.open(), world.perform)
    assert [task.name for task in tasks] == names
    assert all(task.stage is Stage.PAUSED for task in tasks)
    forget(world)
    return steps


def half_opened(world: World, after: float, **options: Any) -> WindowSteps:
    """A window whose opening an interrupt ended, so many seconds after the request."""
    steps = window(world, **options)
    opening = steps.open()
    world.perform(next(opening))
    world.stages.update(orders="Incremental")
    step: Any = opening.send((1, [{"task_name": "orders", "stage": "Full", "status": "Yes"}]))
    opening.send(world.perform(step))
    world.pass_time(after)
    with pytest.raises(KeyboardInterrupt):
        opening.throw(KeyboardInterrupt())
    forget(world)
    return steps


def forget(world: World) -> None:
    world.log.clear()
    world.times.clear()
    world.deadlines.clear()


def close(world: World, steps: WindowSteps, *, interrupted: bool = False) -> None:
    drive(steps.close(interrupted=interrupted), world.perform)


def failing(status: int, kind: type[ReplicationError]) -> Any:
    return kind("no", status=status)  # type: ignore[call-arg]


def since(world: World, began: float) -> list[float]:
    """When the changes were requested, in seconds after a reading of the clock."""
    return [round(at + START - began, 6) for _, _, at in world.times]


# --- Opening ------------------------------------------------------------------------------------


def test_a_window() -> None:
    """Paused, and then resumed; afterwards there is nothing left to resume."""
    world = World(orders="Incremental")
    steps = window(world)
    assert steps.touched == []
    assert steps.found_paused == ()
    drive(steps.open(), world.perform)
    assert world.log == ["list", ("pause", "orders"), 5.0, "list"]
    assert steps.touched == ["orders"]
    close(world, steps)
    assert world.log[4:] == [("resume", "orders"), 5.0, "list"]
    assert steps.touched == []
    close(world, steps)
    assert len(world.log) == 7


def test_tasks_come_in_the_order_of_their_names() -> None:
    """Those that were paused before among them, as they were seen."""
    world = World(a="Paused", b="Full", c="Paused", d="Full")
    steps = opened(world, ["d", "c", "b", "a"])
    assert steps.found_paused == ("c", "a")
    assert steps.touched == ["d", "b"]
    close(world, steps)
    assert world.changes == [("resume", "d"), ("resume", "b")]


def test_what_was_paused_before_can_be_resumed() -> None:
    """It is as if the window had paused it."""
    world = World(orders="Paused", events="Full")
    steps = opened(world, TWO, "resume")
    assert not steps.keeps
    assert steps.found_paused == ("orders",)
    assert steps.touched == TWO
    close(world, steps)
    assert set(world.stages.values()) == {"Incremental"}


def test_what_was_paused_before_can_be_an_error() -> None:
    """Nothing is sent, and nothing is left to resume."""
    world = World(orders="Paused", events="Full")
    steps = window(world, TWO, "error")
    with pytest.raises(AlreadyPausedError) as caught:
        drive(steps.open(), world.perform)
    assert caught.value.task_names == ("orders",)
    assert caught.value.instance_id == INSTANCE
    assert world.log == ["list"]
    assert steps.touched == []
    assert steps.found_paused == ("orders",)
    assert steps.keeps
    opened(World(orders="Full"), ONE, "error")


@pytest.mark.parametrize(("already_paused", "touched"), [("keep", []), ("resume", ["orders"])])
def test_a_task_that_failed_keeps_it_from_opening(already_paused: str, touched: list[str]) -> None:
    """Nothing is sent; what was found paused is known, and resumed if it is to be."""
    world = World(orders="Paused", events="Cancelled")
    steps = window(world, TWO, already_paused)
    with pytest.raises(TaskFailedError, match="will not be paused"):
        drive(steps.open(), world.perform)
    assert world.log == ["list"]
    assert steps.found_paused == ("orders",)
    assert steps.touched == touched


def test_a_task_that_is_absent_keeps_it_from_opening() -> None:
    """Nothing is sent."""
    world = World(orders="Full")
    with pytest.raises(NotFoundError):
        drive(window(world, TWO).open(), world.perform)
    assert world.changes == []


def test_the_timeout_bounds_the_opening() -> None:
    """From the first list to the last poll."""
    world = World(orders="Full")
    world.takes["pause"] = 1e9
    world.scripts["list"] = [world.hang(4.0, unsent())]
    with pytest.raises(WaitTimeoutError):
        drive(window(world, timeout=42.0).open(), world.perform)
    assert world.elapsed == 42.0
    assert set(world.deadlines["list"] + world.deadlines["pause"]) == {42.0, 47.0}


def test_what_is_not_touched_is_not_resumed() -> None:
    """A pause that changed nothing, and tasks whose pause was never requested."""
    world = World(a="Full", b="Full", c="Full")
    world.scripts["pause b"] = [failing(403, PermissionDeniedError)]
    steps = window(world, ["a", "b", "c"])
    with pytest.raises(PermissionDeniedError):
        drive(steps.open(), world.perform)
    assert steps.touched == ["a"]


def test_a_task_that_is_paused_against_a_refusal_is_resumed() -> None:
    """It ran before the window."""
    world = World(orders="Full")
    world.scripts["pause orders"] = [refused()]
    world.becomes(4.0, "orders", "Paused")
    steps = opened(world)
    assert steps.touched == ["orders"]
    close(world, steps)
    assert world.log == [("resume", "orders"), 5.0, "list"]


# --- Closing ------------------------------------------------------------------------------------


def test_resuming_goes_on_for_all_the_time() -> None:
    """What may pass is repeated after two polls each, long after ``settle`` seconds."""
    world = World(orders="Full")
    steps = opened(world)
    began = world.now
    world.scripts["resume orders"] = [
        lost(),
        unsent(),
        refused(),
        failing(409, ConflictError),
        *(lost() for _ in range(30)),
    ]
    close(world, steps)
    times = since(world, began)
    assert times[:4] == [0.0, 15.0, 35.0, 55.0]
    assert len(times) == 35
    assert world.stages["orders"] == "Incremental"


def test_time_that_is_over_while_resuming() -> None:
    """The error names the task; its cause says how it was last seen, and why that was."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO, timeout=100.0)
    began = world.now
    error = lost()
    world.scripts["resume events"] = [error] * 99
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert world.now == began + 100.0
    assert caught.value.task_names == ("events",)
    assert (caught.value.instance_id, caught.value.task_name) == (INSTANCE, "events")
    assert caught.value.block_error is None
    assert caught.value.message == (
        "May still be paused: events. A task that stays paused longer than the source keeps its "
        "binary log cannot catch up. Check the stage and resume the task yourself, again if a "
        "pause that is still in progress stops it later: "
        f"client.ensure_running('{INSTANCE}', 'events')"
    )
    cause = caught.value.__cause__
    assert isinstance(cause, WaitTimeoutError)
    assert "is not running after 100.0 s, last seen in stage 'Paused'" in str(cause)
    assert cause.__cause__ is error
    assert steps.touched == []


def test_several_that_are_not_resumed() -> None:
    """Those that failed first come first; the cause is that of the first."""
    world = World(a="Full", b="Full", c="Full")
    steps = opened(world, ["a", "b", "c"], timeout=100.0)
    error = failing(401, AuthenticationError)
    world.scripts["resume b"] = [error]
    world.scripts["resume a"] = [lost()] * 99
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert caught.value.task_names == ("b", "a")
    assert caught.value.__cause__ is error
    assert caught.value.message.startswith("May still be paused: b, a. ")
    assert "'b'); client.ensure_running(" in caught.value.message
    assert world.stages["c"] == "Incremental"


@pytest.mark.parametrize("kind", [AuthenticationError, PermissionDeniedError, NotFoundError])
def test_a_refusal_that_stays(kind: type[ReplicationError]) -> None:
    """It is not repeated."""
    world = World(orders="Full")
    steps = opened(world)
    world.scripts["resume orders"] = [failing(400, kind)]
    with pytest.raises(NotResumedError):
        close(world, steps)
    assert world.log == [("resume", "orders")]


POLL_ERRORS = [
    failing(401, AuthenticationError),
    failing(403, PermissionDeniedError),
    failing(404, UnsupportedOperationError),
    failing(400, BadRequestError),
    NotSentError("no", lasting=True),
]


@pytest.mark.parametrize("error", POLL_ERRORS, ids=lambda error: type(error).__name__)
def test_polls_that_are_refused_once(error: ReplicationError) -> None:
    """They prove nothing about the tasks, so a lost resume is still repeated."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    world.scripts["resume orders"] = [lost()]
    world.scripts["list"] = [error]
    close(world, steps)
    assert set(world.stages.values()) == {"Incremental"}
    assert world.changes == [("resume", "orders"), ("resume", "events"), ("resume", "orders")]


@pytest.mark.parametrize("error", POLL_ERRORS, ids=lambda error: type(error).__name__)
def test_polls_that_are_refused_before_a_pause_is_seen(error: ReplicationError) -> None:
    """The late pause is waited for and undone all the same."""
    world = World(orders="Full")
    world.takes["pause"] = 20.0
    steps = half_opened(world, after=1.0)
    world.scripts["list"] = [error]
    close(world, steps)
    assert world.stages["orders"] == "Incremental"
    assert len(world.changes) == 1


def test_polls_that_are_throttled_for_an_hour() -> None:
    """The next poll comes after the longest pause, and a lost resume is repeated."""
    world = World(orders="Full")
    steps = opened(world, timeout=300.0)
    world.scripts["resume orders"] = [lost()]
    world.scripts["list"] = [RateLimitError("no", status=429, retry_after=3600.0)]
    close(world, steps)
    assert world.sleeps[:2] == [5.0, 60.0]
    assert world.stages["orders"] == "Incremental"


def test_a_list_that_is_refused_all_the_time() -> None:
    """All that are not known to run are named; the last error of a poll is the cause."""
    world = World(a="Full", b="Full", c="Full")
    steps = opened(world, ["a", "b", "c"], timeout=100.0)
    began = world.now
    world.scripts["resume b"] = [refusal := failing(401, AuthenticationError)]
    error = failing(403, PermissionDeniedError)
    world.scripts["list"] = [error] * 99
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert world.now == began + 100.0
    assert caught.value.task_names == ("b", "a", "c")
    assert caught.value.__cause__ is refusal
    world = World(orders="Full")
    steps = opened(world, timeout=100.0)
    world.scripts["list"] = [error] * 99
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert isinstance(caught.value.__cause__, WaitTimeoutError)
    assert caught.value.__cause__.__cause__ is error


def test_a_lost_resume_is_repeated_without_a_list() -> None:
    """After ``settle`` seconds each, because a request to resume does no harm."""
    world = World(orders="Full")
    steps = opened(world, timeout=150.0)
    began = world.now
    world.scripts["resume orders"] = [lost()]
    world.scripts["list"] = [failing(403, PermissionDeniedError)] * 99
    with pytest.raises(NotResumedError):
        close(world, steps)
    assert since(world, began) == [0.0, 65.0]
    assert world.stages["orders"] == "Incremental"


def test_credentials_that_are_rejected_are_not_sent_often() -> None:
    """An access key is locked after a few failures, so polls come less often."""
    world = World(orders="Full")
    steps = opened(world, timeout=300.0)
    world.scripts["list"] = [failing(401, AuthenticationError)] * 3
    close(world, steps)
    assert world.sleeps == [5.0, 20.0, 40.0, 60.0]


@pytest.mark.parametrize(
    ("stage", "status", "kind"),
    [("Cancelled", "Yes", TaskFailedError), ("Incremental", "No", TaskFailedError)],
)
def test_a_task_that_fails_while_it_is_resumed(
    stage: str, status: str, kind: type[ReplicationError]
) -> None:
    """It is named, and the others go on."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    world.scripts["resume orders"] = [lambda: "accepted"]
    world.stages["orders"], world.status["orders"] = stage, status
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert caught.value.task_names == ("orders",)
    cause = caught.value.__cause__
    assert isinstance(cause, kind)
    assert (cause.instance_id, cause.task_name) == (INSTANCE, "orders")
    assert world.stages["events"] == "Incremental"


def test_a_task_that_vanishes_while_it_is_resumed() -> None:
    """It is named after two polls, and the others go on."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    world.takes["resume"] = 25.0
    del world.stages["orders"]
    world.scripts["resume orders"] = [lambda: "accepted"]
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert caught.value.task_names == ("orders",)
    assert isinstance(caught.value.__cause__, NotFoundError)
    assert world.stages["events"] == "Incremental"


def test_a_resume_without_effect_is_repeated() -> None:
    """``settle`` seconds after it was accepted, and not before."""
    world = World(orders="Full")
    steps = opened(world)
    began = world.now
    world.scripts["resume orders"] = [lambda: "accepted"]
    close(world, steps)
    assert since(world, began) == [0.0, 65.0]
    steps = opened(world, settle=55.0)
    began = world.now
    world.scripts["resume orders"] = [lambda: "accepted"]
    close(world, steps)
    assert since(world, began) == [0.0, 55.0]


def test_time_is_shared_out_while_sending() -> None:
    """Each request has its part of what is left, and the last all of it."""
    world = World(**dict.fromkeys("abcd", "Full"))
    steps = opened(world, list("abcd"), timeout=60.0)
    began = world.now
    for name in "ac":
        world.scripts[f"resume {name}"] = [world.hang(15.0, lost())]
    with pytest.raises(NotResumedError):
        world.scripts["list"] = [unsent() for _ in range(99)]
        close(world, steps)
    shares = [round(d - (began - START), 6) for d in world.deadlines["resume"] if d is not None]
    assert shares[:4] == [15.0, 30.0, 37.5, 60.0]


@pytest.mark.parametrize("answer", ["lost", "accepted"])
def test_each_task_gets_a_request(answer: str) -> None:
    """Even if the time is over, because the process was stopped: ``settle`` seconds are added."""
    world = World(a="Full", b="Full", c="Full")
    steps = opened(world, ["a", "b", "c"], timeout=60.0)

    def accepted() -> None:
        world.pass_time(3600.0)

    world.scripts["resume a"] = [world.hang(3600.0, lost()) if answer == "lost" else accepted]
    began = world.now
    close(world, steps)
    assert set(world.stages.values()) == {"Incremental"}
    assert since(world, began)[:3] == [0.0, 3600.0, 3600.0]
    relative = [round(d - (began - START), 6) for d in world.deadlines["resume"] if d is not None]
    assert relative[:3] == [20.0, 3630.0, 3660.0]


def test_a_late_pause_after_the_process_was_stopped() -> None:
    """A task whose pause was not seen gets its resume before it is named."""
    world = World(orders="Full")
    world.takes["pause"] = 1e9
    steps = half_opened(world, after=1.0)
    world.scripts["list"] = [lambda: world.pass_time(3600.0)]
    began = world.now
    with pytest.raises(NotResumedError):
        close(world, steps)
    assert since(world, began) == [3605.0]
    assert world.now == began + 3605.0 + 60.0


# --- Pauses that were never seen ----------------------------------------------------------------


def test_a_late_pause_is_waited_for_and_undone() -> None:
    """No resume is sent before it shows, for that might hide it; then it takes two polls."""
    world = World(orders="Full")
    world.takes["pause"] = 20.0
    steps = half_opened(world, after=1.0)
    began = world.now
    close(world, steps)
    assert since(world, began) == [25.0]
    assert world.log == [
        5.0,
        "list",
        10.0,
        "list",
        10.0,
        "list",
        ("resume", "orders"),
        10.0,
        "list",
    ]


@pytest.mark.parametrize("answer", ["accepted", "refused"])
def test_a_pause_that_comes_after_the_resume(answer: str) -> None:
    """After half of ``settle`` the task is resumed all the same, and again once it is paused."""
    world = World(orders="Full")
    world.takes["pause"] = 45.0
    steps = half_opened(world, after=1.0)
    began = world.now
    world.scripts["resume orders"] = [refused() if answer == "refused" else lambda: "accepted"]
    close(world, steps)
    assert world.stages["orders"] == "Incremental"
    assert since(world, began)[0] == 30.0
    assert since(world, began)[-1] > 44.0


def test_a_pause_that_never_comes_is_named() -> None:
    """``settle`` seconds later, although the task runs and a resume was accepted."""
    world = World(orders="Full")
    world.takes["pause"] = 1e9
    steps = half_opened(world, after=1.0)
    began = world.now
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert world.now == began + 60.0
    assert since(world, began) == [30.0]
    assert caught.value.task_names == ("orders",)
    cause = caught.value.__cause__
    assert isinstance(cause, WaitTimeoutError)
    assert cause.message == (
        "A pause of the task orders was requested, but polls did not show it within 60.0 s, last "
        "seen in stage 'Incremental'. It may still take effect."
    )
    assert (cause.instance_id, cause.task_name) == (INSTANCE, "orders")


def test_a_refused_resume_is_repeated_until_then() -> None:
    """It is refused because the pause is under way, or because the task runs: who knows."""
    world = World(orders="Full")
    world.takes["pause"] = 1e9
    steps = half_opened(world, after=1.0)
    began = world.now
    world.scripts["resume orders"] = [refused() for _ in range(9)]
    with pytest.raises(NotResumedError):
        close(world, steps)
    assert since(world, began) == [30.0, 50.0]


def test_the_timeout_bounds_settling() -> None:
    """Half of it is left to the pause."""
    world = World(orders="Full")
    world.takes["pause"] = 1e9
    steps = half_opened(world, after=1.0, timeout=20.0)
    began = world.now
    with pytest.raises(NotResumedError):
        close(world, steps)
    assert since(world, began) == [10.0]
    assert world.now == began + 20.0


def test_a_pause_that_shows_late_has_all_the_time_to_be_undone() -> None:
    """Resuming may take longer than settling."""
    world = World(orders="Full")
    world.takes["pause"] = 50.0
    world.takes["resume"] = 100.0
    steps = half_opened(world, after=1.0)
    began = world.now
    close(world, steps)
    assert world.now > began + 100.0
    assert since(world, began) == [30.0, 50.0, 110.0]  # ``settle`` seconds later, and not before.


def test_others_are_resumed_at_once() -> None:
    """Only the task whose pause was not seen is waited for."""
    world = World(orders="Full", events="Full")
    world.scripts["pause events"] = [lambda: "accepted"]
    world.becomes(50.0, "events", "Paused")
    steps = window(world, TWO, timeout=20.0)
    with pytest.raises(WaitTimeoutError):
        drive(steps.open(), world.perform)
    forget(world)
    assert steps.touched == TWO
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert world.log[0] == ("resume", "orders")
    assert caught.value.task_names == ("events",)


def test_a_lost_pause_counts_as_sent() -> None:
    """And so does one that an interrupt ended."""
    world = World(orders="Full")
    steps = window(world)
    world.scripts["pause orders"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        drive(steps.open(), world.perform)
    assert steps.touched == ["orders"]
    world.scripts["pause orders"] = [lost()] * 99
    steps = window(world)
    with pytest.raises(ReplicationError):
        drive(steps.open(), world.perform)
    assert steps.touched == ["orders"]


# --- Pauses that were sent twice ----------------------------------------------------------------


def test_two_pauses_may_both_come() -> None:
    """A second one may be late: for ``settle`` seconds it proves nothing that the task runs."""
    world = World(orders="Full")
    world.scripts["pause orders"] = [lost()]
    steps = opened(world)
    last = START + 15.0
    close(world, steps)
    assert last + 60.0 <= world.now <= last + 70.0
    assert world.changes == [("resume", "orders")]


def test_the_last_of_several_pauses_counts() -> None:
    """``settle`` seconds after it was sent the first poll is believed."""
    world = World(orders="Full")
    world.scripts["pause orders"] = [lost(), lost()]
    steps = opened(world)
    assert world.now == START + 45.0
    close(world, steps)
    assert world.now == START + 100.0
    world = World(orders="Full")
    world.scripts["pause orders"] = [lost()]
    steps = opened(world, settle=55.0)
    close(world, steps)
    assert world.now == START + 15.0 + 55.0


def test_the_second_pause_is_undone() -> None:
    """It comes after the task was seen running, and is resumed at the next poll."""
    world = World(orders="Full")
    world.scripts["pause orders"] = [lost()]
    steps = opened(world)
    world.becomes(world.elapsed + 12.0, "orders", "Paused")
    began = world.now
    close(world, steps)
    assert since(world, began) == [0.0, 15.0]
    assert world.stages["orders"] == "Incremental"


def test_two_pauses_and_a_long_block() -> None:
    """By then a second one has come: nothing is waited for."""
    world = World(orders="Full")
    world.scripts["pause orders"] = [lost()]
    steps = opened(world)
    world.pass_time(60.0)
    close(world, steps)
    assert world.log == [("resume", "orders"), 5.0, "list"]


def test_two_pauses_and_little_time() -> None:
    """Half of the time is left to resume the task once more: it is not named in vain."""
    world = World(orders="Full")
    world.scripts["pause orders"] = [lost()]
    steps = opened(world, timeout=40.0)
    began = world.now
    close(world, steps)
    assert world.now == began + 25.0


def test_a_pause_that_was_refused_once_is_one_pause() -> None:
    """The refused one cannot come late."""
    world = World(orders="Full")
    world.scripts["pause orders"] = [refused()]
    steps = opened(world)
    close(world, steps)
    assert world.log == [("resume", "orders"), 5.0, "list"]


# --- Interrupts ---------------------------------------------------------------------------------


def test_an_interrupted_block_has_settle_seconds() -> None:
    """Resuming takes no longer, whatever the timeout."""
    world = World(orders="Full")
    steps = opened(world)
    began = world.now
    world.takes["resume"] = 1e9
    with pytest.raises(NotResumedError) as caught:
        close(world, steps, interrupted=True)
    assert world.now == began + 60.0
    assert caught.value.block_error is None
    assert world.changes == [("resume", "orders")]


def test_hurrying_gives_no_time_back() -> None:
    """A timeout that is shorter stays."""
    world = World(orders="Full")
    steps = opened(world, timeout=40.0)
    began = world.now
    world.takes["resume"] = 1e9
    with pytest.raises(NotResumedError):
        close(world, steps, interrupted=True)
    assert world.now == began + 40.0


@pytest.mark.parametrize("moment", ["resume orders", "resume events", "list"])
def test_the_first_interrupt_is_held_back(moment: str) -> None:
    """All tasks are resumed, and then it is raised."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    interrupt = KeyboardInterrupt()
    world.scripts[moment] = [interrupt]
    with pytest.raises(KeyboardInterrupt) as caught:
        close(world, steps)
    assert caught.value is interrupt
    assert set(world.stages.values()) == {"Incremental"}
    assert steps.touched == []


def test_the_first_interrupt_leaves_settle_seconds() -> None:
    """From then on, for everything; requests that were accepted are not sent again."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    world.takes["resume"] = 1e9
    interrupt = KeyboardInterrupt()
    world.scripts["list"] = [None, world.hang(3.0, interrupt)]
    began = world.now
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert world.now == began + 18.0 + 60.0
    assert caught.value.task_names == tuple(TWO)
    assert caught.value.block_error is interrupt
    assert isinstance(caught.value.__cause__, WaitTimeoutError)
    assert [at for at in since(world, began) if at < 60.0] == [0.0, 0.0]


def test_the_first_interrupt_in_a_request_that_hangs() -> None:
    """What is left is shared out among the tasks that have no accepted request."""
    world = World(**dict.fromkeys("abc", "Full"))
    steps = opened(world, list("abc"))
    world.scripts["resume b"] = [world.hang(20.0, KeyboardInterrupt())]
    began = world.now
    with pytest.raises(KeyboardInterrupt):
        close(world, steps)
    assert [name for _, name in world.changes] == ["a", "b", "b", "c"]
    relative = [round(d - (began - START), 6) for d in world.deadlines["resume"] if d is not None]
    assert relative == [600.0, 900.0, 50.0, 80.0]


@pytest.mark.parametrize("interrupted", [True, False])
def test_the_second_interrupt_ends_it(interrupted: bool) -> None:
    """The tasks that are not known to run are named."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    first, second = KeyboardInterrupt(), KeyboardInterrupt()
    world.scripts["resume events"] = [second] if interrupted else [first, second]
    with pytest.raises(NotResumedError) as caught:
        close(world, steps, interrupted=interrupted)
    assert caught.value.task_names == tuple(TWO)
    assert caught.value.__cause__ is second
    assert caught.value.block_error is (second if interrupted else first)
    assert steps.touched == []


def test_steps_that_are_closed_name_the_tasks() -> None:
    """A coroutine that is closed can do no more."""
    world = World(orders="Full")
    steps = opened(world)
    closing = steps.close(interrupted=False)
    next(closing)
    with pytest.raises(NotResumedError) as caught:
        closing.close()
    assert caught.value.task_names == ("orders",)
    assert isinstance(caught.value.__cause__, GeneratorExit)
    assert steps.touched == []


def test_steps_that_never_began_leave_the_tasks_known() -> None:
    """Whoever asks later is told."""
    world = World(orders="Full")
    steps = opened(world)
    steps.close(interrupted=False).close()
    assert steps.touched == ["orders"]
    error = steps.left_open()
    assert error.task_names == ("orders",)
    assert error.block_error is None


def test_any_other_error_of_a_request_names_the_task() -> None:
    """It is the cause's cause, an interrupt before it is told, and the others are resumed."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    interrupt, error = KeyboardInterrupt(), ZeroDivisionError()
    world.scripts["resume orders"] = [interrupt, error]
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert caught.value.task_names == ("orders",)
    assert caught.value.__cause__ is not None
    assert str(caught.value.__cause__) == "The request failed with ZeroDivisionError."
    assert caught.value.__cause__.__cause__ is error
    assert caught.value.block_error is interrupt
    assert world.stages["events"] == "Incremental"


def test_any_other_error_of_a_poll_names_the_tasks() -> None:
    """Each of them got its request."""
    world = World(orders="Full", events="Full")
    steps = opened(world, TWO)
    error = ZeroDivisionError()
    world.scripts["list"] = [error]
    with pytest.raises(NotResumedError) as caught:
        close(world, steps)
    assert caught.value.task_names == tuple(TWO)
    assert caught.value.__cause__ is error
    assert world.changes == [("resume", "orders"), ("resume", "events")]


@pytest.mark.parametrize("name", ["accepted", "progress"])
def test_a_callback_that_fails(name: str) -> None:
    """All tasks are resumed, and then its first exception is raised."""
    world = World(a="Full", b="Full", c="Full")
    errors: list[Exception] = []

    def callback(*_: object) -> None:
        if ("resume", "a") in world.changes:
            errors.append(BrokenPipeError())
            raise errors[-1]

    steps = window(world, ["a", "b", "c"], **{name: callback})
    drive(steps.open(), world.perform)
    with pytest.raises(BrokenPipeError) as caught:
        close(world, steps)
    assert caught.value is errors[0]
    assert len(errors) == 3
    assert set(world.stages.values()) == {"Incremental"}


@pytest.mark.parametrize("ends", ["interrupt", "refusal"])
def test_a_callback_that_fails_beside_another_error(ends: str) -> None:
    """The other error is raised, with a note."""
    world = World(a="Full", b="Full")

    def callback(*_: object) -> None:
        if ("resume", "a") in world.changes:
            raise BrokenPipeError(32, "closed")

    steps = opened(world, ["a", "b"], accepted=callback)
    error = KeyboardInterrupt() if ends == "interrupt" else failing(403, PermissionDeniedError)
    world.scripts["resume b"] = [error]
    with pytest.raises(KeyboardInterrupt if ends == "interrupt" else NotResumedError) as caught:
        close(world, steps)
    assert caught.value.__notes__ == ["A callback raised BrokenPipeError: [Errno 32] closed"]


def test_what_ended_the_block_is_told() -> None:
    """It comes before an interrupt of the closing; other errors are passed on as they are."""
    interrupt, block = KeyboardInterrupt(), ValueError()
    for before, given, after in [
        (None, None, None),
        (interrupt, None, interrupt),
        (None, block, block),
        (interrupt, block, block),
    ]:
        error = NotResumedError("no", instance_id=INSTANCE, task_names=ONE)
        error.block_error = before
        assert with_block_error(error, given) is error
        assert error.block_error is after
        notes = [] if after is None else [f"The block ended with {type(after).__name__}."]
        assert getattr(error, "__notes__", []) == notes
    assert with_block_error(interrupt, block) is interrupt
    assert not hasattr(interrupt, "__notes__")


def test_polls_that_hang_do_not_keep_an_unseen_task_from_being_resumed() -> None:
    """Each poll ends when the resume is due, however long the service takes."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [lost()] * 9
    steps = window(world, timeout=20.0, settle=20.0)
    with pytest.raises(ReplicationError):
        drive(steps.open(), world.perform)

    def hang() -> None:
        deadline = world.deadlines["list"][-1]
        assert deadline is not None
        world.now = START + deadline
        raise unsent()

    world.scripts["list"] = [hang] * 50
    sent = len(world.changes)
    with pytest.raises(NotResumedError):
        drive(steps.close(interrupted=False), world.perform)
    assert ("resume", "orders") in world.changes[sent:]
