"""The program's end of the pipe to a guardian."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

from taurusdb_starrocks import ConfigurationError, ReplicationError

# Reads where to import from before it imports anything.
START = (
    "import json, sys; given = json.loads(sys.stdin.buffer.readline()); "
    "sys.path[:] = given['path']; "
    "from {} import main; main(given)"
)
NAME = "taurusdb-starrocks-guardian"  # Unused argument, by which people find it in a process list.
# What a process may need to start; everything else comes through the pipe.
KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")
# Relative places of sys.path start here: a program can change its folder later, or remove it.
_folder = Path("/")
with suppress(FileNotFoundError):  # It is removed already.
    _folder = Path.cwd()
PATIENCE = 60.0  # Seconds in which a guardian must report that it is ready.


class GuardianError(ReplicationError):
    """The guardian could not be started, or exited before it was ready. Nothing was sent."""


class Link:
    """A guardian, from the program's side.

    Args:
        given: What it needs. It goes through a pipe, because it may hold secrets.
        module: The module whose ``main`` it calls with that.

    Raises:
        GuardianError: It does not report in time that it is ready.
    """

    def __init__(self, given: dict[str, Any], module: str) -> None:
        if not sys.executable:
            raise ConfigurationError("There is no Python to run a guardian with. Nothing was sent.")
        self._lock = threading.Lock()
        try:
            its_input, self._to = os.pipe()
            self._from, its_output = os.pipe()
        except OSError as error:
            raise GuardianError(f"No guardian could be started: {error.strerror}.") from error
        _links.add(self)
        try:
            self._guardian = subprocess.Popen(  # noqa: S603  # This interpreter.
                [sys.executable, "-I", "-c", START.format(module), NAME],
                stdin=its_input,
                stdout=its_output,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in KEPT if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            self._drop()
            raise GuardianError(f"No guardian could be started: {error.strerror}.") from error
        finally:
            os.close(its_input)
            os.close(its_output)
        try:
            self.tell({**given, "path": [str(_folder / place) for place in sys.path]})
            ready = self._hear(PATIENCE)
        except BaseException:
            self.abandon()
            raise
        if not ready or "ready" not in ready:
            self.abandon()
            raise GuardianError(
                f"The guardian did not start: {(ready or {}).get('failed', 'it ended')}."
            )

    def tell(self, what: dict[str, Any]) -> None:
        """Send it a message. That it is gone is noticed by ``ended``."""
        data = memoryview(json.dumps(what).encode() + b"\n")
        with self._lock, suppress(OSError):
            while data:
                data = data[os.write(self._to, data) :]

    def _hear(self, seconds: float) -> dict[str, Any] | None:
        """Its next message; None if it is gone, or sends nothing in time."""
        line = b""
        while not line.endswith(b"\n"):
            # Not select.select: it cannot wait for descriptors from 1024 on.
            waiting = select.poll()
            waiting.register(self._from, select.POLLIN)
            if not waiting.poll(seconds * 1000):
                return None
            chunk = os.read(self._from, 65536)
            if not chunk:
                return None
            line += chunk
        message: dict[str, Any] = json.loads(line)
        return message

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it is gone, after waiting for up to ``seconds``."""
        try:
            self._guardian.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Wait until it is gone, and close the pipes."""
        self._guardian.wait()
        self._drop()

    def abandon(self) -> None:
        """End a guardian that was never ready."""
        with suppress(ProcessLookupError):
            self._guardian.kill()
        self._guardian.wait()
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            handles, self._to, self._from = (self._to, self._from), -1, -1
        for handle in handles:
            if handle >= 0:
                os.close(handle)

    def forked(self) -> None:
        """In a forked child: close the copies of the pipes, so that they end with the parent."""
        self._lock = threading.Lock()
        self._drop()


_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _in_child() -> None:
    for link in list(_links):
        link.forked()
    _links.clear()


os.register_at_fork(after_in_child=_in_child)
