"""Interfaces for recording requests, and for using such a record of earlier requests."""

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
    """Records requests that may change a task. Pass it to a method as ``recorder=``.

    The methods may block: an ``AsyncClient`` calls them in a thread. Only one thread at a time
    calls them, except for a call that continues after a cancellation.
    """

    def sending(self, verb: Verb, task_name: str, /) -> None:
        """Called before each request is sent. The request then takes at most the client's timeout.

        Raises:
            ReplicationError: The request must not be sent. It is then treated as not sent.
        """

    def answered(self, verb: Verb, task_name: str, answer: Job | ReplicationError, /) -> None:
        """Called after each request with the accepted job or the error. Must not raise.

        It is not called for a request that an interrupt or a cancellation ended.
        """

    def reached(self, verb: Verb, task_names: Sequence[str], /) -> None:
        """Called after a poll with the tasks that it shows paused, or running, as requested.

        Each task is reported once. Must not raise.
        """


@runtime_checkable
class WindowRecorder(Recorder, Protocol):
    """Records a whole window. Pass it to ``paused`` as ``recorder=``.

    It is a ``Recorder`` with additional methods: implement the methods of ``Recorder`` too. Both
    are protocols, so your class does not have to inherit from them.
    """

    def opening(self) -> Earlier:
        """Called before anything is sent; returns what earlier windows left unfinished.

        Raises:
            ReplicationError: The window must not open. Nothing was sent.
        """

    def found(self, tasks: Sequence[Task], found_paused: Sequence[str], /) -> Collection[str]:
        """Called before the first pause with all tasks and the names of those already paused.

        Tasks that ``opening`` has returned do not count as already paused.

        Returns:
            The tasks whose configuration the window should read before the first pause.
        """

    def configured(self, task_name: str, configuration: Configuration, /) -> None:
        """Called with the configuration of a task, if it could be read."""

    def opened(self, tasks: Sequence[Task], /) -> Any:
        """Called when all tasks are paused; returns the value for ``as``.

        Raises:
            ReplicationError: The block must not start. The tasks are then resumed.
        """

    def closing(self, task_names: Sequence[str], /) -> Collection[str]:
        """Called before the tasks are resumed; returns the tasks that the window should resume."""

    def closed(
        self, left: Mapping[str, ReplicationError], seen: Sequence[Task], /
    ) -> Collection[str]:
        """Called last, even if the window did not open.

        Args:
            left: The tasks that may still be paused, and why.
            seen: The other tasks, as shown by the last poll.

        Returns:
            The tasks of ``left`` that may still be paused. Leave out tasks that another process,
            such as a guardian, has seen running.

        Raises:
            ReplicationError: All tasks are running, but the caller must know about a problem.
        """


@attrs.frozen
class Earlier:
    """Earlier requests of a program that has ended, for the program that takes over its tasks.

    Times are in seconds from now.

    Attributes:
        pauses: Each task whose pause was requested but never shown by a poll, with the number of
            seconds for which the request may still reach the service. For ``settle`` seconds after
            that time, a poll that shows the task running proves nothing.
        paused: Tasks that a poll showed paused after such a request.
        accepted: Tasks whose resume was accepted. It is sent again only if the task is still paused
            after ``settle`` seconds, or is paused again after a poll showed it running.
        unknown: Each task whose resume has an unknown outcome, with the number of seconds for which
            no other resume is sent.
        late: Each task that was paused twice, with the number of seconds for which the second pause
            may still take effect.
    """

    pauses: Mapping[str, float] = attrs.field(factory=dict)
    paused: Collection[str] = ()
    accepted: Collection[str] = ()
    unknown: Mapping[str, float] = attrs.field(factory=dict)
    late: Mapping[str, float] = attrs.field(factory=dict)

    @property
    def names(self) -> set[str]:
        """All tasks in this record."""
        return {*self.pauses, *self.paused, *self.accepted, *self.unknown}

    def about(self, names: Collection[str]) -> Earlier:
        """The part of the record about some tasks."""
        return Earlier(
            pauses={name: left for name, left in self.pauses.items() if name in names},
            paused=tuple(name for name in self.paused if name in names),
            accepted=tuple(name for name in self.accepted if name in names),
            unknown={name: left for name, left in self.unknown.items() if name in names},
            late={name: left for name, left in self.late.items() if name in names},
        )
