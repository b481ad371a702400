"""A command in a process group of its own: its gate, its signals, its end."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from taurusdb_starrocks.cli import foreground, gate
from taurusdb_starrocks.cli.foreground import GATE, Foreground, Signals


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that nobody reaps are not waited for."""
    monkeypatch.setattr(foreground, "AGAIN", 0.2)
    monkeypatch.setattr(foreground, "NOTICED", 0.1)


def forever() -> float:
    """A tick that wants no other."""
    return 60.0


def unexpected(_waits: bool) -> None:
    """Called when a command is stopped that nobody stops."""
    raise AssertionError


@pytest.fixture(autouse=True)
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file by which a command says that it has begun: ``touch ready``."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "ready"


def run(*command: str, grace: float = 10.0, sent: Callable[[], None] | None = None) -> int:
    """The status of a command; once that is ready, something is done in a thread."""

    def act() -> None:
        limit = time.monotonic() + 20
        while not Path("ready").exists() and time.monotonic() < limit:
            time.sleep(0.01)
        assert sent is not None
        sent()

    with Signals() as signals, Foreground(command) as running:
        acting = threading.Thread(target=act)
        if sent is not None:
            acting.start()
        try:
            return running.run(signals, grace=grace, tick=forever, stopped=unexpected)
        finally:
            if sent is not None:
                acting.join()


def send(number: int) -> Callable[[], None]:
    """Send this process a signal."""
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -9 $$", 137)],
)
def test_status_as_shells_have_it(script: str, status: int) -> None:
    """Its own, and 128+n for signal n."""
    assert run("sh", "-c", script) == status


@pytest.mark.parametrize(("name", "status"), [("no-such-command", 127), ("/", 126)])
def test_what_cannot_be_executed(name: str, status: int, capfd: pytest.CaptureFixture[str]) -> None:
    """As in shells, too."""
    assert run(name) == status
    assert capfd.readouterr().err.startswith(f"{name}: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_it(number: int) -> None:
    """SIGTERM and SIGHUP of this process are SIGTERM for the command, and for what it started."""
    began = time.monotonic()
    assert run("sh", "-c", "sleep 30 & touch ready; sleep 30", sent=send(number)) == 143
    assert time.monotonic() - began < 20


def test_signal_that_came_early() -> None:
    """It is not forgotten."""
    with Signals() as signals, Foreground(["sleep", "30"]) as running:
        os.kill(os.getpid(), signal.SIGTERM)
        assert running.run(signals, grace=5, tick=forever, stopped=unexpected) == 143


def test_grace(tmp_path: Path) -> None:
    """What does not end by SIGTERM is killed after the grace."""
    began = time.monotonic()
    assert (
        run("sh", "-c", "trap '' TERM; touch ready; sleep 30; sleep 30", sent=send(15), grace=0.4)
        == 137
    )
    assert time.monotonic() - began > 0.4


def test_second_signal_changes_nothing() -> None:
    """The command has its grace all the same."""

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGHUP)

    script = (
        "trap 'trap \"\" TERM; sleep 0.6; exit 7' TERM; touch ready; while :; do sleep 0.05; done"
    )
    assert run("sh", "-c", script, sent=twice) == 7


@pytest.mark.parametrize(
    ("by", "continued", "told"),
    [("TSTP", True, [True]), ("STOP", True, [True]), ("TSTP", False, [True, False])],
    ids=["by Ctrl-Z", "by SIGSTOP", "without job control"],
)
def test_stopped_command_stops_this(
    monkeypatch: pytest.MonkeyPatch, by: str, continued: bool, told: list[bool]
) -> None:
    """The whole job, so that a shell notices; both go on together. (Terminals: tests/terminal.)"""
    stopped: list[bool] = []
    suspended: list[int] = []

    def suspend(group: int, number: int) -> None:
        """Stand in for the system, which would stop the process of the test."""
        if group != os.getpgrp():
            killpg(group, number)
            return
        suspended.append(number)
        if continued:
            os.kill(os.getpid(), signal.SIGCONT)

    killpg = os.killpg
    monkeypatch.setattr(os, "killpg", suspend)
    with (
        Signals() as signals,
        Foreground(["sh", "-c", f"kill -{by} $$; exit 6"]) as running,
    ):
        assert running.run(signals, grace=5, tick=forever, stopped=stopped.append) == 6
    assert suspended == [signal.SIGTSTP]
    assert stopped == told


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGTERM, signal.SIGINT])
def test_stopped_on_purpose_without_job_control(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """It stays stopped until somebody continues it, or a signal is to end it."""
    killpg = os.killpg
    monkeypatch.setattr(
        os, "killpg", lambda group, n: killpg(group, n) if group != os.getpgrp() else None
    )
    script = "trap 'exit 7' TERM INT CONT; kill -STOP $$; sleep 30"
    with Signals() as signals, Foreground(["sh", "-c", script]) as running:

        def stopped(_waits: bool) -> None:
            target = running.group if number == signal.SIGCONT else os.getpid()
            threading.Timer(0.1, os.kill, (target, number)).start()

        assert running.run(signals, grace=20, tick=forever, stopped=stopped) == 7


def test_sigint_is_passed_on_once() -> None:
    """Where there is no terminal that sends it to the command."""
    script = "trap 'n=1' INT; touch ready; while [ -z \"$n\" ]; do sleep 0.05; done; exit 5"
    assert run("sh", "-c", script, sent=send(signal.SIGINT)) == 5


def test_nothing_ignored_is_handled() -> None:
    """Under nohup, SIGHUP stays ignored, here and in the command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert (
            run(
                "sh", "-c", "touch ready; kill -HUP $$; sleep 0.2; exit 4", sent=send(signal.SIGHUP)
            )
            == 4
        )
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_put_back() -> None:
    """Whoever had them before has them after."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGCONT)
    before = [signal.getsignal(number) for number in numbers]
    assert run("true") == 0
    assert [signal.getsignal(number) for number in numbers] == before


def test_it_never_runs_unless_it_is_let_through(tmp_path: Path) -> None:
    """Not when the window never opened, and not when this process is gone."""
    trace = tmp_path / "trace"
    with Foreground(["touch", str(trace)]):
        pass
    code = (
        "import os, sys; from taurusdb_starrocks.cli.foreground import Foreground; "
        "Foreground(['touch', sys.argv[1]]); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(trace)], check=False)
    assert done.returncode == -9
    time.sleep(0.3)
    assert not trace.exists()


def test_it_is_gone_when_something_unforeseen_ends_this(tmp_path: Path) -> None:
    """It would go on while the tasks run."""
    beat = tmp_path / "beat"

    def fail() -> float:
        if beat.exists():
            raise ZeroDivisionError
        return 0.01

    script = f"while :; do echo >> {beat}; sleep 0.01; done"
    with pytest.raises(ZeroDivisionError), Signals() as signals:
        with Foreground(["sh", "-c", script]) as running:
            running.run(signals, grace=1, tick=fail, stopped=unexpected)
    size = beat.stat().st_size
    time.sleep(0.1)
    assert beat.stat().st_size == size


def test_rest_of_the_group_is_ended() -> None:
    """What the command left in the background does not survive the grace."""
    with Signals() as signals, Foreground(["sh", "-c", "trap '' TERM; sleep 30 &"]) as running:
        assert running.run(signals, grace=1, tick=forever, stopped=unexpected) == 0
        assert running.send(0)
        running.end_rest(0.1)


def test_what_cannot_be_killed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another user, or one that nobody reaps."""
    with Foreground(["true"]) as running:
        with monkeypatch.context() as patch:
            patch.setattr(os, "killpg", lambda *_: None)
            running.end_rest(0.05)
            patch.setattr(os, "killpg", _not_permitted)
            running.end_rest(60)


def test_terminal_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command has it while it runs, if it is there to lend. (Real ones: tests/terminal.)"""
    moves: list[int] = []
    holder = [os.getpgrp()]

    def move(_terminal: int, group: int) -> None:
        holder[0] = group
        moves.append(group)

    opened = os.open
    monkeypatch.setattr(
        os, "open", lambda path, flags: opened("/dev/null" if path == "/dev/tty" else path, flags)
    )
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: holder[0])
    monkeypatch.setattr(os, "tcsetpgrp", move)
    with Signals() as signals, Foreground(["true"]) as running:
        assert running.run(signals, grace=1, tick=forever, stopped=unexpected) == 0
    assert moves == [running.group, os.getpgrp()]
    monkeypatch.setattr(os, "tcgetpgrp", _gone)
    assert run("true") == 0


def _gone(_terminal: int) -> int:
    raise OSError


def _not_permitted(*_arguments: int) -> None:
    raise PermissionError


@pytest.fixture
def dispositions() -> Iterator[None]:
    """Those that the gate changes are put back."""
    before = {n: signal.getsignal(n) for n in (signal.SIGPIPE, signal.SIGXFSZ)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("dispositions")
def test_gate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A byte opens it, the end does not; what cannot be executed is said as shells say it."""
    became: list[tuple[str, list[str]]] = []

    def through(data: bytes, *command: str) -> int:
        read, write = os.pipe()
        os.write(write, data)
        os.close(write)
        return gate.main([str(read), *command])

    assert through(b"!", "no-such-command") == 127
    assert through(b"!", "/") == 126
    assert capsys.readouterr().err.splitlines() == [
        "no-such-command: No such file or directory",
        "/: Permission denied",
    ]
    monkeypatch.setattr(os, "execvp", lambda file, arguments: became.append((file, arguments)))
    assert through(b"", "true") == 0
    assert became == []
    through(b"!", "echo", "a", "b")
    assert became == [("echo", ["echo", "a", "b"])]
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL


def test_gate_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is run by its path."""
    read, write = os.pipe()
    os.close(write)
    monkeypatch.setattr(sys, "argv", [str(GATE), str(read), "true"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(GATE), run_name="__main__")
    assert ended.value.code == 0
    os.close(read)
