"""A terminal without a screen, with a program in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pyte

# Makes its standard input the terminal of its session, and becomes the program.
LAUNCH = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
CTRL_C, CTRL_Z = b"\x03", b"\x1a"


class Terminal:
    """A program in a terminal of its own, and what is on the screen.

    Args:
        command: The program and its arguments.
        environ: Its environment.
        folder: Where it runs.
        columns: Width of the terminal.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        environ: dict[str, str],
        folder: Path,
        columns: int = 80,
        lines: int = 24,
    ) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._side, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LAUNCH, *command],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env=environ | {"TERM": "xterm"},
            cwd=folder,
        )
        os.close(other)

    def processes(self) -> list[int]:
        """The processes of its session that have not ended."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdecimal():
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    if fields[0] != "Z" and int(fields[3]) == self.process.pid:
                        found.append(int(entry.name))
        return found

    def close(self) -> None:
        """Take the terminal away."""
        if self._side < 0:
            return
        os.close(self._side)
        self._side = -1
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def text(self) -> str:
        """What is on the screen, without the empty rest of lines and of the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n")

    @property
    def cursor_hidden(self) -> bool:
        """Whether the cursor is not shown."""
        return bool(self._screen.cursor.hidden)

    def keys(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._side, keys)

    def read(self, seconds: float) -> bool:
        """Take what is written next; return whether there can be more."""
        if not select.select([self._side], [], [], max(0.0, seconds))[0]:
            return True
        try:
            data = os.read(self._side, 65536)
        except OSError:  # Everybody who had it open is gone.
            return False
        self._stream.feed(data)
        return True

    def until(self, pattern: str, seconds: float = 15.0) -> str:
        """Wait until the screen has a text like this; return the screen."""
        limit = time.monotonic() + seconds
        while not re.search(pattern, self.text, re.MULTILINE):
            assert time.monotonic() < limit, f"no {pattern!r} on:\n{self.text}"
            self.read(0.2)
        return self.text
