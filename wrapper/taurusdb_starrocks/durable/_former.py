"""A batch whose tasks another process resumes."""

from __future__ import annotations

from sqlite3 import Connection, Row

from taurusdb_starrocks.durable import _clock, _locks, _records
from taurusdb_starrocks.durable._guardian import Standing
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import SupersededError


class Former:
    """A batch of kind ``window``, for the process that resumes its tasks: its guardian.

    Args:
        journal: The journal.
        batch: ID of the batch.
        actor: ID of the batch of this process, which resumes the tasks.
        left: Seconds until the lease ends; used while the journal has no task of the batch.
    """

    def __init__(self, journal: Journal, batch: str, actor: str, left: float) -> None:
        self._journal = journal
        self._batch = batch
        self._actor = actor
        self._end = _clock.now().after(left)

    def _rows(self, c: Connection) -> list[Row]:
        return c.execute(
            "SELECT * FROM window WHERE batch = ? AND closed_wall IS NULL", (self._batch,)
        ).fetchall()

    def read(self) -> Standing:
        """What the journal says about the batch. It is never closed: its program may open more.

        Raises:
            JournalError: The journal cannot be read.
        """
        rows = self._journal.read(self._rows)
        if not rows:
            return Standing(self._end.since(_clock.now()))
        return max(map(Standing.of, rows), key=lambda standing: standing.left)

    def alive(self) -> bool:
        """Whether the program of the batch holds its lock."""
        return self._alive(self._batch)

    def _alive(self, actor: str) -> bool:
        return _locks.alive(self._journal.lock_path(actor))

    def take(self, *, expired: bool) -> bool:
        """Become the one process that may send requests about the tasks of the batch.

        Tasks that another process is resuming are left to it while it is alive.

        Args:
            expired: Whether to do so only if the lease is over.

        Returns:
            Whether there are tasks.

        Raises:
            SupersededError: The lease was extended. Nothing changed.
            JournalError: The journal cannot be written.
        """
        return self._journal.write(lambda c: self._take(c, expired=expired))

    def _take(self, c: Connection, *, expired: bool) -> bool:
        rows, now = self._rows(c), _clock.now()
        if expired and any(_records.left(row, now) > 0 for row in rows):
            raise SupersededError("The lease was extended. Nothing was sent by this process.")
        for row in rows:
            if row["actor"] != self._actor and not self._elsewhere(row["actor"]):
                _records.take(c, row["id"], self._actor, row["actor"])
        return bool(rows)

    def _elsewhere(self, actor: str) -> bool:
        """Whether a process other than the program of the batch is resuming tasks."""
        return not actor.startswith(self._batch) and self._alive(actor)
