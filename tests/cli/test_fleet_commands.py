"""fleet pause, resume and report: the tasks of a file of targets."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pytest
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.cli.running import Run

BOTH = ("orders_sync", "billing_sync")


@pytest.fixture
def targets(emulator: Emulator, tmp_path: Path) -> str:
    rows = [f"{emulator.instance_id},{name}" for name in BOTH]
    (tmp_path / "targets.csv").write_text("\n".join(["instance_id,task_name", *rows]))
    return "targets.csv"


def stage(emulator: Emulator, name: str) -> str:
    return emulator.task(emulator.instance_id, name).stage


def test_pause_report_and_resume(run: Run, emulator: Emulator, targets: str) -> None:
    """What one command does, another one shows and the third one undoes."""
    ran = run("fleet", "report", targets)
    assert (ran.status, ran.out) == (2, "")
    assert "There is no journal at " in ran.err
    run("fleet", "resume", targets, "--yes")
    ran = run("fleet", "report", targets)
    assert (ran.status, ran.out.count("not in the journal")) == (0, 2)
    ran = run("fleet", "pause", targets, "--max", "2h", "--yes", "--reason", "a move")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[1].split() == ["confirmed", "2"]
    assert {stage(emulator, name) for name in BOTH} == {"Paused"}
    rows = run("fleet", "report", targets, "-o", "json").rows
    assert {(row["task_name"], row["verb"], row["state"]) for row in rows} == {
        (name, "pause", "confirmed") for name in BOTH
    }
    assert all(row["job_id"] and row["request_id"] and row["when"] for row in rows)
    assert "a move" in run("check").out
    ran = run("fleet", "resume", targets, "--yes", "-o", "json")
    assert ran.status == 0
    assert {(row["task_name"], row["state"]) for row in ran.rows} == {
        (name, "confirmed") for name in BOTH
    }
    assert {stage(emulator, name) for name in BOTH} == {"Incremental"}
    assert run("check").status == 0


def test_wrong_targets_are_named_at_once(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """With their lines; an endpoint of the file has to be allowed."""
    (tmp_path / "wrong.csv").write_text(
        "instance_id,task_name,endpoint\n"
        f"{emulator.instance_id},x,\n"
        f"{emulator.instance_id},orders_sync,http://127.0.0.1:9\n"
    )
    for command in (("pause", "--no-limit", "--yes"), ("resume", "--yes"), ("report",)):
        ran = run("fleet", command[0], "wrong.csv", *command[1:])
        assert ran.status == 2
        assert "line 2: task_name must be" in ran.err
        assert "line 3: its endpoint 'http://127.0.0.1:9'" in ran.err
    ran = run("fleet", "report", "wrong.csv", "--allow-endpoint", "http://127.0.0.1:9")
    assert "line 3" not in ran.err
    assert emulator.journal() == []


def test_what_failed_is_written_as_targets(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path
) -> None:
    """And shown; the file can be given to the next run."""
    emulator.faults.add(Fault("error", operation="pause", at=(1,), applied=False, status=400))
    ran = run("fleet", "pause", targets, "--no-limit", "--yes", "--left", "left.csv")
    assert ran.status == 1
    assert f"billing_sync of {emulator.instance_id} is refused. 400" in ran.err
    assert "1 targets are left, in left.csv." in ran.err
    with (tmp_path / "left.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["task_name"], row["state"]) == ("billing_sync", "refused")
    again = ("--no-limit", "--yes", "--allow-endpoint", emulator.url)
    assert run("fleet", "pause", "left.csv", *again).status == 0
    assert {stage(emulator, name) for name in BOTH} == {"Paused"}


def test_the_budget_of_errors(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """Pausing stops, and says why; failures are shown up to ten."""
    for number in range(30):
        emulator.add_task(emulator.instance_id, f"task_{number}")
    rows = [f"{emulator.instance_id},task_{number}" for number in range(30)]
    (tmp_path / "many.csv").write_text("\n".join(["instance_id,task_name", *rows]))
    emulator.faults.add(Fault("error", operation="pause", applied=False, status=400))
    ran = run("fleet", "pause", "many.csv", "--no-limit", "--yes", "--max-errors", "10%")
    assert ran.status == 1
    assert "Nothing more was paused: more than 3 failed: 4 refused" in ran.err
    assert "There are more of them" in ran.err
    assert run("fleet", "pause", "many.csv", "--no-limit", "--yes", "--max-errors", "x").status == 2


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("no-effect", operation="pause"), 5),
        (Fault("close", operation="pause", applied=False), 3),
    ],
)
def test_statuses(run: Run, emulator: Emulator, targets: str, fault: Fault, status: int) -> None:
    """Not seen in time, and unknown."""
    emulator.faults.add(fault)
    ran = run("fleet", "pause", targets, "--no-limit", "--yes", "--timeout", "1s")
    assert ran.status == status


def test_it_asks_first(
    run: Run, emulator: Emulator, targets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal; without one, --yes is needed."""
    ran = run("fleet", "pause", targets, "--no-limit")
    assert ran.status == 2
    assert "give --yes" in ran.err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked: list[Any] = []
    monkeypatch.setattr(
        "taurusdb_starrocks.cli.fleet.click.confirm", lambda *text, **_: asked.append(text)
    )
    assert run("fleet", "pause", targets, "--no-limit").status == 0
    assert asked == [("Pause the targets of targets.csv?",)]


def test_progress_on_a_terminal(
    run: Run, emulator: Emulator, targets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar with the rate, the counts by outcome, and the time left."""
    monkeypatch.setattr("taurusdb_starrocks.cli.fleet.shown", lambda _output: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")
    ran = run("fleet", "pause", targets, "--no-limit", "--yes")
    assert ran.status == 0
    assert "Pausing" in ran.err
    assert "2/2" in ran.err
    assert "2 confirmed" in ran.err


def test_settings_are_those_of_targets_that_say_nothing(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options, or a profile; a region of a target comes before that of the options."""
    monkeypatch.delenv("TAURUSDB_STARROCKS_ENDPOINT")
    ran = run("fleet", "pause", targets, "--no-limit", "--yes", "--endpoint", emulator.url)
    assert ran.status == 0
    ran = run("fleet", "report", targets, "--region", "atlantis")
    assert ran.status == 2
    assert "Unknown region 'atlantis'" in ran.err
    (tmp_path / "region.csv").write_text(
        f"instance_id,task_name,region\n{emulator.instance_id},orders_sync,ap-southeast-3\n"
    )
    rows = run("fleet", "report", "region.csv", "--region", "ap-southeast-1", "-o", "json").rows
    assert [row["endpoint"] for row in rows] == ["https://gaussdb.ap-southeast-3.myhuaweicloud.com"]
