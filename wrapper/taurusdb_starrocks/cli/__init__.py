"""The command ``taurusdb-starrocks``: list, pause and resume tasks from a shell.

It needs the extra ``cli``. Without that, it shows one line that says what to install.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from taurusdb_starrocks import __version__

__all__ = ["main"]

PROGRAM = "taurusdb-starrocks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: The command's arguments. By default those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _begin_quickly()
        _open_closed()
    if given == ["--version"]:  # Quickly: without the imports below.
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        return 0
    for library in ("click", "rich"):
        if find_spec(library) is None:
            sys.stderr.write(
                f"{PROGRAM}: The command needs {library}, which is not installed: "
                "pip install 'taurusdb-starrocks[cli]'\n"
            )
            return 2
    try:
        from taurusdb_starrocks.cli.program import run  # noqa: PLC0415  # Not without the extra.

        return run(given)
    except KeyboardInterrupt:  # While modules are loaded; later ones are handled by commands.
        return 130


def _begin_quickly() -> None:
    """Collect garbage rarely, and not at exit: without this, a command takes 10 % longer."""
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)


def _open_closed() -> None:
    """Open the null device in place of standard streams that are closed, as by ``2>&-``.

    Python has None in place of such a stream, and another file could get its descriptor.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It gets the lowest free descriptor, which is the right one.
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  # It stays open.
            setattr(sys, name, stream)
