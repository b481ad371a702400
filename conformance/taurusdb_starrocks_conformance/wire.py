"""The one way to the target: every request passes here, so every rule about them stands here.

Requests are written byte by byte, because HTTP libraries repair what is broken on purpose.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from .contract import IDENTIFIERS, LANGUAGES, TASK_NAME, Operation, operations
from .target import Target

TIMEOUT = 10.0
LONGEST_ANSWER = 4 << 20
# An access key is locked after five wrong signatures in a row; a target's real limit is not known.
BAD_IDENTITIES_IN_A_ROW = 3
DOCUMENTED = frozenset.union(*(operation.documented for operation in operations().values()))
PLAIN_JSON = re.compile(r"application/json(; ?charset=utf-8)?", re.IGNORECASE)
# How often a target may turn out to need longer between two changes than it was seen to need.
MOST_SURPRISES = 3
UNKNOWN_TASK = "no_such_task_of_the_fuzzer"

Change = Literal["pause", "resume"]


class StoppedError(requests.RequestException):
    """Nothing more may be sent; the text says why."""


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire. `path` is not touched: it may be anything."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The values of a header, or None."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(found) if found else None

    @cached_property
    def document(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def task_name(self) -> Any:
        """The task that the body or the query names."""
        query = dict(parse_qsl(self.path.partition("?")[2], keep_blank_values=True))
        body = self.document if isinstance(self.document, dict) else {}
        return query.get("task_name") if self.method == "GET" else body.get("task_name")

    def operation(self, base: str = "") -> tuple[Operation, str, str] | None:
        """The operation that the path leads to, with the identifiers in it, however they look."""
        path = self.path.removeprefix(base).partition("?")[0]
        for operation in operations().values():
            pattern = re.escape(operation.template).replace(r"\{", "{").replace(r"\}", "}")
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
            match = re.fullmatch(pattern, path)
            if match and self.method == operation.method:
                return operation, unquote(match["project_id"]), unquote(match["instance_id"])
        return None


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @cached_property
    def document(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            return None

    @property
    def accepted(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300


@dataclass
class Exchange:
    """A request, its answer or what came in its place, and where it comes from."""

    number: int
    source: str
    request: Request
    reply: Reply | None
    error: str | None
    seconds: float
    time: float
    case: bool
    provoked: bool = False
    failed: list[str] = field(default_factory=list)


def _refuse(name: str) -> Any:
    raise ValueError(name)


@dataclass
class TaskOnTarget:
    """What is known of the named task: which change was accepted last, and how long it takes."""

    last: Change | None = None
    at: float = 0.0
    needs: float = 0.0
    surprises: int = 0
    jobs: dict[str, int] = field(default_factory=dict)


Report = Callable[[str, str, Exchange], None]


class Wire:
    """Sends requests to one target.

    Args:
        target: What to send to.
        report: Told of every fault: the check, what is wrong, and the exchange that shows it.
        judge: Looks at every exchange.
        sleep: What waits.
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
        self.deadline: float | None = None
        self.slow: list[Exchange] = []
        self.lacking: set[str] = set()
        self._report = report
        self._judge = judge
        self._sleep = sleep
        self.clock = clock
        self._next = 0.0
        self._bad = 0
        self._lock = threading.RLock()
        parts = urlsplit(target.url)
        self._host, self._tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._netloc = parts.netloc
        self._context = ssl.create_default_context() if self._tls else None

    @property
    def list_is_offered(self) -> bool:
        """Whether the target has the list of tasks."""
        return "list" not in self.lacking

    # What is sent

    def request(
        self,
        operation: Operation,
        *,
        task_name: str | None = None,
        project_id: str | None = None,
        instance_id: str | None = None,
        query: str = "",
        headers: Iterable[tuple[str, str]] = (),
        without: Iterable[str] = (),
        body: bytes | None = None,
    ) -> Request:
        """A request for an operation that is right in all that is not said."""
        target = self.target
        own = [*headers]
        named = {name.lower() for name, _ in own} | {name.lower() for name in without}
        defaults = [("X-Auth-Token", target.token)]
        if operation.method == "POST":
            defaults.append(("Content-Type", "application/json"))
            if body is None:
                body = json.dumps({"task_name": task_name or target.task_name}).encode()
        if operation.names_task and "task_name=" not in query:
            query = "&".join(filter(None, [f"task_name={task_name or target.task_name}", query]))
        path = target.base + operation.path(
            target.project_id if project_id is None else project_id,
            target.instance(operation) if instance_id is None else instance_id,
        )
        return Request(
            operation.method,
            path + (f"?{query}" if query else ""),
            (*((name, value) for name, value in defaults if name.lower() not in named), *own),
            body or b"",
        )

    def send(
        self,
        request: Request,
        source: str,
        *,
        as_is: bool = False,
        patient: bool = False,
        case: bool = True,
        provoked: bool = False,
    ) -> Exchange:
        """Send a request and judge what comes back.

        Args:
            request: The request.
            source: What it is for.
            as_is: Whether the task may be in a stage that does not allow the change.
            patient: Whether to ask again if an earlier change may be under way.
            case: Whether it counts as a case.
            provoked: Whether the target was told to fail.

        Raises:
            StoppedError: Nothing may be sent any more.
        """
        with self._lock:
            self._before(request, as_is=as_is)
            began = self.clock()
            try:
                reply, error = self._exchange(request), None
                if patient and self._is_under_way(request, reply, began):
                    since = self.task.at
                    first = began
                    while self._is_under_way(request, reply, first):
                        self._sleep(0.1)
                        began = self.clock()
                        reply = self._exchange(request)
                    self._learn(since)
            except (OSError, http.client.HTTPException) as problem:
                reply, error = None, f"{type(problem).__name__}: {problem}"
            return self._after(
                request, source, reply, error, self.clock() - began, case=case, provoked=provoked
            )

    @contextmanager
    def carries(self, source: Callable[[], str]) -> Iterator[None]:
        """Meanwhile all that the library `requests` sends passes here too.

        Schemathesis sends cases, wrong identities and questions about the server in three
        different ways, and none of them can be hooked. They all end in this one method.
        """
        original = HTTPAdapter.send

        def send(adapter: HTTPAdapter, prepared: Any, **settings: Any) -> requests.Response:
            body = prepared.body or b""
            request = Request(
                prepared.method,
                _path_of(prepared.url),
                tuple((_text(key), _text(value)) for key, value in prepared.headers.items()),
                body.encode() if isinstance(body, str) else bytes(body),
            )
            with self._lock:
                self._before(request, as_is=False)
                # One connection for one request: a server with a single thread may serve no other
                # before this one is closed, and changes are asked for in between.
                prepared.headers["Connection"] = "close"
                began = self.clock()
                try:
                    response = original(adapter, prepared, **{**settings, "proxies": {}})
                    content = response.content
                    reply = Reply(response.status_code, (), content)
                    if self._is_under_way(request, reply, began):
                        since = self.task.at
                        first = began
                        while self._is_under_way(request, reply, first):
                            self._sleep(0.1)
                            adapter.close()
                            began = self.clock()
                            response = original(adapter, prepared, **{**settings, "proxies": {}})
                            content = response.content
                            reply = Reply(response.status_code, (), content)
                        self._learn(since)
                    adapter.close()
                except requests.RequestException as problem:
                    error = f"{type(problem).__name__}: {problem}"
                    seconds = self.clock() - began
                    self._after(request, source(), None, error, seconds, case=True, provoked=False)
                    raise
                reply = Reply(response.status_code, tuple(response.headers.items()), content)
                seconds = self.clock() - began
                self._after(request, source(), reply, None, seconds, case=True, provoked=False)
                return response

        HTTPAdapter.send = send  # type: ignore[method-assign, assignment] # that is the purpose
        try:
            yield
        finally:
            HTTPAdapter.send = original  # type: ignore[method-assign]

    # Before and after

    def _before(self, request: Request, *, as_is: bool) -> None:
        if self.stopped is None and self.deadline is not None and self.clock() > self.deadline:
            self.stopped = "enough was found"
        if self.stopped is not None:
            raise StoppedError(self.stopped)
        if not self.has_identity(request) and self._bad >= BAD_IDENTITIES_IN_A_ROW:
            self._prove_identity()
        change = self.changes(request)
        if change is not None and not as_is:
            self.toward(change)
        self._wait_for_turn()

    def _after(
        self,
        request: Request,
        source: str,
        reply: Reply | None,
        error: str | None,
        seconds: float,
        *,
        case: bool,
        provoked: bool,
    ) -> Exchange:
        number = len(self.exchanges) + 1
        exchange = Exchange(
            number, source, request, reply, error, seconds, time.time() - seconds, case, provoked
        )
        self.exchanges.append(exchange)
        refused = reply is not None and reply.status in (401, 403)
        if not self.has_identity(request) or (refused and not provoked):
            self._bad += 1
        elif reply is not None:
            self._bad = 0
        self._note_change(exchange)
        self._judge(exchange)
        if reply is not None and reply.status == 429 and not provoked:
            self.stopped = "the target throttles"
            raise StoppedError(self.stopped)
        self._judge_time(exchange)
        return exchange

    def _wait_for_turn(self) -> None:
        if self.target.rate is not None:
            now = self.clock()
            if now < self._next:
                self._sleep(self._next - now)
            self._next = max(now, self._next) + 1 / self.target.rate

    def has_identity(self, request: Request) -> bool:
        """Whether a request proves who sends it, and with nothing doubtful beside it."""
        return (
            request.header("X-Auth-Token") == self.target.token
            and request.header("Authorization") is None
        )

    def _prove_identity(self) -> None:
        """Break a row of bad identities with a good one that changes nothing."""
        request = self.request(operations()["pause"], task_name=UNKNOWN_TASK)
        exchange = self.send(request, "a good identity between bad ones", case=False)
        if exchange.reply is not None and exchange.reply.status == 401:
            self.stopped = "the target refuses the identity it was given"
            raise StoppedError(self.stopped)

    def _judge_time(self, exchange: Exchange) -> None:
        """A slow answer is a fault if it is slow each time, or if it is not the only one.

        One slow answer alone says more about this machine than about the target.
        """
        limit = self.target.slowest
        if exchange.seconds <= limit or exchange.reply is None:
            return
        self.slow.append(exchange)
        for _ in range(2):
            if len(self.slow) < 4:
                self._wait_for_turn()
                began = self.clock()
                try:
                    self._exchange(exchange.request)
                except (OSError, http.client.HTTPException):
                    return
                if self.clock() - began <= limit:
                    return
        text = f"answered after {exchange.seconds:.1f} s; {limit:g} s are the most"
        self._report("response_time", text, exchange)
        self.stopped = "the target is slow"
        raise StoppedError(self.stopped)

    # The named task

    def changes(self, request: Request) -> Change | None:
        """The change of the named task that a right request asks for, if it is one."""
        found = request.operation(self.target.base)
        if found is None or found[0].method == "GET" or not self.has_identity(request):
            return None
        operation, project_id, instance_id = found
        document = request.document
        right = (
            (project_id, instance_id) == (self.target.project_id, self.target.instance_id)
            and PLAIN_JSON.fullmatch(request.header("Content-Type") or "") is not None
            and request.header("X-Language") in (None, *LANGUAGES)
            and isinstance(document, dict)
            and document.get("task_name") == self.target.task_name
        )
        if not right:
            return None
        return "pause" if operation.verb == "pause" else "resume"

    def toward(self, change: Change) -> None:
        """Bring the task to where this change is possible, whatever the target makes of others.

        A target may refuse to pause a paused task. So that a right request is always one that
        must be accepted, the opposite is asked for first.
        """
        task = self.task
        opposite: Change = "resume" if change == "pause" else "pause"
        if task.last != opposite:
            self.ask(opposite)
        self._let_settle()

    def _let_settle(self) -> None:
        """Wait as long as the target was seen to need between two changes."""
        if (left := self.task.at + self.task.needs - self.clock()) > 0:
            self._sleep(left)

    def ask(
        self, change: Change, source: str = "before a case: {change}", *, case: bool = False
    ) -> Exchange:
        """Have a change accepted; wait, if the target refuses while an earlier one is under way."""
        task = self.task
        self._let_settle()
        began, pause, known, before = self.clock(), 0.02, task.last, task.at
        request = self.request(operations()[change])
        while True:
            exchange = self.send(request, source.format(change=change), as_is=True, case=case)
            reply = exchange.reply
            if reply is not None and reply.status == 200:
                if pause > 0.02:
                    self._learn(before)
                return exchange
            if reply is not None and reply.status == 400 and known in (None, change):
                # A strict target, and the task is there already.
                task.last, task.at = change, self.clock()
                return exchange
            late = self.clock() - began > self.target.settle
            if reply is None or reply.status != 400 or late or not self._may_be_under_way():
                self._report(*_refused_change(change, reply), exchange)
                task.last, task.at = None, self.clock()
                return exchange
            self._sleep(pause)
            pause = min(2 * pause, 5.0)

    def _may_be_under_way(self) -> bool:
        """Whether a refusal may be because an earlier change is under way.

        A target that does so needs about the same time every time. One that refuses now and then,
        after that time was waited for, is at fault.
        """
        return self.task.surprises < MOST_SURPRISES

    def _learn(self, since: float) -> None:
        """Remember how long a change took, and a bit more, to be long enough the next time."""
        self.task.surprises += self.task.needs > 0
        self.task.needs = max(self.task.needs, 1.2 * (self.clock() - since) + 0.02)

    def _is_under_way(self, request: Request, reply: Reply, began: float) -> bool:
        """Whether to ask again, of a target that was seen to refuse for a while after a change."""
        return (
            self.task.needs > 0
            and reply.status == 400
            and self._may_be_under_way()
            and self.clock() < began + self.target.settle
            and self.changes(request) is not None
        )

    def _note_change(self, exchange: Exchange) -> None:
        """Remember what was accepted, and that no two changes have the same job."""
        reply, change = exchange.reply, self.changes(exchange.request)
        if change is None:
            if reply is not None and reply.accepted and exchange.request.method != "GET":
                # Either nothing is said about it, or it is at fault: who knows what it did.
                self.task.last, self.task.at = None, self.clock()
            return
        if reply is None or reply.status != 200:
            if reply is None or reply.status >= 500:
                self.task.last = None
            return
        effective = self.task.last not in (None, change)
        document = reply.document
        job_id = document.get("job_id") if isinstance(document, dict) else None
        if isinstance(job_id, str) and job_id:
            first = self.task.jobs.setdefault(job_id, exchange.number)
            # A target may answer a repeated change with the job that is there already.
            if first != exchange.number and effective:
                text = f"the job ID {job_id!r} was given before, in exchange {first}"
                self._report("job_id_is_new", text, exchange)
        self.task.last, self.task.at = change, self.clock()

    # Bytes

    def _exchange(self, request: Request) -> Reply:
        deadline = self.clock() + TIMEOUT
        raw = socket.create_connection((self._host, self._port), timeout=TIMEOUT)
        if self._context is not None:
            raw = self._context.wrap_socket(raw, server_hostname=self._host)
        with raw:
            # A server may refuse a body before it has read it; its answer is there then.
            with suppress(BrokenPipeError, ConnectionResetError):
                raw.sendall(self._bytes(request))
            response = http.client.HTTPResponse(raw, method=request.method)
            response.begin()
            body = io.BytesIO()
            while chunk := response.read1(1 << 16):
                body.write(chunk)
                if self.clock() > deadline:
                    raise TimeoutError(f"the answer has no end after {TIMEOUT:g} s")
                if body.tell() > LONGEST_ANSWER:
                    raise TimeoutError(f"the answer is longer than {LONGEST_ANSWER} bytes")
            if response.length:
                raise http.client.IncompleteRead(body.getvalue(), response.length)
            return Reply(response.status, tuple(response.getheaders()), body.getvalue())

    def _bytes(self, request: Request) -> bytes:
        headers = [
            ("Host", self._netloc),
            ("User-Agent", "taurusdb-starrocks-contract-tests"),
            ("Accept", "*/*"),
            *request.headers,
            ("Connection", "close"),
        ]
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(request.body))))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"{request.method} {request.path} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("latin-1") + request.body


def _refused_change(change: Change, reply: Reply | None) -> tuple[str, str]:
    """The check that fails when a change is not accepted where it must be, and what is wrong."""
    said = f"answered {reply.status}" if reply else "there was no answer"
    text = f"{change} of a task that allows it: {said}, expected 200"
    if reply is not None and reply.status != 400:
        known = reply.status in DOCUMENTED
        return ("positive_data_acceptance" if known else "status_code_conformance"), text
    return ("resume_after_pause" if change == "resume" else "pause_after_resume"), text


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def is_well_formed(project_id: str, instance_id: str) -> bool:
    """Whether both identifiers are written as the contract says."""
    return bool(
        IDENTIFIERS["project_id"].fullmatch(project_id)
        and IDENTIFIERS["instance_id"].fullmatch(instance_id)
    )


def is_task_name(value: Any) -> bool:
    """Whether a value can be the name of a task."""
    return isinstance(value, str) and TASK_NAME.fullmatch(value) is not None


def canary(seed: str) -> str:
    """A token that is certainly wrong, and that nothing but an echo can contain."""
    return "canary" + hashlib.sha256(seed.encode()).hexdigest()[:34]
