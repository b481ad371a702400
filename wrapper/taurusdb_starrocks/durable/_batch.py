"""Many tasks of many instances, which are paused or resumed one by one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from sqlite3 import Connection, Row
from typing import Any, Literal, NamedTuple

from taurusdb_starrocks import Job, ReplicationError
from taurusdb_starrocks.durable import _clock, _locks, _records, _recovery, _term
from taurusdb_starrocks.durable._clock import Moment
from taurusdb_starrocks.durable._errors import JournalError, LeaseExpiredError, TaskBusyError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import Owned
from taurusdb_starrocks.durable._sender import logger

Verb = Literal["pause", "resume"]
Place = tuple[str, str, str]  # Endpoint, project, instance.


class Known(NamedTuple):
    """What the journal records about the requests for a task. Times are in seconds from now.

    Attributes:
        state: ``planned``: no request was sent that may have an effect. ``unknown``: the outcome of
            the last request is unknown. ``accepted``: the last request was accepted. ``confirmed``:
            a poll has shown the effect of the last request.
        quiet: How long to wait before sending another request, because the last request may still
            take effect.
        late: For a batch that resumes: how long an earlier pause may still take effect. 0 if there
            was only one pause, and a poll has shown its effect.
        twice: Whether at least two pauses were sent. If so, the second pause may still take effect
            after a poll has shown the effect of the first.
        paused: Whether a pause was sent.
    """

    state: Literal["planned", "unknown", "accepted", "confirmed"] = "planned"
    quiet: float = 0.0
    late: float = 0.0
    twice: bool = False
    paused: bool = False


class Batch:
    """Records in the journal that a program pauses or resumes many tasks.

    A batch sends nothing: your program sends the requests. For each instance, call ``plan`` to
    claim tasks, then ``members`` to get the object that records their requests.

    ``overview`` lists the paused tasks of a batch. ``recover`` resumes them after the lease, or, if
    ``kind`` is ``window``, after the process of the batch has exited. Other batches can claim the
    tasks only after that process has exited, except with ``heir_of``.

    Args:
        journal: Journal in which the tasks and their requests are recorded.
        verb: ``pause`` or ``resume``.
        call_timeout: Maximum duration of a request, in seconds.
        settle: How long a request with an unknown outcome may still take effect, in seconds.
        lease: Seconds from now until the tasks must be resumed; None means no limit.
        reason: Why the tasks are paused, shown to people who read the journal.
        kind: ``hold`` if the tasks stay paused after this process has exited, until they are
            resumed or the lease ends. ``window`` if they must be resumed when this process exits.
        heir_of: ID of an earlier batch; empty for none. The new batch can then claim the tasks of
            the earlier batch, and no others. A task that the program of the earlier batch still has
            can be claimed even while that program is running. If another process, such as a
            guardian, is resuming a task, the task can be claimed only after that process has
            exited.
        number: ID of this batch; None for a random ID. If the program of the earlier batch resumes
            the tasks itself, pass the value of ``heir_of`` with a suffix, for example
            ``f"{earlier.id}-resume"``. A guardian can then take over the tasks even while that
            program is running.

    Attributes:
        id: ID of the batch.
        journal: The journal.
        verb: ``pause`` or ``resume``.

    Raises:
        JournalError: The lock file of a batch that pauses cannot be created.
    """

    def __init__(
        self,
        journal: Journal,
        verb: Verb,
        *,
        call_timeout: float,
        settle: float,
        lease: float | None = None,
        reason: str = "",
        kind: Literal["hold", "window"] = "hold",
        heir_of: str = "",
        number: str | None = None,
    ) -> None:
        self.journal = journal
        self.verb = verb
        self._kind = kind
        self._heir_of = heir_of
        self._guardian = ""
        self._timeout = call_timeout
        self._settle = settle
        self._reason = reason
        self._lease = None if lease is None else _term.checked(lease)
        self.end = None if lease is None else _clock.now().after(lease)
        self.id = number or uuid.uuid4().hex
        self._lock: _locks.Lock | None = None
        try:
            self._lock = _locks.Lock(journal.lock_path(self.id))
        except JournalError as error:
            if verb == "pause":
                raise
            logger.warning("resuming without a lock: %s", error)

    def close(self) -> None:
        """Release the lock. Other batches can then claim the tasks that are still paused."""
        if self._lock is not None:
            self._lock.release()

    def _alive(self, actor: str) -> bool:
        return actor != self.id and _locks.alive(self.journal.lock_path(actor))

    @property
    def left(self) -> float:
        """Seconds until the lease ends; 0 when it has ended."""
        return float("inf") if self.end is None else max(0.0, self.end.since(_clock.now()))

    def guarded_by(self, number: str) -> None:
        """Record which guardian resumes the tasks after the process of this batch has exited.

        Args:
            number: ID of the guardian, as passed to ``Watched.appoint``.

        Raises:
            JournalError: The journal cannot be written.
        """
        self._guardian = number
        self.journal.write(
            lambda c: c.execute("UPDATE window SET guardian = ? WHERE batch = ?", (number, self.id))
        )

    @property
    def late(self) -> bool:
        """Whether at least 80% of the lease has passed."""
        return self._lease is not None and self.left <= (1 - _term.WARN_AT) * self._lease

    @property
    def short(self) -> bool:
        """Whether less than half of the lease is left, which is too little to start a block."""
        return self._lease is not None and self.left < _term.SHARE * self._lease

    def expired(self, message: str) -> LeaseExpiredError:
        """Return an error with this message for a lease that has ended or is too short."""
        return LeaseExpiredError(message, expired=(self.end or _clock.now()).date)

    def check(self) -> None:
        """Raise an error if the lease has ended.

        Raises:
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. Without a guardian, the tasks may still be paused.
        """
        if self.left <= 0:
            raise self.expired(
                "The lease of the window has expired. Its guardian resumes the tasks, or without "
                "one the end of the block. Stop any work that requires them to be paused."
            )

    def extend(self, seconds: float) -> None:
        """Extend the lease to this many seconds from now. A lease is never shortened.

        Raises:
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. Without a guardian, the tasks may still be paused.
            JournalError: The journal cannot be written. The lease was not extended.
        """
        end = _clock.now().after(_term.checked(seconds))
        self.check()
        if self.end is None or end.since(self.end) <= 0:
            return

        def write(c: Connection) -> None:
            now = _clock.now()  # The journal may have been busy until after the end of the lease.
            windows = self._windows(c)
            for row in windows:
                if row["actor"] != self.id or _records.left(row, now) <= 0:
                    raise self.expired("The lease is over: its guardian has the tasks.")
            _records.set_end(c, windows, end)

        self.journal.write(write)
        self.end, self._lease = end, seconds

    def _windows(self, c: Connection) -> list[Row]:
        return c.execute(
            "SELECT * FROM window WHERE batch = ? AND closed_wall IS NULL", (self.id,)
        ).fetchall()

    def guard(self, process_group: int, grace: float) -> None:
        """Record a group of child processes that must have exited before the tasks are resumed.

        Args:
            process_group: ID of the group.
            grace: Seconds between the SIGTERM and the SIGKILL that end the group.

        Raises:
            ConfigurationError: The leader of the group has exited. Nothing was recorded.
            LeaseExpiredError: The lease has ended. The guardian is resuming or has resumed the
                tasks. Without a guardian, the tasks may still be paused.
            JournalError: The journal cannot be written. Nothing was recorded.
        """
        self.check()
        born = _recovery.identified(process_group)
        group = (process_group, born, grace)
        self.journal.write(lambda c: _records.set_group(c, self._windows(c), *group))

    def closed(self) -> bool:
        """Return whether this batch has claimed tasks and all of them were released.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self.journal.read(
            lambda c: (
                not self._windows(c)
                and c.execute("SELECT 1 FROM window WHERE batch = ?", (self.id,)).fetchone()
                is not None
            )
        )

    async def plan(
        self, place: Place, names: Sequence[str], *, everything: bool = False
    ) -> dict[str, TaskBusyError | None]:
        """Claim tasks of an instance, and record that a request for each task is planned.

        If a batch that resumes, without ``everything``, cannot write the journal, no error is
        raised: a warning is logged, and no task is claimed. You can still resume the tasks that the
        journal lists as paused.

        Args:
            place: Endpoint, project, and instance.
            names: The tasks.
            everything: For a batch that resumes: whether to also claim tasks that the journal does
                not list as paused.

        Returns:
            The tasks that were not claimed, by name. The value is a ``TaskBusyError`` if another
            process has claimed the task, or None if the journal does not list it as paused.

        Raises:
            JournalError: The journal cannot be read; or the journal cannot be written, and the
                batch pauses tasks or ``everything`` is true. Nothing was claimed.
        """
        now = _clock.now()

        def claim(c: Connection) -> dict[str, TaskBusyError | None]:
            own: list[str] = []  # The hold that is opened for them, if one is.
            return _unclaimed(
                names, lambda name: self._claim(c, place, name, now, own, everything=everything)
            )

        def look(c: Connection) -> dict[str, TaskBusyError | None]:
            return _unclaimed(
                names, lambda name: self._former(c, _records.find_task(c, place, name), now)
            )

        try:
            return await self.journal.awrite(claim)
        except JournalError as error:
            if self.verb == "pause" or everything:
                raise
            logger.warning("resuming without the journal: %s", error)
            return await self.journal.aread(look)

    def _claim(
        self,
        c: Connection,
        place: Place,
        name: str,
        now: Moment,
        own: list[str],
        *,
        everything: bool,
    ) -> bool:
        _records.add_task(c, place, name)
        task = _records.find_task(c, place, name)
        former = self._former(c, task, now)
        if self.verb == "resume" and former is not None:
            window = former["id"]
            c.execute("UPDATE window SET actor = ? WHERE id = ?", (self.id, window))
            base = task["base"]
        elif self.verb == "resume" and not everything:
            return False
        else:
            window = own[0] if own else self._open(c, place, now)
            own[:] = [window]
            base = task["base"] if former is not None else _records.last_request(c)
        c.execute(
            "UPDATE task SET window = ?, epoch = epoch + 1, base = ? WHERE id = ?",
            (window, base, task["id"]),
        )
        if former is not None and not _records.owns_tasks(c, former["id"]):
            _records.close(c, former["id"], now, f"taken over by {window}")
        if self._known(c, task["id"], now).state == "planned":
            c.execute("DELETE FROM request WHERE task = ? AND state = 'planned'", (task["id"],))
            c.execute(
                "INSERT INTO request "
                "(task, window, epoch, actor, verb, state, sent_clock, sent_wall, boot) "
                "VALUES (?, ?, ?, ?, ?, 'planned', ?, ?, ?)",
                (task["id"], window, task["epoch"] + 1, self.id, self.verb, *now),
            )
        return True

    def _former(self, c: Connection, task: Row | None, now: Moment) -> Row | None:
        """The window that has a task, from which this batch may take it; None if none has it."""
        if task is None or task["window"] is None:
            return None
        former = _records.find(c, task["window"])
        if self._busy(former, now):
            raise _records.refusal(former, task["name"], now, self._alive)
        return former

    def _busy(self, former: Row, now: Moment) -> bool:
        """Whether this batch must leave a task to the window that has it."""
        if self._heir_of:
            ours = self._heir_of in {former["batch"], former["actor"]}
            theirs = str(former["actor"]).startswith(self._heir_of)
            return not ours or (not theirs and self._alive(former["actor"]))
        if former["kind"] != "hold":
            return _records.busy(former, now, self._alive)
        single = self.verb == "pause" and not former["batch"]
        return (single and _records.left(former, now) > 0) or self._alive(former["actor"])

    def _open(self, c: Connection, place: Place, now: Moment) -> str:
        row = {
            "id": uuid.uuid4().hex,
            "kind": self._kind,
            "batch": self.id,
            "endpoint": place[0],
            "project_id": place[1],
            "instance_id": place[2],
            "reason": self._reason,
            "actor": self.id,
            "guardian": self._guardian,
            "lease": self._lease,
            "ends_clock": self.end and self.end.clock,
            "ends_wall": self.end and self.end.wall,
            "call_timeout": self._timeout,
            "settle": self._settle,
            **_records.described(now),
        }
        _records.open_window(c, row)
        return str(row["id"])

    def _known(self, c: Connection, task: int, now: Moment) -> Known:
        return _known(_records.effective(c, task), self.verb, self._timeout + self._settle, now)

    async def members(self, place: Place, names: Sequence[str]) -> Members:
        """Return the object that records the requests for claimed tasks of an instance.

        Args:
            place: Endpoint, project, and instance.
            names: Names of tasks that ``plan`` has claimed.

        Raises:
            JournalError: The journal cannot be read.
        """
        now = _clock.now()

        def read(c: Connection) -> dict[str, tuple[str, Owned, Known]]:
            found = {}
            for name in names:
                task = _records.find_task(c, place, name)
                owned = Owned(task["id"], name, task["epoch"])
                found[name] = (task["window"], owned, self._known(c, task["id"], now))
            return found

        return Members(self, await self.journal.aread(read))


def _unclaimed(
    names: Sequence[str], claim: Callable[[str], object]
) -> dict[str, TaskBusyError | None]:
    """The tasks that cannot be claimed, or for which there is nothing to do."""
    left: dict[str, TaskBusyError | None] = {}
    for name in names:
        try:
            if not claim(name):
                left[name] = None
        except TaskBusyError as error:
            left[name] = error
    return left


def _known(rows: Sequence[Row], verb: Verb, effect: float, now: Moment) -> Known:
    """What the requests mean, each of which may have an effect for ``effect`` seconds."""

    def left(row: Row) -> float:
        return max(0.0, _records.remaining(row, effect, now))

    pauses = [row for row in rows if row["verb"] == "pause"]
    about = [row for row in rows if row["verb"] == verb]
    if verb == "pause" and rows and rows[-1]["verb"] != verb:
        return Known(quiet=left(rows[-1]))
    if verb == "resume":
        about = [row for row in about if not pauses or row["id"] > pauses[-1]["id"]]
    twice = len(pauses) > 1
    unseen = [row for row in pauses if twice or row["state"] != "confirmed"]
    late = max(map(left, unseen), default=0.0) if verb == "resume" else 0.0
    last: Any = about[-1]["state"] if about else "planned"
    unknown = last in {"sent", "unknown"}
    return Known(
        state="unknown" if unknown else last,
        quiet=max(map(left, about)) if unknown else 0.0,
        late=late,
        twice=twice,
        paused=bool(pauses),
    )


class Members:
    """Records the requests for the claimed tasks of one instance. ``Batch.members`` returns it.

    Attributes:
        known: What the journal recorded about earlier requests, by the name of the task.
    """

    def __init__(self, batch: Batch, tasks: Mapping[str, tuple[str, Owned, Known]]) -> None:
        self._batch = batch
        self._tasks = {name: (window, owned) for name, (window, owned, _) in tasks.items()}
        self._requests: dict[str, int] = {}
        self.known = {name: known for name, (_, _, known) in tasks.items()}

    async def sending(self, name: str) -> None:
        """Record a request for a task. Call this method just before you send the request.

        If the journal cannot be written and the request is a resume, this method only logs a
        warning: send the resume.

        Args:
            name: The task.

        Raises:
            JournalError: The request is a pause, and the journal cannot be written. Do not send the
                request.
            LeaseExpiredError: The request is a pause, and the lease has ended. Do not send it.
            SupersededError: Another process has claimed the task. Do not send the request.
        """
        batch, (window, task), now = self._batch, self._tasks[name], _clock.now()
        if batch.verb == "pause" and batch.end is not None and batch.end.since(now) <= 0:
            raise LeaseExpiredError("The lease is over: nothing more is paused.", expired=now.date)
        self._requests.pop(name, None)
        try:
            self._requests[name] = await batch.journal.awrite(
                lambda c: _records.send(c, window, task, batch.id, batch.verb, now)
            )
        except JournalError as error:
            if batch.verb == "pause":
                raise
            logger.warning("resuming %s without the journal: %s", name, error)
            with suppress(JournalError):
                await batch.journal.aread(lambda c: _records.check_owned(c, window, task))

    async def answered(self, name: str, answer: Job | ReplicationError) -> None:
        """Record the outcome of a request. If that fails, a warning is logged.

        Args:
            name: The task.
            answer: The accepted job, or the error.
        """
        request, now = self._requests.get(name), _clock.now()
        if request is not None:
            await self._try(lambda c: _records.answer(c, request, answer, now))

    async def done(self, names: Iterable[str]) -> None:
        """Record that a poll has shown the effect of the requests.

        If the journal cannot be written, a warning is logged.

        Args:
            names: The tasks that are paused, or running if the batch resumes tasks. Running tasks
                are released.
        """
        tasks = [self._tasks[name] for name in names]
        now, verb = _clock.now(), self._batch.verb

        def write(c: Connection) -> None:
            _records.confirm(c, [task for _, task in tasks], verb)
            if verb == "resume":
                _let_go(c, tasks, now)

        await self._try(write)

    async def left(self, name: str, state: str, error: ReplicationError | None) -> None:
        """Record that this batch sends no more requests for a task.

        The task is released, unless it may be paused. If the journal cannot be written, a warning
        is logged.

        Args:
            name: The task.
            state: ``found`` if the task needed no request, ``planned`` if no request was sent;
                otherwise ``refused`` or ``unreachable``, see ``Recorded.state``.
            error: The error of the last request; None if there was none.
        """
        window, task = self._tasks[name]
        now, batch = _clock.now(), self._batch
        text = "" if error is None else f"{type(error).__name__}: {error}"
        recorded = state if state in {"found", "refused"} else "unsent"

        def write(c: Connection) -> None:
            if state != "planned":
                c.execute(
                    "UPDATE request SET state = ?, error = ? WHERE task = ? AND state = 'planned'",
                    (recorded, text, task.id),
                )
            paused = any(row["verb"] == "pause" for row in _records.effective(c, task.id))
            if not paused or (state == "found" and batch.verb == "resume"):
                _let_go(c, [(window, task)], now)
            elif batch.verb == "resume":
                c.execute("UPDATE window SET trouble = ? WHERE id = ?", (text, window))

        await self._try(write)

    async def _try(self, act: Callable[[Connection], Any]) -> None:
        """Write something, and only warn if that fails."""
        try:
            await self._batch.journal.awrite(act)
        except JournalError as error:
            logger.warning("not in the journal: %s", error)


def _let_go(c: Connection, tasks: Sequence[tuple[str, Owned]], now: Moment) -> None:
    """Release tasks, and close the holds that have none left."""
    for window in {window for window, _ in tasks}:
        _records.release(c, window, [task for own, task in tasks if own == window])
        if not _records.owns_tasks(c, window):
            _records.close(c, window, now, "closed")
