"""The command in a terminal of its own: what is on the screen, and what keys do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.terminal.terminal import CTRL_C, CTRL_Z, Terminal

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "command-line.md"
WINDOW = "taurusdb-starrocks window $ID orders_sync --interval 1s --max"
Open = Callable[..., Terminal]


@pytest.fixture
def terminal(environ: dict[str, str], tmp_path: Path) -> Iterator[Open]:
    """Opens a terminal with an interactive shell in it, configured for the emulator."""
    opened: list[Terminal] = []

    def start(columns: int = 80) -> Terminal:
        shell = ["bash", "--norc", "--noprofile", "-i"]
        opened.append(Terminal(shell, environ | {"PS1": "$ "}, tmp_path, columns))
        opened[-1].until(r"^\$$")
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def stage(emulator: Emulator) -> str:
    """Where the task is going."""
    return emulator.task(emulator.instance_id, "orders_sync").target


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until it is so."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def same(shell: Terminal, name: str) -> None:
    """The screen is the one of this name on the page, but for the time of day."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-11-25 22:00:00", shell.text)
    text = re.sub(r"\d\d:\d\d:\d\d", "22:00:00", text)
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(
        rf"^<!-- screen: {name} -->\n```console\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL
    )
    assert found, f"{PAGE} has no screen {name}"
    assert text.removesuffix("\n$") == found[1]


def test_watch(terminal: Open, emulator: Emulator) -> None:
    """The table stays in its place; Ctrl-C ends it."""
    shell = terminal()
    shell.keys(b"taurusdb-starrocks tasks $ID --watch --interval 1s\n")
    shell.until("Press Ctrl-C to stop")
    emulator.set_stage(emulator.instance_id, "orders_sync", "Paused")
    shell.until("orders_sync   Paused")
    shell.keys(CTRL_C)
    shell.until(r"^\$$")
    shell.keys(b"echo $?\n")
    shell.until("^130$")
    same(shell, "watch")


def test_narrow_terminal(terminal: Open) -> None:
    """60 columns: what is too wide is folded, and nothing is lost."""
    shell = terminal(columns=60)
    shell.keys(b"taurusdb-starrocks tasks $ID\n")
    shell.until(r"archive(.*\n)*\$$")
    same(shell, "narrow")


def test_no_terminal(terminal: Open) -> None:
    """A pipe gets the table alone, no matter how wide; without a terminal, --yes is required."""
    shell = terminal(columns=160)
    shell.keys(b"taurusdb-starrocks tasks $ID | grep Paused\n")
    shell.until(r"archive > archive\n\$$")
    shell.keys(b"taurusdb-starrocks resume $ID orders_sync billing_sync < /dev/null\n")
    shell.until(r"--help\n\$$")
    same(shell, "no-terminal")


def test_json(terminal: Open) -> None:
    """One object on each line, which a reader of the page can copy."""
    shell = terminal(columns=320)
    shell.keys(b"taurusdb-starrocks status $ID orders_sync --output json\n")
    shell.until(r"}\n\$$")
    same(shell, "json")


def test_sigterm_while_a_task_is_paused(terminal: Open, emulator: Emulator) -> None:
    """The shell gets its prompt on a line of its own, and the cursor."""
    emulator.faults.add(Fault("hang", operation="pause", seconds=5.0, applied=False))
    shell = terminal()
    shell.keys(b"timeout --foreground 2 taurusdb-starrocks pause $ID orders_sync --no-limit\n")
    shell.until("Pausing orders_sync")
    assert shell.cursor_hidden
    shell.until(r"^\$$")
    assert not shell.cursor_hidden


def load(folder: Path, script: str) -> None:
    """Write the command of a window."""
    path = folder / "load.sh"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_window(terminal: Open, emulator: Emulator, tmp_path: Path) -> None:
    """What is said on the terminal around the command, and while time runs out."""
    load(tmp_path, "echo loading; sleep 6; echo done")
    shell = terminal()
    shell.keys(f"{WINDOW} 14s -- ./load.sh\n".encode())
    shell.until("10 s left")
    shell.until(r"^Resumed: .*\n\$$")
    same(shell, "window")
    assert stage(emulator) == "Incremental"


def test_ctrl_c_in_a_window(terminal: Open, emulator: Emulator, tmp_path: Path) -> None:
    """The command gets it, once; then the tasks are resumed."""
    load(
        tmp_path,
        "trap 'echo Interrupted: rolling back.; exit 130' INT\necho loading\nsleep 30 & wait",
    )
    shell = terminal()
    shell.keys(f"{WINDOW} 2h -- ./load.sh\n".encode())
    shell.until("^loading$")
    time.sleep(0.2)
    shell.keys(CTRL_C)
    shell.until(r"^Resumed: .*\n\$$")
    shell.keys(b"echo $?\n")
    shell.until("^130$")
    same(shell, "ctrl-c")
    assert shell.text.count("rolling back") == 1
    assert stage(emulator) == "Incremental"


def test_password_in_a_window(terminal: Open) -> None:
    """The command can ask for one: it has the terminal."""
    shell = terminal()
    ask = "read -rsp Password: x < /dev/tty; echo; echo got $x"
    shell.keys(f"{WINDOW} 2h -- bash -c '{ask}'\n".encode())
    shell.until("^Password:")
    shell.keys(b"secret\n")
    shell.until("^got secret")
    shell.until("Resumed: ")


def test_ctrl_z_in_a_window(terminal: Open, emulator: Emulator) -> None:
    """Both stop, as one job, and go on as one, in the background and in the foreground."""
    shell = terminal()
    shell.keys(f"{WINDOW} 2h -- sh -c 'echo first; sleep 2; read x; echo got $x'\n".encode())
    shell.until("^first$")
    time.sleep(1.0)  # While sh starts sleep, by vfork, it cannot be stopped.
    shell.keys(CTRL_Z)
    shell.until("^sh is stopped. Paused until")
    shell.until("Stopped")
    assert stage(emulator) == "Paused"
    shell.keys(b"bg\n")
    shell.until(r"&\n\$(.*\n)*sh is stopped")  # It wants to read.
    shell.keys(b"fg\n")
    time.sleep(0.5)
    shell.keys(b"line\n")
    shell.until("^got line$")
    shell.until("Resumed: ")
    shell.keys(b"echo $?\n")
    shell.until("^0$")


def test_ctrl_z_in_a_pipeline(terminal: Open, emulator: Emulator) -> None:
    """The shell waits for all of a pipeline, so all of it is stopped, and continues."""
    shell = terminal()
    script = "echo first; sleep 2; echo last"
    shell.keys(f"{WINDOW} 2h -- sh -c '{script}' | cat\n".encode())
    shell.until("^first$")
    time.sleep(0.4)  # As above.
    shell.keys(CTRL_Z)
    shell.until("^sh is stopped. Paused until")
    shell.until(r"Stopped(.*\n)*\$$")
    shell.keys(b"fg\n")
    shell.until("^last$")
    shell.until("Resumed: ")
    assert stage(emulator) == "Incremental"


def test_ctrl_z_without_job_control(
    environ: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    """As the only command of a terminal (ssh -t), it goes on: nobody could continue it."""
    script = "echo first; sleep 2; echo last"
    window = ["window", emulator.instance_id, "orders_sync", "--interval", "1s", "--max", "2h"]
    command = ["taurusdb-starrocks", *window, "--", "sh", "-c", script]
    alone = Terminal(command, environ, tmp_path)
    try:
        alone.until("^first$")
        time.sleep(0.4)  # As above.
        alone.keys(CTRL_Z)
        alone.until("^sh continues: no shell here can continue a stopped job.$")
        alone.until("^last$")
        alone.until("Resumed: ")
    finally:
        alone.close()
    assert stage(emulator) == "Incremental"


def test_terminal_goes_away(terminal: Open, emulator: Emulator) -> None:
    """SIGHUP ends the command and the window in order."""
    shell = terminal()
    shell.keys(f"{WINDOW} 2h -- sh -c 'echo first; sleep 60'\n".encode())
    shell.until("^first$")
    shell.close()
    eventually(lambda: stage(emulator) == "Incremental")
    eventually(lambda: not shell.processes())


def test_nohup(terminal: Open, emulator: Emulator, tmp_path: Path) -> None:
    """An ignored SIGHUP stays ignored: the command goes on without the terminal."""
    shell = terminal()
    command = f"nohup {WINDOW} 2h -- sh -c 'touch begun; sleep 2; touch ended' > out 2>&1 &\n"
    shell.keys(command.encode())
    eventually((tmp_path / "begun").exists)
    shell.close()
    eventually((tmp_path / "ended").exists)
    eventually(lambda: stage(emulator) == "Incremental")
    eventually(lambda: not shell.processes())


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 130)])
def test_question(terminal: Open, emulator: Emulator, answer: bytes, status: int) -> None:
    """More than one task is asked about."""
    shell = terminal()
    shell.keys(b"taurusdb-starrocks resume $ID orders_sync billing_sync --interval 0.2s\n")
    shell.until(r"Resume 2 tasks: orders_sync, billing_sync\? \[y/N\]:")
    shell.keys(answer)
    shell.until(r"^\$$")
    shell.keys(b"echo $?\n")
    shell.until(f"^{status}$")
    assert bool([c for c in emulator.journal() if c.operation == "resume"]) == (status == 0)
