"""A batch whose tasks another process resumes."""

from __future__ import annotations

from sqlite3 import Connection, Row

from taurusdb_starrocks.durable import _clock, _locks, _records
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._guardian import Standing
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import Owned, SupersededError
from taurusdb_starrocks.durable._sender import logger


class Former:
    """Takes over the tasks of a batch whose ``kind`` is ``window``.

    A guardian uses it, in its own process. The program of the batch uses it after the lease ended.

    Args:
        journal: The journal.
        batch: ID of the batch.
        actor: ID of the batch with which this process resumes the tasks. This is the ``number`` of
            a ``Batch`` whose ``heir_of`` is ``batch``.
        left: Seconds until the lease of the batch ends. This value is used until the journal has
            tasks of the batch.
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
        """Return what the journal records about the batch.

        ``closed`` is always false, because the program may still add tasks to the batch.

        Raises:
            JournalError: The journal cannot be read.
        """
        rows = self._journal.read(self._rows)
        if not rows:
            return Standing(self._end.since(_clock.now()))
        return max(map(Standing.of, rows), key=lambda standing: standing.left)

    def alive(self) -> bool:
        """Return whether the program of the batch is running, according to its lock."""
        return self._alive(self._batch)

    def _alive(self, actor: str) -> bool:
        return _locks.alive(self._journal.lock_path(actor))

    def take(self, *, expired: bool) -> bool:
        """Take over the tasks of the batch: afterwards, its program cannot send requests for them.

        Tasks that a third process is resuming are not taken over while that process is running. If
        the journal cannot be written, a warning is logged, and nothing is taken over. Resume the
        tasks anyway.

        Args:
            expired: True if the tasks may be taken over only after the lease has ended.

        Returns:
            Whether the batch has tasks.

        Raises:
            SupersededError: ``expired`` is true, and the lease has not ended. Nothing changed.
            JournalError: The journal cannot be read.
        """
        try:
            return self._journal.write(lambda c: self._take(c, expired=expired))
        except JournalError as error:
            logger.warning("taking over batch %s without the journal: %s", self._batch, error)
            return bool(self._journal.read(lambda c: self._due(c, expired=expired)))

    def _due(self, c: Connection, *, expired: bool) -> list[Row]:
        rows, now = self._rows(c), _clock.now()
        if expired and any(_records.left(row, now) > 0 for row in rows):
            raise SupersededError("The lease was extended. Nothing was sent by this process.")
        return rows

    def _take(self, c: Connection, *, expired: bool) -> bool:
        rows = self._due(c, expired=expired)
        for row in rows:
            if row["actor"] != self._actor and not self._elsewhere(row["actor"]):
                _records.take(c, row["id"], self._actor, row["actor"])
        return bool(rows)

    def reclaim(self) -> None:
        """Claim released tasks again, because the program may have paused them since then.

        If a program is suspended just before it sends a pause, it sends the pause when it
        continues, no matter how much later that is. Call this method once the program can no longer
        send requests. It claims each released task whose pause no poll has shown, and records the
        pause as sent at this moment. Then resume the tasks of the batch again. A task that another
        program has paused in the meantime, with the same journal, is not claimed.

        Raises:
            JournalError: The journal cannot be written.
        """
        self._journal.write(self._reclaim)

    def _reclaim(self, c: Connection) -> None:
        pauses = c.execute(
            "SELECT task.id, window.id, task.epoch FROM window "
            "JOIN task USING (endpoint, project_id, instance_id) "
            "JOIN request ON request.task = task.id AND request.window = window.id "
            "WHERE window.batch = ? AND task.window IS NULL AND request.actor = window.batch "
            "AND request.verb = 'pause' AND request.state IN ('sent', 'accepted', 'unknown') "
            "GROUP BY task.id",
            (self._batch,),
        ).fetchall()
        for task, window, epoch in pauses:
            last = c.execute(
                "SELECT verb, actor FROM request WHERE task = ? AND state IN "
                "('sent', 'accepted', 'unknown', 'confirmed') ORDER BY id DESC LIMIT 1",
                (task,),
            ).fetchone()
            if last["verb"] == "pause" and last["actor"] != self._batch:
                continue
            _records.reclaim(c, window, self._actor, [Owned(task, "", epoch)])
            c.execute(
                "UPDATE request SET actor = ? WHERE task = ? AND actor = ?",
                (self._actor, task, self._batch),
            )
            c.execute("UPDATE task SET base = ? WHERE id = ?", (_records.last_request(c), task))
            c.execute(
                "INSERT INTO request "
                "(task, window, epoch, actor, verb, state, sent_clock, sent_wall, boot) "
                "VALUES (?, ?, ?, ?, 'pause', 'sent', ?, ?, ?)",
                (task, window, epoch + 1, self._actor, *_clock.now()),
            )

    def _elsewhere(self, actor: str) -> bool:
        """Whether a process other than the program of the batch is resuming tasks."""
        return not actor.startswith(self._batch) and self._alive(actor)
