"""The only way to the target. All requests pass here, so all rules about them are here."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from .build import request_for
from .connection import Connection
from .contract import Operation, operations
from .exchange import UNKNOWN_TASK, Exchange, Expectation, Reply, Request
from .target import Target
from .task import Change, TaskOnTarget, change_of, has_credentials, opposite, refused_change

# An access key is locked after five wrong signatures in a row. A target's real limit is unknown.
BAD_CREDENTIALS_IN_A_ROW = 3
# Longest single sleep, so that a wait ends soon after the run was stopped.
LONGEST_STEP = 0.2

Report = Callable[[str, str, Exchange], None]


class StoppedError(requests.RequestException):
    """No more requests may be sent. The message says why."""


class Wire:
    """Sends requests to one target.

    Args:
        target: The target.
        report: Called for each fault with the check, the problem, and the exchange.
        judge: Checks each exchange.
        sleep: Waits.
        clock: A monotonic clock.
    """

    def __init__(
        self,
        target: Target,
        *,
        report: Report,
        judge: Callable[[Exchange], None],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.exchanges: list[Exchange] = []
        self.task = TaskOnTarget()
        self.stopped: str | None = None
        # Whether the task is being restored; then only such requests are sent.
        self.restoring = False
        self.deadline: float | None = None
        # Operations that the target lacks.
        self.lacking: set[str] = set()
        self.lock = threading.RLock()
        self.clock = clock
        self._sleep = sleep
        self._report = report
        self._judge = judge
        self._slow = 0
        self._next = 0.0
        self._bad = 0

    @property
    def list_is_offered(self) -> bool:
        """Whether the target has the list of tasks."""
        return "list" not in self.lacking

    # What is sent

    def request(self, operation: Operation, **changes: Any) -> Request:
        """A correct request, except for the given arguments; see `request_for`."""
        return request_for(self.target, operation, **changes)

    def send(
        self,
        request: Request,
        source: str,
        *,
        as_is: bool = False,
        case: bool = True,
        excused: bool = False,
        expect: Expectation | None = None,
        over: Connection | None = None,
    ) -> Exchange:
        """Send a request and judge the response.

        Args:
            request: The request.
            source: Its purpose.
            as_is: Whether the task may be in a stage that does not allow the change.
            case: Whether it counts as a test case.
            excused: Whether a 5xx is not a fault here.
            expect: The allowed responses.
            over: The connection to use; a new one by default.

        Raises:
            StoppedError: No more requests may be sent.
        """
        patient = expect is not None and expect.allowed == {200}
        with self.lock:
            self.before(request, as_is=as_is)
            exchange = self._attempt(request, source, over, patient=patient)
            exchange.case, exchange.excused, exchange.expect = case, excused, expect
            return self.after(exchange)

    def send_to_restore(self, request: Request, source: str) -> Exchange:
        """Send a request that restores the task, also if the run was stopped.

        It is recorded, but not judged.
        """
        with self.lock:
            self.restoring = True
            self._wait_for_turn()
            exchange = self._attempt(request, source)
            exchange.case, exchange.excused = False, True
            self._record(exchange)
            self.task.note(exchange, self.target, self.clock(), lambda *_: None)
            return exchange

    def sleep(self, seconds: float) -> None:
        """Sleep, but end early once the run was stopped, unless the task is being restored."""
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0 and (self.stopped is None or self.restoring):
            self._sleep(min(left, LONGEST_STEP))

    def at_once(
        self, batch: Sequence[tuple[Request, Expectation | None]], source: str
    ) -> list[Exchange]:
        """Send requests at the same time, each over a separate connection."""
        with self.lock:
            for request, _ in batch:
                self.before(request, as_is=True)
            bad = sum(not has_credentials(request, self.target) for request, _ in batch)
            gate = threading.Barrier(len(batch))

            def send(item: tuple[Request, Expectation | None]) -> Exchange:
                gate.wait()
                exchange = self._attempt(item[0], source)
                exchange.excused, exchange.expect = True, item[1]
                return exchange

            with ThreadPoolExecutor(len(batch)) as pool:
                exchanges = list(pool.map(send, batch))
            for exchange in exchanges:
                self.after(exchange)
            # Their order is unknown.
            self.task.last, self.task.at = None, self.clock()
            self._bad = max(self._bad, bad)
            return exchanges

    def patiently(
        self,
        request: Request,
        source: str,
        reply: Reply,
        began: float,
        again: Callable[[Request], Reply],
    ) -> tuple[Reply, float]:
        """Send a change again while an earlier one may be in progress; record each response."""
        since, until, pause = self.task.at, began + self.target.settle, 0.1
        if not self.task.is_busy(request, reply, self.target):
            return reply, began
        while self.task.is_busy(request, reply, self.target) and self.clock() < until:
            seconds = self.clock() - began
            sent = Exchange(0, source, request, reply, None, seconds, time.time() - seconds)
            sent.case, sent.excused = False, True
            self._record(sent)
            self.sleep(pause)
            pause = min(2 * pause, 5.0)
            self._wait_for_turn()
            if self.stopped is not None:
                break
            began = self.clock()
            reply = again(request)
        self.task.learn(self.clock() - since)
        return reply, began

    # Before and after

    def before(self, request: Request, *, as_is: bool) -> None:
        """Prepare a request: wait for its turn, check credentials, set the task's stage."""
        if self.stopped is None and self.deadline is not None and self.clock() > self.deadline:
            self.stopped = "enough was found"
        if self.stopped is not None:
            raise StoppedError(self.stopped)
        good = has_credentials(request, self.target)
        if not good and self._bad >= BAD_CREDENTIALS_IN_A_ROW:
            self._prove_credentials()
        # Count before sending, because several requests may be sent at the same time.
        self._bad += not good
        change = change_of(request, self.target)
        if change is not None and not as_is:
            self.toward(change)
        self._wait_for_turn()

    def after(self, exchange: Exchange) -> Exchange:
        """Record an exchange and judge it."""
        self._record(exchange)
        good = has_credentials(exchange.request, self.target)
        refused = exchange.status in (401, 403)
        if good and refused and not exchange.excused:
            self._bad += 1
        elif good and exchange.reply is not None:
            self._bad = 0
        self.task.note(exchange, self.target, self.clock(), self._report)
        self._judge(exchange)
        if exchange.status == 429 and not exchange.excused:
            self.stopped = "the target throttles"
            raise StoppedError(self.stopped)
        self._judge_time(exchange)
        return exchange

    def _record(self, exchange: Exchange) -> None:
        exchange.number = len(self.exchanges) + 1
        self.exchanges.append(exchange)

    def _exchange(self, request: Request, over: Connection | None = None) -> Reply:
        used = over is not None and over.is_open
        connection = over or Connection(self.target.url, clock=self.clock)
        try:
            return connection.exchange(request)
        except (ConnectionError, http.client.RemoteDisconnected):
            if not used:
                raise
            # HTTP allows a server to close a connection at any time.
            return connection.exchange(request)

    def _attempt(
        self,
        request: Request,
        source: str,
        over: Connection | None = None,
        *,
        patient: bool = False,
    ) -> Exchange:
        """Send a request, and repeat it while an earlier change may be in progress."""
        began, error, reply = self.clock(), None, None
        try:
            reply = self._exchange(request, over)
            if patient:
                reply, began = self.patiently(request, source, reply, began, self._exchange)
        except (OSError, http.client.HTTPException) as problem:
            error = f"{type(problem).__name__}: {problem}"
        seconds = self.clock() - began
        return Exchange(0, source, request, reply, error, seconds, time.time() - seconds)

    def _wait_for_turn(self) -> None:
        if self.target.rate is not None:
            now = self.clock()
            if now < self._next:
                self.sleep(self._next - now)
            self._next = max(now, self._next) + 1 / self.target.rate

    def _prove_credentials(self) -> None:
        """Send valid credentials, so that invalid ones do not lock the access."""
        request = self.request(operations()["pause"], task_name=UNKNOWN_TASK)
        exchange = self.send(request, "good credentials between bad ones", case=False)
        if exchange.status == 401:
            self.stopped = "the target rejects the valid credentials"
            raise StoppedError(self.stopped)

    def _judge_time(self, exchange: Exchange) -> None:
        """Report slow responses, if a request is slow each time or if several requests are slow.

        A single slow response may be caused by this machine.
        """
        limit = self.target.slowest
        if exchange.seconds <= limit or exchange.reply is None:
            return
        self._slow += 1
        for _ in range(2):
            if self._slow < 4:
                self._wait_for_turn()
                began = self.clock()
                try:
                    self._exchange(exchange.request)
                except (OSError, http.client.HTTPException):
                    return
                if self.clock() - began <= limit:
                    return
        text = f"responded after {exchange.seconds:.1f} s; the maximum is {limit:g} s"
        self._report("response_time", text, exchange)
        self.stopped = "the target is slow"
        raise StoppedError(self.stopped)

    # The named task

    def toward(self, change: Change) -> None:
        """Bring the task into a stage that allows this change.

        A target may refuse to pause a paused task. Therefore the opposite change is sent first, so
        that a correct request must be accepted.
        """
        if self.task.last != opposite(change):
            self.ask(opposite(change))
        self._let_settle()

    def ask(
        self, change: Change, source: str = "before a case: {change}", *, case: bool = False
    ) -> Exchange:
        """Repeat a change until it is accepted, while an earlier one may be in progress."""
        task = self.task
        self._let_settle()
        began, pause, known, before = self.clock(), 0.02, task.last, task.at
        request = self.request(operations()[change])
        while True:
            exchange = self.send(request, source.format(change=change), as_is=True, case=case)
            if exchange.status == 200:
                if pause > 0.02:
                    task.learn(self.clock() - before)
                return exchange
            if exchange.status == 400 and known in (None, change):
                # A strict target, and the task is already in this stage.
                task.last, task.at = change, self.clock()
                return exchange
            late = self.clock() - began > self.target.settle
            if exchange.status != 400 or late or not task.may_be_under_way:
                self._report(*refused_change(change, exchange.reply), exchange)
                task.last, task.at = None, self.clock()
                return exchange
            self.sleep(pause)
            pause = min(2 * pause, 5.0)

    def _let_settle(self) -> None:
        """Wait as long as the target needs between two changes, as observed."""
        if (left := self.task.at + self.task.needs - self.clock()) > 0:
            self.sleep(left)
