"""Records each request of a window in the journal before it is sent, and its outcome."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from taurusdb_starrocks import Job, ReplicationError
from taurusdb_starrocks.durable import _clock, _records
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import Owned

logger = logging.getLogger("taurusdb_starrocks.durable")


class Sender:
    """Records the requests of one process about the tasks of a window.

    Args:
        journal: The journal.
        window: ID of the window.
        actor: ID of the lock of the process.
        tasks: The tasks, with the epochs that allow it to send.
    """

    def __init__(
        self, journal: Journal, window: str, actor: str, tasks: Sequence[Owned] = ()
    ) -> None:
        self.journal = journal
        self.window = window
        self.actor = actor
        self.tasks = {task.name: task for task in tasks}
        self._requests: dict[str, int] = {}  # The last request about each task.

    def sending(self, verb: str, task_name: str, /) -> None:
        """Record a request, unless another process has the task now.

        A journal that is busy cannot be written, but it can be read. So a resume that cannot be
        recorded is sent if the task still belongs to this window, or if the journal cannot be read
        either: a task that stays paused is worse than one that runs too early.

        Raises:
            JournalError: A pause could not be recorded. It must not be sent.
            SupersededError: Another process has the task. Nothing must be sent.
        """
        task, now = self.tasks[task_name], _clock.now()
        self._requests.pop(task_name, None)
        try:
            self._requests[task_name] = self.journal.write(
                lambda c: _records.send(c, self.window, task, self.actor, verb, now)
            )
        except JournalError as error:
            if verb != "resume":
                raise
            logger.warning("resuming %s without the journal: %s", task_name, error)
            with suppress(JournalError):
                self.journal.read(lambda c: _records.check_owned(c, self.window, task))

    def answered(self, _verb: str, task_name: str, answer: Job | ReplicationError, /) -> None:
        """Record the outcome of a request."""
        request, now = self._requests.get(task_name), _clock.now()
        if request is not None:
            self.try_writing(lambda c: _records.answer(c, request, answer, now))

    def reached(self, verb: str, task_names: Sequence[str], /) -> None:
        """Record that tasks were seen paused, or running, as was requested."""
        tasks = [self.tasks[name] for name in task_names]
        self.try_writing(lambda c: _records.confirm(c, tasks, verb))

    def try_writing(self, act: object) -> bool:
        """Write something, and only warn if that fails; return whether it worked."""
        try:
            self.journal.write(act)  # type: ignore[arg-type]  # A function of a connection.
        except JournalError as error:
            logger.warning("not in the journal: %s", error)
            return False
        return True
