"""Take over the tasks that a window left paused, and resume them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from sqlite3 import Connection, Row
from typing import Any

import attrs

from taurusdb_starrocks import (
    Client,
    ConfigurationError,
    Earlier,
    NotResumedError,
    Rebuild,
    ReplicationError,
)
from taurusdb_starrocks.durable import _clock, _locks, _records
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import Owned
from taurusdb_starrocks.durable._sender import Sender, logger


class Rescue:
    """Takes over the tasks of a window, and resumes them.

    Args:
        journal: The journal.
        window: ID of the window.
        actor: ID of the lock of this process.

    Attributes:
        recorded: Whether the journal could be told which tasks run.
    """

    def __init__(self, journal: Journal, window: str, actor: str) -> None:
        self.recorded = True
        self.journal = journal
        self.window = window
        self.actor = actor
        self._sender = Sender(journal, window, actor)
        self._earlier = Earlier()
        self._row: Row | None = None

    def alive(self, actor: str) -> bool:
        """Whether a process holds the lock of an actor."""
        return _locks.alive(self.journal.lock_path(actor))

    def look(self) -> list[Owned]:
        """Read the tasks of the window, so that they can be resumed without the journal, too."""
        self._row = self.journal.read(lambda c: _records.find(c, self.window))
        tasks = self.journal.read(lambda c: _records.owned(c, self.window))
        self._note(tasks)
        return tasks

    def _note(self, tasks: list[Owned]) -> None:
        row, now = self._row, _clock.now()
        assert row is not None
        lives = any(self.alive(who) for who in {row["actor"], self.window} - {self.actor})
        self._sender.tasks = {task.name: task for task in tasks}
        self._earlier = self.journal.read(
            lambda c: _records.earlier(c, tasks, now, row, lives=lives)
        )

    def take(self, *, expired: bool = False) -> list[Owned]:
        """Become the only process that may send requests about the tasks, and return them.

        If the journal cannot be written, this process goes on without it.

        Args:
            expired: Whether to do so only if the lease has ended.

        Raises:
            SupersededError: Another process was faster, or the lease was extended.
            JournalError: The journal cannot be read, and has not been read before.
        """
        try:
            self.look()
        except JournalError as error:
            if not self._earlier.names:
                raise
            logger.warning("resuming window %s without the journal: %s", self.window, error)
            return list(self._sender.tasks.values())
        return self.take_as_seen(expired=expired)

    def take_as_seen(self, *, expired: bool = False) -> list[Owned]:
        """The same, if the window still has the owner that the last ``look`` found.

        Raises:
            SupersededError: It is not, or the lease was extended.
            JournalError: The journal cannot be read after it was written.
        """
        row = self._row
        assert row is not None
        if row["actor"] == self.actor:
            return list(self._sender.tasks.values())
        try:
            tasks = self.journal.write(
                lambda c: _records.take(c, self.window, self.actor, row["actor"], expired=expired)
            )
        except JournalError as error:
            logger.warning("taking over window %s without the journal: %s", self.window, error)
            return list(self._sender.tasks.values())
        self._note(tasks)
        return tasks

    def give_back(self) -> None:
        """Return the window to its guardian, if that is running."""

        def write(c: Connection) -> None:
            row = _records.find(c, self.window)
            if row["actor"] == self.actor and self.alive(row["guardian"]):
                _records.take(c, self.window, row["guardian"], self.actor)

        self._sender.try_writing(write)

    def resume(self, client: Client, *, release: bool = True, **waiting: Any) -> list[str]:
        """Resume the tasks; return the names of those that may have been paused.

        Args:
            client: Sends the requests.
            release: Whether to release the tasks that run.
            **waiting: How to wait.

        Raises:
            ReplicationError: A task does not run yet. Those that run were released.
        """
        row = self._row
        assert row is not None
        # After a failed attempt each is resumed, also a task without a recorded request.
        known = self._sender.tasks if row["trouble"] else self._earlier.names
        names = [name for name in self._sender.tasks if name in known]
        failure: NotResumedError | None = None
        if names:
            try:
                client.ensure_running(
                    row["instance_id"],
                    names,
                    earlier=self._earlier,
                    **{"settle": row["settle"], **waiting},
                    recorder=self._sender,
                )
            except NotResumedError as error:
                failure = error
        left = failure.task_names if failure else ()
        if not release:
            self._set_trouble("")
        else:
            self._let_go([task for name, task in self._sender.tasks.items() if name not in left])
        if failure is not None:
            raise failure
        return names

    def superseded(self) -> bool:
        """Whether another process has the tasks, or the window is closed."""
        try:
            row = self.journal.read(lambda c: _records.find(c, self.window))
        except JournalError:
            return False
        known = {self.actor} if self._row is None else {self.actor, self._row["actor"]}
        return row["closed_wall"] is not None or row["actor"] not in known

    def _let_go(self, tasks: list[Owned]) -> None:
        now = _clock.now()

        def write(c: Any) -> None:
            _records.release(c, self.window, tasks)
            if not _records.owns_tasks(c, self.window):
                _records.close(c, self.window, now, f"resumed by {self.actor}")

        self.recorded = self._sender.try_writing(write)

    def trouble(self, error: ReplicationError) -> None:
        """Record why the tasks do not run yet."""
        self._set_trouble(cause(error))

    def _set_trouble(self, text: str) -> None:
        self._sender.try_writing(
            lambda c: c.execute("UPDATE window SET trouble = ? WHERE id = ?", (text, self.window))
        )


def cause(error: ReplicationError) -> str:
    """The class and message of an error, or of what caused it."""
    behind = error.__cause__ if isinstance(error, NotResumedError) else None
    return f"{type(behind or error).__name__}: {behind or error}"


def identified(group: int) -> str:
    """What tells a process group from a later one of the same number: when its leader started.

    Raises:
        ConfigurationError: Nothing tells, for example because the leader has exited.
    """
    since = born(group)
    if not since:
        raise ConfigurationError(
            f"The process group {group} has no running leader, or the system does not tell when it "
            "started: a later group with the same number would be ended in its place. The tasks "
            "stay paused, and no process group was recorded."
        )
    return since


def born(process: int) -> str:
    """When a process started, as the system counts it; empty if it is gone or nothing tells."""
    if _clock.boot():  # It counts from the start of the machine.
        return "".join(f"{start} in {_namespace()}" for start in _stat(process)[19:20])
    try:
        shown = subprocess.run(  # noqa: S603  # The argument is a number.
            ["ps", "-o", "lstart=", "-p", str(process)],  # noqa: S607  # Each system has its own.
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return shown.stdout.strip()


def _namespace() -> str:
    """In which the process IDs of this process count: each container has its own."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "another"


def _stat(process: int) -> list[str]:
    """What Linux tells of a process, from its state on; empty if it is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def group_lives(group: int | None, since: str) -> bool:
    """Whether a process group is alive, and not a later one of the same number.

    A group of another container cannot be seen. Zombies do not count: in a container, there may be
    no process that reaps them.
    """
    if group is None or not since or born(group) not in {"", since}:
        return False
    if " in " in since and not since.endswith(f" in {_namespace()}"):
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if _stat(group)[:1] != ["Z"]:
        return True
    others = (_stat(int(path.name)) for path in Path("/proc").glob("[0-9]*"))
    return any(stat[0] != "Z" and int(stat[2]) == group for stat in others if stat)


def end_group(
    group: int, since: str, grace: float, sleep: Callable[[float], object] = time.sleep
) -> None:
    """End a process group: SIGTERM, and SIGKILL for what is alive after the grace in seconds.

    A process that is stopped is continued, so that it can use the grace.
    """
    for numbers, patience in (((signal.SIGTERM, signal.SIGCONT), grace), ((signal.SIGKILL,), 5.0)):
        limit = time.monotonic() + patience
        if group_lives(group, since):
            try:
                for number in numbers:
                    os.killpg(group, number)
            except (ProcessLookupError, PermissionError) as error:
                logger.warning("process group %d: %s", group, error.strerror)
        while group_lives(group, since) and time.monotonic() < limit:
            sleep(0.05)


def portable(waiting: Mapping[str, Any]) -> dict[str, Any]:
    """How to wait, as JSON for another process; ``progress`` and the like are left out."""
    document = {name: waiting[name] for name in ("timeout", "settle") if name in waiting}
    if "poll" in waiting:
        poll = Rebuild("taurusdb_starrocks:Poll", attrs.asdict(waiting["poll"]))
        document["poll"] = poll.to_document()
    return document


def rebuilt(document: Mapping[str, Any]) -> dict[str, Any]:
    """How to wait, from that JSON."""
    waiting = dict(document)
    if "poll" in waiting:
        waiting["poll"] = Rebuild.from_document(waiting["poll"]).build()
    return waiting
