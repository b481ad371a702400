"""A journal that fails in the middle, and what an earlier run left in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeVar

import pytest
from taurusdb_starrocks import Job
from taurusdb_starrocks.durable import Batch, Journal, JournalError, SupersededError, overview
from taurusdb_starrocks.fleet import Target, apause, pause, resume
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.fleet.conftest import Connect, stages
from tests.fleet.fleets import PROJECT, instance
from tests.fleet.test_fleet_runs import FAST

T = TypeVar("T")


class Filling(Journal):
    """A journal whose disk is full from some moment on."""

    writes_left = 1_000_000

    async def awrite(self, act: Callable[[Connection], T]) -> T:
        self.writes_left -= 1
        if self.writes_left < 0:
            raise JournalError("The disk is full.")
        return await super().awrite(act)


@pytest.fixture
def filling(tmp_path: Path) -> Iterator[Filling]:
    with Filling(tmp_path / "journal" / "journal.db") as journal:
        yield journal


def test_a_full_disk_stops_new_pauses(
    emulator: Emulator, connect: Connect, filling: Filling, targets: list[Target]
) -> None:
    """No pause is sent that is not written down; what was sent is waited for."""
    filling.writes_left = 10 + 50  # Ten plans, and twenty-five requests with their responses.
    result = pause(targets, journal=filling, lease=None, connect=connect, concurrency=2, **FAST)
    assert "The disk is full" in result.stopped
    assert result.counts["planned"] >= 270
    assert 20 <= result.counts["confirmed"] <= 30
    held = {(entry.instance_id, entry.task_name) for entry in overview(filling)}
    for task in emulator.tasks():
        assert task.stage == "Incremental" or (task.instance_id, task.name) in held


@pytest.mark.parametrize("written", [0, 10, 300])
def test_a_full_disk_does_not_stop_resumes(
    emulator: Emulator, connect: Connect, filling: Filling, targets: list[Target], written: int
) -> None:
    """The journal then has some as paused still, and the next run finds them running."""
    assert pause(targets, journal=filling, lease=None, connect=connect, **FAST).complete
    filling.writes_left = written
    assert resume(targets, journal=filling, connect=connect, **FAST).complete
    assert stages(emulator) == {"Incremental": 300}
    assert overview(filling)
    filling.writes_left = 1_000_000
    assert resume(targets, journal=filling, connect=connect, **FAST).complete
    assert overview(filling) == []


def test_a_journal_that_cannot_be_written_at_first(
    emulator: Emulator, connect: Connect, filling: Filling, targets: list[Target]
) -> None:
    """Nothing is sent."""
    filling.writes_left = 0
    with pytest.raises(JournalError, match="The disk is full"):
        pause(targets, journal=filling, lease=None, connect=connect, **FAST)
    assert emulator.journal() == []


def test_a_full_disk_and_tasks_of_others(
    emulator: Emulator, connect: Connect, filling: Filling, targets: list[Target]
) -> None:
    """Without the journal, only those are resumed that it shows as paused and free."""
    for target in targets[:2]:  # Two holds.
        assert pause([target], journal=filling, lease=None, connect=connect, **FAST).complete
    other = Batch(filling, "resume", call_timeout=1.0, settle=0.5)
    place = (emulator.url, PROJECT, instance(0))
    assert asyncio.run(other.plan(place, ["task_1"])) == {}
    emulator.set_stage(instance(0), "task_2", "Paused")
    filling.writes_left = 0
    result = resume(targets[:4], journal=filling, connect=connect, **FAST)
    assert result.counts | {"confirmed": 1, "refused": 1, "found": 2} == result.counts
    assert stages(emulator)["Paused"] == 3 - 1
    with pytest.raises(JournalError, match="The disk is full"):
        resume(targets[:4], journal=filling, connect=connect, everything=True, **FAST)
    other.close()


def test_no_lock_file_can_be_created(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Nothing is paused then, and what is paused is resumed."""
    assert pause(targets[:2], journal=journal, lease=None, connect=connect, **FAST).complete
    folder = journal.lock_path("x").parent
    folder.rmdir()
    folder.write_text("in the way")
    with pytest.raises(JournalError, match="lock file"):
        pause(targets[2:4], journal=journal, lease=None, connect=connect, **FAST)
    assert resume(targets[:2], journal=journal, connect=connect, **FAST).complete
    assert stages(emulator) == {"Incremental": 300}


def interrupted(connect: Connect, journal: Journal, targets: list[Target]) -> None:
    """A run that is ended before anything was sent, and lets go of nothing."""

    async def impatient() -> None:
        async with asyncio.timeout(0.3):
            await apause(targets, journal=journal, lease=None, connect=connect, **FAST)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())


def test_what_was_only_planned_is_not_resumed(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """It was never paused."""
    emulator.faults.add(Fault("hang", operation="list", seconds=1.0))
    interrupted(connect, journal, targets[:40])
    assert len(overview(journal)) == 40
    emulator.faults.clear()
    result = resume(targets[:40], journal=journal, connect=connect, **FAST)
    assert result.counts["found"] == 40
    assert overview(journal) == []
    assert {call.operation for call in emulator.journal()} == {"list"}


def test_what_was_only_planned_is_paused_by_the_next_run(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Each once."""
    emulator.faults.add(Fault("hang", operation="list", seconds=1.0))
    interrupted(connect, journal, targets[:40])
    emulator.faults.clear()
    assert pause(targets[:40], journal=journal, lease=None, connect=connect, **FAST).complete
    assert stages(emulator)["Paused"] == 40


def test_a_resume_under_way_is_over_before_the_next_pause(
    emulator: Emulator, connect: Connect, journal: Journal
) -> None:
    """It might undo the pause: nothing is sent while it still can."""
    place, names = (emulator.url, PROJECT, instance(0)), ["task_0"]

    async def half(verb: Any) -> None:
        batch = Batch(journal, verb, call_timeout=0.5, settle=0.5)
        assert await batch.plan(place, names) == {}
        members = await batch.members(place, names)
        await members.sending("task_0")
        if verb == "pause":
            await members.answered("task_0", Job(id="1", request_id=None))
        batch.close()

    asyncio.run(half("pause"))
    asyncio.run(half("resume"))
    target = [Target(instance(0), "task_0")]
    assert pause(target, journal=journal, lease=None, connect=connect, **FAST).complete
    first, *_, call = emulator.journal()
    assert call.operation == "list"
    (request,) = [call for call in emulator.journal() if call.operation == "pause"]
    assert request.time - first.time >= 0.5


def test_a_clock_that_was_set_back_while_the_machine_was_off(
    emulator: Emulator, connect: Connect, journal: Journal
) -> None:
    """A resume seems to be sent tomorrow: it is not waited for until then."""
    target = [Target(instance(0), "task_0")]
    assert pause(target, journal=journal, lease=None, connect=connect, **FAST).complete
    later = time.time() + 86_400
    journal.write(
        lambda c: c.execute(
            "INSERT INTO request "
            "(task, window, epoch, actor, verb, state, sent_clock, sent_wall, boot) "
            "SELECT task, window, epoch, actor, 'resume', 'sent', 5, ?, 'former' FROM request",
            (later,),
        )
    )
    options = {**FAST, "settle": 0.1}
    assert resume(target, journal=journal, connect=connect, **options).complete
    assert stages(emulator) == {"Incremental": 300}


def test_whoever_was_superseded_sends_nothing(
    emulator: Emulator, connect: Connect, journal: Journal
) -> None:
    """Each batch looks right before it sends whether the task is still its own."""
    place, names = (emulator.url, PROJECT, instance(0)), ["task_0"]

    async def both() -> None:
        slow = Batch(journal, "pause", call_timeout=0.5, settle=0.5)
        await slow.plan(place, names)
        members = await slow.members(place, names)
        slow.close()  # As if it were gone.
        quick = Batch(journal, "pause", call_timeout=0.5, settle=0.5)
        await quick.plan(place, names)
        with pytest.raises(SupersededError):
            await members.sending("task_0")
        await members.answered("task_0", Job(id="1", request_id=None))
        quick.close()

    asyncio.run(both())
