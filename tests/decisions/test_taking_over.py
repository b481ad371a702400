"""Resuming what somebody left who is gone, in virtual time: what is sent when, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from taurusdb_starrocks import Earlier, Job, NotResumedError, PermissionDeniedError, Task
from taurusdb_starrocks._decisions.ensuring import take_over
from virtual_time import INSTANCE, World, drive, lost, patience

ONE = ["orders"]
TWO = ["orders", "events"]


def resume(world: World, names: list[str] = ONE, **earlier: Any) -> dict[str, Task]:
    steps = take_over(INSTANCE, names, patience(), world.chances, Earlier(**earlier))
    return drive(steps, world.perform)


def ignored() -> Job:
    """A resume that is accepted and has no effect."""
    return Job(id="1", request_id=None)


def test_what_was_seen_paused_is_resumed_at_once() -> None:
    """There is nothing to wait for."""
    world = World(orders="Paused")
    assert resume(world, paused=ONE)["orders"].stage.running
    assert world.log == [("resume", "orders"), 5.0, "list"]


def test_a_pause_that_may_still_show() -> None:
    """It is waited for; that the task runs proves nothing until `settle` after its arrival."""
    world = World(orders="Incremental")
    resume(world, pauses={"orders": 20.0})
    # It may arrive for 20 s, is resumed blindly 30 s later, and is known to run 30 s after that.
    assert world.times == [("resume", "orders", 50.0)]
    assert 80.0 <= world.elapsed < 91.0


def test_a_pause_that_shows_is_undone_at_once() -> None:
    """As soon as a poll shows it."""
    world = World(orders="Incremental")
    world.becomes(12.0, "orders", "Paused")
    resume(world, pauses={"orders": 20.0})
    assert world.times == [("resume", "orders", 15.0)]
    assert world.elapsed == 25.0


def test_a_pause_that_shows_after_the_blind_resume() -> None:
    """It is resumed once more."""
    world = World(orders="Incremental")
    world.becomes(40.0, "orders", "Paused")
    resume(world, pauses={"orders": 0.0})
    assert [time for _verb, _name, time in world.times] == [30.0, 40.0]


def test_an_accepted_resume_is_not_sent_again() -> None:
    """It is waited for."""
    world = World(orders="Paused")
    world.becomes(40.0, "orders", "Incremental")
    resume(world, accepted=ONE)
    assert world.changes == []
    assert world.elapsed == 45.0


def test_an_accepted_resume_without_effect() -> None:
    """When the task is still paused after `settle`, it is sent again."""
    world = World(orders="Paused")
    resume(world, accepted=ONE)
    assert world.times == [("resume", "orders", 65.0)]


def test_a_resume_of_unknown_outcome_is_not_repeated_before_settle() -> None:
    """Not even when polls show the task paused."""
    world = World(orders="Paused")
    resume(world, unknown={"orders": 60.0})
    assert world.times == [("resume", "orders", 65.0)]


def test_a_resume_of_unknown_outcome_that_worked() -> None:
    """None is sent; until it cannot arrive any more, whoever waits is not told that it is over."""
    world = World(orders="Paused")
    world.becomes(3.0, "orders", "Incremental")
    resume(world, unknown={"orders": 60.0})
    assert world.changes == []
    assert world.elapsed == 65.0


def test_an_unknown_resume_after_an_unseen_pause() -> None:
    """Neither a blind resume nor one that a poll asks for comes before its time."""
    world = World(orders="Incremental")
    world.becomes(12.0, "orders", "Paused")
    resume(world, pauses={"orders": 0.0}, unknown={"orders": 50.0})
    assert world.times == [("resume", "orders", 55.0)]
    world = World(orders="Incremental")
    resume(world, pauses={"orders": 0.0}, unknown={"orders": 50.0})
    assert world.times == [("resume", "orders", 50.0)]


def test_a_second_pause_that_may_come_late() -> None:
    """That the task runs proves nothing until then."""
    world = World(orders="Paused")
    world.becomes(30.0, "orders", "Paused")
    resume(world, paused=ONE, late={"orders": 50.0})
    assert [name for name, *_ in world.times] == ["resume", "resume"]
    assert world.elapsed >= 50.0


def test_a_lost_resume_is_repeated_as_ever() -> None:
    """What this taker itself sends is settled by polls."""
    world = World(orders="Paused")
    world.scripts["resume orders"] = [lost()]
    resume(world, paused=ONE)
    assert len(world.times) == 2


def test_the_others_go_on_when_one_fails() -> None:
    """And the one is named."""
    world = World(orders="Paused", events="Paused")
    denied = PermissionDeniedError("no", status=403)
    world.scripts["resume orders"] = [denied]
    with pytest.raises(NotResumedError) as raised:
        resume(world, TWO, paused=TWO)
    assert raised.value.task_names == ("orders",)
    assert raised.value.__cause__ is denied
    assert world.stages["events"] == "Incremental"


def test_each_task_has_its_own_past() -> None:
    """What is clear is resumed at once, whatever the others wait for."""
    world = World(orders="Paused", events="Incremental", bills="Paused")
    resume(
        world,
        ["orders", "events", "bills"],
        paused=ONE,
        pauses={"events": 0.0},
        unknown={"bills": 20.0},
    )
    assert world.times == [
        ("resume", "orders", 0.0),
        ("resume", "bills", 25.0),
        ("resume", "events", 30.0),
    ]


def test_what_is_said_about_some() -> None:
    """And about whom anything is said."""
    earlier = Earlier(
        pauses={"a": 1.0}, paused=["b"], accepted=["c"], unknown={"d": 2.0}, late={"b": 3.0}
    )
    assert earlier.names == {"a", "b", "c", "d"}
    assert earlier.about(["b", "d"]) == Earlier(paused=("b",), unknown={"d": 2.0}, late={"b": 3.0})
