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

# The process that holds the lock of each file, because a forked child has a copy of this. A file
# can have several paths, for example by a mount.
_held: dict[tuple[int, int], int] = {}


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
        self._file = _identity(os.fstat(self._handle))
        _held[self._file] = self._process

    def release(self) -> None:
        """Release it and remove its file. In a forked child, do nothing."""
        if self._process != os.getpid() or self._handle < 0:
            return
        with suppress(OSError):
            self._path.unlink()
        del _held[self._file]
        os.close(self._handle)
        self._handle = -1  # The number and the file's identity can be used again.


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
    try:
        if _held.get(_identity(path.stat())) == os.getpid():
            return True
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


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _untested(path: Path, error: OSError) -> JournalError:
    return JournalError(
        f"The lock file {path} cannot be tested: {error.strerror}. So it is not known whether the "
        "process that has these tasks is alive, and nothing was done about them."
    )
