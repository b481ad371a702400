"""A fleet that is killed again and again while the service fails, and what is left in the end.

``make soak-fleet`` runs the large form, a test the small one. The emulator is the witness: it knows
how each task really is, and every request that arrived, whatever became of its response.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from taurusdb_starrocks import AsyncClient, TokenAuth
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks.fleet import Target, report
from taurusdb_starrocks_emulator import Call, Emulator, Fault

from tests.fleet.fleets import PROJECT, instance, seed

SETTLE = 3.0
CALL_TIMEOUT = 1.0
LATE = 1.5  # Seconds after which a late pause takes effect.
WAITING: dict[str, Any] = {
    "settle": SETTLE,
    "call_timeout": CALL_TIMEOUT,
    "timeout": 300.0,
    "rate": 1e6,
    "poll": {"first": 0.2, "interval": 1.0, "longest": 2.0},
}
BATTERY = [
    Fault("throttle", probability=0.05, seed=1, retry_after="0"),
    Fault("reset-after-read", probability=0.01, seed=2),
    Fault("reset-after-read", probability=0.01, seed=3, applied=True),
    Fault("error", probability=0.005, seed=4, status=500),
    Fault("error", probability=0.005, seed=5, status=500, applied=True),
    Fault("hang", probability=0.005, seed=6, seconds=1.5),
    Fault("late-pause", probability=0.02, seed=7, seconds=LATE, meanwhile="ignored"),
]


class Killed(NamedTuple):
    """What a command came to that was killed and started again.

    Attributes:
        kills: How often it was killed while it ran.
        sent: How many requests arrived at the emulator.
        repeated: How many were sent again because the outcome of one was not known.
        soonest: Fewest seconds between such a request and the one before.
        after_accepted: How many were sent after the service had accepted one.
        wrong: What journal and emulator do not agree about.
        seconds: How long it took.
    """

    kills: int
    sent: int
    repeated: int
    soonest: float
    after_accepted: int
    wrong: list[str]
    seconds: float


class Fleet:
    """An emulator with a fleet, and a journal.

    Args:
        folder: Where its files are.
        instances: How many instances.
        tasks: How many tasks each has.
        faults: What goes wrong.
    """

    def __init__(
        self, folder: Path, instances: int, tasks: int, faults: Iterable[Fault] = ()
    ) -> None:
        self.emulator = Emulator(seed=seed(instances, tasks), faults=list(faults), delay=0.2)
        self.targets = [
            Target(instance(i), f"task_{n}") for i in range(instances) for n in range(tasks)
        ]
        self._folder = folder
        self._file = folder / "targets.csv"
        rows = (f"{target.instance_id},{target.task_name}\n" for target in self.targets)
        self._file.write_text("".join(["instance_id,task_name\n", *rows]))

    def start(self, verb: str, **waiting: Any) -> subprocess.Popen[str]:
        """Start the command."""
        document = {
            "verb": verb,
            "endpoint": self.emulator.url,
            "project_id": PROJECT,
            "token": self.emulator.token,
            "targets": str(self._file),
            "journal": str(self._folder / "journal" / "journal.db"),
            **WAITING,
            **waiting,
        }
        command = [sys.executable, "-m", "tests.fleet.worker", json.dumps(document)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(self, verb: str, **waiting: Any) -> dict[str, Any]:
        """Run the command to its end; what it came to."""
        with self.start(verb, **waiting) as process:
            assert process.stdout is not None
            text = process.stdout.read()
        assert process.returncode == 0, process.returncode
        came_to: dict[str, Any] = json.loads(text)
        return came_to

    def kill_often(self, verb: str, kills: int, horizon: float, draws: random.Random) -> Killed:
        """Kill the command at random moments until it was killed often enough; then let it end."""
        begun, before, done = time.monotonic(), len(self.emulator.journal()), 0
        while done < kills:
            process = self.start(verb)
            time.sleep(draws.uniform(0.2, horizon))
            done += process.poll() is None
            process.kill()
            process.communicate()
        came_to = self.finish(verb)
        assert not came_to["stopped"], came_to
        wrong = [f"{came_to['counts']}"] if came_to["errors"] else []
        calls = self._calls(verb, before)
        repeated, soonest, after_accepted = _repeats(calls)
        return Killed(
            done,
            sum(map(len, calls.values())),
            repeated,
            soonest,
            after_accepted,
            wrong + self._disagreements(verb, calls),
            time.monotonic() - begun,
        )

    def _calls(self, verb: str, since: int) -> dict[tuple[str, str], list[Call]]:
        calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
        for call in self.emulator.journal()[since:]:
            if call.operation == verb:
                assert call.instance_id is not None
                assert call.task_name is not None
                calls[call.instance_id, call.task_name].append(call)
        return calls

    def _disagreements(self, verb: str, calls: dict[tuple[str, str], list[Call]]) -> list[str]:
        """Where a row of the journal is not what the emulator has."""
        stage = "Paused" if verb == "pause" else "Incremental"
        states = {(task.instance_id, task.name): task for task in self.emulator.tasks()}
        wrong = []
        with Journal(self._folder / "journal" / "journal.db") as journal:
            for target, row in report(self.targets, journal=journal, connect=_nowhere(self)):
                key = (target.instance_id, target.task_name)
                jobs = {call.job_id for call in calls[key]}
                task = states[key]
                if (task.stage, task.target) != (stage, stage):
                    wrong.append(f"{key} is {task.stage}, on its way to {task.target}")
                if row is None or (row.verb, row.state) not in {
                    (verb, "confirmed"),
                    (verb, "found"),
                }:
                    wrong.append(f"{key} is {row} in the journal")
                elif row.job_id is not None and row.job_id not in jobs:
                    wrong.append(f"{key} has the job {row.job_id}, not one of {jobs}")
        return wrong


def _nowhere(fleet: Fleet) -> Any:
    def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
        return AsyncClient(
            endpoint=endpoint or fleet.emulator.url,
            project_id=project_id or PROJECT,
            auth=TokenAuth(fleet.emulator.token),
        )

    return connect


def _repeats(calls: dict[tuple[str, str], list[Call]]) -> tuple[int, float, int]:
    """How many requests were repeated that may have had an effect, how soon, and after success."""
    repeated, soonest, after_accepted = 0, float("inf"), 0
    for about in calls.values():
        serious = [call for call in about if call.status != 429]
        for earlier, later in itertools.pairwise(serious):
            repeated += 1
            soonest = min(soonest, later.time - earlier.time)
            after_accepted += earlier.status == 200
    return repeated, soonest, after_accepted


def measure(folder: Path, instances: int, tasks: int) -> dict[str, Any]:
    """What pausing and resuming a fleet costs without faults."""
    fleet = Fleet(folder, instances, tasks)
    with fleet.emulator:
        found = {verb: fleet.finish(verb) for verb in ("pause", "resume")}
    for came_to in found.values():
        assert came_to["counts"]["confirmed"] == instances * tasks, came_to
    return {
        "cpu": sum(each["cpu"] for each in found.values()) / (instances * tasks),
        "memory": max(each["memory"] for each in found.values()),
    }


def soak(folder: Path, instances: int, tasks: int, kills: int, horizon: float, draw: int) -> bool:
    """Pause and resume a fleet while it is killed; print what was found; whether all is well."""
    draws = random.Random(draw)
    fleet = Fleet(folder, instances, tasks, BATTERY)
    well = True
    with fleet.emulator:
        for verb in ("pause", "resume"):
            came_to = fleet.kill_often(verb, kills, horizon, draws)
            well &= not came_to.wrong and not came_to.after_accepted
            well &= came_to.soonest >= SETTLE
            print(  # noqa: T201  # It is what it is for.
                f"{verb}: {instances * tasks} tasks of {instances} instances, killed "
                f"{came_to.kills} times: {came_to.sent} requests arrived, {came_to.repeated} of "
                f"unknown outcome were repeated (the soonest after {came_to.soonest:.1f} s, settle "
                f"{SETTLE:.0f} s), {came_to.after_accepted} after an accepted one; journal and "
                f"emulator disagree on {len(came_to.wrong)}; {came_to.seconds:.0f} s",
                *came_to.wrong[:5],
                sep="\n  ",
                flush=True,
            )
    return well


def all_fail(folder: Path) -> bool:
    """How many requests are sent when every one of 300 is refused."""
    fleet = Fleet(folder, 10, 30, [Fault("error", operation="pause", applied=False, status=400)])
    with fleet.emulator:
        came_to = fleet.finish("pause")
        sent = sum(call.operation == "pause" for call in fleet.emulator.journal())
    print(  # noqa: T201  # As above.
        f"300 targets of which all fail: {sent} requests were sent, {came_to['counts']['planned']} "
        "targets were not tried",
        flush=True,
    )
    return bool(10 <= sent <= 25 and came_to["stopped"])


def outage(folder: Path, seconds: float) -> bool:
    """Resume while 30 % of all requests fail; whether all tasks run in the end."""
    fleet = Fleet(folder, 20, 30)
    calls: list[Call] = []  # Those of the outage.

    def recover() -> None:
        calls.extend(fleet.emulator.journal()[before:])
        fleet.emulator.faults.clear()

    with fleet.emulator:
        fleet.finish("pause")
        # Of two that are independent, at least one meets 30 % of all requests.
        for number, kind in enumerate(("error", "reset-before-read")):
            fleet.emulator.faults.add(Fault(kind, probability=0.164, seed=number))
        before = len(fleet.emulator.journal())
        recovery = threading.Timer(seconds, recover)
        recovery.start()
        came_to = fleet.finish("resume", rate=10.0)
        recovery.join()
        running = sum(task.stage == "Incremental" for task in fleet.emulator.tasks())
    failed = sum(call.fault is not None for call in calls)
    print(  # noqa: T201  # As above.
        f"600 tasks resumed, and for {seconds:.0f} s {failed} of {len(calls)} requests failed "
        f"({failed / len(calls):.0%}): {running} run in the end, after {came_to['elapsed']:.0f} s",
        flush=True,
    )
    outlasted = came_to["elapsed"] >= seconds and failed >= 0.25 * len(calls)
    return running == 600 and not came_to["errors"] and outlasted


def main(arguments: Sequence[str] | None = None) -> int:
    """The large form; the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = {}
    for instances in (options.instances // 10, options.instances):
        with TemporaryDirectory() as folder:
            found[instances] = measure(Path(folder), instances, 50)
        print(  # noqa: T201  # As above.
            f"{instances * 50} tasks of {instances} instances, without faults: "
            f"{found[instances]['cpu'] * 1e6:.0f} us of CPU for each and verb pair, "
            f"{found[instances]['memory']:.1f} MiB at most",
            flush=True,
        )
    few, many = found.values()
    well = many["cpu"] <= 1.1 * few["cpu"] and many["memory"] <= few["memory"] + 16
    with TemporaryDirectory() as folder:
        well &= all_fail(Path(folder))
    with TemporaryDirectory() as folder:
        well &= outage(Path(folder), 60.0)
    with TemporaryDirectory() as folder:
        well &= soak(Path(folder), options.instances, 50, options.kills, 8.0, options.seed)
    print("soak-fleet:", "well" if well else "FAILED")  # noqa: T201  # As above.
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
