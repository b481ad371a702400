"""Bring tasks of one instance to a goal (paused or running), and verify that they reached it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from taurusdb_starrocks._decisions.listing import (
    PASSING,
    about,
    absent,
    failed,
    failure,
    read,
)
from taurusdb_starrocks._decisions.outcome import Outcome, may_have_changed
from taurusdb_starrocks._decisions.polling import Chances, Patience
from taurusdb_starrocks._decisions.recording import Earlier
from taurusdb_starrocks._decisions.steps import Change, Record, Sleep, Steps
from taurusdb_starrocks._errors import ReplicationError, WaitTimeoutError
from taurusdb_starrocks._operations import RUNNING, Operation
from taurusdb_starrocks._tasks import Job, Stage, Task

# Number of polls without a change before a request is repeated. Also the number of polls that must
# show a task running before a rejected resume is taken as "it was already running".
POLLS_UNTIL_LOST = 2
# Seconds for the last poll, which starts when the time is over.
LAST_POLL = 5.0


class Convergence:
    """Brings tasks to the goal of an operation.

    Args:
        operation: ``PAUSE`` or ``RESUME``.
        instance_id: Instance of the tasks.
        names: The tasks.
        patience: How long to wait for all tasks together.
        chances: Source of time and randomness.
        independent: Whether to continue with the other tasks if one fails or if a callback raises
            an exception. The errors are then in ``failed`` and ``callback_error``.
        stubborn: Whether also to repeat requests that fail temporarily until the time is over, and
            to poll until then, whatever error a poll has.
        unseen: Tasks whose pause was requested but not seen. Until they are seen paused, a poll
            that shows them running proves nothing, because the pause may still take effect. They
            have ``settle`` seconds. In the first half no resume is sent, because it could hide
            the pause.
        late: Until when a second pause of a task may take effect. Until then, a poll that shows
            the task running proves nothing. At most half of the time.
        earlier: What is known about the requests of a program that has ended.
    """

    def __init__(
        self,
        operation: Operation,
        instance_id: str,
        names: Sequence[str],
        patience: Patience,
        chances: Chances,
        *,
        independent: bool = False,
        stubborn: bool = False,
        unseen: Collection[str] = (),
        late: Mapping[str, float] | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        earlier = earlier or Earlier()
        self._operation = operation
        self._goal = operation.verified_goal
        self._instance_id = instance_id
        self._patience = patience
        self._chances = chances
        self._independent = independent or stubborn
        self._stubborn = stubborn
        self._began = chances.clock()
        self.deadline = self._began + patience.timeout
        self._unseen = {*unseen, *earlier.pauses}
        self._unseen_until = self._began + patience.settle
        # When these tasks are resumed even if they were not seen paused.
        self._blind = self._began + min(patience.timeout, patience.settle) / 2
        # Until when an earlier pause may arrive, and until when no request is sent after it.
        self._arriving = {name: self._began + left for name, left in earlier.pauses.items()}
        self._quiet = {name: self._began + left for name, left in earlier.unknown.items()}
        half = self._began + patience.timeout / 2
        self._late = {name: min(until, half) for name, until in (late or {}).items()}
        self._late |= {name: self._began + left for name, left in earlier.late.items()}
        self.pending = dict.fromkeys(names)
        self.seen: dict[str, Task] = {}
        self.reached: set[str] = set()
        # Send times of requests that may have changed a task, by task.
        self.sent: dict[str, list[float]] = {name: [] for name in names}
        self._requested: dict[str, float] = {}  # When the last request for a task began.
        self._unread: ReplicationError | None = None  # The error of the last poll, if it failed.
        # Used only if independent; otherwise errors are raised.
        self.failed: dict[str, ReplicationError] = {}
        self.callback_error: Exception | None = None  # The first exception of a callback.
        self._outcomes = dict.fromkeys(names, Outcome())
        for name in earlier.accepted:
            self._outcomes[name] = Outcome("accepted", self._began)
        # Tasks that were at the goal in the last poll that showed them.
        self._there = set(self._unseen)
        self._missed: set[str] = set()  # Tasks that are missing from the last poll.

    @property
    def left(self) -> list[str]:
        """The tasks that have not been confirmed at the goal."""
        return [*self.failed, *self.pending]

    @property
    def changed(self) -> list[str]:
        """The tasks that requests may have changed, or that a poll showed at the goal later."""
        return [name for name, sent in self.sent.items() if sent or name in self.reached]

    def skip(self, before: Mapping[str, Task]) -> None:
        """Skip the tasks that are already at the goal.

        Raises:
            TaskFailedError: Another task cannot reach it on its own. Nothing was sent.
        """
        self.seen.update(before)
        for name, task in before.items():
            if self._goal.reached(task):
                self.pending.pop(name)
            elif failed(task):
                raise failure(self._instance_id, task, self._goal)

    def hurry(self) -> None:
        """Limit the remaining time to ``settle`` seconds from now."""
        self.deadline = min(self.deadline, self._chances.clock() + self._patience.settle)

    def request_all(self) -> Steps[None]:
        """Send a request for each task that needs one and has no accepted request."""
        yield from self._request_each(
            [
                name
                for name in self.pending
                if self._outcomes[name].state != "accepted"
                and name not in self._unseen
                and name not in self._quiet
            ]
        )

    def wait(self) -> Steps[dict[str, Task]]:
        """Poll until all tasks are at the goal, and return them as shown by the last poll.

        When the time is over, there is one last poll of at most ``LAST_POLL`` seconds.

        Raises:
            ReplicationError: A task did not or cannot reach it, or a poll was rejected permanently.
        """
        pause = min(self._patience.poll.first, (self.deadline - self._chances.clock()) / 2)
        while self.pending:
            left = min(self._next(name) for name in self.pending) - self._chances.clock()
            yield Sleep(max(0.0, min(pause, left)))
            now = self._chances.clock()
            if now < self._polls_until() or now >= self.deadline:
                pause = yield from self._poll(pause)
            now = self._chances.clock()
            for name in [name for name in self.pending if self._limit(name) <= now]:
                if not self._lacks_request(name):
                    self._give_up(name)
            yield from self._request_each(
                [name for name in self.pending if self._needs_request(name, self._outcomes[name])]
            )
        return self.seen

    def _request_each(self, names: Sequence[str]) -> Steps[None]:
        """Send requests. If independent, each request gets its share of the remaining time.

        The first request for each of several independent tasks is sent even if the time is over,
        for example because the process was stopped. There are then ``settle`` more seconds.
        """
        for number, name in enumerate(names):
            now = self._chances.clock()
            first = self._outcomes[name].state == "none"
            if self._independent and first and self._limit(name) <= now:
                self._unseen_until = now + self._patience.settle
                self.deadline = max(self.deadline, self._unseen_until)
            left = self._limit(name) - now
            if left > 0:
                share = left / (len(names) - number) if self._independent else left
                yield from self._request(name, now + share)
            else:
                self._give_up(name)

    def _request(self, name: str, deadline: float) -> Steps[None]:
        """Send one request. Without a usable response, the polls find out what happened."""
        before, sent = self._outcomes[name], self.sent[name]
        earlier = len(sent)
        self._requested[name] = self._chances.clock()
        try:
            job = yield from self._change(name, deadline)
        except ReplicationError as error:
            if not may_have_changed(error):
                del sent[earlier:]
            after = before.failed(error, self._chances.clock())
            self._outcomes[name] = after
            # Raise an error that changed nothing, unless an earlier request is still uncertain.
            settling = self._stubborn or before.open or bool(sent)
            if after.state == "lost" and not (settling and isinstance(error, PASSING)):
                self._fail(name, error)
        except Exception as error:  # Any exception: logging filters and tracers can raise it.
            if not self._independent:
                raise
            unknown = ReplicationError(f"The request failed with {type(error).__name__}.")
            unknown.__cause__ = error
            self._fail(name, about(unknown, self._instance_id, name))
        else:
            self._outcomes[name] = Outcome("accepted", self._chances.clock())
            self._call(self._patience.accepted, name, job)

    def _call(self, callback: Callable[..., object] | None, *arguments: Any) -> None:
        """Call a callback of the user, if there is one."""
        try:
            if callback is not None:
                callback(*arguments)
        except Exception as error:
            if not self._independent:
                raise
            self.callback_error = self.callback_error or error

    def _change(self, name: str, deadline: float) -> Steps[Job]:
        """Perform a request. Record it before it is sent and after its response."""
        change = Change(self._operation, self._instance_id, name, deadline)
        recorder = self._patience.recorder
        if recorder is not None:
            yield Record(recorder.sending, (self._operation.name, name))
        # Record the time just before sending: an interrupt may come instead of the response. Not
        # earlier, because a request that was never sent must not be waited for.
        self.sent[name].append(self._chances.clock())
        if recorder is None:
            unrecorded: Job = yield change
            return unrecorded
        try:
            job: Job = yield change
        except ReplicationError as error:
            yield Record(recorder.answered, (self._operation.name, name, error))
            raise
        yield Record(recorder.answered, (self._operation.name, name, job))
        return job

    def _poll(self, pause: float) -> Steps[float]:
        """Poll once; return the seconds until the next poll."""
        poll, before, now = self._patience.poll, set(self.reached), self._chances.clock()
        until = self._polls_until() if now < self.deadline else now + LAST_POLL
        try:
            found = yield from read(self._instance_id, self.pending, until)
        except ReplicationError as error:
            if not self._stubborn and not isinstance(error, PASSING):
                for name in list(self.pending):
                    self._fail(name, error)
            self._unread = error
            return poll.after(error, pause, self._chances.chance())
        self._unread = None
        for name in list(self.pending):
            if name in found:
                self._missed.discard(name)
                self.seen[name] = found[name]
                self._call(self._patience.progress, found[name])
                self._look_at(found[name])
            elif name in self._missed:
                self._fail(name, absent(self._instance_id, [name]))
            else:  # If the list changes while it is read, a task can be missing once.
                self._missed.add(name)
        arrived = sorted(self.reached - before)
        if arrived and self._patience.recorder is not None:
            yield Record(self._patience.recorder.reached, (self._operation.name, arrived))
        return poll.after(None, pause, self._chances.chance())

    def _look_at(self, task: Task) -> None:
        name = task.name
        self._outcomes[name] = outcome = self._outcomes[name].polled()
        if self._goal.reached(task):
            self.reached.add(name)
            self._there.add(name)
            if self._proves(name, outcome):
                self.pending.pop(name)
        elif failed(task):
            self._fail(name, failure(self._instance_id, task, self._goal))
        elif task.stage is Stage.PAUSED and name in self._there:
            # A pause took effect late, maybe after a resume that was accepted earlier.
            self._there.discard(name)
            self._unseen.discard(name)
            self._outcomes[name] = Outcome("lost", self._chances.clock(), polls=POLLS_UNTIL_LOST)

    def _proves(self, name: str, outcome: Outcome) -> bool:
        """Whether a poll that shows a task at its goal proves that it stays there.

        A running task may have a pause in progress, and the list may be out of date. The poll
        proves nothing until a resume was accepted, or was rejected while the task kept running.
        """
        now = self._chances.clock()
        if self._may_show(name) or now < max(self._late.get(name, 0.0), self._quiet.get(name, 0.0)):
            return False
        if self._goal is not RUNNING or not outcome.open:
            return True
        return outcome.state == "refused" and outcome.polls >= POLLS_UNTIL_LOST

    def _needs_request(self, name: str, outcome: Outcome) -> bool:
        """Whether polls show that a request had no effect, or none was sent for long enough."""
        now = self._chances.clock()
        if now < self._quiet.get(name, 0.0):
            return False
        if outcome.state == "none":
            if name in self._unseen:
                return now >= self._blind_at(name)
            return name in self._quiet and outcome.polls > 0
        if outcome.polls < POLLS_UNTIL_LOST:
            return self._stubborn and outcome.open and self._unseeing(name)
        if outcome.state == "accepted" and self._stubborn and name not in self._there:
            return now - outcome.since >= self._patience.settle
        return outcome.open

    def _unseeing(self, name: str) -> bool:
        """Whether polls fail, and the last request for a task was sent long ago."""
        waited = self._chances.clock() - self._requested[name]
        return self._unread is not None and waited >= self._patience.settle

    def _lacks_request(self, name: str) -> bool:
        """Whether the first request for a task must be sent before it is given up."""
        outcome = self._outcomes[name]
        first = outcome.state == "none"
        return self._independent and first and self._needs_request(name, outcome)

    def _may_show(self, name: str) -> bool:
        """Whether a pause that no poll showed may still take effect."""
        if name not in self._arriving:
            return name in self._unseen
        over = self._arriving[name] + self._patience.settle
        return name in self._unseen and self._chances.clock() < over

    def _blind_at(self, name: str) -> float:
        """When a task is resumed even if it was not seen paused."""
        if name not in self._arriving:
            return self._blind
        half = self._arriving[name] + self._patience.settle / 2
        return max(half, self._quiet.get(name, 0.0))

    def _left_alone(self, name: str) -> bool:
        """Whether the task's pause may still take effect and no resume has been sent."""
        return name in self._unseen and self._outcomes[name].state == "none"

    def _polls_until(self) -> float:
        """Latest end of a poll, so that it does not delay the resume of such a task."""
        waiting = [self._blind_at(name) for name in self.pending if self._left_alone(name)]
        return min([*waiting, self.deadline])

    def _next(self, name: str) -> float:
        """The next time at which a task needs an action, independent of polls."""
        limit = self._limit(name)
        return min(self._blind_at(name), limit) if self._left_alone(name) else limit

    def _limit(self, name: str) -> float:
        """When to give up on a task."""
        outcome = self._outcomes[name]
        if name in self._unseen and name not in self._arriving:
            return min(self.deadline, self._unseen_until)
        if outcome.open and not self._stubborn:
            return min(self.deadline, outcome.since + self._patience.settle)
        return self.deadline

    def _give_up(self, name: str) -> None:
        """Fail a task whose time is over."""
        now = self._chances.clock()
        error = self._outcomes[name].error
        if name in self._unseen or now >= self.deadline:
            error = self._overdue(name, f"{now - self._began:.1f} s")
        assert error is not None  # Only failed requests have a limit before the deadline.
        self._fail(name, error)

    def _fail(self, name: str, error: ReplicationError) -> None:
        if not self._independent:
            raise error
        self.failed[name] = error
        self.pending.pop(name)

    def _overdue(self, name: str, waited: str) -> WaitTimeoutError:
        task = self.seen.get(name)
        last = f"last seen in stage {task.stage_text!r}" if task else "and no poll succeeded"
        error = WaitTimeoutError(
            f"A pause of the task {name} was requested, but polls did not show it within "
            f"{waited}, {last}. It may still take effect."
            if name in self._unseen
            else f"The task {name} is not {self._goal.name} after {waited}, {last}. The job may "
            f"still finish: check its stage before you do anything that depends on it.",
            task=task,
        )
        error.__cause__ = self._outcomes[name].error or self._unread
        return about(error, self._instance_id, name)
