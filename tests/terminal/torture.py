"""Signals at random moments of `taurusdb-starrocks window`, and what becomes of the tasks.

    python -m tests.terminal.torture --times 100 [--fleet]

For each of SIGINT, SIGTERM, SIGHUP and SIGKILL, so many windows are sent one at a random moment
between their start and their end. Afterwards each task runs, by the emulator's own records, or
the window named it. The command of a window writes down the moments at which it runs: none may be
before the pause took effect, or after a resume was sent.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from taurusdb_starrocks_emulator import Emulator

from tests import guardians

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports" / "torture-window.json"
PROJECT = "0483b6b16e954cb88930a360d2c4e663"
TASK = "orders_sync"
DELAY = 0.2  # Seconds until the emulator's tasks are paused or resumed.
LONGEST, GRACE = 5.0, 0.5  # Seconds: of a window, and of its command when it must end.
LONG = 60.0  # Seconds that a command takes which is ended before.
HANGS = 40.0  # Seconds after which a window that is not over is a fault.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
# Writes down when it runs. How it ends: by itself, at once when it is told, later, or never.
COMMAND = """
import os, signal, sys, time
file, seconds, manner = sys.argv[1], float(sys.argv[2]), sys.argv[3]
told = []
def tell(number, frame):
    told.append(time.monotonic() + {"at once": 0, "later": 0.2, "never": 1e9}[manner])
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, tell)
end = time.monotonic() + seconds
with open(file, "w", buffering=1) as beats:
    while time.monotonic() < min([end, *told]):
        beats.write(f"{time.time()}\\n")
        time.sleep(0.004)
"""


@dataclass(frozen=True)
class Plan:
    """One window, and what is done to it.

    Attributes:
        signal: What it is sent.
        after: When, as a share of what a window takes that is sent nothing.
        command: Seconds that its command takes.
        manner: How that ends when it is told to.
    """

    signal: str
    after: float
    command: float
    manner: str


@dataclass
class Tally:
    """What happened."""

    windows: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    hits: int = 0
    commands: int = 0
    left: int = 0
    named: int = 0
    overlap: float = 0.0
    slowest: float = 0.0
    violations: list[dict[str, Any]] = field(default_factory=list)


# The command; and one whose guardian does not know what it runs, which must be found out.
PROGRAM = ["-m", "taurusdb_starrocks.cli"]
NO_GUARD = """
import sys
from taurusdb_starrocks import durable
from taurusdb_starrocks.cli import main
durable.DurableWindow.guard = lambda *_, **__: None
sys.exit(main())
"""
UNGUARDED = ["-c", NO_GUARD]

QUIET = Plan("none", 0.0, 0.7, "at once")


def draw(chance: random.Random, times: int) -> list[Plan]:
    """The windows, in any order."""
    plans = [
        Plan(
            signal=number.name,
            after=round(chance.uniform(0.0, 1.0), 3),
            command=chance.choice([0.7, 0.7, LONG]),
            manner=chance.choice(["at once", "at once", "later", "never"]),
        )
        for number in SIGNALS
        for _ in range(times)
    ]
    chance.shuffle(plans)
    return plans


class Torture:
    """Windows on instances of their own, several at once."""

    def __init__(
        self, plans: list[Plan], workers: int, folder: Path, program: list[str], *, fleet: bool
    ) -> None:
        self._plans = plans
        self._program = program
        self._fleet = fleet
        self._folder = folder
        self._lock = threading.Lock()
        self._span = 0.0
        self.tally = Tally()
        instances = [
            {"id": f"{number:032x}in17", "tasks": [{"name": TASK, "source_database": "db"}]}
            for number in range(workers)
        ]
        seed = {"projects": [{"id": PROJECT, "name": "r", "instances": instances}]}
        self._instances = [str(each["id"]) for each in instances]
        self._emulator = Emulator(seed=seed, delay=DELAY)

    def run(self) -> Tally:
        """Have all of them."""
        with self._emulator:
            # What a window takes while as many others run.
            began = time.monotonic()
            self._in_parallel(
                lambda instance: self._window(instance, QUIET, self._folder / f"{instance}-beats")
            )
            self._span = time.monotonic() - began
            self.tally = Tally()
            self._in_parallel(self._work)
        return self.tally

    def _in_parallel(self, work: Callable[[str], None]) -> None:
        workers = [threading.Thread(target=work, args=(instance,)) for instance in self._instances]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _work(self, instance: str) -> None:
        while True:
            with self._lock:
                if not self._plans:
                    return
                plan = self._plans.pop()
                number = len(self._plans)
            self._window(instance, plan, self._folder / f"beats-{number}")

    def _window(self, instance: str, plan: Plan, beats: Path) -> None:
        """One window, its signal, and the state of the world after it."""
        began = time.time()
        process = subprocess.Popen(
            [
                *("env", "--default-signal=INT,HUP,TERM"),
                *(sys.executable, *self._program, *self._command(instance)),
                *("--max", f"{LONGEST}s", "--grace", f"{GRACE}s", "--interval", "0.05s"),
                *("--timeout", "20s", "--", sys.executable, "-I", "-S", "-c", COMMAND),
                *(str(beats), str(plan.command), plan.manner),
            ],
            env=os.environ
            | {
                "TAURUSDB_STARROCKS_ENDPOINT": self._emulator.url,
                "TAURUSDB_STARROCKS_AUTH_TOKEN": self._emulator.token,
                "HUAWEICLOUD_SDK_PROJECT_ID": PROJECT,
                "XDG_STATE_HOME": str(self._folder / instance),
            },
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        time.sleep(plan.after * self._span)
        if process.poll() is None and plan is not QUIET:
            process.send_signal(signal.Signals[plan.signal])
            with self._lock:
                self.tally.hits += 1
        try:
            _, said = process.communicate(timeout=HANGS)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
            self._violation("hangs", instance, plan, began, said)
        named = process.returncode == 122 and TASK in said
        killed = process.returncode == -signal.SIGKILL
        left = self._left(instance, began, HANGS if killed else 0.0)
        self._judge(instance, plan, beats, began, said, left=left, named=named)
        with self._lock:
            self.tally.windows[plan.signal] += 1
            self.tally.statuses[str(process.returncode)] += 1
        if left:
            self._left(instance, began, HANGS)  # The guardian goes on.
            self._emulator.set_stage(instance, TASK, "Incremental")

    def _command(self, instance: str) -> list[str]:
        if not self._fleet:
            return ["window", instance, TASK]
        targets = self._folder / f"{instance}.csv"
        targets.write_text(f"instance_id,task_name\n{instance},{TASK}\n", encoding="utf-8")
        return ["fleet", "window", str(targets)]

    def _left(self, instance: str, began: float, seconds: float) -> bool:
        """Whether the task is left paused, after so long."""
        limit = time.monotonic() + seconds
        while self._emulator.task(instance, TASK).target == "Paused":
            if time.monotonic() >= limit:
                return True
            time.sleep(0.05)
        with self._lock:
            self.tally.slowest = max(self.tally.slowest, time.time() - began)
        return False

    def _judge(
        self,
        instance: str,
        plan: Plan,
        beats: Path,
        began: float,
        said: str,
        *,
        left: bool,
        named: bool,
    ) -> None:
        calls = [
            call
            for call in self._emulator.journal()
            if call.instance_id == instance and call.time >= began and call.job_id
        ]
        pauses = [call.time for call in calls if call.operation == "pause"]
        resumes = [call.time for call in calls if call.operation == "resume"]
        moments = [float(line) for line in beats.read_text().split()] if beats.exists() else []
        overlap = 0.0
        if moments:
            paused = pauses[0] + DELAY if pauses else moments[-1]
            overlap += max(0.0, paused - moments[0])
            overlap += max(0.0, moments[-1] - min([*resumes, moments[-1]]))
        with self._lock:
            self.tally.commands += bool(moments)
            self.tally.named += left and named
            self.tally.left += left and not named
            self.tally.overlap += overlap
        if left and not named:
            self._violation("left paused and unnamed", instance, plan, began, said)
        if overlap:
            self._violation(f"both ran for {overlap:.3f} s", instance, plan, began, said)

    def _violation(self, what: str, instance: str, plan: Plan, began: float, said: str) -> None:
        calls = [
            {"after": round(call.time - began, 3), "call": call.operation, "status": call.status}
            for call in self._emulator.journal()
            if call.instance_id == instance and call.time >= began and call.operation != "list"
        ]
        found = {"what": what, "plan": asdict(plan), "calls": calls, "said": said}
        with self._lock:
            self.tally.violations.append(found)


def main(arguments: list[str] | None = None) -> int:
    """Have the windows; 1 if one of them did what it must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=100, help="windows for each signal")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--fleet", action="store_true", help="windows of `fleet window`")
    parser.add_argument("--unguarded", action="store_true", help="without its guard: must fail")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Under nohup, its programs would ignore it too.
    with tempfile.TemporaryDirectory() as folder:
        plans = draw(random.Random(options.seed), options.times)
        program = UNGUARDED if options.unguarded else PROGRAM
        torture = Torture(plans, options.workers, Path(folder), program, fleet=options.fleet)
        tally = torture.run()
        guardians.end(Path(folder))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(vars(tally), indent=1), encoding="utf-8")
    say = sys.stdout.write
    windows = ", ".join(f"{name} {count}" for name, count in sorted(tally.windows.items()))
    say(f"windows                  {windows} in {time.monotonic() - began:.0f} s\n")
    say(f"signals that hit one     {tally.hits}\n")
    say(f"commands that ran        {tally.commands}\n")
    statuses = ", ".join(f"{status}: {n}" for status, n in sorted(tally.statuses.items()))
    say(f"exit statuses            {statuses}\n")
    say(f"left paused, and named   {tally.named}\n")
    say(f"left paused and unnamed  {tally.left}\n")
    say(f"both ran                 {tally.overlap:.3f} s\n")
    say(f"slowest until it runs    {tally.slowest:.1f} s after the start\n")
    say(f"torture-window: {len(tally.violations)} violations ({REPORT.relative_to(ROOT)})\n")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
