"""`make workflow`: the maintenance window of workflows/, run by Redocly on the emulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taurusdb_starrocks_emulator import Emulator

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "workflows" / "maintenance-window.arazzo.yaml"
REDOCLY = ROOT / "node_modules" / ".bin" / "redocly"


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        tries: The steps in the order in which they were tried.
        checks: How many checks the last try of each step made.
        passed: Whether all steps passed in the end.
        text: What Redocly said.
    """

    tries: list[str]
    checks: int
    passed: bool
    seconds: float
    text: str

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        counts = f"{len(set(self.tries))} steps in {len(self.tries)} requests, {self.checks} checks"
        return f"{verdict}: {counts}, {self.seconds:.1f} s"


def run(workflow: Path, emulator: Emulator) -> Outcome:
    """Run a workflow on an emulator that has been entered."""
    inputs = {
        name: getattr(emulator, name)
        for name in ("token", "project_id", "instance_id", "task_name")
    }
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(
            [
                *(REDOCLY, "respect", workflow),
                *("--input", json.dumps(inputs)),
                *("--server", f"starrocks={emulator.url}"),
                *("--json-output", report),
            ],
            cwd=ROOT,
            env={**os.environ, "REDOCLY_TELEMETRY": "off"},
            capture_output=True,
            text=True,
            check=False,
        )
        text = done.stdout + done.stderr
        if not report.exists():
            raise RuntimeError(f"redocly respect did not run: {text}")
        document = json.loads(report.read_text(encoding="utf-8"))
    (ran,) = (file["executedWorkflows"] for file in document["files"].values())
    steps = list(_flat(ran))
    last = {step["stepId"]: step for step in steps}
    return Outcome(
        tries=[step["stepId"] for step in steps],
        checks=sum(len(step["checks"]) for step in last.values()),
        passed=done.returncode == 0,
        seconds=(ran[-1]["endTime"] - ran[0]["startTime"]) / 1000,
        text=text,
    )


def _flat(parts: Iterable[Any]) -> Iterator[Any]:
    """The steps of workflows, and of what a `goto` nests in them."""
    for part in parts:
        if "executedSteps" in part:
            yield from _flat(part["executedSteps"])
        else:
            yield part


def main() -> int:
    """Run it on a task that takes three seconds to pause and to resume; the exit status."""
    with Emulator(mode="strict", delay=3) as emulator:
        outcome = run(WORKFLOW, emulator)
        stage = emulator.task(emulator.instance_id, emulator.task_name).stage
    sys.stdout.write(f"workflow: {outcome}; in the end the task is {stage}\n")
    if not outcome.passed:
        sys.stdout.write(outcome.text)
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
