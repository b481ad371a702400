"""A program that waits for permission, and then becomes a command.

    python gate.py FD COMMAND...

A byte from the descriptor is the permission. If the descriptor ends without one, the process that
started this has ended or does not need the command any more, and the command never runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Become the command; return 126 or 127 if that fails, as shells do."""
    gate, command = int(arguments[0]), list(arguments[1:])
    if not os.read(gate, 1):
        return 0
    os.close(gate)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them.
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  # No shell is wanted.
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
