"""Errors that only durable windows raise.

ReplicationError
├── JournalError       the journal cannot be read or written; no pause is sent without it
├── TaskBusyError      the task belongs to another open window, or is on hold; nothing was sent
└── LeaseExpiredError  the lease of the window has ended, or is too short to start the block
"""

from __future__ import annotations

from datetime import datetime

from taurusdb_starrocks import ReplicationError


class JournalError(ReplicationError):
    """The journal cannot be read or written: the disk is full or read-only, or the file is locked.

    Nothing is paused if the journal cannot be written. Windows, their guardians, and ``recover``
    resume tasks anyway. ``resume`` raises this error before it sends a request: use
    ``Client.ensure_running`` instead, which needs no journal.
    """


class TaskBusyError(ReplicationError):
    """A task belongs to another open window, or is on hold. Nothing was sent.

    Attributes:
        instance_id: Instance of the task.
        task_name: The task.
        owner: Program, process and machine that paused it.
        since: When that window or hold began.
        until: When its lease ends; None if it has no limit.
    """

    def __init__(
        self,
        message: str,
        *,
        instance_id: str,
        task_name: str,
        owner: str,
        since: datetime,
        until: datetime | None,
    ) -> None:
        super().__init__(message)
        self.instance_id = instance_id
        self.task_name = task_name
        self.owner = owner
        self.since = since
        self.until = until


class LeaseExpiredError(ReplicationError):
    """The lease of a window has ended, or too little of it is left for the block to start.

    If ``check``, ``extend``, or ``guard`` raises this error in the block, stop any work that
    requires paused tasks: the guardian is resuming the tasks, or has resumed them. With
    ``guardian=False``, the tasks may still be paused: only the end of the block or ``recover``
    resumes them.

    If the ``with`` statement raises it, the tasks are running again. At the end of a block, it also
    means that tasks may have been running during the block, after the lease ended.

    Attributes:
        expired: When the lease ended, or ends.
    """

    def __init__(self, message: str, *, expired: datetime) -> None:
        super().__init__(message)
        self.expired = expired
