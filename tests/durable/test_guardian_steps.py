"""What a guardian does, in this process: real journals and requests, and a pipe in our hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from programs import BOTH, ORDERS, Surroundings, until
from taurusdb_starrocks import Client, ConfigurationError, Rebuild
from taurusdb_starrocks.durable import (
    Journal,
    JournalError,
    _guardian,
    _locks,
    _recovery,
    forget,
    overview,
    pause,
    window,
)
from taurusdb_starrocks_emulator import Fault


class Pipes:
    """A guardian's ends of its pipes, and ours."""

    def __init__(self) -> None:
        self.hears, self._to = os.pipe()
        self._from, self.says = os.pipe()

    def tell(self, what: dict[str, Any]) -> None:
        os.write(self._to, json.dumps(what).encode() + b"\n")

    def end(self) -> None:
        """End what it hears, as a program does that is gone."""
        os.close(self._to)

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
def abandoned(around: Surroundings) -> str:
    """The ID of a window whose program was killed, and which has no guardian."""
    return leave(around)


def leave(around: Surroundings, names: list[str] | None = None, lease: float = 60) -> str:
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=given["lease"],
                    guardian=False) as w:
            say(w.id)
            listen()
        """,
        names=names or BOTH,
        lease=lease,
    )
    (window,) = program.hear()
    program.kill()
    return str(window)


def given(around: Surroundings, window: str, **others: Any) -> dict[str, Any]:
    with around.client() as client:
        settings = client.rebuild().to_document()
    return {
        "journal": str(around.journal),
        "window": window,
        "actor": "guardian",
        "client": settings,
        "waiting": {},
        "parent": -1,  # Is not ours, so it is gone.
        **others,
    }


@pytest.mark.usefixtures("signals")
def test_it_says_that_it_is_ready_and_does_its_work(
    around: Surroundings, journal: Journal, abandoned: str, pipes: Pipes
) -> None:
    """Its lock and that of the program are removed."""
    _guardian.main(given(around, abandoned), pipes.hears, pipes.says)
    assert pipes.said() == {"ready": os.getpid()}
    assert around.running()
    assert overview(journal) == []
    assert list(journal.lock_path("x").parent.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


@pytest.mark.usefixtures("signals")
def test_it_says_why_it_cannot_start(around: Surroundings, abandoned: str, pipes: Pipes) -> None:
    """As with credentials that are not there."""
    settings = given(around, abandoned)
    settings["client"]["arguments"]["auth"]["rebuild"]["factory"] = "nowhere:Auth"
    _guardian.main(settings, pipes.hears, pipes.says)
    said = pipes.said()["failed"]
    assert said.startswith("ConfigurationError: nowhere:Auth cannot be imported")
    assert around.paused()


@pytest.mark.usefixtures("signals")
def test_that_of_a_hold_leaves_its_program(
    around: Surroundings, abandoned: str, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It forks, so that the program has no child to wait for."""
    monkeypatch.setattr(os, "fork", lambda: 4711)
    with pytest.raises(SystemExit):
        _guardian.main(given(around, abandoned, parent=None), pipes.hears, pipes.says)


def made(given: dict[str, Any], pipe: int) -> _guardian.Guardian:
    return _guardian.Guardian(_guardian._Window(given), given["parent"], pipe)


def rescue(guardian: _guardian.Guardian) -> Any:
    window: Any = guardian._guarded
    return window._rescue


def run(guardian: _guardian.Guardian) -> threading.Thread:
    thread = threading.Thread(target=guardian.run)
    thread.start()
    return thread


def living(around: Surroundings, window: str, pipes: Pipes, **others: Any) -> _guardian.Guardian:
    """One whose program is there: ours."""
    return made(given(around, window, parent=os.getppid(), **others), pipes.hears)


def test_it_waits_for_the_end_of_the_pipe(
    around: Surroundings, abandoned: str, pipes: Pipes
) -> None:
    """And then for the program's lock, which the kernel releases at about the same time."""
    thread = run(living(around, abandoned, pipes))
    time.sleep(0.2)
    assert around.paused()
    pipes.end()
    thread.join(10)
    assert around.running()


def test_a_pipe_that_ends_too_early(
    around: Surroundings, client: Client, journal: Journal, pipes: Pipes
) -> None:
    """A program that closes all its files lives on, and its lock says so."""
    with window(
        client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False
    ) as opened:
        thread = run(living(around, opened.id, pipes))
        pipes.end()
        time.sleep(1.0)
        assert around.paused()
    thread.join(15)
    assert not thread.is_alive()
    assert around.sent("resume") == 2


def test_news_of_the_program(
    around: Surroundings, client: Client, journal: Journal, pipes: Pipes
) -> None:
    """A longer lease is read in the journal; so is the end of the window."""
    with window(
        client, around.instance_id, BOTH, journal=journal, lease=1, guardian=False
    ) as opened:
        thread = run(living(around, opened.id, pipes))
        opened.extend(60)
        pipes.tell({"look": True})
        time.sleep(1.3)
        assert around.paused()
    pipes.tell({"over": True})
    thread.join(10)
    assert not thread.is_alive()
    assert around.sent("resume") == 2


def test_fresh_settings_are_used(around: Surroundings, abandoned: str, pipes: Pipes) -> None:
    """From the next attempt on."""
    wrong = given(around, abandoned)["client"]
    wrong["arguments"]["auth"]["rebuild"]["arguments"]["secret_key"]["is"] = "wrong"
    guardian = living(around, abandoned, pipes, client=wrong)
    right = json.dumps({"client": given(around, abandoned)["client"]}).encode() + b"\n"
    os.write(pipes._to, right[:100])
    os.write(pipes._to, right[100:])
    pipes.end()
    run(guardian).join(10)
    assert around.running()
    assert around.sent("resume") == 2


def test_it_tries_again_at_a_growing_interval(
    around: Surroundings, abandoned: str, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so in the system log and in the journal."""
    log: list[str] = []
    monkeypatch.setattr(_guardian.syslog, "syslog", lambda _priority, text: log.append(text))
    monkeypatch.setattr(_guardian, "FIRST_RETRY", 0.1)
    around.emulator.faults.add(Fault("error", operation="resume", status=401, times=6))
    made(given(around, abandoned), pipes.hears).run()
    assert around.running()
    assert ["tried again in 0 s" in text or "resumed orders" in text for text in log] == [True] * 4
    times = [call.time for call in around.emulator.journal() if call.operation == "resume"][::2]
    assert times[2] - times[1] > times[1] - times[0]


def test_it_stops_when_a_person_forgets_the_tasks(
    around: Surroundings, journal: Journal, abandoned: str, pipes: Pipes
) -> None:
    """Also in the middle of its attempts."""
    around.emulator.faults.add(Fault("error", operation="resume", status=401))
    thread = run(made(given(around, abandoned), pipes.hears))
    until(lambda: overview(journal)[0].trouble)
    for name in BOTH:
        forget(journal, around.instance_id, name, "wanted")
    thread.join(10)
    assert not thread.is_alive()
    assert around.paused()


@pytest.fixture
def somebody(journal: Journal) -> Iterator[_locks.Lock]:
    """Another process that takes windows over, and is alive."""
    lock = _locks.Lock(journal.lock_path("somebody"))
    yield lock
    lock.release()


def take_over(journal: Journal) -> None:
    journal.write(lambda c: c.execute("UPDATE task SET epoch = epoch + 1"))
    journal.write(lambda c: c.execute("UPDATE window SET actor = 'somebody'"))


@pytest.mark.usefixtures("somebody")
def test_others_take_over_while_it_sends(
    around: Surroundings,
    journal: Journal,
    abandoned: str,
    pipes: Pipes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it was about to send is not sent. It stays until they have closed the window."""
    log: list[str] = []
    monkeypatch.setattr(_guardian.syslog, "syslog", lambda _priority, text: log.append(text))
    monkeypatch.setattr(_guardian, "FIRST_RETRY", 0.05)
    guardian = made(given(around, abandoned), pipes.hears)
    real = rescue(guardian).resume

    def resume(*args: Any, **options: Any) -> Any:
        take_over(journal)
        return real(*args, **options)

    rescue(guardian).resume = resume
    thread = run(guardian)
    until(lambda: any("Another process has taken the window over" in text for text in log))
    assert thread.is_alive()
    journal.write(lambda c: c.execute("UPDATE window SET closed_wall = 1"))
    thread.join(10)
    assert not thread.is_alive()
    assert around.sent("resume") == 0


def test_others_take_over_and_are_killed(
    around: Surroundings,
    journal: Journal,
    abandoned: str,
    pipes: Pipes,
    somebody: _locks.Lock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row is open and nobody else resumes the tasks, so the guardian does."""
    monkeypatch.setattr(_guardian, "FIRST_RETRY", 0.05)
    take_over(journal)
    thread = run(made(given(around, abandoned), pipes.hears))
    time.sleep(0.2)
    assert thread.is_alive()
    assert around.sent("resume") == 0
    somebody.release()
    thread.join(10)
    assert around.running()
    assert overview(journal) == []


def test_a_window_that_has_no_tasks_any_more(
    around: Surroundings, journal: Journal, abandoned: str, pipes: Pipes
) -> None:
    """There is nothing to do."""
    guardian = made(given(around, abandoned), pipes.hears)
    journal.write(lambda c: c.execute("UPDATE task SET window = NULL"))
    guardian.run()
    assert around.sent("resume") == 0


def test_a_journal_that_is_gone(
    around: Surroundings, abandoned: str, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has read before is enough to resume the tasks."""
    guardian = made(given(around, abandoned), pipes.hears)

    def fail(*_args: Any) -> None:
        raise JournalError("disk I/O error")

    monkeypatch.setattr(Journal, "read", fail)
    monkeypatch.setattr(Journal, "write", fail)
    guardian.run()
    assert around.running()


def test_a_journal_that_is_gone_too_early(
    around: Surroundings, abandoned: str, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read again until it says what there is to do."""
    monkeypatch.setattr(_guardian, "FIRST_RETRY", 0.05)
    guardian = made(given(around, abandoned), pipes.hears)
    rescue(guardian)._earlier = type(rescue(guardian)._earlier)()
    real, left = Journal.read, [4]

    def fail(self: Journal, act: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise JournalError("disk I/O error")
        return real(self, act)

    monkeypatch.setattr(Journal, "read", fail)
    guardian.run()
    assert around.running()


def test_a_lease_that_ends_while_the_program_lives(around: Surroundings, pipes: Pipes) -> None:
    """The tasks stay the window's until the program has closed it."""
    left = leave(around, [ORDERS], lease=2.0)
    thread = run(living(around, left, pipes))
    until(lambda: around.running([ORDERS]))
    time.sleep(0.3)
    assert thread.is_alive()
    pipes.tell({"over": True})
    thread.join(10)
    assert not thread.is_alive()
    assert around.sent("resume") == 1


def test_what_cannot_be_imported_is_a_configuration_error(around: Surroundings) -> None:
    """A factory that is not there, or no factory at all."""
    for factory in ("nowhere:Auth", "os:nothing", "os", ""):
        with pytest.raises(ConfigurationError, match="cannot be imported"):
            Rebuild(factory).build()


def test_children_of_a_program_that_is_gone(around: Surroundings, pipes: Pipes) -> None:
    """They are waited for until the lease ends, and then ended, before the tasks are resumed."""
    left = leave(around, [ORDERS], lease=2.5)
    child = subprocess.Popen(["sleep", "60"], process_group=0)
    having = (child.pid, _recovery.identified(child.pid))
    with Journal(around.journal) as journal:
        journal.write(
            lambda c: c.execute(
                "UPDATE window SET process_group = ?, group_born = ?, grace = 0.1", having
            )
        )
    thread = run(made(given(around, left), pipes.hears))
    time.sleep(0.3)
    assert child.poll() is None
    assert around.paused([ORDERS])
    assert child.wait(10) == -signal.SIGTERM
    thread.join(10)
    assert around.running([ORDERS])


def test_a_lease_that_is_extended_as_it_ends(
    around: Surroundings,
    journal: Journal,
    pipes: Pipes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The guardian has seen it end, and reads again that it does not before it takes the tasks."""
    log: list[str] = []
    monkeypatch.setattr(_guardian.syslog, "syslog", lambda _priority, text: log.append(text))
    left = leave(around, [ORDERS], lease=1.0)
    guardian = living(around, left, pipes)
    real = rescue(guardian).take_as_seen

    def take(**options: Any) -> Any:
        rescue(guardian).take_as_seen = real
        journal.write(
            lambda c: c.execute(
                "UPDATE window SET ends_clock = ends_clock + 60, ends_wall = ends_wall + 60"
            )
        )
        return real(**options)

    rescue(guardian).take_as_seen = take
    thread = run(guardian)
    until(lambda: any("The lease was extended" in text for text in log))
    assert around.paused([ORDERS])
    assert around.rows("SELECT actor FROM window") == [(left,)]
    pipes.tell({"over": True})
    thread.join(10)
    assert around.running([ORDERS])


def test_the_guardian_of_a_hold_watches_nobody(
    around: Surroundings, client: Client, journal: Journal, pipes: Pipes
) -> None:
    """It waits for the limit alone."""
    pause(client, around.instance_id, ORDERS, journal=journal, lease=1.0, guardian=False)
    (entry,) = overview(journal)
    pipes.end()
    thread = run(made(given(around, entry.window, parent=None), pipes.hears))
    time.sleep(0.3)
    assert around.paused([ORDERS])
    thread.join(10)
    assert around.running([ORDERS])
    assert overview(journal) == []


def test_what_a_program_leaves_when_it_closes(
    around: Surroundings, abandoned: str, pipes: Pipes
) -> None:
    """It could not resume the tasks itself, and lives on."""
    thread = run(living(around, abandoned, pipes))
    pipes.tell({"over": True})
    thread.join(10)
    assert around.running()


@pytest.mark.usefixtures("somebody")
def test_others_take_over_between_two_attempts(
    around: Surroundings,
    journal: Journal,
    abandoned: str,
    pipes: Pipes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no second one."""
    monkeypatch.setattr(_guardian, "FIRST_RETRY", 0.05)
    around.emulator.faults.add(Fault("error", operation="resume", status=403, times=2))
    guardian = made(given(around, abandoned), pipes.hears)
    real = rescue(guardian).resume

    def resume(*args: Any, **options: Any) -> list[str]:
        try:
            return real(*args, **options)
        finally:
            journal.write(lambda c: c.execute("UPDATE window SET actor = 'somebody'"))

    rescue(guardian).resume = resume
    thread = run(guardian)
    until(lambda: around.rows("SELECT actor FROM window") == [("somebody",)])
    time.sleep(0.2)
    journal.write(lambda c: c.execute("UPDATE window SET closed_wall = 1"))
    thread.join(10)
    assert around.sent("resume") == 2
    assert around.paused()
    assert around.rows("SELECT trouble FROM window") == [("",)]


@pytest.mark.usefixtures("signals")
def test_it_goes_on_after_an_error_that_nobody_thought_of(
    around: Surroundings, abandoned: str, pipes: Pipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so in the system log, once for the same error, and does its work."""
    watch, errors = _guardian.Guardian._watch, [ValueError("not JSON")] * 2
    lines: list[str] = []
    monkeypatch.setattr(_guardian, "TICK", 0.01)

    def failing_twice(self: _guardian.Guardian) -> None:
        if errors:
            raise errors.pop()
        watch(self)

    monkeypatch.setattr(_guardian.Guardian, "_watch", failing_twice)
    monkeypatch.setattr(_guardian.syslog, "syslog", lambda _level, line: lines.append(line))
    _guardian.main(given(around, abandoned), pipes.hears, pipes.says)
    assert around.running()
    assert lines[0].endswith("the guardian goes on after ValueError: not JSON")
    assert sum("goes on after" in line for line in lines) == 1
