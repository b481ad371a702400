"""What somebody who keeps a record is told, and what such a record says of earlier requests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import attrs

from taurusdb_starrocks._errors import ReplicationError
from taurusdb_starrocks._instances import Configuration
from taurusdb_starrocks._tasks import Job, Task

Verb = Literal["pause", "resume"]


@runtime_checkable
class Recorder(Protocol):
    """Keeps a record of requests that may change a task, given to a verb as ``recorder``.

    The methods may block: an ``AsyncClient`` calls them in a thread. Each is called by one thread
    at a time, but for one that a cancellation left behind.
    """

    def sending(self, verb: Verb, task_name: str, /) -> None:
        """Called before each request leaves, which then takes no longer than the client's timeout.

        Raises:
            ReplicationError: The request must not be sent. It counts as one that was not.
        """

    def answered(self, verb: Verb, task_name: str, answer: Job | ReplicationError, /) -> None:
        """Called after each request with the accepted job or the error. Must not raise.

        It is not called for a request that an interrupt or a cancellation ended.
        """

    def reached(self, verb: Verb, task_names: Sequence[str], /) -> None:
        """Called with tasks that a poll shows where the verb brings them, once. Must not raise."""


@runtime_checkable
class WindowRecorder(Recorder, Protocol):
    """Keeps a record of a whole window, given to ``paused`` as ``recorder``."""

    def opening(self) -> Earlier:
        """Called before anything is sent; returns what earlier windows of the record left.

        Raises:
            ReplicationError: The window must not open. Nothing was sent.
        """

    def found(self, tasks: Sequence[Task], found_paused: Sequence[str], /) -> Collection[str]:
        """Called with the tasks as they are before the first pause, and those that stay as found.

        Returns:
            The tasks whose configuration is to be read before the first pause.
        """

    def configured(self, task_name: str, configuration: Configuration, /) -> None:
        """Called with the configuration of a task, if it could be read."""

    def opened(self, tasks: Sequence[Task], /) -> Any:
        """Called once all tasks are paused; returns what ``as`` gives.

        Raises:
            ReplicationError: The block must not begin. The tasks are resumed.
        """

    def closing(self, task_names: Sequence[str], /) -> Collection[str]:
        """Called before the tasks are resumed; returns those that the window is to resume."""

    def closed(
        self, left: Mapping[str, ReplicationError], seen: Sequence[Task], /
    ) -> Collection[str]:
        """Called last, also for a window that did not open.

        Args:
            left: The tasks that are not known to run again, and why.
            seen: The others as they were last seen.

        Returns:
            Those of ``left`` that nobody else has seen running either.

        Raises:
            ReplicationError: Something about the window is to be told, although all tasks run.
        """


@attrs.frozen
class Earlier:
    """What a record says of the requests of somebody who is gone, for whoever takes over.

    Times are in seconds from now.

    Attributes:
        pauses: Tasks whose pause was requested and never seen to take effect, and for how long the
            request may still arrive. That such a task runs proves nothing until ``settle`` seconds
            after that.
        paused: Tasks that were seen paused after such a request.
        accepted: Tasks whose resume was accepted: it is not sent again, but waited for.
        unknown: Tasks whose resume has an unknown outcome, and for how long none is sent.
        late: Tasks that were paused twice, and for how long the second may still take effect.
    """

    pauses: Mapping[str, float] = attrs.field(factory=dict)
    paused: Collection[str] = ()
    accepted: Collection[str] = ()
    unknown: Mapping[str, float] = attrs.field(factory=dict)
    late: Mapping[str, float] = attrs.field(factory=dict)

    @property
    def names(self) -> set[str]:
        """All the tasks that it says something about."""
        return {*self.pauses, *self.paused, *self.accepted, *self.unknown}

    def about(self, names: Collection[str]) -> Earlier:
        """What it says about some tasks."""
        return Earlier(
            pauses={name: left for name, left in self.pauses.items() if name in names},
            paused=tuple(name for name in self.paused if name in names),
            accepted=tuple(name for name in self.accepted if name in names),
            unknown={name: left for name, left in self.unknown.items() if name in names},
            late={name: left for name, left in self.late.items() if name in names},
        )
