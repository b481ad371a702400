"""What went wrong in one line, and the exit status."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    Client,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    NotResumedError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ReplicationError,
    ServerError,
    Stage,
    Task,
    TaskFailedError,
    WaitTimeoutError,
)
from taurusdb_starrocks.cli import main, statuses
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.cli.running import Run

TASK = Task("orders_sync", Stage.PAUSED, "Paused", "No", None, None, None)


@pytest.mark.parametrize(
    ("error", "status", "next_step"),
    [
        (ConfigurationError("No region."), 2, "No region."),
        (NotSentError("not reached"), 1, "taurusdb-starrocks doctor"),
        (AuthenticationError("wrong", status=401), 4, "taurusdb-starrocks doctor"),
        (PermissionDeniedError("no", status=403), 1, "taurusdb-starrocks doctor"),
        (NotFoundError("none", status=404), 1, "taurusdb-starrocks tasks INSTANCE"),
        (
            NotFoundError("none", status=400, code="DBS.05000091"),
            1,
            "taurusdb-starrocks tasks INSTANCE",
        ),
        (BadRequestError("no", status=400), 1, "400 no"),
        (ConflictError("busy", status=409), 1, "409 busy"),
        (OutcomeUnknownError("lost"), 3, "taurusdb-starrocks status INSTANCE"),
        (OutcomeUnknownError("lost", harmless=True), 1, "safe to repeat."),
        (ServerError("no", status=500, harmless=False), 3, "taurusdb-starrocks status INSTANCE"),
        (ServerError("no", status=503, retry_after=1), 1, "503 no"),
        (WaitTimeoutError("late"), 5, "taurusdb-starrocks status INSTANCE"),
        (TaskFailedError("abnormal", task=TASK), 3, "abnormal"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error(error: ReplicationError, status: int, next_step: str) -> None:
    """Its state of the world is the exit status; the line ends with what to do next."""
    assert statuses.status_of(error) == status
    assert statuses.line_of(error).endswith(next_step)


def test_what_may_still_be_paused() -> None:
    """The line has the command that resumes it."""
    error = NotResumedError("…", instance_id="9ac", task_names=("orders_sync", "billing_sync"))
    assert statuses.status_of(error) == 122
    assert "orders_sync billing_sync MAY STILL BE PAUSED" in statuses.line_of(error)
    assert statuses.line_of(error).endswith("resume 9ac orders_sync billing_sync")
    error.__cause__ = ConflictError("busy", status=409)
    assert "MAY STILL BE PAUSED (409 busy), and" in statuses.line_of(error)
    error.__cause__ = AuthenticationError("expired", status=401)
    assert "Check the credentials: taurusdb-starrocks doctor. Then res" in statuses.line_of(error)


def test_refusal_of_the_service(run: Run, emulator: Emulator) -> None:
    """One line with code, request ID and what to do next."""
    ran = run("tasks", f"{'0' * 32}in17")
    request = emulator.journal()[-1].request_id
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        f"taurusdb-starrocks: 400 DBS.200022 Instance not found. (list {'0' * 32}in17, request "
        f"{request}) Check the instance ID, the project, and the region. The instances of a "
        "TaurusDB instance: taurusdb-starrocks instances IN07_ID\n"
    )


def test_wrong_credentials(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit status of their own, and no secret."""
    monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", "secret-token")
    ran = run("tasks", emulator.instance_id)
    assert ran.status == 4
    assert "401" in ran.err
    assert "secret-token" not in ran.err


def test_instance_of_taurusdb(run: Run, emulator: Emulator) -> None:
    """It is answered with the instances that are probably meant."""
    ran = run("tasks", "61a4ea66210545909d74a05c27a7179ein07")
    assert (ran.status, ran.out) == (2, "")
    assert f"You probably mean: {emulator.instance_id} (starrocks-orders), b6280c3" in ran.err
    assert ran.err.count("\n") == 1


def test_instance_of_taurusdb_without_any(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that there are none, or why they could not be listed."""
    ran = run("tasks", f"{'0' * 32}in07")
    assert (ran.status, "could not be listed: 400 DBS.200022" in ran.err) == (2, True)
    monkeypatch.setattr(Client, "instances", lambda *_: [])
    assert "It has no StarRocks instance." in run("tasks", f"{'0' * 32}in07").err


def test_warning_is_a_line(run: Run) -> None:
    """A doubt about an ID is said, and the command goes on."""
    ran = run("tasks", f"{'0' * 32}in99")
    assert ran.status == 1
    assert ran.err.startswith("taurusdb-starrocks: instance_id 0000")
    assert ran.err.count("\n") == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("tasks",), "Missing argument 'INSTANCE'. See taurusdb-starrocks tasks --help"),
        (("nonsense",), "No such command 'nonsense'. See taurusdb-starrocks --help"),
        (("tasks", "x", "--interval", "5"), "'5' is not a duration like 2h, 1h30m or 45s."),
    ],
)
def test_wrong_use(run: Run, arguments: tuple[str, ...], why: str) -> None:
    """One line, too, that says where the help is."""
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(("verbose", "lines"), [((), 0), (("-v",), 1), (("-vv",), 2)])
def test_log(run: Run, emulator: Emulator, verbose: tuple[str, ...], lines: int) -> None:
    """What was retried with -v, and each request with -vv; nothing of it by default."""
    emulator.faults.add(Fault("throttle", operation="list", retry_after=0, times=1))
    ran = run("status", emulator.instance_id, "orders_sync", *verbose)
    assert ran.status == 0
    assert ran.err.count("status=200") == lines


def test_messages_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status is that of the work, and nothing else fails at exit."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  # A device.
        monkeypatch.setattr(sys, "stderr", full)
        assert run("recover", "--journal", "none.db").status == 2


def test_streams_that_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has None in their place. The command does its work all the same."""
    arguments = ["recover", "--journal", str(tmp_path / "none.db")]
    monkeypatch.setattr(sys, "argv", ["taurusdb-starrocks", *arguments])
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(sys, stream, None)
    assert main() == 2
    for opened in (sys.stdin, sys.stderr):
        opened.close()


@pytest.mark.parametrize("form", ["table", "json"])
def test_output_that_cannot_be_written(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """One line says so, and that the command was carried out; nothing else fails at exit."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  # A device.
        monkeypatch.setattr(sys, "stdout", full)
        ran = run("tasks", emulator.instance_id, "--output", form)
    assert ran.status == 1
    assert "could not be written: [Errno 28] No space left on device. The command" in ran.err


def test_reader_that_has_seen_enough(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is said about it, as with other commands in a pipeline."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8") as nobody:  # noqa: PTH123  # A descriptor.
        monkeypatch.setattr(sys, "stdout", nobody)
        ran = run("tasks", emulator.instance_id)
    assert (ran.status, ran.err) == (1, "")


def test_error_of_the_system(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """One line says what failed, and how to find out what is paused."""
    targets = tmp_path / "targets.csv"
    targets.write_text(f"instance_id,task_name\n{emulator.instance_id},orders_sync\n")
    ran = run("fleet", "resume", str(targets), "--left", "/dev/full", "--everything", "--yes")
    assert ran.status == 3
    assert ran.err == (
        f"Resuming the targets of {targets}.\n"
        "taurusdb-starrocks: No space left on device. What is paused now: "
        "taurusdb-starrocks check\n"
    )
