"""Kill the programs of durable windows, and tell what became of the tasks: `make torture-durable`.

    python -m tests.torture.durable [--share N] [--seed N] [--only SCENARIO]

Real processes, killed with SIGKILL, stopped, restarted, and run against each other, on an emulator
with late effects, lost responses and throttling. Afterwards every task must run, by the emulator's
own records; nothing may have run in a block, and nothing that somebody else paused may run.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from tests.torture.durable import scenarios
from tests.torture.durable.arena import SETTLE, Arena
from tests.torture.durable.scenarios import Scenario

ROOT = Path(__file__).resolve().parents[3]
REPORT = ROOT / "reports" / "torture-durable.json"
SCENARIOS: dict[Scenario, int] = {
    scenarios.killed: 200,
    scenarios.killed_with_guardian: 50,
    scenarios.restarted: 100,
    scenarios.overlapping: 100,
    scenarios.expired: 15,
    scenarios.expired_while_stopped: 5,
    scenarios.expired_under_another_clock: 10,
}
LANES = 6


def main(arguments: list[str] | None = None) -> int:
    """Run all scenarios; 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.durable", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of each scenario's repetitions")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="name of one scenario")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds until all must run")
    parser.add_argument("--no-guardian", action="store_true", help="show that this finds something")
    options = parser.parse_args(arguments)
    status, findings = 0, []
    for scenario, count in SCENARIOS.items():
        if options.only in {"", scenario.__name__}:
            times = max(1, round(count * options.share))
            found = run(scenario, times, options)
            findings += found
            status |= bool(found)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(findings, indent=1), encoding="utf-8")
    _say(f"torture-durable: {len(findings)} violations" + (f", see {REPORT}" * bool(findings)))
    return status


def run(scenario: Scenario, times: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """Repeat one scenario on some instances at a time; what was found."""
    begun = time.monotonic()
    left = iter(range(times))
    failures: list[BaseException] = []
    with tempfile.TemporaryDirectory() as folder:
        with Arena(
            Path(folder),
            LANES,
            options.seed,
            patience=options.patience,
            guardians=not options.no_guardian,
        ) as arena:

            def lane(instance: str) -> None:
                try:
                    for number in left:
                        scenario(arena, random.Random(f"{options.seed} {number}"), instance)
                except BaseException as error:  # noqa: BLE001  # Raised again below.
                    failures.append(error)

            threads = [threading.Thread(target=lane, args=(one,)) for one in arena.instances]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if failures:
                raise failures[0]
            _report(scenario, times, arena, time.monotonic() - begun)
        complaints = (Path(folder) / "stderr.txt").read_text(errors="replace")
    for found in arena.violations:
        found["scenario"] = scenario.__name__
        found["complaints"] = complaints[-4000:]
    return arena.violations


def _report(scenario: Scenario, times: int, arena: Arena, took: float) -> None:
    calls = arena.emulator.journal()
    faults = sum(bool(call.fault) for call in calls)
    repeats = arena.repeats()
    _say(f"{scenario.__name__}: {times} in {took:.0f} s, {len(calls)} calls, {faults} faults")
    for name, count in sorted(arena.counts.items()):
        _say(f"  {count:5d} {name}")
    if arena.seconds:
        _say(f"  running after {median(arena.seconds):.1f} s, at most {max(arena.seconds):.1f} s")
    own, others = repeats["own"], repeats["others"]
    shortest = f", the first after {min(others):.2f} s" if others else ""
    _say(
        f"  {repeats['requests']} requests; of unknown outcome and repeated: {len(own)} by the "
        f"program, after polls, {len(others)} by who took over{shortest}"
    )
    if others and min(others) < SETTLE:
        arena.violations.append({"what": "repeated before settle", "gaps": sorted(others)})
    if repeats["accepted"]:
        arena.violations.append({"what": "repeated after accepted", "each": repeats["accepted"]})
    for found in arena.violations:
        _say(f"  FOUND {found['what']}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
