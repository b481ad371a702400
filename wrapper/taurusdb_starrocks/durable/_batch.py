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
    """What the journal says about the requests for a task. Times are in seconds from now.

    Attributes:
        state: ``planned``: no request was sent that may have an effect. ``unknown``: the outcome of
            the last request is unknown. ``accepted``: the last request was accepted. ``confirmed``:
            a poll has shown its effect.
        quiet: How long to wait before sending another request, because the last one may still take
            effect.
        late: How long an unconfirmed pause may still take effect.
        twice: Whether two pauses were sent, so that the second may take effect after the first.
        paused: Whether a pause was sent at all.
    """

    state: Literal["planned", "unknown", "accepted", "confirmed"] = "planned"
    quiet: float = 0.0
    late: float = 0.0
    twice: bool = False
    paused: bool = False


class Batch:
    """Records the pauses or resumes of many tasks. The caller sends the requests.

    A task that is paused is on hold, as by ``pause``: ``overview`` lists it, and ``recover``
    resumes it after the lease. While the process of a batch is alive, no other batch touches its
    tasks. When that process has exited, the next batch takes them over.

    Args:
        journal: Journal in which the tasks and their requests are recorded.
        verb: ``pause`` or ``resume``.
        call_timeout: Maximum duration of a request, in seconds.
        settle: How long a request with an unknown outcome may still take effect, in seconds.
        lease: Seconds from now until the tasks must be resumed; None means no limit.
        reason: Why they are paused, shown to people who read the journal.
        kind: ``hold`` if they stay paused until they are resumed or the lease ends, as by
            ``pause``; ``window`` if they must be resumed when this process exits.
        heir_of: ID of an earlier batch. This batch takes over the tasks of that batch, and no
            others. If the program of that batch has a task (in a batch whose ID begins with
            ``heir_of``), the task is taken over even while that program is running. If another
            process has the task, it is taken over only after that process has exited.
        number: ID of this batch; None for a new one.

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
        """Release the lock: other batches and ``recover`` may resume what is still paused."""
        if self._lock is not None:
            self._lock.release()

    def _alive(self, actor: str) -> bool:
        return actor != self.id and _locks.alive(self.journal.lock_path(actor))

    @property
    def left(self) -> float:
        """Seconds until the lease ends; 0 when it has ended."""
        return float("inf") if self.end is None else max(0.0, self.end.since(_clock.now()))

    def guarded_by(self, number: str) -> None:
        """Record which batch resumes the tasks if the process of this batch has exited."""
        self._guardian = number
        self.journal.write(
            lambda c: c.execute("UPDATE window SET guardian = ? WHERE batch = ?", (number, self.id))
        )

    @property
    def late(self) -> bool:
        """Whether four fifths of the lease have passed."""
        return self._lease is not None and self.left <= (1 - _term.WARN_AT) * self._lease

    @property
    def short(self) -> bool:
        """Whether too little of the lease is left to start a block."""
        return self._lease is not None and self.left < _term.SHARE * self._lease

    def expired(self, message: str) -> LeaseExpiredError:
        """The error for a lease that has expired or is too short."""
        return LeaseExpiredError(message, expired=(self.end or _clock.now()).date)

    def check(self) -> None:
        """Raise ``LeaseExpiredError`` if the lease has expired."""
        if self.left <= 0:
            raise self.expired(
                "The lease of the window has expired: its tasks are running or being resumed. Stop "
                "any work that requires them to be paused."
            )

    def extend(self, seconds: float) -> None:
        """Extend the lease to this many seconds from now. A lease is never shortened.

        Raises:
            LeaseExpiredError: It has expired. The tasks are running or being resumed.
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
        """Record the child processes that must have exited before the tasks are resumed.

        Args:
            process_group: ID of their group.
            grace: Seconds between SIGTERM and SIGKILL.

        Raises:
            ConfigurationError: The leader of the group has exited.
            LeaseExpiredError: The lease has expired. The tasks are running or being resumed.
            JournalError: The journal cannot be written.
        """
        self.check()
        born = _recovery.identified(process_group)
        group = (process_group, born, grace)
        self.journal.write(lambda c: _records.set_group(c, self._windows(c), *group))

    def closed(self) -> bool:
        """Whether the journal once listed tasks of this batch but no longer does.

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
        """Claim tasks of an instance, and record that a request about each is planned.

        If the journal cannot be written, the tasks that it shows as paused are resumed without it.

        Args:
            place: Endpoint, project and instance.
            names: The tasks.
            everything: Whether to also resume tasks that are not paused according to the journal.

        Returns:
            The tasks that were not claimed, by name. The value is a ``TaskBusyError`` if another
            process has the task, or None if there is nothing to resume.

        Raises:
            JournalError: The journal cannot be written.
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
        """The tasks of an instance that were claimed."""
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
    """Tasks of one instance in a batch.

    Attributes:
        known: What the journal says about their requests so far.
    """

    def __init__(self, batch: Batch, tasks: Mapping[str, tuple[str, Owned, Known]]) -> None:
        self._batch = batch
        self._tasks = {name: (window, owned) for name, (window, owned, _) in tasks.items()}
        self._requests: dict[str, int] = {}
        self.known = {name: known for name, (_, _, known) in tasks.items()}

    async def sending(self, name: str) -> None:
        """Record a request for a task, just before it is sent.

        If the journal cannot be written, a resume is still sent, unless the journal can be read and
        shows that another process has the task.

        Raises:
            JournalError: A pause could not be recorded. It must not be sent.
            LeaseExpiredError: It is a pause, and the lease has expired.
            SupersededError: Another process has the task now. Nothing must be sent.
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
        """Record the outcome of a request."""
        request, now = self._requests.get(name), _clock.now()
        if request is not None:
            await self._try(lambda c: _records.answer(c, request, answer, now))

    async def done(self, names: Iterable[str]) -> None:
        """Record that a poll has shown tasks paused, or running, as the batch wants them."""
        tasks = [self._tasks[name] for name in names]
        now, verb = _clock.now(), self._batch.verb

        def write(c: Connection) -> None:
            _records.confirm(c, [task for _, task in tasks], verb)
            if verb == "resume":
                _let_go(c, tasks, now)

        await self._try(write)

    async def left(self, name: str, state: str, error: ReplicationError | None) -> None:
        """Record that nothing more is done about a task, and release it unless it may be paused.

        Args:
            name: The task.
            state: ``found`` if it needed no request, ``planned`` if it was not tried, else the
                kind of its failure.
            error: What it failed with.
        """
        window, task = self._tasks[name]
        now, batch = _clock.now(), self._batch
        text = "" if error is None else f"{type(error).__name__}: {error}"

        def write(c: Connection) -> None:
            if state != "planned":
                c.execute(
                    "UPDATE request SET state = ?, error = ? WHERE task = ? AND state = 'planned'",
                    ("found" if state == "found" else "refused", text, task.id),
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
