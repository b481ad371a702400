"""The program's side of its guardian, and of the groups of children that are to be gone first."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from programs import BOTH, ORDERS, POLL, Surroundings, until
from taurusdb_starrocks import (
    Client,
    ConfigurationError,
    Earlier,
    ReplicationError,
    Stage,
    Task,
    TokenAuth,
)
from taurusdb_starrocks.durable import (
    GuardianError,
    Journal,
    JournalError,
    LeaseExpiredError,
    SupersededError,
    TaskBusyError,
    _clock,
    _link,
    _locks,
    _recovery,
    _watch,
    forget,
    overview,
    recover,
    window,
)
from taurusdb_starrocks.durable._keeper import Keeper


def opening(around: Surroundings, client: Client, journal: Journal) -> None:
    with window(client, around.instance_id, BOTH, journal=journal, lease=60):
        pytest.fail("it opened")


def keeper_of(
    around: Surroundings, client: Client, journal: Journal, names: list[str], **waiting: Any
) -> Keeper:
    """The recorder of a window without a guardian."""
    return Keeper(
        client,
        around.instance_id,
        names,
        journal=journal,
        lease=60,
        guardian=False,
        reason="",
        waiting=waiting,
    )


def test_there_is_no_python(
    around: Surroundings, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example in a program that embeds Python: nothing is sent."""
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ConfigurationError, match="no Python"):
        opening(around, client, journal)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(GuardianError, match="No such file or directory"):
        opening(around, client, journal)
    assert around.emulator.journal() == []
    assert overview(journal) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('import sys; sys.stdin.readline(); print(\'{{"failed": "no room"}}\')', "no room"),
        ("pass", "it ended"),
        ("import time; time.sleep(30)", "it ended"),
    ],
)
def test_a_guardian_that_does_not_start(
    code: str,
    words: str,
    around: Surroundings,
    client: Client,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It reports an error, exits, or does not answer in time. Nothing is paused."""
    monkeypatch.setattr(_link, "START", code)
    monkeypatch.setattr(_link, "PATIENCE", 1.0)
    with pytest.raises(GuardianError, match=words):
        opening(around, client, journal)
    assert around.sent("pause") == 0
    assert overview(journal) == []


def test_another_guardian_is_started(
    around: Surroundings,
    client: Client,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each attempt that fails is logged, and another follows."""
    start = _link.START
    with window(client, around.instance_id, ORDERS, journal=journal, lease=60):
        monkeypatch.setattr(_link, "START", "pass")
        (first,) = around.guardians()
        os.kill(first, signal.SIGKILL)
        until(lambda: "has no guardian; another attempt follows" in caplog.text)
        monkeypatch.setattr(_link, "START", start)
        until(lambda: len(around.guardians()) == 1)
    assert "its guardian is gone, another is started" in caplog.text


def test_a_changed_token_is_handed_on(around: Surroundings, journal: Journal) -> None:
    """To the guardian that there is."""
    auth = TokenAuth(around.emulator.token)
    with around.client(auth=auth) as client:
        with window(client, around.instance_id, ORDERS, journal=journal, lease=60):
            auth.replace("another" * 3)
            time.sleep(0.8)
            auth.replace(around.emulator.token)
            time.sleep(0.8)
    assert around.running([ORDERS])


def test_no_more_files_can_be_opened(
    around: Surroundings, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No guardian can be started, and nothing is sent."""

    def exhausted() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", exhausted)
    with pytest.raises(GuardianError, match="Too many open files"):
        opening(around, client, journal)
    assert around.sent("pause") == 0


def test_credentials_that_say_no_way_any_more(
    around: Surroundings,
    client: Client,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The guardian keeps those that it has, and the program goes on watching it."""
    with window(client, around.instance_id, ORDERS, journal=journal, lease=60):

        def no_way(_self: Client) -> None:
            raise ConfigurationError("no way")

        monkeypatch.setattr(Client, "rebuild", no_way)
        until(lambda: "keeps the credentials it has: no way" in caplog.text)
    assert around.running([ORDERS])


class Gone:
    """A guardian that ends as soon as it was started, in place of a process."""

    started = 0
    closed = 0

    def __init__(self, _given: Any, _module: str) -> None:
        Gone.started += 1

    def ended(self) -> bool:
        return True

    def close(self) -> None:
        Gone.closed += 1


class Something:
    """A window whose guardian is watched."""

    name = "something"
    guardian = "nothing"
    is_closed = False
    error: Exception | None = None
    failure: Exception | None = None

    def client(self) -> tuple[Any, bool]:
        if self.error is not None:
            raise self.error
        return {}, True

    def appoint(self, actor: str) -> dict[str, Any]:
        return {}

    def closed(self) -> bool:
        return self.is_closed

    def left(self) -> float:
        return 60.0

    def late(self) -> bool:
        if self.failure is not None:
            raise self.failure
        return False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of a watch, which the test sets."""
    now = [1000.0]
    monkeypatch.setattr(_watch.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_watch, "Link", Gone)
    monkeypatch.setattr(Gone, "started", 0)
    monkeypatch.setattr(Gone, "closed", 0)
    return now


def test_guardians_that_end_at_once_are_replaced_at_growing_intervals(clock: list[float]) -> None:
    """In an hour a few of them, each with the pipes of the former closed, and not thousands."""
    watch = _watch.Watch(Something(), guarded=True)
    watch.start(None)
    for _ in range(7200):
        clock[0] += _watch.TICK
        watch._look()
    assert 60 <= Gone.started <= 70
    assert Gone.closed == Gone.started - 1
    assert watch.ended()


def test_no_guardian_is_started_for_a_window_that_is_closed(clock: list[float]) -> None:
    """As one that `recover` has closed: there is nothing to resume."""
    window = Something()
    watch = _watch.Watch(window, guarded=True)
    watch.start(None)
    window.is_closed = True
    for _ in range(100):
        clock[0] += _watch.TICK
        watch._look()
    assert (Gone.started, Gone.closed) == (1, 1)
    assert watch.ended()


def test_a_guardian_is_replaced_although_the_credentials_fail(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """Those of a program can raise any error. Its text may be a secret."""
    window = Something()
    watch = _watch.Watch(window, guarded=True)
    watch.start(None)
    window.error = OSError("a secret")
    clock[0] += 10
    watch._look()
    assert Gone.started == 2
    assert "keeps the credentials it has: OSError" in caplog.text
    assert "a secret" not in caplog.text


@pytest.mark.usefixtures("clock")
def test_credentials_that_hang_do_not_delay_the_end() -> None:
    """The window closes, while their `rebuild` has not returned."""
    asked, answered = threading.Event(), threading.Event()

    class Hanging(Something):
        def client(self) -> tuple[Any, bool]:
            asked.set()
            assert answered.wait(30)
            return {}, True

    watch = _watch.Watch(Something(), guarded=True)
    watch._watched = Hanging()
    watch.start(None)
    thread = threading.Thread(target=watch._look)
    thread.start()
    assert asked.wait(30)
    ending = threading.Thread(target=watch.end)
    ending.start()
    ending.join(10)
    ended = not ending.is_alive()
    answered.set()
    thread.join()
    ending.join()
    assert ended
    assert Gone.started == 1


@pytest.mark.usefixtures("clock")
def test_the_same_warning_comes_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until something else was the matter. No error ends the watch."""
    window = Something()
    watch = _watch.Watch(window, guarded=True)
    monkeypatch.setattr(Gone, "ended", lambda _self: False)
    monkeypatch.setattr(Gone, "tell", lambda _self, what: None, raising=False)
    monkeypatch.setattr(_watch, "TICK", 0.001)
    watch.start(None)
    window.error = ConfigurationError("no way")
    for _ in range(3):
        watch._look()
    assert caplog.text.count("keeps the credentials it has: no way") == 1
    window.error = None
    watch._look()
    window.error = ConfigurationError("no way")
    watch._look()
    assert caplog.text.count("keeps the credentials it has: no way") == 2
    window.failure = ZeroDivisionError("of a clock")
    looks, look = itertools.count(), watch._look
    monkeypatch.setattr(watch, "_look", lambda: (next(looks), look()))
    watch.keep()
    until(lambda: next(looks) > 10)
    assert "the watch goes on after an error" in caplog.text
    window.failure, window.error = None, ConfigurationError("another")
    until(lambda: "keeps the credentials it has: another" in caplog.text)
    assert caplog.text.count("the watch goes on after an error") == 1
    watch.end()


def test_a_forked_child_closes_its_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its copies of the pipes to a guardian are closed."""
    its_input, to = os.pipe()
    back, its_output = os.pipe()
    link = _link.Link.__new__(_link.Link)
    link._to, link._from = to, back
    monkeypatch.setattr(_link, "_links", {link})
    _link._in_child()
    assert os.read(its_input, 1) == b""
    with pytest.raises(BrokenPipeError):
        os.write(its_output, b"x")
    link.forked()
    link.tell({"nobody": "hears"})
    for handle in (its_input, its_output):
        os.close(handle)


# --- Groups of children -------------------------------------------------------------------------


def test_a_group_is_recognized() -> None:
    """It is recognized by the start of its leader: the number may be used again."""
    child = subprocess.Popen(["sleep", "60"], process_group=0)
    born = _recovery.identified(child.pid)
    assert born
    assert _recovery.group_lives(child.pid, born)
    assert not _recovery.group_lives(child.pid, "")
    assert not _recovery.group_lives(child.pid, "another time")
    assert not _recovery.group_lives(None, born)
    _recovery.end_group(child.pid, "another time", 0.1)
    assert child.poll() is None
    child.kill()
    child.wait()
    assert not _recovery.group_lives(child.pid, born)
    assert _recovery.born(child.pid) == ""


def test_a_group_that_cannot_be_recognized(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """Its leader has exited. It is refused: a later group could be ended in its place."""
    with subprocess.Popen(["true"], process_group=0) as child:
        pass
    with window(
        client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False
    ) as opened:
        with pytest.raises(ConfigurationError, match=f"group {child.pid} has no running leader"):
            opened.guard(child.pid)
        assert around.rows("SELECT process_group FROM window") == [(None,)]


def test_a_group_on_another_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc, the start of a process comes from `ps`."""
    monkeypatch.setattr(_clock, "boot", lambda: "")
    monkeypatch.setenv("PATH", str(folder))
    assert _recovery.born(os.getpid()) == ""
    (folder / "ps").write_text('#!/bin/sh\ntest "$4" = 4711 && echo "Thu Nov 26 02:21:13 2026"\n')
    (folder / "ps").chmod(0o700)
    assert _recovery.born(4711) == "Thu Nov 26 02:21:13 2026"
    assert _recovery.born(4712) == ""


def test_a_group_that_is_all_zombies() -> None:
    """It has ended, although the system lists it: in a container, nothing may reap it."""
    script = "sleep 60 & echo $!"
    with subprocess.Popen(
        ["sh", "-c", script], process_group=0, stdout=subprocess.PIPE, text=True
    ) as leader:
        born = _recovery.identified(leader.pid)
        assert leader.stdout is not None
        left = int(leader.stdout.readline())
        until(lambda: _recovery._stat(leader.pid)[0] == "Z")
        assert _recovery.group_lives(leader.pid, born)
        os.kill(left, signal.SIGKILL)
        until(lambda: not _recovery.group_lives(leader.pid, born))
        os.killpg(leader.pid, 0)  # It is listed: nobody has waited for the leader.


def test_a_group_of_another_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group here can have its number, and a leader that has exited, so that nothing differs."""
    script = "sleep 60 & echo $!"
    with subprocess.Popen(
        ["sh", "-c", script], process_group=0, stdout=subprocess.PIPE, text=True
    ) as leader:
        born = _recovery.identified(leader.pid)
        assert leader.stdout is not None
        left = int(leader.stdout.readline())
        leader.wait()
        assert _recovery.group_lives(leader.pid, born)
        monkeypatch.setattr(_recovery, "_namespace", lambda: "pid:[4711]")
        assert not _recovery.group_lives(leader.pid, born)
        _recovery.end_group(leader.pid, born, 0.1)
        os.kill(left, 0)
        os.kill(left, signal.SIGKILL)


def test_a_group_where_nothing_tells_of_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recognized by its start alone."""

    def missing(_path: Path) -> Path:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "readlink", missing)
    with subprocess.Popen(["sleep", "60"], process_group=0) as child:
        born = _recovery.identified(child.pid)
        assert born.endswith(" in another")
        assert _recovery.group_lives(child.pid, born)
        child.kill()


def test_a_group_that_is_stopped() -> None:
    """It is continued, so that it can use the grace."""
    script = "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done"
    with subprocess.Popen(["sh", "-c", script], process_group=0, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.killpg(child.pid, signal.SIGSTOP)
        _recovery.end_group(child.pid, _recovery.identified(child.pid), 10.0)
        assert child.wait(1) == 7


def test_a_group_of_somebody_else(monkeypatch: pytest.MonkeyPatch, process_group: int) -> None:
    """It counts as alive, and a warning says that it cannot be ended."""

    def forbidden(_group: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", forbidden)
    born = _recovery.born(process_group)
    assert _recovery.group_lives(process_group, born)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 2:
            monkeypatch.setattr(_recovery, "group_lives", lambda *_: False)

    _recovery.end_group(process_group, born, 1.0, sleep)
    assert slept == [0.05] * 3


def test_a_group_is_written_down(
    around: Surroundings, client: Client, journal: Journal, process_group: int
) -> None:
    """The guardian and `recover` read it."""
    with window(
        client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False
    ) as opened:
        opened.guard(process_group, grace=3.0)
        assert around.rows("SELECT process_group, grace FROM window") == [(process_group, 3.0)]

    async def main() -> None:
        async with around.async_client() as other:
            async with window(
                other, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False
            ) as opened:
                await opened.guard(process_group)

    asyncio.run(main())
    assert around.rows("SELECT grace FROM window ORDER BY rowid") == [(3.0,), (10.0,)]


# --- Rare turns ---------------------------------------------------------------------------------


def test_how_to_wait_travels() -> None:
    """Timeout, settle and poll are passed on, and nothing else."""
    waiting = {"timeout": 3.0, "settle": 1.0, "poll": POLL, "progress": print}
    assert _recovery.rebuilt(_recovery.portable(waiting)) == {
        "timeout": 3.0,
        "settle": 1.0,
        "poll": POLL,
    }


def test_the_lock_of_a_living_owner_stays(journal: Journal) -> None:
    """Only a file that no process has locked is removed."""
    lock = _locks.Lock(journal.lock_path("owner"))
    _locks.remove(journal.lock_path("owner"))
    assert _locks.alive(journal.lock_path("owner"))
    lock.release()
    other = _locks.Lock(journal.lock_path("other"))  # It may have the same handle and inode.
    lock.release()
    assert not _locks.alive(journal.lock_path("owner"))
    assert _locks.alive(journal.lock_path("other"))
    other.release()


def test_a_lock_with_another_path(around: Surroundings, journal: Journal) -> None:
    """As by a mount: a look by that path does not release it."""
    lock = _locks.Lock(journal.lock_path("owner"))
    journal.lock_path("other").hardlink_to(journal.lock_path("owner"))
    assert _locks.alive(journal.lock_path("other"))
    program = around.program(
        """
        from taurusdb_starrocks.durable import _locks
        say(_locks.alive(journal.lock_path("owner")))
        """
    )
    assert program.hear() == [True]
    lock.release()


@pytest.mark.parametrize("failing", ["open", "lockf"])
def test_a_lock_that_cannot_be_tested(
    around: Surroundings,
    client: Client,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    """Its owner may be alive: no task is taken from it, and its file stays."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False) as opened:
            say(opened.id)
            listen()
        """
    )
    (owner,) = program.hear()

    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as failed:
        failed.setattr(os if failing == "open" else fcntl, failing, fail)
        for act in (
            lambda: overview(journal),
            lambda: recover(journal, connect=around.connect),
            lambda: forget(journal, around.instance_id, ORDERS, "a test"),
        ):
            with pytest.raises(JournalError, match="cannot be tested: Too many open files"):
                act()
        _locks.remove(journal.lock_path(owner))
    assert _locks.alive(journal.lock_path(owner))
    with monkeypatch.context() as failed:
        failed.setattr(fcntl, "lockf", real_for_new_locks(fail))
        with pytest.raises(JournalError, match="cannot be tested"):
            with window(client, around.instance_id, ORDERS, journal=journal, lease=60):
                pytest.fail("it opened")
    assert around.stages() == ["Paused", "Paused"]
    program.say()
    assert program.wait() == 0


def real_for_new_locks(fail: Callable[..., None]) -> Callable[[int, int], None]:
    """A ``lockf`` that locks, and fails to test a lock."""
    real = fcntl.lockf

    def lockf(handle: int, kind: int) -> None:
        (real if kind & fcntl.LOCK_EX else fail)(handle, kind)

    return lockf


def test_a_task_that_needs_a_repair(
    around: Surroundings, client: Client, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning is logged after the window."""
    keeper = keeper_of(around, client, journal, [ORDERS])
    keeper.opening()
    needs = Task(ORDERS, Stage.INCREMENTAL, "Incremental", "Yes", None, None, None, True)
    broken = Task(ORDERS, Stage.INCREMENTAL, "Incremental", "No", None, None, None, False)
    keeper.closed({}, [needs, broken])
    assert "orders_sync needs a repair" in caplog.text
    assert "orders_sync is abnormal" in caplog.text


def test_a_window_that_is_closed_while_it_opens(around: Surroundings, journal: Journal) -> None:
    """After a cancellation, the opening goes on in its thread and sends nothing."""
    left = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
            say("in")
            listen()
        """,
        names=[ORDERS],
    )
    assert left.hear() == ["in"]
    left.kill()
    journal.write(
        lambda c: c.execute("UPDATE request SET state = 'sent', sent_clock = sent_clock + 30")
    )
    journal.write(lambda c: c.execute("UPDATE window SET actor = 'slow'"))
    slow = _locks.Lock(journal.lock_path("slow"))

    async def main() -> None:
        async with around.async_client() as client:

            async def block() -> None:
                async with window(
                    client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False
                ):
                    pytest.fail("it opened")

            task = asyncio.create_task(block())
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    slow.release()
    assert around.sent("pause") == 1
    # What it had taken over is in the journal as before, for others.
    assert [entry.state for entry in overview(journal)] == ["abandoned"]
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert around.running()


def test_a_recovery_that_comes_second(
    around: Surroundings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves the tasks to the first."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
            say("in")
            listen()
        """
    )
    assert program.hear() == ["in"]
    program.kill()
    real = _recovery.Rescue.look

    def raced(self: Any) -> Any:
        tasks = real(self)
        journal.write(lambda c: c.execute("UPDATE window SET actor = 'first'"))
        return tasks

    monkeypatch.setattr(_recovery.Rescue, "look", raced)
    done = recover(journal, connect=around.connect)
    assert {(one.outcome, one.why) for one in done} == {("left", "another process resumes it")}
    monkeypatch.setattr(_recovery.Rescue, "look", real)

    def connect(*_place: str) -> Client:
        journal.write(lambda c: c.execute("UPDATE window SET actor = 'second'"))
        journal.write(lambda c: c.execute("UPDATE task SET epoch = epoch + 1"))
        return around.client()

    done = recover(journal, connect=connect)
    assert {(one.outcome, one.why) for one in done} == {("left", "another process resumes it")}
    assert around.sent("resume") == 0


def test_a_rescue_that_cannot_write(
    around: Surroundings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resumes the tasks all the same."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False) as w:
            say(w.id)
            listen()
        """
    )
    (left,) = program.hear()
    program.kill()

    def fail(*_args: Any) -> None:
        raise JournalError("database or disk is full")

    monkeypatch.setattr(Journal, "write", fail)
    rescue = _recovery.Rescue(journal, left, "rescuer")
    assert len(rescue.take()) == 2
    with around.client() as client:
        assert rescue.resume(client) == BOTH
    assert around.running()
    assert not rescue.superseded()


def test_a_lease_that_others_ended_cannot_be_extended(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The process that has the tasks resumes them, and the block ends with an error."""
    with window(
        client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False
    ) as opened:
        journal.write(lambda c: c.execute("UPDATE window SET actor = 'gone'"))
        with pytest.raises(LeaseExpiredError, match="guardian has the tasks"):
            opened.extend(600)
    assert around.running()
    assert overview(journal) == []


def test_an_extension_that_comes_too_late(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The lease ended while the journal was busy: the guardian may have seen that it is over."""
    with pytest.raises(LeaseExpiredError, match="ended before the block"):
        with window(
            client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False
        ) as opened:
            journal.write(lambda c: c.execute("UPDATE window SET ends_clock = 0"))
            with pytest.raises(LeaseExpiredError, match="guardian has the tasks"):
                opened.extend(600)
            opened._keeper.term.end = opened._keeper.term.end._replace(clock=0.0)  # type: ignore[union-attr]  # It has an end.
    assert around.running()


def test_a_resume_that_cannot_be_written_down(
    around: Surroundings, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy journal can be read: nothing is sent about a task that somebody else has."""
    with window(
        client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False
    ) as opened:
        keeper = opened._keeper

        def busy(*_args: Any) -> None:
            raise JournalError("database is locked")

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "write", busy)
            keeper.sending("resume", ORDERS)
            with pytest.raises(JournalError):
                keeper.sending("pause", ORDERS)
        journal.write(lambda c: c.execute("UPDATE task SET epoch = epoch + 1"))
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "write", busy)
            with pytest.raises(SupersededError):
                keeper.sending("resume", ORDERS)
            patch.setattr(Journal, "read", busy)
            keeper.sending("resume", ORDERS)
        journal.write(lambda c: c.execute("UPDATE task SET epoch = epoch - 1"))
    assert around.running()


def test_closing_without_a_journal(
    around: Surroundings, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tasks are resumed all the same."""

    def fail(*_args: Any) -> None:
        raise JournalError("disk I/O error")

    with window(client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False):
        monkeypatch.setattr(Journal, "read", fail)
        monkeypatch.setattr(Journal, "write", fail)
    assert around.running()
    monkeypatch.undo()
    assert {entry.state for entry in overview(journal)} == {"abandoned"}
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}


def test_what_was_left_may_be_nothing(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """A program that was killed before its first pause left no task to take over."""
    program = around.program(
        """
        from taurusdb_starrocks.durable._sender import Sender
        def sending(self, verb, name):
            say("about to")
            time.sleep(60)
        Sender.sending = sending
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
            pass
        """
    )
    assert program.hear() == ["about to"]
    with pytest.raises(TaskBusyError):
        opening(around, client, journal)
    program.kill()
    with window(
        client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False
    ) as opened:
        assert opened.taken_over == ()
    assert Earlier().names == set()


def test_an_interrupt_while_a_guardian_starts(
    around: Surroundings, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new guardian is ended, and nothing is paused."""

    def interrupted(_self: Any, _seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_link.Link, "_hear", interrupted)
    with pytest.raises(KeyboardInterrupt):
        opening(around, client, journal)
    assert around.sent("pause") == 0
    until(lambda: not around.guardians())


def test_a_window_that_was_closed_before_its_first_pause(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """Its recorder allows no more pause."""
    keeper = keeper_of(around, client, journal, [ORDERS])
    keeper.opening()
    keeper.closing([])
    for late in (lambda: keeper.found([], []), lambda: keeper.sending("pause", ORDERS)):
        with pytest.raises(ConfigurationError, match="closed while it opened"):
            late()
    keeper.closed({}, [])
    assert overview(journal) == []


def test_a_guardian_that_is_stopped_after_it_took_over(
    around: Surroundings,
    client: Client,
    journal: Journal,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It keeps its lock, resumes nothing, and loses the tasks after the timeout of the window."""
    stopped = _locks.Lock(journal.lock_path("stopped"))
    with pytest.raises(LeaseExpiredError):
        with window(
            client,
            around.instance_id,
            BOTH,
            journal=journal,
            lease=1.0,
            guardian=False,
            timeout=0.8,
        ):
            taken = "UPDATE window SET actor = 'stopped', guardian = 'stopped'"
            journal.write(lambda c: c.execute(taken))
            until(lambda: overview(journal)[0].state == "expired")
    waiting, resuming = caplog.messages[-2:]
    assert "the lease has ended, and the guardian resumes the tasks" in waiting
    assert "for at most 1 s: orders_sync, billing_sync" in waiting
    assert "this program resumes them: orders_sync, billing_sync" in resuming
    assert around.running()
    assert overview(journal) == []
    stopped.release()


def test_an_interrupt_while_another_process_has_the_tasks(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The window ends after `settle` at most: its tasks are named, and stay with that process."""
    keeper = keeper_of(around, client, journal, BOTH, settle=0.1)
    keeper.opening()
    other = _locks.Lock(journal.lock_path("other"))
    journal.write(lambda c: c.execute("UPDATE window SET actor = 'other'"))
    interrupted = ReplicationError("The resume was interrupted.")
    assert keeper.closed(dict.fromkeys(BOTH, interrupted), []) == BOTH
    assert around.rows("SELECT actor, closed_wall FROM window") == [("other", None)]
    assert not _locks.alive(journal.lock_path(keeper.window))
    other.release()


@pytest.mark.parametrize("stopped", [True, False])
def test_an_interrupt_while_a_thread_waits_for_another_process(
    around: Surroundings,
    client: Client,
    journal: Journal,
    caplog: pytest.LogCaptureFixture,
    stopped: bool,
) -> None:
    """The first one shortens the wait to `settle`; the next one ends it, also in that thread."""
    keeper = keeper_of(around, client, journal, BOTH, settle=0.1, timeout=600.0)
    keeper.opening()
    other = _locks.Lock(journal.lock_path("other"))
    journal.write(lambda c: c.execute("UPDATE window SET actor = 'other'"))
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(keeper.closing, BOTH)
        until(lambda: "for at most 600 s" in caplog.text)
        if stopped:
            interrupted = ReplicationError("The resume was interrupted.")
            assert keeper.closed(dict.fromkeys(BOTH, interrupted), []) == BOTH
        else:
            assert keeper.closing(BOTH) == BOTH
        assert waiting.result(20) == BOTH
    actor = "other" if stopped else keeper.window
    assert around.rows("SELECT actor FROM window") == [(actor,)]
    other.release()
    if not stopped:
        keeper.closed({}, [])


def test_tasks_that_recover_is_resuming(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """A window that has none left does not take those of others."""
    keeper = keeper_of(around, client, journal, BOTH)
    keeper.opening()
    journal.write(lambda c: c.execute("UPDATE window SET actor = 'recover'"))
    journal.write(lambda c: c.execute("UPDATE task SET epoch = epoch + 1"))
    keeper.closed({}, [])
    assert around.rows("SELECT actor FROM window") == [("recover",)]


def test_tasks_that_others_let_go_of(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """They are taken back if their pause was not confirmed in time."""
    keeper = keeper_of(around, client, journal, BOTH)
    keeper.opening()
    keeper.reached("pause", [ORDERS])
    journal.write(lambda c: c.execute("UPDATE window SET actor = 'recover', closed_wall = 1"))
    journal.write(lambda c: c.execute("UPDATE task SET window = NULL"))
    assert keeper.closing(BOTH) == [BOTH[1]]
    keeper.closed({}, [])
    assert overview(journal) == []
    assert keeper.closing([]) == []
