"""A window over a fleet: all paused, a block, all resumed, whatever happens to the program."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import attrs
import pytest
from taurusdb_starrocks import (
    AsyncClient,
    Client,
    ConfigurationError,
    Credentials,
    Job,
    Poll,
    Request,
    TokenAuth,
)
from taurusdb_starrocks.durable import (
    GuardianError,
    Journal,
    LeaseExpiredError,
    Recovered,
    _term,
    _watch,
    overview,
    recover,
)
from taurusdb_starrocks.fleet import Event, FleetError, Target, _in_thread, _window, awindow, window
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.fleet.conftest import Connect, stages
from tests.fleet.fleets import PROJECT, instance
from tests.fleet.test_fleet_runs import FAST
from tests.fleet.windows_running import all_run, end_lease, guardians, until

WAITING: dict[str, Any] = {"poll": Poll(first=0.02, interval=0.05), "settle": 0.2}
# Thirty resumes are accepted, and all others refused.
HALF = Fault("error", operation="resume", at=tuple(range(31, 999)), applied=False, status=400)


def test_a_block(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """All are paused inside, and run afterwards; what was paused before stays so."""
    emulator.set_stage(instance(9), "task_29", "Paused")
    with window(targets, journal=journal, lease=60, connect=connect, **FAST) as opened:
        assert stages(emulator) == {"Paused": 300}
        assert [found.target.task_name for found in opened.result.outcomes("found")] == ["task_29"]
        assert {entry.state for entry in overview(journal)} == {"live"}
        assert all(entry.guarded for entry in overview(journal))
        opened.check()
        before = opened.remaining
        opened.extend(30)
        assert opened.remaining <= before
        opened.extend(600)
        assert 590 < opened.remaining <= 600
        until_then = min(entry.until for entry in overview(journal) if entry.until)
        assert abs((until_then - opened.expires).total_seconds()) < 2
    assert stages(emulator) == {"Incremental": 299, "Paused": 1}
    assert overview(journal) == []
    until(lambda: guardians(journal) == [])


def test_a_block_that_fails(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Its error comes out, and the tasks run. Without a guardian it is the same."""
    with pytest.raises(ZeroDivisionError):
        with window(
            targets[:60], journal=journal, lease=60, guardian=False, connect=connect, **FAST
        ):
            assert guardians(journal) == []
            raise ZeroDivisionError
    assert all_run(emulator)


def test_a_forked_child_does_nothing(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """It leaves the block, and the tasks stay paused."""
    try:
        with window(targets[:30], journal=journal, lease=60, connect=connect, **FAST) as opened:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # There are threads, and so?
                child = os.fork()
            if not child:
                sys.exit()
            os.waitpid(child, 0)
            assert stages(emulator)["Paused"] == 30
            opened.check()
    except SystemExit:
        os._exit(0)
    assert all_run(emulator)


def test_one_that_cannot_be_paused(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The block does not begin, and the others are resumed."""
    emulator.faults.add(Fault("error", operation="pause", at=(40,), applied=False, status=400))
    with pytest.raises(
        FleetError, match=r"could not be paused: [0-9]+ of 60\. The block did not begin"
    ) as failed:
        with window(targets[:60], journal=journal, lease=60, connect=connect, **FAST):
            raise AssertionError("it began")
    assert failed.value.result.counts["refused"] == 1
    assert failed.value.result.counts["planned"]  # The message names the one with a reason.
    assert " is refused. 400 " in str(failed.value)
    assert all_run(emulator)
    assert overview(journal) == []


def test_what_cannot_be_resumed_is_left_to_the_guardian(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The error says so, and the tasks run as soon as that is possible."""
    options = {**FAST, "timeout": 2.5}
    with pytest.raises(FleetError, match=r"May still be paused: task_0, .* and others"):
        with window(targets[:12], journal=journal, lease=60, connect=connect, **options):
            emulator.faults.add(Fault("error", operation="resume", applied=False, status=400))
    assert stages(emulator)["Paused"] == 12
    emulator.faults.clear()
    until(lambda: all_run(emulator))
    until(lambda: overview(journal) == [])


def test_what_cannot_be_resumed_without_a_guardian(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The error says that nobody goes on, and what does."""
    options = {**FAST, "timeout": 1.0}
    with pytest.raises(FleetError, match=r"No guardian resumes .*: run taurusdb_starrocks.durable"):
        with window(
            targets[:3], journal=journal, lease=60, guardian=False, connect=connect, **options
        ):
            emulator.faults.add(Fault("error", operation="resume", applied=False, status=400))
    assert stages(emulator)["Paused"] == 3


def test_the_lease_ends_while_tasks_are_resumed(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The guardian has the tasks then, and the block ends when it is done."""
    options = {**FAST, "timeout": 3.0}
    with pytest.raises(LeaseExpiredError, match="before the block did"):
        with window(targets[:3], journal=journal, lease=60, connect=connect, **options) as opened:
            emulator.faults.add(Fault("error", operation="resume", applied=False, status=400))
            threading.Timer(3.3, emulator.faults.clear).start()
            end = opened._batch.end
            assert end is not None
            opened._batch.end = end._replace(clock=end.clock - opened.remaining + 0.5)
    assert all_run(emulator)
    assert overview(journal) == []


def test_the_lease_ends_in_the_block(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The guardian resumes the tasks; the block is told when it asks, and at its end."""
    with pytest.raises(LeaseExpiredError, match="before the block did"):
        with window(targets[:6], journal=journal, lease=60, connect=connect, **FAST) as opened:
            end_lease(opened)
            until(lambda: all_run(emulator))
            with pytest.raises(LeaseExpiredError):
                opened.check()
            with pytest.raises(LeaseExpiredError):
                opened.extend(60)
    assert overview(journal) == []


def test_a_pause_that_is_sent_after_the_lease(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The program was stopped just before; `recover` has resumed and released the task."""

    class Late(AsyncClient):
        async def pause(self, instance_id: str, task_name: str) -> Job:
            found: list[Recovered] = []
            while not found or found[0].outcome == "left":
                found = await asyncio.to_thread(recover, journal, connect=again, **WAITING)
            assert [one.outcome for one in found] == ["resumed"]
            return await super().pause(instance_id, task_name)

    def again(endpoint: str, project_id: str) -> Client:
        return Client(endpoint=endpoint, project_id=project_id, auth=TokenAuth(emulator.token))

    def late(endpoint: str | None, project_id: str | None) -> AsyncClient:
        client = connect(endpoint, project_id)
        return Late(
            endpoint=client.endpoint,
            project_id=client.project_id,
            auth=TokenAuth(emulator.token),
            timeout=0.2,
        )

    with pytest.raises(LeaseExpiredError, match="tasks were resumed"):
        with window(targets[:1], journal=journal, lease=0.3, guardian=False, connect=late, **FAST):
            raise AssertionError("it began")
    assert any(call.operation == "pause" for call in emulator.journal())
    assert all_run(emulator)
    assert overview(journal) == []


def test_the_lease_is_too_short(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The block does not begin with less than half of it: here, with less than all of it."""
    monkeypatch.setattr(_term, "SHARE", 1.0)
    with pytest.raises(LeaseExpiredError, match="less than a half"):
        with window(targets[:3], journal=journal, lease=60, connect=connect, **FAST):
            raise AssertionError("it began")
    assert all_run(emulator)


def test_a_guardian_that_dies_is_replaced(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a warning, and in the journal too."""
    with window(targets[:3], journal=journal, lease=60, connect=connect, **FAST):
        (first,) = guardians(journal)
        os.kill(first, signal.SIGKILL)
        until(lambda: guardians(journal) not in ([], [first]))
        until(lambda: all(entry.guarded for entry in overview(journal)))
    assert "its guardian is gone, another is started" in caplog.text
    assert all_run(emulator)


def test_a_guardian_that_cannot_be_replaced_at_once(
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is tried again."""

    def none(*_arguments: object) -> None:
        raise GuardianError("No more processes.")

    with window(targets[:3], journal=journal, lease=60, connect=connect, **FAST):
        (first,) = guardians(journal)
        with monkeypatch.context() as patch:
            patch.setattr(_watch, "Link", none)
            os.kill(first, signal.SIGKILL)
            until(lambda: "fleet has no guardian; another attempt follows" in caplog.text)
        until(lambda: guardians(journal) not in ([], [first]))


def test_another_process_closes_nothing(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a forked child, here in this one."""
    process = os.getpid()
    monkeypatch.setattr(atexit, "register", lambda _function: None)  # It stays open.
    with window(
        targets[:3], journal=journal, lease=60, guardian=False, connect=connect, **FAST
    ) as opened:
        monkeypatch.setattr(os, "getpid", lambda: process + 1)
    monkeypatch.undo()
    opened._watch.end()  # A forked child has no thread that watches.
    assert stages(emulator)["Paused"] == 3


def test_a_lease_that_is_nearly_over(
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A warning comes at four fifths; that the guardian's token may end is one too."""
    caplog.set_level(logging.WARNING)
    with window(targets[:3], journal=journal, lease=60, connect=connect, **FAST) as opened:
        end_lease(opened, left=11.0)
        until(lambda: "s of the lease are left" in caplog.text)
        opened.extend(60)
    assert "has a token or a temporary key, which expires within 24 hours" in caplog.text


def test_a_fresh_token_is_handed_to_the_guardian(
    emulator: Emulator, journal: Journal, targets: list[Target]
) -> None:
    """A token is replaced in the program; the guardian, which has the old one, resumes with it."""
    token = TokenAuth(emulator.token)

    def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
        return AsyncClient(endpoint=emulator.url, project_id=PROJECT, auth=token, timeout=1.0)

    with pytest.raises(LeaseExpiredError):
        with window(targets[:3], journal=journal, lease=60, connect=connect, **FAST) as opened:
            good = opened._watch._sent
            token.replace("one that nobody knows")
            until(lambda: opened._watch._sent != good)
            token.replace(emulator.token)
            until(lambda: opened._watch._sent == good)
            end_lease(opened)
            until(lambda: all_run(emulator))


def test_credentials_that_cannot_travel_any_more(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The guardian keeps those that it has, and is still replaced when it is gone."""

    def no_way(_self: AsyncClient) -> None:
        raise ConfigurationError("no way")

    with window(targets[:3], journal=journal, lease=60, connect=connect, **FAST):
        monkeypatch.setattr(AsyncClient, "rebuild", no_way)
        until(lambda: "fleet: the guardian keeps the credentials it has: no way" in caplog.text)
        (first,) = guardians(journal)
        os.kill(first, signal.SIGKILL)
        until(lambda: guardians(journal) not in ([], [first]))
    assert all_run(emulator)


def test_an_extension_that_comes_too_late(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The guardian has the tasks, or may have seen that the lease is over."""
    with window(
        targets[:3], journal=journal, lease=60, guardian=False, connect=connect, **FAST
    ) as opened:
        for late in ("actor = 'guardian'", "ends_clock = 0"):
            journal.write(lambda c, late=late: c.execute(f"UPDATE window SET {late}"))
            with pytest.raises(LeaseExpiredError, match="guardian has the tasks"):
                opened.extend(600)
            journal.write(
                lambda c: c.execute(
                    "UPDATE window SET actor = batch, ends_clock = ?", (time.monotonic() + 60,)
                )
            )
        opened.extend(600)
        assert 590 < opened.remaining <= 600
        opened._batch.end = opened._batch.end._replace(clock=0.0)  # type: ignore[union-attr]  # It has an end.
        with pytest.raises(LeaseExpiredError, match="The lease of the window has expired"):
            opened.extend(600)
        with pytest.raises(LeaseExpiredError, match="The lease of the window has expired"):
            opened.guard(1)
        opened._batch.end = None
    assert all_run(emulator)


def test_a_guardian_that_does_not_come_to_an_end(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After the lease it is waited for until the timeout, and not longer; the error names tasks.

    The log says so while it is waited for.
    """
    options = {**FAST, "timeout": 2.0}
    with pytest.raises(
        FleetError, match=r"May still be paused: task_0\. .* guardian goes on"
    ) as no:
        with window(targets[:1], journal=journal, lease=60, connect=connect, **options) as opened:
            (guardian,) = guardians(journal)
            os.kill(guardian, signal.SIGSTOP)
            rows = "UPDATE window SET ends_clock = 0, ends_wall = 0, actor = guardian"
            journal.write(lambda c: c.execute(rows))
            opened._batch.end = opened._batch.end._replace(clock=0.0)  # type: ignore[union-attr]  # It has an end.
    assert no.value.may_be_paused
    assert caplog.text.count("waiting for at most 2 s until its guardian has resumed the") == 1
    assert stages(emulator)["Paused"] == 1
    os.kill(guardian, signal.SIGCONT)
    until(lambda: all_run(emulator))
    until(lambda: guardians(journal) == [])


@pytest.fixture
def sigint() -> Iterator[None]:
    """A shell in the background starts its children with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupts(
    emulator: Emulator, times: int, number: int = signal.SIGINT
) -> Callable[[Event], None]:
    """Has the first task that was resumed send signals to this process, half a second apart."""
    left = [times]

    def interrupt(_event: Event) -> None:
        if left[0] and any(call.operation == "resume" for call in emulator.journal()):
            for nth in range(left[0]):
                threading.Timer(nth / 2, os.kill, (os.getpid(), number)).start()
            left[0] = 0

    return interrupt


@pytest.mark.usefixtures("sigint")
def test_an_interrupt_while_tasks_are_resumed(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """It is held back until all run."""
    options = {**FAST, "events": interrupts(emulator, 1)}
    with pytest.raises(KeyboardInterrupt):
        with window(targets[:60], journal=journal, lease=60, connect=connect, **options):
            emulator.faults.add(HALF)
            threading.Timer(2.0, emulator.faults.clear).start()
    assert all_run(emulator)
    assert overview(journal) == []


@pytest.mark.usefixtures("sigint")
def test_a_second_interrupt_while_tasks_are_resumed(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """It ends that. The error says that the guardian goes on, and it does."""
    options = {**FAST, "events": interrupts(emulator, 2)}
    with pytest.raises(FleetError, match=r"resume was interrupted\. The guardian goes on") as error:
        with window(targets[:60], journal=journal, lease=60, connect=connect, **options):
            emulator.faults.add(HALF)
    assert error.value.may_be_paused
    assert error.value.result.counts["planned"] >= 30
    emulator.faults.clear()
    until(lambda: all_run(emulator))
    until(lambda: overview(journal) == [])


@pytest.fixture
def sigterm() -> Iterator[None]:
    """A handler that ends the program, as many programs have."""

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, leave)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("sigterm")
def test_handlers_that_raise_while_tasks_are_paused(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Several in a row: the block does not begin, and all tasks run, or are named."""
    burst = [3]

    def terminate(_event: Event) -> None:
        while burst[0]:
            burst[0] -= 1
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit):
        with window(
            targets[:60],
            journal=journal,
            lease=60,
            guardian=False,
            connect=connect,
            **{**FAST, "events": terminate},
        ):
            pytest.fail("the block must not begin")
    until(lambda: all_run(emulator))
    assert overview(journal) == []


@pytest.mark.usefixtures("sigterm")
def test_a_handler_that_raises_while_tasks_are_resumed(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Its exception is held back until all run, and is not lost."""
    options = {**FAST, "events": interrupts(emulator, 1, signal.SIGTERM)}
    with pytest.raises(SystemExit):
        with window(
            targets[:60], journal=journal, lease=60, guardian=False, connect=connect, **options
        ):
            emulator.faults.add(HALF)
            threading.Timer(1.0, emulator.faults.clear).start()
    assert all_run(emulator)
    assert overview(journal) == []


@pytest.mark.parametrize("guardian", [True, False])
def test_closing_without_the_folder_of_the_journal(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target], guardian: bool
) -> None:
    """Nothing can be written, and what was paused is resumed all the same."""
    with window(targets[:3], journal=journal, lease=60, guardian=guardian, connect=connect, **FAST):
        assert len(guardians(journal)) == guardian
        shutil.rmtree(journal.path.parent)
    assert all_run(emulator)
    until(lambda: guardians(journal) == [])


def test_a_handler_that_raises_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing left to cancel, and the exception is not lost."""
    done = threading.Event()

    async def work() -> None:
        await asyncio.sleep(0.1)
        done.set()

    def interrupted(_seconds: float) -> None:
        done.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _in_thread.in_thread(work())


def test_without_another_thread(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tasks are paused and resumed in the thread of the block."""
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if thread.name == "taurusdb-starrocks-fleet":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with window(targets[:3], journal=journal, lease=60, guardian=False, connect=connect, **FAST):
        assert stages(emulator)["Paused"] == 3
    assert all_run(emulator)


def test_a_block_of_coroutines(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    process_group: int,
) -> None:
    """It is the same; the event loop goes on meanwhile."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(tick())
            async with awindow(
                targets[:60], journal=journal, lease=60, connect=connect, **FAST
            ) as opened:
                assert stages(emulator)["Paused"] == 60
                assert opened.result.complete
                await opened.extend(600)
                await opened.guard(process_group, grace=3.0)
                assert 590 < opened.remaining <= 600
            ticking.cancel()

    asyncio.run(main())
    assert ticks > 10
    assert all_run(emulator)
    rows = journal.read(lambda c: c.execute("SELECT process_group, grace FROM window").fetchall())
    assert {tuple(row) for row in rows} == {(process_group, 3.0)}


def test_a_second_cancellation(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """It ends the resuming; the guardian goes on with the rest."""
    closing = asyncio.Event()

    def tell(_event: Event) -> None:
        if any(call.operation == "resume" for call in emulator.journal()):
            closing.set()

    async def block() -> None:
        options = {**FAST, "events": tell}
        async with awindow(targets[:60], journal=journal, lease=60, connect=connect, **options):
            emulator.faults.add(HALF)

    async def main() -> None:
        task = asyncio.create_task(block())
        await closing.wait()
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()
        with pytest.raises(FleetError, match=r"resume was interrupted\. The guardian goes on"):
            await task

    asyncio.run(main())
    emulator.faults.clear()
    until(lambda: all_run(emulator))
    until(lambda: overview(journal) == [])


def test_a_loop_that_ends_while_tasks_are_resumed(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """``asyncio.run`` cancels every task once, also those that belong to the window."""
    closing = asyncio.Event()

    def tell(_event: Event) -> None:
        if any(call.operation == "resume" for call in emulator.journal()):
            closing.set()

    async def block() -> None:
        options = {**FAST, "events": tell}
        async with awindow(
            targets[:60], journal=journal, lease=60, guardian=False, connect=connect, **options
        ):
            emulator.faults.add(attrs.evolve(HALF, at=tuple(range(31, 61))))

    async def main() -> None:
        tasks.append(asyncio.create_task(block()))
        await closing.wait()

    tasks: list[asyncio.Task[None]] = []
    asyncio.run(main())
    assert all_run(emulator)
    assert overview(journal) == []
    assert tasks[0].cancelled()


@pytest.mark.parametrize("loaded", [True, False])
def test_a_cancelled_scope(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    monkeypatch: pytest.MonkeyPatch,
    loaded: bool,
) -> None:
    """AnyIO cancels every ``await`` in it. Without AnyIO, there are no such scopes."""

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with awindow(
                targets[:30], journal=journal, lease=60, guardian=False, connect=connect, **FAST
            ):
                if loaded:
                    scope.cancel()
                else:
                    monkeypatch.delitem(sys.modules, "anyio")
                await asyncio.sleep(0)
            assert not loaded

    asyncio.run(main())
    assert all_run(emulator)
    assert overview(journal) == []


def test_a_second_cancellation_with_nothing_left(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not replaced by an error."""
    emulator.set_stage(instance(0), "task_0", "Paused")
    closing = asyncio.Event()

    async def endless(_self: object) -> None:
        closing.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(_window._Window, "_resume", endless)

    async def block() -> None:
        async with awindow(
            targets[:1], journal=journal, lease=60, guardian=False, connect=connect, **FAST
        ):
            pass

    async def main() -> None:
        task = asyncio.create_task(block())
        await closing.wait()
        task.cancel()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert overview(journal) == []


def test_a_block_in_a_thread(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Signals reach the main thread alone, so that none is handled there."""

    def block() -> None:
        with window(
            targets[:3], journal=journal, lease=60, guardian=False, connect=connect, **FAST
        ):
            assert stages(emulator)["Paused"] == 3

    with ThreadPoolExecutor() as threads:
        threads.submit(block).result()
    assert all_run(emulator)


@pytest.mark.parametrize("where", ["starting", "inside"])
def test_a_cancellation(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target], where: str
) -> None:
    """The tasks run before it goes on, and no guardian is left."""

    async def block(begun: asyncio.Event) -> None:
        async with awindow(targets[:30], journal=journal, lease=60, connect=connect, **FAST):
            begun.set()
            await asyncio.sleep(60)

    async def main() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(block(begun))
        await (begun.wait() if where == "inside" else asyncio.sleep(0.05))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert all_run(emulator)
    assert overview(journal) == []
    until(lambda: guardians(journal) == [])


def test_credentials_that_cannot_travel(
    emulator: Emulator, journal: Journal, targets: list[Target]
) -> None:
    """They are refused before anything is sent, unless there is to be no guardian."""

    class Own(Credentials):
        def headers(self, request: Request) -> dict[str, str]:
            return {}

    def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
        return AsyncClient(endpoint=emulator.url, project_id=PROJECT, auth=Own())

    with pytest.raises(ConfigurationError, match="So there can be no guardian"):
        with window(targets[:3], journal=journal, lease=4, connect=connect, **FAST):
            raise AssertionError("it began")
    assert emulator.journal() == []
