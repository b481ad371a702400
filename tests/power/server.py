"""A small second server that follows the contract; it can be varied, and broken step by step.

It shares nothing with the emulator, so a run against it also shows that `make fuzz` is about the
contract and not about the emulator.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

TOKEN = "Tk9wZW5zLW5vdGhpbmc_0f3a"
PROJECT = "7c1f0e9d2b8a4c6d9e0f1a2b3c4d5e6f"
INSTANCE = "0a1b2c3d4e5f60718293a4b5c6d7e8f9in17"
OTHER = "ffeeddccbbaa99887766554433221100in17"
TASK = "nightly_sync"
PATH = re.compile(
    r"/v3/([^/]+)/instances/([^/]+)/starrocks/databases/replication(?:/(pause|resume))?"
)


@dataclass
class Call:
    """What came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    number: int
    # Of its connection: the requests so far, what is remembered. Then: how many others there are.
    nth: int = 1
    session: dict[str, Any] = field(default_factory=dict)
    others: int = 0

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers.items() if key.lower() == name), None)


@dataclass
class Answer:
    """What goes out; `drop` hangs up instead, `stray` follows it."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drop: bool = False
    stray: bytes = b""

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"" if self.document is None else json.dumps(self.document).encode()


class Refused(Exception):  # noqa: N818 - a refusal is an answer
    """Ends a call."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@dataclass
class Task:
    """A task, the stage it had, the one it gets, and when."""

    stage: str = "Incremental"
    before: str = "Incremental"
    due: float = 0.0

    def now(self) -> str:
        return self.stage if time.monotonic() >= self.due else self.before


class Service:
    """A server in steps, each of which a fault may replace.

    Args:
        strict: Whether a change to the stage that is there already is refused.
        others: Whether there are more tasks than the one.
        lists: Whether the list is offered at all.
        busy: Seconds in which a task that is changing refuses further changes.
        delay: Seconds until a change shows in the list.
        lag: Seconds that every answer takes.
        router: Whether malformed identifiers are not found, as with a router that knows the rule.
        unsupported: The status for a body of another type.
        stages: How stages are written.
        methods: The status for a method that the contract does not have.
        threads: Whether more than one connection is served at a time.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        others: bool = True,
        lists: bool = True,
        busy: float = 0.0,
        delay: float = 0.0,
        lag: float = 0.0,
        router: bool = False,
        unsupported: int = 400,
        stages: str = "capitalized",
        methods: int = 405,
        threads: bool = True,
    ) -> None:
        self.threads = threads
        self.strict, self.lists, self.busy, self.delay = strict, lists, busy, delay
        self.lag, self.router, self.unsupported, self.methods = lag, router, unsupported, methods
        self.write = {"capitalized": str.capitalize, "lower": str.lower}[stages]
        tasks = {"daily_sync": Task(), TASK: Task(), "weekly_sync": Task("Paused", "Paused")}
        self.instances: dict[str, dict[str, Task]] = {
            INSTANCE: tasks if others else {TASK: Task()},
            OTHER: {TASK: Task(), "other_sync": Task()},
        }
        self.lock = threading.Lock()
        self.calls = self.under_way = 0
        self.jobs: list[str] = []
        self.changed = 0.0
        self.memory: dict[str, Any] = {}

    def answer(self, call: Call) -> Answer:
        """The whole of it."""
        try:
            try:
                answer = self.decide(call)
            except Refused as refused:
                answer = refused.answer
        except Exception as error:  # noqa: BLE001 - the boundary
            answer = self.crashed(call, error)
        answer.headers.setdefault("Content-Type", "application/json")
        answer.headers.setdefault("X-Request-Id", uuid4().hex)
        return self.finish(call, answer)

    def decide(self, call: Call) -> Answer:  # noqa: PLR0911 - a refusal at each step
        verb, project, instance = self.route(call)
        if not self.proved(call):
            return self.refused(call, 401, "APIGW.0301", "Incorrect IAM authentication information")
        for value, rule in (
            (project, r"[0-9A-Za-z]{32}"),
            (instance, r"[0-9A-Za-z]{32}[a-z]{2}[0-9]{2}"),
        ):
            if not self.identifier_ok(rule, value):
                if self.router:
                    return Answer(404, {"message": "no route"})
                return self.refused(call, 400, "DBS.280001", "Parameter error.")
        if not self.language_ok(call.header("x-language")):
            return self.refused(call, 400, "DBS.280001", "Parameter error.")
        if not self.project_ok(project):
            return self.refused(call, 401, "APIGW.0301", "decrypt token fail")
        if verb == "list":
            return self.listed(call, instance)
        return self.change(call, verb, instance)

    # Steps

    def route(self, call: Call) -> tuple[str, str, str]:
        match = PATH.fullmatch(call.path)
        if match is None or (match[3] is None and not self.lists):
            raise Refused(Answer(404, {"error_code": "APIGW.0101", "error_msg": "No such API"}))
        wanted = "POST" if match[3] else "GET"
        if call.method != wanted:
            raise Refused(
                Answer(self.methods, None, {"Allow": wanted} if self.methods == 405 else {})
            )
        return match[3] or "list", unquote(match[1]), unquote(match[2])

    def proved(self, call: Call) -> bool:
        return call.header("x-auth-token") == TOKEN

    def identifier_ok(self, rule: str, value: str) -> bool:
        return re.fullmatch(rule, value) is not None

    def language_ok(self, value: str | None) -> bool:
        return value in (None, "en-us", "zh-cn")

    def project_ok(self, project: str) -> bool:
        return project == PROJECT

    def type_ok(self, kind: str | None) -> bool:
        return kind is not None and kind.split(";")[0].strip() == "application/json"

    def parse(self, body: bytes) -> Any:
        return json.loads(body.decode())

    def name_ok(self, name: Any) -> bool:
        return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_]{3,128}", name) is not None

    def find(self, instance: str) -> dict[str, Task] | None:
        return self.instances.get(instance)

    def change(self, call: Call, verb: str, instance: str) -> Answer:
        if not self.type_ok(call.header("content-type")):
            return self.refused(call, self.unsupported, "DBS.280001", "Content type.")
        name = self.task_name(call)
        tasks = self.find(instance)
        if tasks is None:
            return self.refused(call, 400, "DBS.200022", "Instance not found.")
        if (task := self.task(tasks, name)) is None:
            return self.refused(call, 400, "DBS.05000091", "Task not found.")
        if not self.possible(task, verb):
            return self.refused(call, 400, "DBS.200086", "The stage does not allow it.")
        self.carry_out(task, verb, instance, name)
        return self.accepted(self.job())

    def task_name(self, call: Call) -> str:
        try:
            document = self.parse(call.body)
            name = document["task_name"] if isinstance(document, dict) else None
        except (ValueError, KeyError, RecursionError):
            raise Refused(self.refused(call, 400, "DBS.280001", "Parameter error.")) from None
        if not self.name_ok(name):
            raise Refused(self.refused(call, 400, "DBS.280001", "Parameter error."))
        return str(name)

    def task(self, tasks: dict[str, Task], name: str) -> Task | None:
        return tasks.get(name)

    def possible(self, task: Task, verb: str) -> bool:
        if time.monotonic() < self.changed + self.busy:
            return False
        return not self.strict or (task.stage == "Paused") == (verb == "resume")

    def carry_out(self, task: Task, verb: str, instance: str, name: str) -> None:
        self.changed = time.monotonic()
        task.before, task.due = task.now(), self.changed + self.delay
        task.stage = "Paused" if verb == "pause" else "Incremental"

    def job(self) -> str:
        self.jobs.append(str(uuid4()))
        return self.jobs[-1]

    def accepted(self, job_id: str) -> Answer:
        return Answer(200, {"job_id": job_id})

    def refused(self, call: Call, status: int, code: str, message: str) -> Answer:
        return Answer(status, {"error_code": code, "error_msg": message})

    def limits(self, call: Call) -> tuple[int, int]:
        query = dict(parse_qsl(call.query, keep_blank_values=True))
        limit, offset = int(query.get("limit", "100")), int(query.get("offset", "0"))
        if not (1 <= limit <= 100 and 0 <= offset <= 2147483647):
            raise ValueError
        return limit, offset

    def listed(self, call: Call, instance: str) -> Answer:
        try:
            limit, offset = self.limits(call)
        except ValueError:
            return self.refused(call, 400, "DBS.280001", "Parameter error.")
        if (tasks := self.find(instance)) is None:
            return self.refused(call, 400, "DBS.200022", "Instance not found.")
        rows = [self.shown(name, task) for name, task in tasks.items()]
        return Answer(200, self.page(rows, limit, offset))

    def page(self, rows: list[Any], limit: int, offset: int) -> Any:
        return {"total_count": len(rows), "replications": rows[offset : offset + limit]}

    def shown(self, name: str, task: Task) -> dict[str, Any]:
        return {"task_name": name, "stage": self.write(task.now()), "status": "Yes"}

    def crashed(self, call: Call, error: Exception) -> Answer:
        return self.refused(call, 500, "DBS.108000", "Server failure.")

    def finish(self, call: Call, answer: Answer) -> Answer:
        return answer


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """A server for the service; its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 20

        def setup(self) -> None:
            super().setup()
            self.nth = 0
            self.session: dict[str, Any] = {}

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > 1 << 20:
                self.close_connection = True
                self.send_error(413)
                return
            body = self.rfile.read(length)
            path, _, query = self.path.partition("?")
            self.nth += 1
            service.under_way += 1
            time.sleep(service.lag)
            with service.lock:
                service.calls += 1
                call = Call(self.command, path, query, dict(self.headers), body, service.calls)
                call.nth, call.session = self.nth, self.session
                call.others = service.under_way - 1
                answer = service.answer(call)
                service.under_way -= 1
            if answer.drop:
                self.close_connection = True
                return
            content = answer.body()
            head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
            headers = {**answer.headers, "Content-Length": str(len(content))}
            head += "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
            self.wfile.write(
                head.encode("latin-1", "replace")
                + b"\r\n"
                + (b"" if self.command == "HEAD" else content)
                + answer.stray
            )

        def log_message(self, *args: Any) -> None:
            """Nothing is logged."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND", "post"):
        setattr(Handler, f"do_{method}", Handler.handle_any)

    kind: type[HTTPServer] = ThreadingHTTPServer if service.threads else HTTPServer

    class Server(kind):  # type: ignore[misc, valid-type] # one of two
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A connection that ends early is part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
