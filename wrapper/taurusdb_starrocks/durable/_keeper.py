"""The recorder of a durable window: claims its tasks, keeps its lease, and records its end."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from taurusdb_starrocks import (
    AsyncClient,
    Client,
    Configuration,
    ConfigurationError,
    Earlier,
    ReplicationError,
    Task,
)
from taurusdb_starrocks.durable import _clock, _locks, _records, _recovery, _term
from taurusdb_starrocks.durable._clock import Moment
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._records import Owned, SupersededError
from taurusdb_starrocks.durable._sender import Sender, logger
from taurusdb_starrocks.durable._term import Term
from taurusdb_starrocks.durable._watch import Watch, WatchedWindow

OPENING = 60.0  # Seconds added to the lease until the first pause.


class Keeper(Sender):
    """The recorder of a window: claims its tasks, keeps its lease, and has a guardian started.

    Args:
        client: The client of the window.
        instance_id: Instance of the tasks.
        names: The tasks.
        journal: Where it is recorded.
        lease: Seconds until the guardian resumes the tasks; None has no limit.
        guardian: Whether to start one.
        reason: Why the tasks are paused, for people.
        waiting: How to wait.
        handle: Makes what ``as`` binds from this object.
    """

    kind = "window"
    called = "window"  # As warnings call it.
    takes_holds = False

    def __init__(
        self,
        client: Client | AsyncClient,
        instance_id: str,
        names: Sequence[str],
        *,
        journal: Journal,
        lease: float | None,
        guardian: bool,
        reason: str,
        waiting: Mapping[str, Any],
        handle: Callable[[Keeper], Any] = lambda keeper: keeper,
    ) -> None:
        super().__init__(journal, uuid.uuid4().hex, "")
        self.actor = self.window  # Its lock has the same name.
        self._client = client
        self._instance_id = instance_id
        self._names = list(dict.fromkeys(names))
        self._name = f"{self.called} on instance={instance_id}"
        self.term = Term(lease, instance_id, self._names[0])
        self._reason = reason
        self._handle = handle
        self._settle = float(waiting.get("settle", client.settle))
        self._timeout = float(waiting.get("timeout", client.wait_timeout))
        self._process = 0
        self._seen_paused: set[str] = set()
        self._limit = float("inf")  # When not to wait for another process any longer.
        self._ending = False  # Whether the tasks are then left to it.
        self._unhandled: set[str] = set()  # Taken over, but not yet known to the window.
        self._lock: _locks.Lock | None = None
        self._stop = threading.Event()
        self._busy = threading.RLock()  # A cancelled opening goes on in its thread.
        self.found_paused: tuple[str, ...] = ()
        self.taken_over: tuple[str, ...] = ()
        self.tasks_seen: list[Task] = []
        watched = WatchedWindow(
            journal,
            self.window,
            self.term,
            client,
            waiting=waiting,
            name=f"{self._name} over {', '.join(self._names)}",
        )
        self._watch = Watch(watched, guarded=guardian)

    # --- Called by the window, in this order ---------------------------------------------------

    def opening(self) -> Earlier:
        """Claim the tasks, start the guardian, and wait for requests that a former owner sent."""
        with self._busy:
            if self._process:
                raise ConfigurationError("A durable window is for one block only. Create another.")
            self._process = os.getpid()
            self._lock = _locks.Lock(self.journal.lock_path(self.window))
            now = _clock.now()
            # Nothing is paused yet; tasks that are taken over are guarded until the lease starts.
            self.term.end = self.term.ends(now.after(OPENING), self.term.seconds)
            row = self._described(now)
            taken, tasks = self.journal.write(lambda c: self._announce(c, row, now))
            self.tasks = {task.name: task for task in tasks}
            self.begin_watch(self._watch)
            if taken:
                taken, tasks = self.journal.write(lambda c: self.claim(c, row, now))
                self.tasks = {task.name: task for task in tasks}
                self._unhandled = set(taken)
            earlier = self._settled(taken)
            self._begin_lease()
            return earlier

    def begin_watch(self, watch: Watch) -> None:
        """Start a guardian for this process, and keep one running."""
        watch.start(os.getpid())
        watch.keep()

    def _described(self, now: Moment) -> dict[str, Any]:
        return {
            "id": self.window,
            "kind": self.kind,
            "endpoint": self._client.endpoint,
            "project_id": self._client.project_id,
            "instance_id": self._instance_id,
            "reason": self._reason,
            "actor": self.actor,
            "lease": self.term.seconds,
            "ends_clock": self.term.end and self.term.end.clock,
            "ends_wall": self.term.end and self.term.end.wall,
            "call_timeout": self._client.timeout,
            "settle": self._settle,
            **_records.described(now),
        }

    def _announce(
        self, c: Any, row: Mapping[str, Any], now: Moment
    ) -> tuple[dict[str, Any], list[Owned]]:
        """Open the window, and claim its tasks unless some must be taken over.

        Those stay with their former guardian, which may be running, until there is a new one.
        """
        _records.open_window(c, row)
        c.execute("SAVEPOINT claim")
        taken, tasks = self.claim(c, row, now)
        if taken:
            c.execute("ROLLBACK TO claim")
        return taken, [] if taken else tasks

    def claim(
        self, c: Any, row: Mapping[str, Any], now: Moment
    ) -> tuple[dict[str, Any], list[Owned]]:
        """Make this window the owner of its tasks."""
        taken = _records.claim(c, row, self._names, now, self._alive, holds=self.takes_holds)
        return taken, _records.owned(c, self.window)

    def _alive(self, actor: str) -> bool:
        return _locks.alive(self.journal.lock_path(actor))

    def _settled(self, taken: Mapping[str, Any]) -> Earlier:
        """Wait until no request of the former owners can still arrive; return what they left.

        They can send nothing more, because they check the epoch first.
        """
        known = Earlier()
        while True:
            waits = 0.0
            parts = []
            for former in {row["id"]: row for row in taken.values()}.values():
                names = [name for name, row in taken.items() if row["id"] == former["id"]]
                tasks = [self.tasks[name] for name in names]
                part = self._earlier(tasks, former)
                parts.append(part)
                waits = max([waits, *part.pauses.values()])
            known = _records.together(parts)
            if waits <= 0 or self._stop.wait(min(waits, 0.1)):
                break
        self.taken_over = tuple(name for name in self._names if name in known.names)
        self._unhandled = set(self.taken_over)
        for former in {row["id"]: row for row in taken.values()}.values():
            names = [n for n in self.taken_over if taken[n]["id"] == former["id"]]
            if names:
                logger.warning(
                    "%s takes over tasks that %s has paused since %s: %s",
                    self._name,
                    _records.owner(former),
                    _records.date(former["began_wall"]).isoformat(" ", "seconds"),
                    ", ".join(names),
                )
        return known

    def _earlier(self, tasks: Sequence[Owned], former: Any) -> Earlier:
        now, lives = _clock.now(), self._alive(former["actor"])
        return self.journal.read(lambda c: _records.earlier(c, tasks, now, former, lives=lives))

    def found(self, tasks: Sequence[Task], found_paused: Sequence[str], /) -> Collection[str]:
        """Start the lease; return the tasks whose binary log retention is to be read."""
        self.found_paused = tuple(found_paused)
        self._check_stop()
        self._begin_lease()
        return [task.name for task in tasks if task.name not in self.found_paused]

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise ConfigurationError("The window was closed while it opened. Nothing was sent.")

    def configured(self, task_name: str, configuration: Configuration, /) -> None:
        """Warn if the lease is longer than the source keeps its binary log."""
        kept, lease = configuration.binlog_retention_seconds, self.term.seconds
        if kept is not None and (lease is None or lease > kept):
            logger.warning(
                "%s: the lease of %s is longer than the source of %s keeps its "
                "binary log (%d s); a task that is paused for longer than that cannot catch up",
                self._name,
                "unlimited time" if lease is None else f"{lease:g} s",
                task_name,
                kept,
            )

    def sending(self, verb: str, task_name: str, /) -> None:
        """Record a request, if the lease and the journal allow it."""
        if verb == "pause":
            self._check_stop()
            self.term.check()
        super().sending(verb, task_name)

    def opened(self, tasks: Sequence[Task], /) -> Any:
        """Return what the block gets, if enough of the lease is left."""
        self.term.check_share()
        self.tasks_seen = list(tasks)
        self._watch.tell(look=True)
        return self._handle(self)

    def closing(self, task_names: Sequence[str], /) -> Collection[str]:
        """Return the tasks that this program resumes: not those that the guardian has taken.

        An interrupt ends a call, or only the wait for its thread. Then this is called again.
        """
        self._stop.set()
        self._watch.end()
        seconds = self._timeout if self._limit == float("inf") else self._settle
        self._limit = min(self._limit, time.monotonic() + seconds)
        with self._busy:
            if not self.tasks:
                return ()
            self._unhandled -= set(task_names)
            return self._left_by_others(task_names)

    def _left_by_others(self, names: Collection[str]) -> Collection[str]:
        """The tasks that this program must resume: all, unless another process has taken them.

        That is the guardian after the lease, or ``recover``. This program waits until that process
        has resumed them. If it is gone or has failed, or is not done by ``_limit``, because it may
        be stopped, this program takes the tasks back.
        """
        waits = False
        try:
            while True:
                row = self.journal.read(lambda c: _records.find(c, self.window))
                if row["actor"] == self.actor:
                    return names
                kept = self.journal.read(lambda c: _records.owned(c, self.window))
                held = {task.name for task in kept}
                if not held & set(names):
                    return () if row["actor"] == row["guardian"] else self._reclaim(names)
                names = [name for name in names if name in held]
                late = time.monotonic() > self._limit
                if late and self._ending:
                    return names
                if late:
                    logger.warning(
                        "%s: the process that took over its tasks has not "
                        "resumed them in time; this program resumes them: %s",
                        self._name,
                        ", ".join(names),
                    )
                if late or row["trouble"] or not self._alive(row["actor"]):
                    self._take_back(row["actor"])
                    return names
                if not waits:
                    waits = True
                    logger.warning(
                        "%s: %s resumes the tasks; this program waits for that, for at most "
                        "%.0f s: %s",
                        self._name,
                        "the lease has ended, and the guardian"
                        if row["actor"] == row["guardian"]
                        else "another process has taken over and",
                        max(0.0, self._limit - time.monotonic()),
                        ", ".join(names),
                    )
                self._watch.tell(over=True)
                time.sleep(0.05)
        except (JournalError, SupersededError) as error:
            logger.warning("resuming without the journal: %s", error)
            return names

    def _reclaim(self, names: Collection[str]) -> Collection[str]:
        """Take back the tasks that may have been paused after ``recover`` released them.

        A program that was stopped right before it sends a pause sends it when it continues, however
        late that is. A guardian checks again at the end, but ``recover`` does not.
        """
        doubtful = [self.tasks[name] for name in names if name not in self._seen_paused]
        tasks = self.journal.write(lambda c: _records.reclaim(c, self.window, self.actor, doubtful))
        self.tasks |= {task.name: task for task in tasks}
        return [task.name for task in tasks]

    def reached(self, verb: str, task_names: Sequence[str], /) -> None:
        """Record that a poll showed the effect of the requests about tasks."""
        if verb == "pause" and self.term.left > 0:  # No process takes the tasks before that.
            self._seen_paused.update(task_names)
        super().reached(verb, task_names)

    def _take_back(self, former: str) -> None:
        tasks = self.journal.write(lambda c: _records.take(c, self.window, self.actor, former))
        self.tasks = {task.name: task for task in tasks}

    def closed(
        self, left: Mapping[str, ReplicationError], seen: Sequence[Task], /
    ) -> Collection[str]:
        """Release the tasks that run, and leave the others to the guardian."""
        self._limit, self._ending = 0.0, True  # A thread that still waits in `closing` ends.
        with self._busy:
            if not self.tasks:  # It never claimed them.
                self._watch.tell(over=True)
                self.leave()
                return list(left)
            if left:  # No longer than an interrupt lets a window wait.
                self._limit = time.monotonic() + self._settle
                ours = self._left_by_others(list(left))
                left = {name: error for name, error in left.items() if name in ours}
            still = self._let_go(left)
            self._watch.tell(over=True)
            self.leave()
            for task in seen:
                if task.needs_repair or task.abnormal:
                    logger.warning(
                        "%s closed: the task %s %s",
                        self._name,
                        task.name,
                        "is abnormal" if task.abnormal else "needs a repair",
                    )
            if self.term.left <= 0 and not still:
                raise self.term.expired(
                    "The lease ended before the block, and the tasks were resumed."
                )
            return still

    def leave(self) -> None:
        """Stop being the owner of the window."""
        self._stop.set()
        self._watch.end()
        if self._lock is not None:
            self._lock.release()

    def _let_go(self, left: Mapping[str, ReplicationError]) -> list[str]:
        now = _clock.now()
        # Tasks that a cancelled opening had taken over stay in the journal, for others.
        kept = {*left, *self._unhandled}
        done = [task for name, task in self.tasks.items() if name not in kept]
        why = "; ".join(f"{name}: {_recovery.cause(error)}" for name, error in left.items())

        def write(c: Any) -> list[str]:
            _records.release(c, self.window, done)
            still = [task.name for task in _records.owned(c, self.window)]
            if still:
                c.execute("UPDATE window SET trouble = ? WHERE id = ?", (why, self.window))
            else:
                _records.close(c, self.window, now, "closed")
            return [name for name in still if name in left]

        try:
            return self.journal.write(write)
        except JournalError as error:
            logger.warning("the window is closed, but the journal could not be told: %s", error)
            return list(left)

    # --- The lease -----------------------------------------------------------------------------

    def _begin_lease(self) -> None:
        self._set_end(self.term.ends(_clock.now(), self.term.seconds))

    def _set_end(self, end: Moment | None) -> None:
        """Have the lease end at another moment, unless it has ended in the journal."""
        if end is None:
            return

        def write(c: Any) -> None:
            row = _records.find(c, self.window)
            # Read here again: the journal may have been busy until after the end of the lease.
            if row["actor"] != self.actor or _records.left(row, _clock.now()) <= 0:
                raise self.term.expired("The lease has ended: the guardian has the tasks.")
            _records.set_end(c, [row], end)

        self.journal.write(write)
        self.term.end = end
        self._watch.tell(look=True)

    def extend(self, seconds: float) -> None:
        """Have the lease end this many seconds from now, unless it ends later."""
        end = _clock.now().after(_term.checked(seconds))
        self._check_open()
        assert self.term.end is not None
        if end.since(self.term.end) > 0:
            self._set_end(end)
            self.term.seconds = seconds

    def guard(self, process_group: int, grace: float) -> None:
        """Record the child processes that must end before the tasks are resumed."""
        self._check_open()
        born = _recovery.identified(process_group)
        self.journal.write(
            lambda c: _records.set_group(
                c, [_records.find(c, self.window)], process_group, born, grace
            )
        )
        self._watch.tell(look=True)

    def _check_open(self) -> None:
        if self._process != os.getpid() or self._stop.is_set():
            raise ConfigurationError("The window is not open in this process.")
        self.term.check()
