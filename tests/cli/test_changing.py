"""Pause and resume, with the journal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import click
import pytest
from taurusdb_starrocks import durable
from taurusdb_starrocks.cli import behind, changing
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.cli.running import Run

PAUSE = ("--max", "1h")


def operations(emulator: Emulator) -> list[tuple[str, str | None]]:
    """What changed something, in order."""
    return [
        (call.operation, call.task_name)
        for call in emulator.journal()
        if call.operation in {"pause", "resume"}
    ]


def test_pause_and_resume(run: Run, emulator: Emulator) -> None:
    """Each waits until it is done; in between, the journal says by whom and until when."""
    instance = emulator.instance_id
    ran = run("pause", instance, "orders_sync", *PAUSE, "--reason", "load", "-o", "json")
    assert ran.status == 0, ran
    assert [(row["task_name"], row["stage"]) for row in ran.rows] == [("orders_sync", "Paused")]
    assert ran.err == "Pausing orders_sync.\nThe tasks will be resumed in 1 h.\n"
    (row,) = run("check", "-o", "json").rows
    assert row["task_name"] == "orders_sync"
    assert row["reason"] == "load"
    assert row["until"]
    ran = run("resume", instance, "orders_sync", "-o", "json")
    assert [row["stage"] for row in ran.rows] == ["Incremental"]
    assert run("check").status == 0
    assert operations(emulator) == [("pause", "orders_sync"), ("resume", "orders_sync")]


@pytest.mark.parametrize("options", [(), ("--max", "1h", "--no-limit")])
def test_a_pause_has_a_limit_or_says_that_it_has_none(
    run: Run, emulator: Emulator, options: tuple[str, ...]
) -> None:
    """One of the three, and no default."""
    ran = run("pause", emulator.instance_id, "orders_sync", *options)
    assert ran.status == 2
    assert "Give a time limit: --max 2h or --until 06:00, or --no-limit." in ran.err
    assert operations(emulator) == []


def test_no_limit(run: Run, emulator: Emulator) -> None:
    """Then the journal says so."""
    ran = run("pause", emulator.instance_id, "orders_sync", "--no-limit")
    assert "longer than the source of orders_sync keeps its binary log" in ran.err
    ran = run("check")
    assert ran.status == 6
    assert "no limit" in ran.out
    assert run("resume", emulator.instance_id, "orders_sync").status == 0


@pytest.mark.parametrize("command", [("pause",), ("window", "--", "true")], ids=lambda c: c[0])
def test_time_that_passes_before_the_pause(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """A question may be answered after it. Nothing is paused then, and not for a shorter time."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=2)

    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    monkeypatch.setattr(changing, "datetime", Later)
    verb, *rest = command
    ran = run(verb, emulator.instance_id, "orders_sync", "--until", until, *rest)
    assert ran.status == (2 if verb == "pause" else 121)
    assert "has passed. Nothing was paused." in ran.err
    assert operations(emulator) == []


def test_several_tasks_without_a_terminal(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nobody to ask: --yes is needed, and named."""
    names = ("orders_sync", "billing_sync")
    for command in (("pause", *PAUSE), ("resume",)):
        ran = run(command[0], emulator.instance_id, *names, *command[1:])
        assert ran.status == 2
        assert "2 tasks: orders_sync, billing_sync? There is no terminal to prompt on" in ran.err
        assert "--yes" in ran.err
    assert operations(emulator) == []
    assert run("pause", emulator.instance_id, *names, *PAUSE, "--yes").status == 0
    assert run("resume", emulator.instance_id, *names, "--yes").status == 0


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 130)])
def test_several_tasks_on_a_terminal(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    """They are named in a question."""
    asked: list[str] = []

    def confirm(text: str, *, abort: bool, err: bool) -> None:
        asked.append(text)
        if answer == "n\n":
            raise click.Abort

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click, "confirm", confirm)
    assert run("resume", emulator.instance_id, "orders_sync", "billing_sync").status == status
    assert asked == ["Resume 2 tasks: orders_sync, billing_sync?"]


@pytest.mark.parametrize("command", [("pause", *PAUSE), ("resume",)], ids=["pause", "resume"])
def test_dry_run(run: Run, emulator: Emulator, command: tuple[str, ...]) -> None:
    """What would be done; a task that is not there is told."""
    ran = run(*command, emulator.instance_id, "orders_sync", "no_such_task", "--dry-run")
    assert ran.status == 1
    assert f"be {command[0]}d".replace("ee", "e") in ran.out
    assert "has no task no_such_task." in ran.err
    assert operations(emulator) == []


@pytest.mark.parametrize("command", [("pause", *PAUSE), ("resume",)], ids=["pause", "resume"])
def test_timeout(run: Run, command: tuple[str, ...]) -> None:
    """Whichever of the two it is, the task may be paused in the end."""
    with Emulator(delay=30) as slow:
        slow.set_stage(slow.instance_id, "orders_sync", "Paused")
        name = "orders_sync" if command == ("resume",) else "billing_sync"
        endpoint = ("--endpoint", slow.url, "--timeout", "0.5s")
        ran = run(*command, slow.instance_id, name, *endpoint)
    assert ran.status == 122


def test_no_wait(run: Run, emulator: Emulator) -> None:
    """It returns once the request was accepted; the journal is seen to by a process behind it."""
    quick = ("--no-wait", "--interval", "0.05s", "--timeout", "20s")
    ran = run("pause", emulator.instance_id, "orders_sync", *PAUSE, *quick)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith("Requested. See the result: taurusdb-starrocks status 9ac")
    assert operations(emulator) == [("pause", "orders_sync")]
    until(lambda: "held" in run("check").out)
    ran = run("resume", emulator.instance_id, "orders_sync", *quick, "--journal", str(JOURNAL))
    assert ran.status == 0
    until(lambda: run("check").status == 0)


JOURNAL = Path("state", "taurusdb-starrocks", "journal.sqlite")


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_no_wait_in_vain(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused has the status and the line that it has with waiting."""
    monkeypatch.setattr(click, "prompt", lambda *_, **__: "x")
    ran = run("pause", emulator.instance_id, "no_such_task", "--no-limit", "--no-wait")
    assert ran.status == 1
    ran = run("resume", emulator.instance_id, "orders_sync", "--no-wait", "--prompt")
    assert "--prompt and --no-wait cannot be used together." in ran.err


def test_ctrl_c_without_waiting(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the request is accepted, it does what it does with waiting: nothing goes on."""
    emulator.faults.add(Fault("hang", operation="list", seconds=30.0))
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda *a, **options: started.append(popen(*a, **options)) or started[0],
    )

    def interrupt() -> None:
        until(lambda: bool(emulator.journal()))
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    ran = run("pause", emulator.instance_id, "orders_sync", "--no-limit", "--no-wait")
    interrupting.join()
    assert ran.status == 130
    assert started[0].returncode == 130
    assert operations(emulator) == []
    assert run("check").status == 0


@pytest.mark.parametrize(
    ("verb", "words", "status"),
    [
        (
            ("pause", "--no-limit"),
            "To see what is paused: taurusdb-starrocks check {instance}",
            130,
        ),
        (
            ("resume",),
            "MAY STILL BE PAUSED: orders_sync. To continue, run the same command again.",
            122,
        ),
    ],
)
def test_ctrl_c(
    run: Run,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    verb: tuple[str, ...],
    words: str,
    status: int,
) -> None:
    """The last line says what to do next, and there is no empty one after it."""

    def interrupted(*_given: object, **_how: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(durable, verb[0], interrupted)
    ran = run(*verb, emulator.instance_id, "orders_sync")
    assert ran.status == status
    last = words.format(instance=emulator.instance_id)
    assert ran.err.endswith(f"\ntaurusdb-starrocks: Interrupted. {last}\n")


def test_ctrl_c_again_without_waiting() -> None:
    """Each one is passed on, and the status is the one that shells show."""

    class Impatient(subprocess.Popen[bytes]):
        interrupts = 2

        def wait(self, timeout: float | None = None) -> int:
            if self.interrupts:
                self.interrupts -= 1
                raise KeyboardInterrupt
            return super().wait(timeout)

    assert behind._end_of(Impatient(["sleep", "30"])) == 130


def test_telling_of_accepted_requests(run: Run, emulator: Emulator) -> None:
    """A byte for each; after the last one nothing is said any more."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    stderr = os.dup(2)
    try:
        for verb in (("pause", *PAUSE), ("resume",)):
            telling = ("--yes", "--accepted-fd", str(write))
            ran = run(*verb, emulator.instance_id, "orders_sync", "billing_sync", *telling)
            assert ran.status == 0, ran
            assert (verb, os.read(read, 9)) == (verb, b"++")
            assert os.path.samestat(os.fstat(2), Path(os.devnull).stat())
            os.dup2(stderr, 2)
        os.close(read)
        telling = behind.telling(write, 2)  # Nobody reads what it reports.
        telling("orders_sync")
    finally:
        for descriptor in (write, stderr):
            os.close(descriptor)
