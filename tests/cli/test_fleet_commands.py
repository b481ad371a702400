"""fleet pause, resume, window and report: the tasks of a file of targets."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from taurusdb_starrocks.durable import Journal
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


def test_pause_report_and_resume(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path
) -> None:
    """What one command does, another one shows and the third one undoes."""
    for command in (("report", targets), ("resume", targets, "--yes")):
        ran = run("fleet", *command)
        assert (ran.status, ran.out) == (2, "")
        assert "There is no journal at " in ran.err
    Journal(tmp_path / "state" / "taurusdb-starrocks" / "journal.sqlite").close()
    ran = run("fleet", "report", targets)
    assert (ran.status, ran.out.count("not in the journal")) == (0, 2)
    ran = run("fleet", "pause", targets, "--max", "2h", "--yes", "--reason", "a move")
    assert (ran.status, ran.err) == (0, "Pausing the targets of targets.csv.\n")
    assert ran.out.splitlines()[1].split() == ["confirmed", "2"]
    assert {stage(emulator, name) for name in BOTH} == {"Paused"}
    rows = run("fleet", "report", targets, "-o", "json").rows
    assert {(row["task_name"], row["verb"], row["state"]) for row in rows} == {
        (name, "pause", "confirmed") for name in BOTH
    }
    assert all(row["job_id"] and row["request_id"] and row["when"] for row in rows)
    assert "a move" in run("check").out
    ran = run("fleet", "resume", targets, "--yes", "-o", "json")
    assert (ran.status, ran.err) == (0, "Resuming the targets of targets.csv.\n")
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


def test_equal_mistakes_are_one_line(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """With the numbers of the first lines."""
    row = f"{emulator.instance_id},orders_sync,http://127.0.0.1:9\n"
    (tmp_path / "wrong.csv").write_text("instance_id,task_name,endpoint\n" + 12 * row)
    Journal(tmp_path / "j").close()
    ran = run("fleet", "report", "wrong.csv", "--journal", str(tmp_path / "j"))
    assert (ran.status, ran.err.count("127.0.0.1:9")) == (2, 1)
    assert "line 2, line 3, " in ran.err
    assert "line 11 and 2 more: its endpoint" in ran.err


def test_what_failed_is_written_as_targets(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path
) -> None:
    """And shown; the file can be given to the next run."""
    emulator.faults.add(Fault("error", operation="pause", at=(1,), applied=False, status=400))
    ran = run("fleet", "pause", targets, "--no-limit", "--yes", "--left", "left.csv")
    assert ran.status == 1
    assert f"billing_sync of {emulator.instance_id} is refused. 400" in ran.err
    assert "Targets left: 1, in left.csv." in ran.err
    with (tmp_path / "left.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["task_name"], row["state"]) == ("billing_sync", "refused")
    assert run("fleet", "pause", "left.csv", "--no-limit", "--yes").status == 0
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
    assert "Stopped before the last target: more than 3 failed: 4 refused" in ran.err
    names = ", ".join(["task_[0-9]+ of [^,]+"] * 3)
    assert re.search(f"4 targets are refused: {names}, and 1 more. 400", ran.err)
    assert ran.err.index("are refused") < ran.err.index("26 targets are not tried: ")
    assert "planned" not in ran.out + ran.err
    assert "No target was paused. Not changed: 30." in ran.err
    assert run("fleet", "pause", "many.csv", "--no-limit", "--yes", "--max-errors", "x").status == 2


def test_a_service_that_is_not_reached(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path
) -> None:
    """The cause is named, and what was paused: nothing."""
    options = ("--endpoint", "http://127.0.0.1:9", "--timeout", "0.5s", "--max", "1h")
    for command, status in (("pause", 1), ("window", 121)):
        given = ("--yes",) if command == "pause" else ("--", "true")
        ran = run("fleet", command, targets, *options, *given)
        assert ran.status == status
        assert "2 targets are unreachable: " in ran.err
        assert "onnection refused" in ran.err
        assert "No target was paused." in ran.err
        ran = run("fleet", "report", targets, "--endpoint", "http://127.0.0.1:9", "-o", "json")
        assert [row["state"] for row in ran.rows] == ["unreachable"] * 2


def test_more_causes_than_are_shown(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """Each is one line, up to ten."""
    for number in range(13):
        emulator.add_task(emulator.instance_id, f"task_{number}")
        fault = Fault("error", operation="pause", at=(number + 1,), status=403, code=f"X.{number}")
        emulator.faults.add(fault)
    rows = [f"{emulator.instance_id},task_{number}" for number in range(13)]
    (tmp_path / "many.csv").write_text("\n".join(["instance_id,task_name", *rows]))
    ran = run("fleet", "pause", "many.csv", "--no-limit", "--yes")
    assert ran.err.count(" is refused. 403 X.") == 10
    assert "There are more. To list all of them, use --left FILE" in ran.err
    rows = run("fleet", "report", "many.csv", "-o", "json").rows
    assert {row["state"] for row in rows} == {"refused"}


def test_resume_in_vain(run: Run, emulator: Emulator, targets: str) -> None:
    """What may still be paused has a status of its own, whatever the error is."""
    assert run("fleet", "pause", targets, "--no-limit", "--yes").status == 0
    emulator.faults.add(Fault("error", operation="resume", applied=False, status=400))
    assert run("fleet", "resume", targets, "--yes", "--timeout", "1s").status == 122


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


def test_an_interrupt_while_pausing(run: Run, emulator: Emulator, targets: str) -> None:
    """How many are paused, how many may be, and what to do next."""
    emulator.faults.add(Fault("hang", operation="pause", at=(2,), seconds=5))
    interrupt_at(emulator, "pause", 2)
    ran = run("fleet", "pause", targets, "--max", "2h", "--yes")
    assert ran.status == 130
    assert (
        "Interrupted. Targets paused or being paused: 1; unknown: 1; not changed: 0. Paused "
        f"targets stay paused until {datetime.now().astimezone():%Y}" in ran.err
    )
    assert "To undo: taurusdb-starrocks fleet resume targets.csv" in ran.err


@pytest.mark.parametrize(
    ("operation", "states", "status"),
    [("pause", ["held", "planned"], 6), ("list", ["planned", "planned"], 0)],
)
def test_check_after_an_interrupt(
    run: Run, emulator: Emulator, targets: str, operation: str, states: list[str], status: int
) -> None:
    """What was never requested is planned, and not paused, unless the service says so."""
    emulator.faults.add(Fault("hang", operation=operation, seconds=5))
    interrupt_at(emulator, operation, 1)
    args = ("--max", "2h", "--yes", "--concurrency", "1")
    assert run("fleet", "pause", targets, *args).status == 130
    ran = run("check", "-o", "json")
    assert (ran.status, sorted(row["state"] for row in ran.rows)) == (status, states)
    emulator.faults.clear()
    (name, *_) = [row["task_name"] for row in ran.rows if row["state"] == "planned"]
    emulator.set_stage(emulator.instance_id, name, "Paused")
    ran = run("check", emulator.instance_id, "-o", "json")
    found = {row["task_name"]: row["state"] for row in ran.rows}
    assert (ran.status, found[name]) == (6, "not in the journal")
    if operation == "list":
        assert run("fleet", "resume", targets, "--yes").status == 0
        assert run("check").rows == []


def test_an_interrupt_while_resuming(run: Run, emulator: Emulator, targets: str) -> None:
    """How many run, and how many may still be paused."""
    assert run("fleet", "pause", targets, "--max", "2h", "--yes").status == 0
    emulator.faults.add(Fault("hang", operation="resume", at=(2,), seconds=5))
    interrupt_at(emulator, "resume", 2)
    ran = run("fleet", "resume", targets, "--yes")
    assert ran.status == 122
    assert "Targets running or being resumed: 1. MAY STILL BE PAUSED: 1." in ran.err


def interrupt_at(emulator: Emulator, operation: str, count: int) -> None:
    """Send SIGINT to this process once that many requests have arrived."""

    def wait() -> None:
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            if sum(call.operation == operation for call in emulator.journal()) >= count:
                time.sleep(0.1)  # The response of the one before is written down.
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.01)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize("path", ["no/such/folder/left.csv", "."])
def test_a_file_that_cannot_be_written(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path, path: str
) -> None:
    """Is noticed before anything is sent; one that can is not made by looking."""
    ran = run("fleet", "pause", targets, "--no-limit", "--yes", "--left", path)
    assert ran.status == 2
    assert f"{path} cannot be written" in ran.err
    assert emulator.journal() == []
    assert run("fleet", "pause", targets, "--yes", "--left", "left.csv").status == 2
    assert not (tmp_path / "left.csv").exists()


# --- fleet window -------------------------------------------------------------------------------


def changes(emulator: Emulator) -> list[str]:
    """What changed something, in order."""
    return [call.operation for call in emulator.journal() if call.operation in {"pause", "resume"}]


def run_again(emulator: Emulator) -> bool:
    return {stage(emulator, name) for name in BOTH} == {"Incremental"}


def test_a_command_in_a_window(run: Run, emulator: Emulator, targets: str) -> None:
    """All are paused, the command runs and has the standard output, all run again."""
    ran = run("fleet", "window", targets, "--max", "1m", "-o", "json", "--", "sh", "-c", "exit 7")
    assert (ran.status, ran.out) == (7, "")
    pausing, paused, *resumed = ran.err.splitlines()
    assert pausing == "Pausing the targets of targets.csv."
    assert paused.startswith("Paused: the targets of targets.csv. Resumes when sh exits, or at ")
    assert resumed == [f"{what} the targets of targets.csv." for what in ("Resuming", "Resumed:")]
    assert changes(emulator) == ["pause"] * 2 + ["resume"] * 2
    assert run("check").status == 0


def test_a_target_that_is_paused_already(run: Run, emulator: Emulator, targets: str) -> None:
    """It stays so."""
    emulator.set_stage(emulator.instance_id, "orders_sync", "Paused")
    ran = run("fleet", "window", targets, "--max", "1m", "--", "true")
    assert ran.status == 0
    assert "Already paused, and left paused afterwards: 1 target." in ran.err
    assert ran.err.splitlines()[-2:] == [
        "Resumed: the other targets of targets.csv.",
        "Left paused, as found: 1 target.",
    ]
    assert stage(emulator, "orders_sync") == "Paused"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--max", "1m"), 121, "Give the command after --."),
        (("--", "true"), 121, "Give a time limit: --max 2h or --until 06:00."),
        (("--max", "1m", "--", "no-such-command"), 127, "no-such-command: not found."),
        (("--max", "1m", "--dry-run", "--", "true"), 0, "would be paused, and resumed: 2. Nothing"),
        (("--max", "1m", "--region", "nowhere", "--", "true"), 121, "Unknown region"),
    ],
)
def test_nothing_is_paused(
    run: Run,
    emulator: Emulator,
    targets: str,
    arguments: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    """By a wrong command line, or a dry run."""
    ran = run("fleet", "window", targets, *arguments)
    assert ran.status == status
    assert said in ran.err
    assert emulator.journal() == []


@pytest.mark.parametrize(
    ("refused", "undone"),
    [
        (1, "No target was paused."),
        (2, "Targets that were or may be paused, and are resumed: 1."),
    ],
)
def test_a_target_that_cannot_be_paused(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path, refused: int, undone: str
) -> None:
    """The command never runs, all targets run, and what failed is a file of targets."""
    emulator.faults.add(Fault("error", operation="pause", at=(refused,), applied=False, status=400))
    window = ("fleet", "window", targets, "--max", "1m", "--left", "left.csv")
    ran = run(*window, "--", "touch", str(tmp_path / "ran"))
    assert ran.status == 121
    assert f"The block did not begin. {undone}" in ran.err
    assert (tmp_path / "left.csv").exists()
    assert not (tmp_path / "ran").exists()
    assert run_again(emulator)


def test_what_may_still_be_paused(run: Run, emulator: Emulator, targets: str) -> None:
    """No status of a command hides it; the guardian goes on."""
    emulator.faults.add(Fault("error", operation="resume", applied=False, status=400))
    window = ("fleet", "window", targets, "--max", "1m", "--timeout", "2s")
    ran = run(*window, "--", "sh", "-c", "exit 3")
    assert ran.status == 122
    assert "May still be paused: billing_sync, orders_sync." in ran.err
    assert "Resume what is left: taurusdb-starrocks recover" in ran.err
    emulator.faults.clear()
    until(lambda: run_again(emulator))


def test_sigterm_while_a_command_runs(run: Run, emulator: Emulator, targets: str) -> None:
    """It ends the command, and the targets are resumed."""
    script = f"kill -TERM {os.getpid()}; sleep 30"
    assert run("fleet", "window", targets, "--max", "1m", "--", "sh", "-c", script).status == 143
    assert run_again(emulator)


def test_sigterm_while_pausing(run: Run, emulator: Emulator, targets: str, tmp_path: Path) -> None:
    """The command never runs, and the targets do."""
    emulator.faults.add(Fault("hang", operation="pause", at=(2,), seconds=0.5, applied=True))
    window = ("fleet", "window", targets, "--max", "1m", "--", "touch", str(tmp_path / "ran"))
    interrupt_at(emulator, "pause", 2)
    ran = run(*window)
    assert ran.status == 121
    assert "Interrupted." in ran.err
    assert not (tmp_path / "ran").exists()
    until(lambda: run_again(emulator))


def test_an_interrupt_after_the_command(run: Run, emulator: Emulator, targets: str) -> None:
    """The targets are resumed first, and the command's status stays."""
    emulator.faults.add(Fault("hang", operation="resume", at=(2,), seconds=0.5, applied=True))
    interrupt_at(emulator, "resume", 2)
    ran = run("fleet", "window", targets, "--max", "1m", "--", "sh", "-c", "exit 5")
    assert ran.status == 5
    assert "Interrupted." in ran.err
    assert run_again(emulator)


def test_the_longest_time(run: Run, emulator: Emulator, targets: str, tmp_path: Path) -> None:
    """The command is ended first, and then the targets are resumed."""
    ended = tmp_path / "ended"
    script = f"trap 'touch {ended}; exit 0' TERM; while :; do sleep 0.05; done"
    quick = ("--max", "4s", "--interval", "0.05s")
    ran = run("fleet", "window", targets, *quick, "--", "sh", "-c", script)
    assert ran.status == 124
    assert "The time is over: sh was ended, and the tasks were resumed." in ran.err
    resumed = [call.time for call in emulator.journal() if call.operation == "resume"]
    assert ended.stat().st_mtime <= resumed[0]
    assert run_again(emulator)


def test_a_window_that_is_killed(
    run: Run, emulator: Emulator, targets: str, tmp_path: Path
) -> None:
    """With kill -9, as its command runs: the guardian ends that at the limit, and resumes."""
    script = f"echo $$ > {tmp_path / 'pid'}; exec sleep 60"
    command = [sys.executable, "-m", "taurusdb_starrocks.cli", "fleet", "window", targets]
    command += ["--max", "6s", "--grace", "0.5s", "--interval", "0.05s", "--", "sh", "-c", script]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as window:
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        assert {stage(emulator, name) for name in BOTH} == {"Paused"}
        window.kill()
    child = int((tmp_path / "pid").read_text())
    os.kill(child, 0)
    until(lambda: run_again(emulator))
    until(lambda: not alive(child))
    until(lambda: run("check").status == 0)


def alive(process: int) -> bool:
    """Whether it is there, and not only waits to be reaped by whoever inherited it."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_it_asks_first(
    run: Run, emulator: Emulator, targets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal; without one, --yes is needed."""
    ran = run("fleet", "pause", targets, "--no-limit")
    assert ran.status == 2
    assert "pass --yes" in ran.err
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


def test_progress_of_a_window(
    run: Run, emulator: Emulator, targets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar before its command and one after it, both on stderr."""
    monkeypatch.setattr("taurusdb_starrocks.cli.fleet.shown", lambda _output: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")
    ran = run("fleet", "window", targets, "--max", "1m", "--", "true")
    assert (ran.status, ran.out) == (0, "")
    for doing in ("Pausing the targets of targets.csv", "Resuming the targets of targets.csv"):
        assert doing in ran.err
    assert ran.err.count("2 confirmed") >= 2


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
