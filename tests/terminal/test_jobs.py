"""The jobs in examples/ that are done with the command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from taurusdb_starrocks_emulator import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def path(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for programs of this test; the command is found too."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{environ['PATH']}")
    return folder


def program(path: Path, name: str, script: str) -> None:
    """Write a program."""
    (path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (path / name).chmod(0o755)


def example(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of them."""
    command = [EXAMPLES / name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def paused_by(emulator: Emulator) -> list[str | None]:
    """The tasks that were paused, in order."""
    return [call.task_name for call in emulator.journal() if call.operation == "pause"]


def test_migration(path: Path, emulator: Emulator) -> None:
    """It runs in a window, with its own exit status."""
    look = f"taurusdb-starrocks status {emulator.instance_id} orders_sync billing_sync"
    program(path, "mysql", f"{look} | grep -c Paused; exit 9")
    ran = example("migrate.sh", emulator.instance_id)
    assert (ran.returncode, ran.stdout) == (9, "2\n"), ran.stderr
    assert paused_by(emulator) == ["orders_sync", "billing_sync"]
    assert emulator.task(emulator.instance_id, "orders_sync").target == "Incremental"


def test_a_change_that_is_too_long(path: Path, emulator: Emulator, tmp_path: Path) -> None:
    """At the limit, the statement is ended on the server too, before the task is resumed."""
    look = f"taurusdb-starrocks status {emulator.instance_id} orders_sync"
    told = tmp_path / "told"
    statements = f'case "$*" in *KILL*) echo "$*"; {look} | grep -c Paused;; esac >>{told}'
    program(path, "mysql", f'{statements}\ncase "$*" in *ALTER*) echo 42; exec sleep 60;; esac')
    arguments = [emulator.instance_id, "orders_sync", "--max", "4s", "--grace", "1m"]
    window = ["taurusdb-starrocks", "window", *arguments, "--interval", "1s", "--"]
    ran = subprocess.run(
        [*window, EXAMPLES / "alter.sh"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 124, ran.stderr
    assert told.read_text() == "--execute KILL 42\n1\n"
    assert emulator.task(emulator.instance_id, "orders_sync").target == "Incremental"


def test_resize(path: Path, emulator: Emulator) -> None:
    """Every task that runs is paused for it, and no other is resumed."""
    ran = example("resize.sh", emulator.instance_id, "echo", "resized")
    assert (ran.returncode, ran.stdout) == (0, "resized\n"), ran.stderr
    assert paused_by(emulator) == ["orders_sync", "billing_sync", "events_sync"]
    assert emulator.task(emulator.instance_id, "archive_sync").target == "Paused"
    assert emulator.task(emulator.instance_id, "orders_sync").target == "Incremental"


def test_morning_check(path: Path, emulator: Emulator) -> None:
    """It says what is paused, for a mail, and is silent when nothing is."""
    ran = example("morning-check.sh", emulator.instance_id)
    assert ran.returncode == 6
    assert "archive_sync" in ran.stdout
    emulator.set_stage(emulator.instance_id, "archive_sync", "Incremental")
    ran = example("morning-check.sh", emulator.instance_id)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
