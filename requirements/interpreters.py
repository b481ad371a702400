"""Print the interpreters to test with: the first that runs of each version, oldest first.

They are looked for on the PATH, then among those that pyenv installed. What does not run (pyenv's
commands for versions that are not selected), cannot make environments, or is not a final release
is passed over.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = 11  # Of Python 3, as in requires-python.
PROBE = (
    "import sys, venv, ensurepip; "
    "print(sys.version_info.minor) if sys.version_info.releaselevel == 'final' else None"
)


def candidates(path: str, pyenv: Path) -> Iterator[Path]:
    """Files that are named like an interpreter, in the order in which they count."""
    for folder in [*map(Path, path.split(os.pathsep)), *sorted(pyenv.glob("versions/*/bin"))]:
        yield from sorted(
            file for file in folder.glob("python3.*") if re.fullmatch(r"python3\.\d+", file.name)
        )


def minor_version(python: Path) -> int | None:
    """The 11 of Python 3.11; None for what is of no use here."""
    try:
        ran = subprocess.run(
            [python, "-c", PROBE], check=True, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return int(ran.stdout) if ran.stdout.strip() else None


def interpreters(path: str, pyenv: Path) -> dict[int, Path]:
    """The first interpreter of each minor version."""
    found: dict[int, Path] = {}
    for python in candidates(path, pyenv):
        minor = minor_version(python)
        if minor is not None and minor >= OLDEST:
            found.setdefault(minor, python)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for python in interpreters(os.environ.get("PATH", os.defpath), root).values():
        sys.stdout.write(f"{python}\n")
