"""How many faults in ``_decisions/`` its tests find: each mutant is one, and they must kill most.

    python tests/mutation/decision_power.py

mutmut changes one expression at a time and runs the tests that reach it. Mutants that no test can
or should kill are listed, with the reason, in ``equivalent.toml``; a row without such a mutant is
an error. mutmut expects a package beside its tests, so both are copied into a folder of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = "taurusdb_starrocks"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
LEAST = 95.0
LONGEST = 600  # Seconds.
SETTINGS = f"""
[tool.mutmut]
source_paths = ["{PACKAGE}"]
only_mutate = ["{PACKAGE}/_decisions/*"]
pytest_add_cli_args_test_selection = ["tests"]
pytest_add_cli_args = ["-x", "-p", "no:cacheprovider"]
timeout_constant = 5.0

[tool.pytest.ini_options]
addopts = "--strict-markers --strict-config"
filterwarnings = ["error"]
"""
# What mutmut calls a mutant that the tests did not notice.
ALIVE = frozenset({"survived", "no tests"})
# And one that they did: a test failed, or an interrupt escaped from it, it never came to an end, or
# it crashed.
DEAD = frozenset({"killed", "check was interrupted by user", "timeout", "segfault", "suspicious"})


class Mutant(NamedTuple):
    """A mutant that the tests did not notice: where it is, the line as it was, and as it is."""

    place: str
    was: str
    becomes: str


def prepare(folder: Path) -> None:
    """Put the package and the tests of its decisions where mutmut expects them."""
    shutil.copytree(
        ROOT / "wrapper" / PACKAGE,
        folder / PACKAGE,
        ignore=lambda _folder, names: {
            name for name in names if "." in name and not name.endswith(".py")
        },
    )
    shutil.copytree(ROOT / "tests" / "decisions", folder / "tests")
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")


def mutmut(folder: Path, *arguments: str) -> str:
    """What mutmut prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        check=True,
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST,
    )
    return ran.stdout


def statuses(results: str) -> dict[str, str]:
    """What became of each mutant, from the lines of ``mutmut results --all true``."""
    return dict(re.findall(r"^\s*(\S+__mutmut_\d+): (.+)$", results, re.MULTILINE))


def mutant(name: str, diff: str) -> Mutant:
    """The mutant that a diff shows. Its number may change with any other change of the function."""
    place = name.removeprefix(f"{PACKAGE}._decisions.").rpartition("__mutmut_")[0]
    module, _, function = place.rpartition(".")
    function = re.sub("^xǁ(.*)ǁ(.*)$", r"\1.\2", function).removeprefix("x_")
    sides = {"-": "", "+": ""}
    for line in diff.splitlines():
        if line[:1] in sides and line[:3] not in {"---", "+++"}:
            sides[line[0]] += f" {line[1:].strip()}"
    return Mutant(f"{module}.{function}", sides["-"].strip(), sides["+"].strip())


def excluded(text: str) -> Counter[Mutant]:
    """The mutants of the list; each row must have a reason."""
    rows = tomllib.loads(text).get("mutant", [])
    for row in rows:
        if not row.pop("reason").strip():
            raise ValueError(f"{row} has no reason")
    return Counter(Mutant(**row) for row in rows)


def verdict(
    became: Mapping[str, str], alive: Iterable[Mutant], listed: Counter[Mutant]
) -> tuple[list[str], bool]:
    """The lines to print, and whether the tests are good enough."""
    unknown = set(became.values()) - ALIVE - DEAD
    alive = Counter(alive)
    unlisted, stale = alive - listed, listed - alive
    total = len(became) - (alive & listed).total()
    killed = sum(status in DEAD for status in became.values())
    share = 100 * killed / total if total else 0.0
    lines = [
        *(f"alive: {one.place}\n  - {one.was}\n  + {one.becomes}" for one in unlisted.elements()),
        *(f"not there, or killed: {one.place}\n  + {one.becomes}" for one in stale),
        *(f"unknown to this program: {status}" for status in sorted(unknown)),
        (
            f"{killed} of {total} mutants killed ({share:.1f} %, at least {LEAST:g} needed); "
            f"{(alive & listed).total()} more are equivalent, or change only a message"
        ),
    ]
    return lines, share >= LEAST and not stale and not unknown


def main() -> None:
    """Mutate, test, and say what survived."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        mutmut(folder, "run", "--max-children", str(os.cpu_count() or 1))
        became = statuses(mutmut(folder, "results", "--all", "true"))
        alive = [
            mutant(name, mutmut(folder, "show", name))
            for name, status in became.items()
            if status in ALIVE
        ]
        lines, good = verdict(became, alive, excluded(EQUIVALENT.read_text(encoding="utf-8")))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(not good)


if __name__ == "__main__":
    main()
