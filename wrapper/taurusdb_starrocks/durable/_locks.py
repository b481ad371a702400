"""Locks that the kernel releases when their process is gone, however that came about.

They are POSIX locks of a whole file. A forked child does not inherit them, so a worker that lives
on does not keep its dead parent alive, as it would with flock. They are lost when the process
closes any descriptor of the file: so each file is opened once, closed by ``exec``, and not opened
to find out about a lock of this process.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from taurusdb_starrocks.durable._errors import JournalError

_held: dict[Path, int] = {}  # Which process holds it: a forked child has a copy of this.


class Lock:
    """A lock that this process holds until it is released or the process is gone."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(
                f"No lock can be had beside the journal, on {path}: {error.strerror}. Nothing was "
                "sent."
            ) from error
        self._path = path
        self._process = os.getpid()
        _held[path] = self._process

    def release(self) -> None:
        """Release it and remove its file; in a forked child, nothing."""
        if self._process != os.getpid() or self._path not in _held:
            return
        with suppress(OSError):
            self._path.unlink()
        del _held[self._path]
        os.close(self._handle)


def remove(path: Path) -> None:
    """Remove the file of a lock whose process is gone."""
    if not alive(path):
        path.unlink(missing_ok=True)


def alive(path: Path) -> bool:
    """Whether a process on this machine holds the lock."""
    if _held.get(path) == os.getpid():
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, so that two who try at once do not take each other for the owner.
        fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)
