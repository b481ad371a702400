"""The process that resumes the tasks of a window when its program cannot.

It is a new interpreter in its own terminal session. Its settings arrive on standard input, which
ends with the program. It reports once, on standard output, that it is ready.

The loop is the same for every kind of window. What differs is behind ``Guarded``.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import syslog
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from sqlite3 import Row
from typing import Any, NamedTuple, Protocol

from taurusdb_starrocks import Client, Rebuild, ReplicationError
from taurusdb_starrocks.durable import _clock, _locks, _records, _recovery
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import SupersededError

TICK = 1.0  # Seconds between checks that the program is alive.
REREAD = 5.0  # Seconds between reads of the journal.
GROUP_TICK = 0.1  # Seconds between checks that the program's children are alive.
FIRST_RETRY, LAST_RETRY = 1.0, 300.0  # Seconds until a failed resume is tried again.


class Standing(NamedTuple):
    """What the journal records about a window. ``Guarded.read`` returns it.

    Attributes:
        left: Seconds until the lease ends; 0 or less when it has ended.
        closed: Whether the window is closed. A closed window has no task to resume.
        process_group: ID of the group of child processes that must have exited before the tasks are
            resumed; None if the program has recorded none.
        group_born: When and where the leader of that group started. It identifies the group,
            because the system reuses process IDs.
        grace: Seconds between SIGTERM and SIGKILL for that group.
    """

    left: float
    closed: bool = False
    process_group: int | None = None
    group_born: str = ""
    grace: float = 0.0

    @classmethod
    def of(cls, row: Row) -> Standing:
        """The standing of a window, from its row in the journal."""
        return cls(
            _records.left(row, _clock.now()),
            row["closed_wall"] is not None,
            row["process_group"],
            row["group_born"],
            row["grace"],
        )


class Guarded(Protocol):
    """A window in the guardian process. Implement this protocol for ``guard``.

    Attributes:
        name: Name of the window in the system log.
    """

    name: str

    def read(self) -> Standing:
        """Read the journal, and return what it records about the window.

        Raises:
            JournalError: The journal cannot be read. The guardian tries again later.
        """

    def alive(self) -> bool:
        """Return whether the program of the window is running, according to its lock."""

    def use(self, client: Any) -> None:
        """Create all later clients from these instructions.

        The guardian calls this method when the credentials of the program have changed.

        Args:
            client: The first value that ``Watched.client`` returned in the program.
        """

    def take(self, *, expired: bool) -> bool:
        """Take over the tasks: afterwards, only this process may send requests for them.

        Args:
            expired: True if the guardian takes over the tasks only because the lease has ended.
                Then check the lease again in the same transaction, because the program may have
                extended the lease.

        Returns:
            Whether there are tasks to resume.

        Raises:
            SupersededError: Another process is resuming the tasks, or the lease was extended.
            ReplicationError: The journal cannot be read. The guardian tries again later.
        """

    def resume(self, *, release: bool) -> str:
        """Try once to resume the tasks.

        Args:
            release: True if the window is over. False if the lease has ended, but the program is
                still running and may still send a pause. After false, the guardian calls this
                method again with true when the program has exited or has sent ``over=True``. The
                guardian skips that call if ``Standing.closed`` is true or ``take`` returns false.

        Returns:
            What was done, for the system log.

        Raises:
            SupersededError: Another process is resuming the tasks.
            ReplicationError: Tasks may still be paused. The guardian tries again later.
        """

    def failed(self, error: ReplicationError) -> None:
        """Record the error that ``take`` or ``resume`` raised. Must not raise."""

    def close(self) -> None:
        """Release the guardian's lock, and close the journal."""


def main(given: dict[str, Any], hears: int = 0, says: int = 1) -> None:
    """Be the guardian of a durable window."""
    guard(given, _Window, hears, says)


def guard(
    given: dict[str, Any],
    guarded: Callable[[Mapping[str, Any]], Guarded],
    hears: int = 0,
    says: int = 1,
) -> None:
    """Run as the guardian of a window until the window is closed or no task is left to resume.

    Call this function from ``main`` in the module that ``Watched.guardian`` names. It ignores
    SIGTERM, SIGINT, and SIGHUP, and logs to the system log as ``taurusdb-starrocks-guardian``.

    Args:
        given: First argument of ``main``: what ``Watched.appoint`` returned, with the keys
            ``actor``, ``parent``, and ``client``. ``actor`` is the ID of the guardian's lock.
            ``parent`` is the process ID of the program, or None if the guardian keeps running after
            the program has exited, like the guardian of a hold. ``client`` is the first value that
            ``Watched.client`` returned.
        guarded: Function that creates the ``Guarded`` object from ``given``.
        hears: File descriptor from which the guardian reads messages of the program.
        says: File descriptor to which the guardian writes that it is ready.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if given["parent"] is None and os.fork():
        sys.exit()  # The program must not have to wait for it.
    syslog.openlog("taurusdb-starrocks-guardian", syslog.LOG_PID, syslog.LOG_DAEMON)
    try:
        guardian = Guardian(guarded(given), given["parent"], hears)
    except ReplicationError as error:
        _say(says, {"failed": f"{type(error).__name__}: {error}"})
        return
    _say(says, {"ready": os.getpid()})
    os.close(says)
    guardian.run()


def _say(handle: int, what: dict[str, Any]) -> None:
    with suppress(OSError):  # The program may be gone already, which is what a guardian is for.
        os.write(handle, json.dumps(what).encode() + b"\n")


class Guardian:
    """The loop of a guardian.

    Args:
        guarded: The tasks.
        parent: The program's process ID, or None.
        pipe: Descriptor on which the program's messages arrive.
    """

    def __init__(self, guarded: Guarded, parent: int | None, pipe: int) -> None:
        self._guarded = guarded
        self._parent = parent
        self._pipe: int | None = pipe
        self._input = b""
        self._over = False  # Whether the program has said that the window is over.
        self._said = ""  # The last error in the system log.
        self._wait = FIRST_RETRY
        self._due = 0.0  # When the next attempt to resume is due.
        self._standing = guarded.read()
        self._read_at = _clock.now()

    def run(self) -> None:
        """Wait until the window ends, and resume its tasks unless the program did."""
        try:
            while not self._watched():
                time.sleep(TICK)
        finally:
            self._guarded.close()

    def _watched(self) -> bool:
        """Watch until the work is done; False if that failed and must start again."""
        try:
            self._watch()
        except Exception as error:  # noqa: BLE001  # Nobody else resumes the tasks.
            self._log_once(f"the guardian goes on after {type(error).__name__}: {error}")
            return False
        return True

    def _watch(self) -> None:
        resumed = False  # Whether the tasks were resumed while the program is alive.
        while True:
            gone = self._gone()
            if gone or self._over or self._left <= 0 or self._since_read > REREAD:
                self._read()  # The window may have been closed or extended.
            if self._standing.closed:
                return
            left = self._left
            ends = gone or self._over or (left <= 0 and self._parent is None)
            wait = min(left, TICK) if left > 0 else TICK
            if gone and not self._over and left > 0 and self._group_lives():
                wait = min(left, GROUP_TICK)
            elif ends or (left <= 0 and not resumed):
                wait = self._due - time.monotonic()
                if wait <= 0:
                    resumed = self._resume(gone=gone, ends=ends)
                    if resumed and ends:
                        return
                    wait = 0.0
            self._listen(min(wait, TICK))

    @property
    def _since_read(self) -> float:
        return _clock.now().since(self._read_at)

    @property
    def _left(self) -> float:
        """Seconds until the lease ends, as the journal was last read."""
        return self._standing.left - self._since_read

    def _read(self) -> None:
        try:
            standing = self._guarded.read()
        except JournalError as error:
            self._log_once(str(error))
        else:
            self._standing, self._read_at = standing, _clock.now()

    def _log(self, level: int, text: str) -> None:
        syslog.syslog(level, f"{self._guarded.name}: {text}")

    def _log_once(self, text: str) -> None:
        """Log an error, unless it is the same as before: this may be called every second."""
        if text != self._said:
            self._log(syslog.LOG_ERR, text)
        self._said = text

    def _gone(self) -> bool:
        """Whether the program is gone."""
        if self._parent is None:
            return False
        if os.getppid() != self._parent:
            return True
        if self._pipe is not None:
            return False
        # The pipe has ended first: the kernel closes it before the process ends.
        for _ in range(50):
            if os.getppid() != self._parent or not self._guarded.alive():
                return True
            time.sleep(0.01)
        return False

    def _listen(self, seconds: float) -> None:
        """Wait for messages of the program, and handle them."""
        if self._pipe is None:
            time.sleep(seconds)
            return
        if not select.select([self._pipe], [], [], seconds)[0]:
            return
        data = os.read(self._pipe, 65536)
        if not data:
            os.close(self._pipe)
            self._pipe = None
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            self._heed(json.loads(line))

    def _heed(self, message: dict[str, Any]) -> None:
        if "client" in message:
            self._guarded.use(message["client"])
            self._due = 0.0  # A resume may have failed because of the former credentials.
        if "look" in message:
            self._read()
        self._over = self._over or "over" in message

    def _group_lives(self) -> bool:
        return _recovery.group_lives(self._standing.process_group, self._standing.group_born)

    def _resume(self, *, gone: bool, ends: bool) -> bool:
        """Try once to resume the tasks; return whether nothing is left to do."""
        expired = not gone and not self._over
        why = "its program is gone" if gone else "its lease is over" if expired else "it is over"
        try:
            # From here on the program can neither pause a task nor extend the lease.
            if not self._guarded.take(expired=expired):
                return True
            if not self._over and self._standing.process_group is not None:
                group = self._standing.process_group
                _recovery.end_group(group, self._standing.group_born, self._standing.grace)
            done = self._guarded.resume(release=ends)
        except SupersededError as error:
            self._log(syslog.LOG_INFO, f"({why}) {error}")
        except ReplicationError as error:
            self._guarded.failed(error)
            self._log(
                syslog.LOG_ERR,
                f"({why}) may still be paused, and tried again in {self._wait:.0f} s: {error}"
                + (f" ({error.__cause__})" if error.__cause__ else ""),
            )
        else:
            self._log(syslog.LOG_WARNING, f"({why}) {done}")
            self._wait, self._due = FIRST_RETRY, 0.0
            return True
        self._due = time.monotonic() + self._wait
        self._wait = min(self._wait * 2, LAST_RETRY)
        return False


class _Window:
    """A durable window, or a hold.

    Args:
        given: ``journal`` and ``window``; ``actor``, the ID of the guardian's lock; ``client``,
            how the client is built; ``waiting``, how to wait.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._window: str = given["window"]
        self._actor: str = given["actor"]
        self.name = f"window {self._window}"
        self._waiting = _recovery.rebuilt(given["waiting"])
        self._settings = Rebuild.from_document(given["client"])
        self._journal = Journal(given["journal"], create=False)
        self._lock = _locks.Lock(self._journal.lock_path(self._actor))
        self._build().close()  # Wrong settings are reported before anything is paused.
        self._rescue = _recovery.Rescue(self._journal, self._window, self._actor)
        self._row = self._find()

    def _build(self) -> Client:
        client: Client = self._settings.build()
        return client

    def _find(self) -> Row:
        self._rescue.look()
        return self._journal.read(lambda c: _records.find(c, self._window))

    def read(self) -> Standing:
        """Read the row, and which tasks there are, so that they can be resumed without it too."""
        self._row = self._find()
        return Standing.of(self._row)

    def alive(self) -> bool:
        """Whether the program still holds its lock."""
        return self._rescue.alive(self._window)

    def use(self, client: Any) -> None:
        """Build clients from another document."""
        self._settings = Rebuild.from_document(client)

    def take(self, *, expired: bool) -> bool:
        """Take the window over, unless another process that is alive has done so."""
        try:
            self._row = self._find()
        except JournalError:  # `Rescue.take` warns about it, and continues with what it knows.
            return bool(self._rescue.take(expired=expired))
        other = self._row["actor"]
        if other not in {self._actor, self._window} and self._rescue.alive(other):
            raise SupersededError("Another process has taken the window over.")
        return bool(self._rescue.take_as_seen(expired=expired))

    def resume(self, *, release: bool) -> str:
        """Resume the tasks with a new client."""
        self.take(expired=False)  # Time has passed: the children may have needed the grace.
        with self._build() as client:
            names = self._rescue.resume(client, release=release, **self._waiting)
        return f"resumed {', '.join(names) or 'nothing'}"

    def failed(self, error: ReplicationError) -> None:
        """Write it into the row, unless another process has the window now."""
        if not self._rescue.superseded():
            self._rescue.trouble(error)

    def close(self) -> None:
        """Also remove the lock file of a program that was killed."""
        self._lock.release()
        _locks.remove(self._journal.lock_path(self._window))
        self._journal.close()
