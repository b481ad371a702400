"""The command: find faults in a server that ought to follow the contract.

The last line says what came of it, and so does the exit status: 0 for no fault, 1 for faults, 2 if
nothing can be said.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from .report import CHECKS, Outcome, curl, write
from .run import Run
from .target import CannotRunError, read_target

__all__ = ["main", "seed_of", "tell", "verdict"]

REPORTS = Path("reports")
SHOWN = 20


def main(environment: Mapping[str, str] | None = None, say: Callable[[str], None] = print) -> int:
    """Fuzz the server at `TARGET`; the exit status."""
    environment = os.environ if environment is None else environment
    try:
        seed = seed_of(environment)
        target = read_target(environment.get("TARGET", ""), environment)
        say(f"fuzzing {target.url}, SEED={seed}")
        outcome = Run(target, seed=seed, say=say).go()
    except CannotRunError as error:
        say(f"fuzz: could not run: {error}")
        return 2
    return tell(outcome, say)


def tell(outcome: Outcome, say: Callable[[str], None]) -> int:
    """Write the reports and say what was found; the exit status."""
    last_line = verdict(outcome)
    write(outcome, REPORTS, last_line)
    for finding in outcome.findings[:SHOWN]:
        say(f"\n{finding.check}: {finding.where} (seen {finding.times} times)")
        say(f"  {CHECKS.get(finding.check, '')}")
        say(f"  {finding.message.strip()}"[:1000])
        if finding.exchange is not None:
            say(f"  {curl(finding.exchange.request, outcome.target)}"[:2000])
    say(f"\n{outcome.seconds:.0f} s; see {REPORTS / 'fuzz.html'}")
    say(last_line)
    return 1 if outcome.findings else 0


def seed_of(environment: Mapping[str, str]) -> int:
    """The seed that is set, or one drawn.

    Raises:
        CannotRunError: It is no number.
    """
    text = environment.get("SEED") or str(random.SystemRandom().randrange(2**32))
    if not (text.isascii() and text.isdecimal()):
        raise CannotRunError("SEED is no number")
    return int(text)


def verdict(outcome: Outcome) -> str:
    """The last line."""
    number = len(outcome.findings)
    if number:
        return f"fuzz: {number} fault" if number == 1 else f"fuzz: {number} faults"
    return f"fuzz: no fault in {outcome.cases} cases"


if __name__ == "__main__":
    sys.exit(main())
