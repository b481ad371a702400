"""Torture the windows of a wrapper, and tell what became of the tasks: `make torture`.

    python -m tests.torture [--windows N] [--seconds S] [--seed N] [--ensure] [--wrapper FOLDER]

Programs with sync and async clients have windows over one and many tasks, on emulators with every
fault at random, late effects among them. They get real SIGINTs and SIGTERMs, some aimed at the
instant at which a block ends, fork, and are cancelled. Afterwards each task must run, by the
emulator's own records, or an error that reached the user must name it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "reports" / "torture.json"
# Two emulators, each in a process of its own: one with HTTPS and with lists that lie.
CELLS = ({"tls": False, "lies": False}, {"tls": True, "lies": True})


def main(arguments: list[str] | None = None) -> int:
    """Run all cells; 0 if each task runs or was named."""
    options = _parser().parse_args(arguments)
    begun = time.monotonic()
    cells = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.torture.cell", json.dumps(_cell(options, number))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(len(CELLS))
    ]
    tallies = [json.loads(cell.communicate(timeout=options.seconds + 120)[0]) for cell in cells]
    return report(options, tallies, time.monotonic() - begun)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    add = parser.add_argument
    add("--windows", type=int, default=5_000, help="how many (default: %(default)s)")
    add(
        "--seconds", type=float, default=900.0, help="begin none after these (default: %(default)s)"
    )
    add("--seed", type=int, default=1, help="of everything that is drawn (default: %(default)s)")
    add("--victims", type=int, default=10, help="programs per emulator (default: %(default)s)")
    add("--ensure", action="store_true", help="pause and resume without a block as well")
    add("--calm", action="store_true", help="no faults")
    add("--wrapper", default="", help="checkout whose wrapper it is (default: what is installed)")
    add("--victim", default=str(Path(__file__).with_name("victim.py")), help="the program")
    return parser


def _cell(options: argparse.Namespace, number: int) -> dict[str, Any]:
    """What a cell is told."""
    return {
        **CELLS[number],
        "seed": options.seed * 1000 + number,
        "windows": (options.windows + number) // len(CELLS),
        "seconds": options.seconds,
        "victims": options.victims,
        "ensure": options.ensure,
        "faults": not options.calm,
        "wrapper": options.wrapper and str(Path(options.wrapper).resolve()),
        "victim": str(Path(options.victim).resolve()),
    }


def report(options: argparse.Namespace, tallies: list[dict[str, Any]], took: float) -> int:
    """Print the figures, and write what went wrong into a file; the exit status."""
    total = Counter[str]()
    signals, faults, ends, kinds = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    violations = [found for tally in tallies for found in tally["violations"]]
    for tally in tallies:
        total.update({name: tally[name] for name in ("windows", "ensured", "named", "logged")})
        signals.update(tally["signals"])
        faults.update(tally["faults"])
        ends.update(tally["ends"])
    kinds.update(f"{found['what']}: {cause(found)}" for found in violations)
    _say(f"windows       {total['windows']} in {took:.0f} s, seed {options.seed}")
    _say(f"ensured       {total['ensured']} times, without a block")
    _say(f"faults met    {sum(faults.values())} of {len(faults)} kinds")
    _say(f"interrupted   {_counts(signals)}")
    _say(f"ended with    {_counts(ends)}")
    _say(f"left paused   {total['named']} named by an error, {total['logged']} only in the log")
    for kind, count in kinds.most_common():
        _say(f"FOUND {count:5d}   {kind}")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(violations, indent=1), encoding="utf-8")
    if violations:
        _say(f"each of them: {REPORT}")
    short = total["windows"] < options.windows
    _say(f"torture: {len(violations)} violations" + (", and fewer windows than wanted" * short))
    return 1 if violations or short else 0


def cause(found: dict[str, Any]) -> str:
    """What lies near, so that violations of one kind stand together."""
    plan, kinds = found["plan"], {call["fault"] or "" for call in found["calls"]}
    if found["what"] == "resumed by a forked child":
        return "forked"
    if any("late-pause" in kind for kind in kinds):
        return "a pause took effect late"
    if any("second-reply" in kind for kind in kinds):
        return "a stray reply"
    if plan["aim"] is not None:
        return "a signal as the block ended"
    if plan["signals"]:
        return "a signal"
    return "cancelled" if plan["cancels"] else "undisturbed"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common(12))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
