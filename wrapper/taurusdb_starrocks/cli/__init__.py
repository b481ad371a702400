"""The command ``taurusdb-starrocks``: pause, watch and resume tasks from a shell.

It needs the extra ``cli``, and says so in one line where that is not installed.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from taurusdb_starrocks import __version__

__all__ = ["main"]

PROGRAM = "taurusdb-starrocks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, or the process's own; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _begin_quickly()
    if given == ["--version"]:  # Without what takes long to load.
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        return 0
    for library in ("click", "rich"):
        if find_spec(library) is None:
            sys.stderr.write(
                f"{PROGRAM}: The command needs {library}, which is not installed: "
                "pip install 'taurusdb-starrocks[cli]'\n"
            )
            return 2
    from taurusdb_starrocks.cli.program import run  # noqa: PLC0415  # Not without the extra.

    return run(given)


def _begin_quickly() -> None:
    """Look for garbage seldom, and not when the process ends: a third of what a command takes."""
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
