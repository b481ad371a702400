"""The process that resumes the tasks of a window when its program cannot.

It is a fresh interpreter in a session of its own. What it needs comes through its standard input,
which ends with the program; on its standard output it says once that it is ready.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import syslog
import time
from contextlib import suppress
from typing import Any

from taurusdb_starrocks import Client, Rebuild, ReplicationError
from taurusdb_starrocks.durable import _clock, _locks, _records, _recovery
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import SupersededError

TICK = 1.0  # Seconds between looks whether the program is there.
REREAD = 5.0  # Seconds between looks whether somebody has taken the window over.
FIRST_RETRY, LAST_RETRY = 1.0, 300.0  # Seconds until a failed resume is tried again.


def main(given: dict[str, Any], hears: int = 0, says: int = 1) -> None:
    """Be a guardian until its work is done. Only SIGKILL ends it earlier.

    Args:
        given: As ``Guardian`` has it.
        hears: Where the program's messages come from.
        says: Where it says that it is ready.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if given["parent"] is None and os.fork():
        sys.exit()  # Of a hold, whose program is not to wait for it.
    syslog.openlog("taurusdb-starrocks-guardian", syslog.LOG_PID, syslog.LOG_DAEMON)
    try:
        guardian = Guardian(given, hears)
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
    """A guardian.

    Args:
        given: What the program sent: ``journal`` and ``window``, ``actor`` (the ID of the
            guardian's lock), ``client`` (how it is built), ``waiting``, and ``parent``: the
            program's process, None for a hold.
        pipe: Where messages of the program come from.
    """

    def __init__(self, given: dict[str, Any], pipe: int) -> None:
        self._parent: int | None = given["parent"]
        self._window: str = given["window"]
        self._waiting: dict[str, Any] = _recovery.rebuilt(given["waiting"])
        self._settings = Rebuild.from_document(given["client"])
        self._journal = Journal(given["journal"])
        self._lock = _locks.Lock(self._journal.lock_path(given["actor"]))
        self._build().close()  # What cannot be built is said before anything is paused.
        self._rescue = _recovery.Rescue(self._journal, self._window, given["actor"])
        self._rescue.look()
        self._looked = 0.0
        self._row = self._read()
        self._pipe: int | None = pipe
        self._input = b""
        self._over = False  # Whether the program has said that the window is over.

    def run(self) -> None:
        """Wait for the end of the window, and resume its tasks unless the program did."""
        try:
            while not self._watched():
                time.sleep(TICK)
        finally:
            self._lock.release()
            _locks.remove(self._journal.lock_path(self._window))
            self._journal.close()

    def _watched(self) -> bool:
        """Watch until the window is over; False if that failed and must begin again."""
        try:
            self._watch()
        except Exception as error:  # noqa: BLE001  # Whatever it is, nobody else resumes the tasks.
            syslog.syslog(
                syslog.LOG_ERR,
                f"window {self._window}: the guardian goes on after "
                f"{type(error).__name__}: {error}",
            )
            return False
        return True

    def _watch(self) -> None:
        resumed = False  # Whether it has resumed the tasks of a program that lives.
        while True:
            gone = self._gone()
            left = _records.left(self._row, _clock.now())
            if gone or self._over or left <= 0 or time.monotonic() - self._looked > REREAD:
                self._row = self._read()  # It may have been closed, taken over or extended.
                left = _records.left(self._row, _clock.now())
            if self._row["closed_wall"] is not None:
                return
            ends = gone or self._over or (left <= 0 and self._parent is None)
            if ends or (left <= 0 and not resumed):
                if not self._over:
                    self._end_group()
                self._resume("its lease is over" if left <= 0 else "its program is gone", ends=ends)
                resumed = True
            if ends:
                return
            self._listen(min(left, TICK) if left > 0 else TICK)

    def _read(self) -> Any:
        self._looked = time.monotonic()
        try:
            return self._journal.read(lambda c: _records.find(c, self._window))
        except JournalError as error:
            syslog.syslog(syslog.LOG_ERR, f"window {self._window}: {error}")
            return self._row

    def _build(self) -> Client:
        client: Client = self._settings.build()
        return client

    def _gone(self) -> bool:
        """Whether the program is gone."""
        if self._parent is None:
            return False
        if os.getppid() != self._parent:
            return True
        if self._pipe is not None:
            return False
        # The pipe has ended first: the kernel closes it before it lets go of the process.
        for _ in range(50):
            if os.getppid() != self._parent or not self._rescue.alive(self._window):
                return True
            time.sleep(0.01)
        return False

    def _listen(self, seconds: float) -> None:
        """Take the program's messages until there are none for so long."""
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
            self._settings = Rebuild.from_document(message["client"])
        if "look" in message:
            self._row = self._read()
            self._rescue.look()
        self._over = self._over or "over" in message

    def _end_group(self) -> None:
        """Wait for the program's children until the lease ends, and then end them."""
        row = self._row
        group, since = row["process_group"], row["group_born"]
        while _recovery.group_lives(group, since) and _records.left(row, _clock.now()) > 0:
            time.sleep(0.05)
        if group is not None:
            _recovery.end_group(group, since, row["grace"])

    def _resume(self, why: str, *, ends: bool) -> None:
        """Resume the tasks, and try again until they run or are somebody else's.

        Args:
            why: Said in the system log.
            ends: Whether the window is over. Otherwise its tasks stay its own: a program that was
                stopped may still send a pause, and this is looked at again when it is gone.
        """
        wait = FIRST_RETRY
        while True:
            try:
                tasks = self._rescue.take()
                if not tasks:
                    return
                with self._build() as client:
                    names = self._rescue.resume(client, release=ends, **self._waiting)
            except SupersededError:
                return
            except ReplicationError as error:
                if self._rescue.superseded():
                    return
                self._rescue.trouble(error)
                syslog.syslog(
                    syslog.LOG_ERR,
                    f"window {self._window} ({why}): may still be paused, and tried again in "
                    f"{wait:.0f} s: {error} ({error.__cause__})",
                )
            else:
                syslog.syslog(
                    syslog.LOG_WARNING if names else syslog.LOG_INFO,
                    f"window {self._window} ({why}): resumed {', '.join(names) or 'nothing'}",
                )
                return
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0:
                self._listen(left)
            wait = min(wait * 2, LAST_RETRY)
