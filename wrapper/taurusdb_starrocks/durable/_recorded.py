"""What the journal has about the tasks of a batch, and about single tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from sqlite3 import Connection
from typing import NamedTuple

from taurusdb_starrocks.durable import _records
from taurusdb_starrocks.durable._batch import Place, Verb
from taurusdb_starrocks.durable._journal import Journal


class Recorded(NamedTuple):
    """The last request for a task in the journal.

    Attributes:
        verb: ``pause`` or ``resume``.
        state: ``planned``: the request was not sent. ``sent``: there is no response yet.
            ``accepted``: the service accepted the request. ``refused``: the service rejected
            it, or the task cannot be paused. ``unreachable``: the service was not reached, or
            throttled the request. ``unknown``: it failed, and the task may have changed.
            ``confirmed``: a poll has shown its effect. ``found``: the task needed no request.
        job_id: ID of the job, if the request was accepted.
        request_id: ID that the service gave the request, if the response had one.
        error: The error; empty if the request did not fail.
        sent: When the request was sent, or planned; in UTC.
    """

    verb: Verb
    state: str
    job_id: str | None
    request_id: str | None
    error: str
    sent: datetime


def batched(journal: Journal, batch: str) -> Iterator[tuple[Place, list[str]]]:
    """List the tasks that a batch has claimed and not released, by instance.

    Args:
        journal: The journal.
        batch: ID of the batch.

    Yields:
        The endpoint, project, and instance as a tuple, and the names of the tasks.

    Raises:
        JournalError: The journal cannot be read.
    """
    windows = journal.read(
        lambda c: c.execute(
            "SELECT id, endpoint, project_id, instance_id FROM window "
            "WHERE batch = ? AND closed_wall IS NULL ORDER BY rowid",
            (batch,),
        ).fetchall()
    )
    for window, *place in windows:
        tasks = journal.read(partial(_records.owned, window=window))
        yield (place[0], place[1], place[2]), [task.name for task in tasks]


def recorded(journal: Journal, place: Place, names: Sequence[str]) -> dict[str, Recorded]:
    """Return the last request for each task of an instance.

    Args:
        journal: The journal.
        place: Endpoint, project, and instance.
        names: The tasks.

    Returns:
        The requests, by the name of the task. Tasks without a request in the journal are left out.

    Raises:
        JournalError: The journal cannot be read.
    """

    def read(c: Connection) -> dict[str, Recorded]:
        found = {}
        for name in names:
            row = c.execute(
                "SELECT request.* FROM request JOIN task ON task.id = request.task WHERE "
                "endpoint = ? AND project_id = ? AND instance_id = ? AND name = ? "
                "ORDER BY request.id DESC LIMIT 1",
                (*place, name),
            ).fetchone()
            if row is not None:
                found[name] = Recorded(
                    row["verb"],
                    "unreachable" if row["state"] == "unsent" else row["state"],
                    row["job_id"],
                    row["request_id"],
                    row["error"] or "",
                    _records.date(row["sent_wall"]),
                )
        return found

    return journal.read(read)
