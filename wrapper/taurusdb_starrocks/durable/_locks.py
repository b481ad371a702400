"""Locks that the kernel releases when their process ends, for whatever reason.

They are POSIX locks on a whole file. Unlike with flock, a forked child does not inherit them, so a
worker does not make its dead parent look alive. A process loses them when it closes any descriptor
of the file. So each file is opened once, with close-on-exec, and is not opened again to test a lock
of this process.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from taurusdb_starrocks.durable._errors import JournalError

_held: dict[Path, int] = {}  # The process that holds each: a forked child has a copy of this.


class Lock:
    """A lock that this process holds until it releases it or ends.

    Raises:
        JournalError: The file cannot be created or locked. Nothing was sent.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(
                f"The lock file {path} cannot be created: {error.strerror}. Nothing was sent."
            ) from error
        self._path = path
        self._process = os.getpid()
        _held[path] = self._process

    def release(self) -> None:
        """Release it and remove its file. In a forked child, do nothing."""
        if self._process != os.getpid() or self._path not in _held:
            return
        with suppress(OSError):
            self._path.unlink()
        del _held[self._path]
        os.close(self._handle)


def remove(path: Path) -> None:
    """Remove the file of a lock that no process holds."""
    with suppress(JournalError):  # Then the file stays, which does no harm.
        if not alive(path):
            path.unlink(missing_ok=True)


def alive(path: Path) -> bool:
    """Whether a process on this machine holds the lock.

    Raises:
        JournalError: This cannot be found out, for example because too many files are open. The
            process may be alive, and nothing may be done about its tasks.
    """
    if _held.get(path) == os.getpid():
        return True
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _untested(path, error) from error
    try:
        # Shared, so that two processes that test it at once do not see each other as the owner.
        fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # Which of the two depends on the system.
        return True
    except OSError as error:
        raise _untested(path, error) from error
    else:
        return False
    finally:
        os.close(handle)


def _untested(path: Path, error: OSError) -> JournalError:
    return JournalError(
        f"The lock file {path} cannot be tested: {error.strerror}. So it is not known whether the "
        "process that has these tasks is alive, and nothing was done about them."
    )
