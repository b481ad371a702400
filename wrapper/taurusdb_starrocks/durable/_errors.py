"""What only durable windows can fail with.

ReplicationError
├── JournalError       the journal cannot be read or written; no pause is sent without it
├── TaskBusyError      the task is in another window that lives; nothing was sent
└── LeaseExpiredError  the lease of the window is over; its tasks were resumed
"""

from __future__ import annotations

from datetime import datetime

from taurusdb_starrocks import ReplicationError


class JournalError(ReplicationError):
    """The journal cannot be read or written: the disk is full, read-only, or it is locked.

    No pause is sent without the journal. What is paused is resumed without it.
    """


class TaskBusyError(ReplicationError):
    """A task is in another window, which lives, or on hold. Nothing was sent.

    Attributes:
        instance_id: Instance of the task.
        task_name: The task.
        owner: Whose it is: the program, its process and its machine.
        since: Since when.
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
    """The lease of a window is over, or too little of it is left for the block to begin.

    At the end of a block it says that the tasks were resumed before that end. Inside a block they
    are running, or about to: do nothing more that needs them paused.

    Attributes:
        expired: When the lease ended, or ends.
    """

    def __init__(self, message: str, *, expired: datetime) -> None:
        super().__init__(message)
        self.expired = expired
