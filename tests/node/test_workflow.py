"""The maintenance window of workflows/ does what it says. Run it with `make workflow`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.node.workflow import ROOT, WORKFLOW, run

ALL = ["pause", "wait-until-paused", "resume", "wait-until-running"]


@pytest.fixture
def impatient(tmp_path: Path) -> Path:
    """The same workflow that polls ten times a second, four times at most."""
    text = WORKFLOW.read_text(encoding="utf-8")
    for old, new in {
        "retryAfter: 2": "retryAfter: 0.1",
        "retryLimit: 60": "retryLimit: 3",
        "retryLimit: 30": "retryLimit: 3",
    }.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "workflows").mkdir()
    shutil.copy(ROOT / "openapi.yaml", tmp_path)
    workflow = tmp_path / "workflows" / WORKFLOW.name
    workflow.write_text(text, encoding="utf-8")
    return workflow


def stage(emulator: Emulator) -> str:
    return emulator.task(emulator.instance_id, emulator.task_name).stage


def test_a_task_is_paused_and_runs_again() -> None:
    """Polled until it is so, both times; on a service that refuses what is so already."""
    with Emulator(mode="strict", delay=3) as emulator:
        outcome = run(WORKFLOW, emulator)
        calls = [call.operation for call in emulator.journal()]
        assert stage(emulator) == "Incremental"
        assert emulator.task(emulator.instance_id, emulator.task_name).changes == 2
    assert outcome.passed
    assert list(dict.fromkeys(outcome.tries)) == ALL
    assert calls.count("list") >= 4
    assert calls[0] == "pause"
    assert emulator.token not in outcome.text


# The fault, and how often the task is then paused and resumed.
FAILURES: list[tuple[str, dict[str, Any], int]] = [
    ("the pause is refused", {"kind": "error", "operation": "pause", "status": 400}, 0),
    (
        "the pause is lost and takes effect",
        {"kind": "close", "operation": "pause", "applied": True},
        2,
    ),
    ("the pause is lost and does not", {"kind": "close", "operation": "pause"}, 0),
    (
        "a firewall replaces the response to a pause",
        {"kind": "blocked", "operation": "pause", "applied": True},
        2,
    ),
    (
        "a gateway gives up on a pause that takes effect",
        {"kind": "error", "operation": "pause", "applied": True, "status": 408},
        2,
    ),
    (
        "a pause is redirected after it takes effect",
        {"kind": "redirect", "operation": "pause", "applied": True},
        2,
    ),
    ("the pause is never seen", {"kind": "never-settles", "times": 4}, 2),
    (
        "the resume is lost and takes effect",
        {"kind": "close", "operation": "resume", "applied": True, "times": 1},
        2,
    ),
]


@pytest.mark.parametrize(("what", "fault", "changes"), FAILURES, ids=[f[0] for f in FAILURES])
def test_no_task_stays_paused(
    impatient: Path, what: str, fault: dict[str, Any], changes: int
) -> None:
    """Whatever fails, the run fails and the task runs in the end."""
    with Emulator(mode="strict", faults=[Fault(**fault)]) as emulator:
        outcome = run(impatient, emulator)
        assert stage(emulator) == "Incremental"
        assert emulator.task(emulator.instance_id, emulator.task_name).changes == changes
    assert not outcome.passed


def test_a_resume_that_fails_now_and_then_is_repeated(impatient: Path) -> None:
    """And the run ends well."""
    fault = Fault("error", operation="resume", status=500, times=2)
    with Emulator(mode="strict", faults=[fault]) as emulator:
        outcome = run(impatient, emulator)
        assert stage(emulator) == "Incremental"
    assert outcome.passed
