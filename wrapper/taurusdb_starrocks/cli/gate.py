"""A program of its own: waits until it may become the command, and becomes it.

    python gate.py FD COMMAND...

A byte from the descriptor opens it. When that ends without one, whoever started this is gone, or
does not want the command any more, and it never runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Become the command; return 126 or 127, as shells do, if that is not possible."""
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
