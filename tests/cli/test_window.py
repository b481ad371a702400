"""A command in a window: what it comes to, and what becomes of the tasks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import click
import pytest
from taurusdb_starrocks import NotResumedError
from taurusdb_starrocks.cli import foreground, window
from taurusdb_starrocks.cli.output import Output
from taurusdb_starrocks.cli.window import Execution
from taurusdb_starrocks.durable import JournalError, LeaseExpiredError
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.cli.running import Ran, Run

QUICK = ("--interval", "0.05s")
Window = Callable[..., Ran]


@pytest.fixture
def run_window(run: Run, emulator: Emulator) -> Window:
    """Runs a command while orders_sync is paused."""

    def inside(*command: str, options: tuple[str, ...] = (), longest: str = "1m") -> Ran:
        window = ("window", emulator.instance_id, "orders_sync", "--max", longest)
        return run(*window, *QUICK, *options, "--", *command)

    return inside


def operations(emulator: Emulator) -> list[str]:
    """What changed something, in order."""
    return [call.operation for call in emulator.journal() if call.operation in {"pause", "resume"}]


def runs(emulator: Emulator) -> bool:
    """Whether the task does."""
    return emulator.task(emulator.instance_id, "orders_sync").target == "Incremental"


def test_command_runs_while_the_task_is_paused(run_window: Window, emulator: Emulator) -> None:
    """Its status is the window's; what is said about the window is not on stdout."""
    ran = run_window("sh", "-c", "exit 7")
    assert (ran.status, ran.out) == (7, "")
    pausing, paused, *resumed = ran.err.splitlines()
    assert pausing == "Pausing orders_sync."
    assert paused.startswith("Paused: orders_sync. Resumes when sh exits, or at ")
    assert resumed == ["Resuming orders_sync.", "Resumed: orders_sync."]
    assert operations(emulator) == ["pause", "resume"]


def test_quiet(run_window: Window) -> None:
    """Nothing is said about what goes well."""
    assert run_window("true", options=("--quiet",)) == (0, "", "")


@pytest.mark.parametrize(
    ("command", "status"),
    [(("sh", "-c", "kill -9 $$"), 137), (("no-such-command",), 127), (("/etc/passwd",), 126)],
)
def test_statuses_of_shells(
    run_window: Window, emulator: Emulator, command: tuple[str, ...], status: int
) -> None:
    """128+n for a signal; what cannot be executed is no reason to pause anything."""
    assert run_window(*command).status == status
    assert operations(emulator) == ([] if status < 128 else ["pause", "resume"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("orders_sync", "--max", "1m"), "Give the command after --."),
        (("orders_sync", "--", "true"), "Give a time limit: --max 2h or --until 06:00."),
        (("orders_sync", "--max", "1m", "--until", "06:00", "--", "true"), "Give a time limit"),
        (("--max", "1m", "--", "true"), "Name the tasks, or pass --all."),
        (("orders_sync", "--all", "--max", "1m", "--", "true"), "Name the tasks, or pass --all."),
        (
            ("no_such_task", "--max", "1m", "--", "true"),
            "has no synchronization task no_such_task",
        ),
        (("orders_sync", "--max", "1m", "--prompt", "--", "true"), "Interrupted."),
        (("orders_sync", "--max", "1m", "--region", "nowhere", "--", "true"), "Unknown region"),
    ],
)
def test_never_ran(
    run: Run,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    """Whatever keeps the command from running has a status that no command has."""

    def interrupted(*_: object, **__: object) -> None:
        raise click.Abort

    monkeypatch.setattr(click, "prompt", interrupted)
    ran = run("window", emulator.instance_id, *arguments)
    assert (ran.status, ran.out) == (121, "")
    assert said in ran.err
    assert operations(emulator) == []


def test_task_in_another_window(run_window: Window, run: Run, emulator: Emulator) -> None:
    """It is refused, and said whose it is; the other goes on."""
    inner = f"{sys.executable} -m taurusdb_starrocks.cli window {emulator.instance_id} orders_sync"
    ran = run_window("sh", "-c", f"{inner} --max 1m -- true; test $? = 121")
    assert ran.status == 0


def test_all_tasks(run: Run, emulator: Emulator) -> None:
    """Those that were paused before are left so, and named; a cancelled one is none."""
    emulator.add_task(emulator.instance_id, "old_sync", stage="Cancelled")
    ran = run("window", emulator.instance_id, "--all", "--max", "1m", *QUICK, "--", "true")
    assert ran.status == 0
    assert "Already paused, and left paused afterwards: archive_sync." in ran.err
    resumed, left = ran.err.splitlines()[-2:]
    assert resumed.startswith("Resumed: ")
    assert "archive_sync" not in resumed
    assert left == "Left paused, as found: archive_sync."
    assert operations(emulator) == ["pause"] * 3 + ["resume"] * 3


def test_no_task_but_a_paused_one(run: Run, emulator: Emulator) -> None:
    """Nothing is said to be resumed."""
    ran = run("window", emulator.instance_id, "archive_sync", "--max", "1m", *QUICK, "--", "true")
    assert ran.status == 0
    assert ran.err.splitlines()[1:] == [
        "taurusdb-starrocks: Already paused, and left paused afterwards: archive_sync.",
        "Left paused, as found: archive_sync.",
    ]
    assert operations(emulator) == []


@pytest.mark.parametrize(("command", "status"), [(("window",), 121), (("pause", "--no-limit"), 1)])
def test_service_that_cannot_be_reached(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], status: int
) -> None:
    """The command fails now, not after --timeout, and says why."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("TAURUSDB_STARROCKS_ENDPOINT", f"http://127.0.0.1:{port}")
    rest = ("--max", "1m", "--", "true") if command == ("window",) else ()
    name, *more = command
    ran = run(name, f"{'0' * 32}in17", "orders_sync", *more, *rest)
    assert ran.status == status
    assert "connection refused" in ran.err.splitlines()[-1]


def test_dry_run(run: Run, emulator: Emulator) -> None:
    """What would become of each task; nothing is sent that changes one."""
    ran = run("window", emulator.instance_id, "--all", "--max", "1m", "--dry-run", "--", "true")
    assert ran.status == 0
    assert ran.out.splitlines()[1].endswith("be paused, and resumed")
    assert ran.out.splitlines()[4].endswith("be left paused")
    assert operations(emulator) == []


def test_until(run: Run, emulator: Emulator) -> None:
    """A time of day in place of a duration."""
    window = ("window", emulator.instance_id, "orders_sync", "--until", "23:59")
    assert run(*window, *QUICK, "--", "true").status == 0


def test_max(run_window: Window, emulator: Emulator, tmp_path: Path) -> None:
    """The command is ended, and only then the task resumed."""
    beats = tmp_path / "beats"
    script = f"trap 'echo end >> {beats}; exit 0' TERM; while :; do sleep 0.05; done"
    ran = run_window("sh", "-c", script, longest="3s")
    assert ran.status == 124
    assert "The time is over: sh was ended, and the tasks were resumed." in ran.err
    resumed = [call.time for call in emulator.journal() if call.operation == "resume"]
    assert beats.stat().st_mtime <= resumed[0]
    assert runs(emulator)


def test_signal_while_the_command_runs(run_window: Window, emulator: Emulator) -> None:
    """SIGTERM ends the command, and the tasks are resumed."""
    script = f"kill -TERM {os.getpid()}; sleep 30"
    assert run_window("sh", "-c", script).status == 143
    assert runs(emulator)


@pytest.fixture(scope="session")
def serving_slowly() -> Iterator[Emulator]:
    with Emulator(delay=0.5) as emulator:
        yield emulator


@pytest.fixture
def slow(serving_slowly: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An emulator on which a pause or a resume takes its time."""
    serving_slowly.reset()
    monkeypatch.setenv("TAURUSDB_STARROCKS_ENDPOINT", serving_slowly.url)
    return serving_slowly


@contextmanager
def signaled(emulator: Emulator, operation: str, number: int) -> Iterator[None]:
    """Send this process a signal once it has requested something."""

    def act() -> None:
        limit = time.monotonic() + 30
        while operation not in operations(emulator) and time.monotonic() < limit:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    acting = threading.Thread(target=act)
    acting.start()
    yield
    acting.join()


@pytest.mark.parametrize(
    ("number", "ignored"),
    [(signal.SIGINT, False), (signal.SIGHUP, False), (signal.SIGTERM, True)],
    ids=["SIGINT", "SIGHUP", "SIGTERM, with SIGINT ignored"],
)
def test_signal_while_pausing(
    run_window: Window, slow: Emulator, number: int, ignored: bool, tmp_path: Path
) -> None:
    """The command never runs, and the tasks are resumed."""
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signaled(slow, "pause", number):
        ran = run_window("touch", str(tmp_path / "ran"))
    assert ran.status == 121
    assert ran.err.splitlines() == [
        "Pausing orders_sync.",
        "Interrupted: resuming the tasks.",
        "taurusdb-starrocks: Interrupted. This command left no task paused.",
    ]
    assert not (tmp_path / "ran").exists()
    assert runs(slow)


def test_sigint_while_resuming(run_window: Window, slow: Emulator) -> None:
    """It does not lose the tasks: they are resumed, and the command's status stays."""
    with signaled(slow, "resume", signal.SIGINT):
        assert run_window("sh", "-c", "exit 5").status == 5
    assert runs(slow)


def test_what_may_still_be_paused(run_window: Window, emulator: Emulator) -> None:
    """It is named, with what resumes it, and no status hides that; the guardian goes on."""
    emulator.faults.add(Fault("conflict", operation="resume"))
    ran = run_window("sh", "-c", "exit 3", options=("--timeout", "1s"))
    emulator.faults.clear()
    assert ran.status == 122
    assert ran.err.lower().count("may still be paused") == 1
    assert "orders_sync MAY STILL BE PAUSED" in ran.err
    assert "resume 9ac58f9b88744f8a87893d22f6ef9a28in17 orders_sync" in ran.err
    limit = time.monotonic() + 60
    while not runs(emulator) and time.monotonic() < limit:
        time.sleep(0.1)
    assert runs(emulator)


ABANDON = """
import os, sys
from taurusdb_starrocks import Client, Poll
from taurusdb_starrocks.durable import Journal, window
with Journal(sys.argv[1]) as journal, Client() as client:
    poll = Poll(first=0.05, interval=0.05)
    with window(client, sys.argv[2], "orders_sync", journal=journal, lease=60, poll=poll,
                guardian=False):
        os._exit(0)
"""


def test_left_behind_by_an_earlier_window(
    run_window: Window, emulator: Emulator, tmp_path: Path
) -> None:
    """It is taken over, and said."""
    journal = tmp_path / "state" / "taurusdb-starrocks" / "journal.sqlite"
    journal.parent.mkdir(mode=0o700, parents=True)
    command = [sys.executable, "-c", ABANDON, str(journal), emulator.instance_id]
    subprocess.run(command, check=True)
    ran = run_window("true")
    assert ran.status == 0
    assert "takes over tasks that" in ran.err
    assert runs(emulator)


class Lease:
    """An open window, with as much time left as a test says; ``error`` ends it."""

    def __init__(self, *remaining: float, error: Exception | None = None) -> None:
        self._remaining = list(remaining)
        self._error = error
        self.expires = datetime.now(UTC)

    @property
    def remaining(self) -> float:
        return self._remaining.pop(0) if self._remaining[1:] else self._remaining[0]

    def guard(self, process_group: int, *, grace: float = 10.0) -> None:
        """Nobody ends the command."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._error is not None:
            raise self._error


def execute(lease: Lease, *command: str, grace: float = 1.0) -> int:
    """The exit status of a command in such a window."""
    execution = Execution(Output("table", quiet=False), command, grace)

    def inside() -> None:
        execution.inside(lease, "orders_sync", lambda _: ("orders_sync", ""))

    return execution.status_of(inside)


def expired() -> LeaseExpiredError:
    """What a window raises whose lease ended before it was closed."""
    return LeaseExpiredError("The lease ended.", expired=datetime.now(UTC))


def test_command_that_ended_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own status is the window's, also if the lease ends while the tasks are resumed."""
    assert execute(Lease(60.0, error=expired()), "sh", "-c", "exit 7") == 7
    assert capsys.readouterr().err.splitlines()[-1] == "Resumed: orders_sync."


def test_command_that_ran_when_the_lease_ended(capsys: pytest.CaptureFixture[str]) -> None:
    """It was ended by the guardian, whatever status it gave itself then."""
    assert execute(Lease(60.0, 0.0, error=expired()), "sh", "-c", "exit 0") == 124
    assert "The time is over: sh was ended" in capsys.readouterr().err


def test_error_after_the_command_ran(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not known to be resumed may be paused."""
    assert execute(Lease(60.0, error=JournalError("full")), "true") == 122
    assert "full" in capsys.readouterr().err


def test_command_that_is_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until when the tasks are paused is shown, and that it goes on if nobody can continue it."""
    monkeypatch.setattr(foreground, "NOTICED", 0.0)
    killpg = os.killpg
    monkeypatch.setattr(
        os, "killpg", lambda group, n: killpg(group, n) if group != os.getpgrp() else None
    )
    assert execute(Lease(60.0), "sh", "-c", "kill -TSTP $$; exit 3") == 3
    stopped, continues = capsys.readouterr().err.splitlines()[-4:-2]
    assert stopped.startswith("sh is stopped. Paused until ")
    assert continues == "sh continues: no shell here can continue a stopped job."


@pytest.mark.parametrize(
    ("lease", "status"), [(Lease(60.0), 121), (Lease(60.0, error=OSError(28, "Full")), 122)]
)
def test_error_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lease: Lease,
    status: int,
) -> None:
    """It is said in one line; tasks may be paused if the command had run."""
    if status == 121:

        def popen(*_command: object, **_options: object) -> None:
            raise OSError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(subprocess, "Popen", popen)
    assert execute(lease, "true") == status
    said = "Resource temporarily unavailable." if status == 121 else "Full."
    assert capsys.readouterr().err.splitlines()[-1] == f"taurusdb-starrocks: {said}"


def test_lease_that_ends_before_the_command_starts() -> None:
    """The command never runs, and the tasks run."""
    lease = Lease(60.0)

    def guard(_group: int, *, grace: float) -> None:
        raise expired()

    lease.guard = guard  # type: ignore[method-assign]  # As when the lease is over by then.
    assert execute(lease, "false") == 121


def test_command_that_the_guardian_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended here when the guardian is late."""
    monkeypatch.setattr(window, "LATE", 0.1)
    monkeypatch.setattr(window, "AGAIN", 0.1)
    monkeypatch.setattr(foreground, "AGAIN", 0.1)
    lease = Lease(60.0, 0.0, error=expired())
    assert execute(lease, "sh", "-c", "trap '' TERM; sleep 30; sleep 30", grace=0.1) == 124


@pytest.mark.parametrize("terminal", [True, False])
def test_countdown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    """The time that is left is shown now and then, on a terminal."""
    monkeypatch.setattr(window, "MARKS", (100, 59.99, 59.98, 59.97))
    lease = Lease(60.0, 60.0, 60.0, 59.98, 58.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(sys.stderr), "isatty", lambda _: terminal, raising=False)
        patch.setattr(Output, "progress", lambda *_: nullcontext())
        assert execute(lease, "sleep", "0.2") == 0
    assert ("58 s left.\r" in capsys.readouterr().err) == terminal


def test_ignored_sighup(run_window: Window) -> None:
    """Under nohup it stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_window("sh", "-c", f"kill -HUP {os.getpid()} $$; exit 4").status == 4
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_after_tasks_could_not_be_resumed(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an impatient Ctrl-C takes the place of is said all the same, and the status tells."""

    def inside(*_what: object, **_options: object) -> None:
        interrupt = KeyboardInterrupt()
        interrupt.__context__ = NotResumedError(
            "May still be paused: orders_sync",
            instance_id=emulator.instance_id,
            task_names=["orders_sync"],
        )
        raise interrupt

    monkeypatch.setattr(Execution, "inside", inside)
    ran = run("window", emulator.instance_id, "orders_sync", "--max", "1m", "--", "true")
    assert ran.status == 122
    assert "orders_sync MAY STILL BE PAUSED" in ran.err


def test_words_that_nobody_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is gone changes no exit status."""

    class Gone:
        def write(self, _text: str) -> None:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    Output("table", quiet=False).warn("it matters")
