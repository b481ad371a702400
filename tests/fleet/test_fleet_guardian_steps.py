"""What the guardian of a fleet does, in this process: a real journal and requests, and its pipe."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from taurusdb_starrocks import AsyncClient, Poll, Rebuild, ReplicationError, TokenAuth
from taurusdb_starrocks.durable import (
    Batch,
    Journal,
    JournalError,
    SupersededError,
    forget,
    overview,
)
from taurusdb_starrocks.durable import _guardian as durable_guardian
from taurusdb_starrocks.durable._guardian import Guardian
from taurusdb_starrocks.fleet import _guardian, _run, pause
from taurusdb_starrocks.fleet._budget import Budget
from taurusdb_starrocks.fleet._targets import Targets
from taurusdb_starrocks.fleet._verbs import carry_out
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.fleet.conftest import Connect, stages
from tests.fleet.fleets import PROJECT, instance
from tests.fleet.test_fleet_runs import FAST, Target
from tests.fleet.windows_running import until


class Pipes:
    """A guardian's ends of its pipes, and ours."""

    def __init__(self) -> None:
        self.hears, self.to = os.pipe()
        self._from, self.says = os.pipe()

    def tell(self, **what: Any) -> None:
        os.write(self.to, json.dumps(what).encode() + b"\n")

    def said(self) -> Any:
        return json.loads(os.read(self._from, 65536))


@pytest.fixture
def pipes() -> Pipes:
    return Pipes()


@pytest.fixture
def signals() -> Iterator[None]:
    """What a guardian does to the signals of its process is taken back."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def batch(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> Iterator[Batch]:
    """Sixty tasks that a window has paused."""
    made = Batch(journal, "pause", call_timeout=1.0, settle=0.5, lease=60, kind="window")

    async def pause() -> None:
        found = Targets(targets[:60], connect)
        options: Any = FAST
        assert (await carry_out(made, found, Budget(0), options)).complete
        await found.aclose()

    asyncio.run(pause())
    yield made
    made.close()


@pytest.fixture
def given(emulator: Emulator, journal: Journal, batch: Batch) -> dict[str, Any]:
    """What the guardian is given by a program that is gone."""
    return {
        "journal": str(journal.path),
        "batch": batch.id,
        "actor": "guardian",
        "parent": -1,
        "left": 60.0,
        "call_timeout": 1.0,
        "client": [clients(emulator, emulator.token)],
        "options": {
            "settle": 0.5,
            "rate": 100_000.0,
            "concurrency": 16,
            "poll": attrs.asdict(Poll(first=0.02, interval=0.05, longest=0.2)),
        },
    }


def clients(emulator: Emulator, token: str) -> tuple[str, str, dict[str, Any]]:
    client = AsyncClient(endpoint=emulator.url, project_id=PROJECT, auth=TokenAuth(token))
    rebuild = client.rebuild()
    made = Rebuild("taurusdb_starrocks:AsyncClient", rebuild.arguments)
    return emulator.url, PROJECT, made.to_document()


@pytest.mark.usefixtures("signals")
def test_it_says_that_it_is_ready_and_does_its_work(
    emulator: Emulator, journal: Journal, given: dict[str, Any], pipes: Pipes
) -> None:
    """The program is gone: all tasks run, and no lock is left."""
    _guardian.main(given, pipes.hears, pipes.says)
    assert pipes.said() == {"ready": os.getpid()}
    assert stages(emulator) == {"Incremental": 300}
    assert overview(journal) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


@pytest.mark.usefixtures("signals")
def test_it_says_why_it_cannot_start(
    emulator: Emulator, given: dict[str, Any], pipes: Pipes
) -> None:
    """As with credentials that are not there."""
    rebuild = given["client"][0][2]
    rebuild["arguments"]["auth"]["rebuild"]["factory"] = "nowhere:Auth"
    _guardian.main(given, pipes.hears, pipes.says)
    assert pipes.said()["failed"].startswith("ConfigurationError: nowhere:Auth cannot be imported")
    assert stages(emulator)["Paused"] == 60


def made(given: dict[str, Any], pipe: int) -> Guardian:
    return Guardian(_guardian.Fleet(given), given["parent"], pipe)


def run(given: dict[str, Any], pipes: Pipes) -> threading.Thread:
    """One whose program is there: ours."""
    guardian = made({**given, "parent": os.getppid()}, pipes.hears)
    thread = threading.Thread(target=guardian.run, daemon=True)
    thread.start()
    return thread


def test_it_ends_with_the_window(emulator: Emulator, given: dict[str, Any], pipes: Pipes) -> None:
    """Told that it is over, it resumes what is left, with the credentials that it was told last."""
    given["client"] = [clients(emulator, "an old one")]
    thread = run(given, pipes)
    pipes.tell(client=[clients(emulator, emulator.token)], over=True)
    thread.join(20)
    assert not thread.is_alive()
    assert stages(emulator) == {"Incremental": 300}


def test_the_end_of_the_lease(
    emulator: Emulator,
    journal: Journal,
    given: dict[str, Any],
    pipes: Pipes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It resumes the tasks, and stays until the program is gone."""
    journal.write(lambda c: c.execute("UPDATE window SET ends_clock = 0"))
    thread = run(given, pipes)
    while stages(emulator) != {"Incremental": 300}:
        time.sleep(0.02)
    os.close(pipes.to)
    time.sleep(0.2)
    assert thread.is_alive()
    assert overview(journal) == []
    monkeypatch.setattr(os, "getppid", lambda: 1)
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("failing", ["emulator", "journal"])
def test_it_does_not_give_up(
    emulator: Emulator,
    journal: Journal,
    given: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    """Neither when a round ends without all tasks running, nor when it fails."""
    monkeypatch.setattr(_guardian, "ROUND", 0.2)
    monkeypatch.setattr(durable_guardian, "FIRST_RETRY", 0.05)
    pipes = Pipes()
    guardian = made(given, pipes.hears)
    if failing == "emulator":
        emulator.faults.add(Fault("error", operation="resume", applied=False, status=400, times=90))
    else:
        guardian._guarded.use([])
        pipes.tell(client=given["client"])
    guardian.run()
    assert stages(emulator) == {"Incremental": 300}
    assert overview(journal) == []


def test_the_end_of_the_pipe(
    emulator: Emulator, given: dict[str, Any], batch: Batch, pipes: Pipes
) -> None:
    """The program holds its lock still, and so it is not gone."""
    thread = run(given, pipes)
    os.close(pipes.to)
    time.sleep(0.7)
    assert thread.is_alive()
    assert stages(emulator)["Paused"] == 60
    batch.close()
    thread.join(20)
    assert stages(emulator) == {"Incremental": 300}


def test_it_takes_over_what_is_due_and_free(
    journal: Journal, given: dict[str, Any], batch: Batch
) -> None:
    """Not a lease that was extended, and not what another process is resuming."""
    fleet = _guardian.Fleet(given)
    with pytest.raises(SupersededError, match="The lease was extended"):
        fleet.take(expired=True)
    other = Batch(journal, "resume", call_timeout=1.0, settle=0.5)
    journal.write(lambda c: c.execute("UPDATE window SET actor = ? WHERE rowid = 1", (other.id,)))
    assert fleet.take(expired=False)
    actors = journal.read(lambda c: c.execute("SELECT actor FROM window").fetchall())
    assert [row[0] for row in actors] == [other.id, "guardian"]
    other.close()
    assert fleet.take(expired=False)
    actors = journal.read(lambda c: c.execute("SELECT actor FROM window").fetchall())
    assert [row[0] for row in actors] == ["guardian", "guardian"]
    fleet.close()


def test_a_program_that_is_stopped_while_it_resumes(
    emulator: Emulator, journal: Journal, given: dict[str, Any], batch: Batch, pipes: Pipes
) -> None:
    """At the end of the lease the guardian takes the tasks from it."""
    closing = Batch(
        journal,
        "resume",
        call_timeout=1.0,
        settle=0.5,
        heir_of=batch.id,
        number=f"{batch.id}-closing",
    )
    journal.write(lambda c: c.execute("UPDATE window SET actor = ?, ends_clock = 0", (closing.id,)))
    thread = run(given, pipes)
    until(lambda: stages(emulator) == {"Incremental": 300})
    pipes.tell(over=True)
    thread.join(20)
    closing.close()


@pytest.fixture
def stopped(emulator: Emulator, journal: Journal, given: dict[str, Any]) -> Iterator[Batch]:
    """A program that was stopped after it recorded a pause; its lease is over."""
    place = (emulator.url, PROJECT, instance(9))

    async def half() -> Batch:
        stopped = Batch(journal, "pause", call_timeout=0.1, settle=0.1, lease=1, kind="window")
        await stopped.plan(place, ["task_0"])
        await (await stopped.members(place, ["task_0"])).sending("task_0")
        return stopped

    stopped = asyncio.run(half())
    given |= {"batch": stopped.id, "left": 0.0, "call_timeout": 0.1}
    given["options"]["settle"] = 0.1
    yield stopped
    stopped.close()


def released(journal: Journal, given: dict[str, Any], pipes: Pipes) -> threading.Thread:
    """A guardian that has released the task of the stopped program."""
    thread = run(given, pipes)
    until(lambda: all(entry.instance_id != instance(9) for entry in overview(journal)))
    return thread


@pytest.mark.usefixtures("stopped")
def test_a_pause_that_a_stopped_program_may_still_send(
    emulator: Emulator,
    journal: Journal,
    given: dict[str, Any],
    pipes: Pipes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the program is gone, it is waited for, although the list shows the task running."""
    thread = released(journal, given, pipes)
    look = _run._Visit._look

    async def pausing(visit: Any, step: Any) -> Any:
        found = await look(visit, step)
        monkeypatch.undo()
        emulator.set_stage(instance(9), "task_0", "Paused")  # As if the pause was sent now.
        return found

    monkeypatch.setattr(_run._Visit, "_look", pausing)
    pipes.tell(over=True)
    thread.join(20)
    assert emulator.task(instance(9), "task_0").stage == "Incremental"
    assert all(entry.instance_id != instance(9) for entry in overview(journal))


@pytest.mark.usefixtures("stopped")
def test_a_hold_that_came_after_a_stopped_program(
    emulator: Emulator, journal: Journal, connect: Connect, given: dict[str, Any], pipes: Pipes
) -> None:
    """The task stays paused: it belongs to the hold, and later to nobody, by `forget`."""
    thread = released(journal, given, pipes)
    targets = [Target(instance(9), name) for name in ("task_0", "task_1")]
    pause(targets, journal=journal, lease=None, connect=connect, **FAST)
    fleet = _guardian.Fleet({**given, "actor": "another"})
    fleet._released = True
    assert fleet.resume(release=True) == "resumed 0"
    fleet._released = True
    forget(journal, instance(9), "task_0", "rebuilt")
    assert fleet.resume(release=True) == "resumed 0"
    assert not fleet.take(expired=False)
    fleet.close()
    pipes.tell(over=True)
    thread.join(20)
    assert emulator.task(instance(9), "task_0").stage == "Paused"


def test_a_heir_takes_the_tasks_of_its_batch_alone(
    emulator: Emulator, journal: Journal, connect: Connect, given: dict[str, Any]
) -> None:
    """Another process may have them since the heir read its list."""
    pause([Target(instance(9), "task_0")], journal=journal, lease=None, connect=connect, **FAST)
    fleet = _guardian.Fleet(given)
    with pytest.raises(ReplicationError, match=r"1 of 1, .* is on hold by"):
        asyncio.run(fleet._carry_out([Target(instance(9), "task_0", None, emulator.url, PROJECT)]))
    fleet.close()
    assert emulator.task(instance(9), "task_0").stage == "Paused"


def test_a_guardian_without_the_journal(
    emulator: Emulator, journal: Journal, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resumes what it reads there, unless the lease was extended."""
    fleet = _guardian.Fleet(given)

    def fail(*_: object) -> None:
        raise JournalError("The disk is full.")

    async def afail(*_: object) -> None:
        fail()

    monkeypatch.setattr(Journal, "write", fail)
    monkeypatch.setattr(Journal, "awrite", afail)
    with pytest.raises(SupersededError, match="The lease was extended"):
        fleet.take(expired=True)
    assert fleet.take(expired=False)
    assert fleet.resume(release=False) == "resumed 60"
    assert stages(emulator) == {"Incremental": 300}
    assert len(overview(journal)) == 60
    with pytest.raises(JournalError):  # So that it tries again to record what a pause may do.
        fleet.resume(release=True)
    monkeypatch.undo()
    assert fleet.resume(release=True) == "resumed 0"
    assert overview(journal) == []
    fleet.close()
