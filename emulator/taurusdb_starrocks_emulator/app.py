"""How the service handles a call: an ASGI application."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import parse_qs, quote
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from .auth import Authenticator, UnauthenticatedError
from .connection import Connection, Delivery
from .contract import Route, contract
from .details import configuration, instances
from .exchange import BODY_LIMIT, Exchange
from .faults import Faults, Met, OnConnection, OnList, OnResponse, OnTask
from .iam import Iam
from .listing import list_tasks
from .records import PAUSED, Call, Change
from .request_log import log_call
from .response import Refused, Response, gateway_error, json_response, service_error
from .state import State
from .strict_json import Malformed, strict_json

__all__ = ["Mode", "Service", "asgi"]

Mode = Literal["lenient", "strict"]

_log = logging.getLogger("taurusdb_starrocks_emulator")
_RUNNING = ("Incremental", "Full", "Wait")
_IAM = {"/v3/auth/tokens": {"POST": "login"}, "/v3/projects": {"GET": "projects"}}


class Service:
    """Handles calls against one state."""

    def __init__(
        self,
        *,
        state: State,
        authenticator: Authenticator,
        faults: Faults,
        mode: Mode,
        delay: Callable[[], float],
        version: str,
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._authenticator = authenticator
        self._iam = Iam(state, authenticator)
        self._faults = faults
        self._mode = mode
        self._delay = delay
        self._clock = clock
        self._contract = contract(version)
        self._handlers: dict[str | None, Callable[[Exchange], Response]] = {
            "pause": self._change,
            "resume": self._change,
            "list": self._list,
            "configuration": self._configuration,
            "instances": self._instances,
            "login": self._iam.login,
            "projects": self._iam.projects,
            None: self._missing,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call: read it, decide within one transaction, and only then respond."""
        begun = time.perf_counter()
        request = Request(scope, receive)
        path = scope.get("raw_path", quote(scope["path"]).encode()).decode("latin-1")
        route = self._route(request.method, path)
        connection: Connection | None = scope.get("state", {}).get("connection")
        met = self._meet(route.operation, connection)
        unread = met.fault is not None and met.fault.behavior.before_body
        try:
            body = b"" if unread else await _body(request)
        except ClientDisconnect:
            return
        exchange = Exchange(
            route=route,
            request_id=uuid4().hex,
            method=request.method,
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=request.headers,
            body=body,
            met=met,
        )
        try:
            with self._state.transaction():
                response = Response(status=0) if unread else self._decide(exchange)
                call = self._record(exchange, response)
        except sqlite3.Error as error:  # Another process holds the file, or the disk is full.
            _log.error("%s %s: the database cannot be used: %s", request.method, path, error)
            await _no_database(error, exchange.request_id).send(send)
            return
        log_call(call, time.perf_counter() - begun)
        if met.fault is not None and isinstance(behavior := met.fault.behavior, OnConnection):
            assert connection is not None
            delivery = Delivery(connection, receive, send)
            await behavior.act(met.fault, response, delivery)
            if not behavior.keeps_connection:
                # Only then does the server know that there is nothing to be sent any more.
                await delivery.disconnected()
        else:
            await response.send(send)

    def _meet(self, operation: str | None, connection: Connection | None) -> Met:
        """The faults that meet a call."""
        if connection is not None:
            connection.calls += 1
        if operation is None:
            return Met()
        met = self._faults.meet(operation, reused=connection is not None and connection.calls > 1)
        if met.fault is not None and met.fault.behavior.needs_connection and connection is None:
            raise RuntimeError(f"the fault {met.fault.kind!r} needs a server: enter the emulator")
        return met

    def _route(self, method: str, path: str) -> Route:
        if path in _IAM:
            return Route(_IAM[path].get(method), tuple(_IAM[path]))
        return self._contract.route(method, path)

    def _decide(self, exchange: Exchange) -> Response:
        """The response to a call; what the call changes has changed when this returns."""
        self._state.mark()
        headers = {"X-Request-Id": exchange.request_id}
        try:
            response = self._respond(exchange).with_headers(headers)
            if exchange.route.operation and exchange.route.path:
                self._contract.check_response(exchange.route.operation, response)
        # The outermost boundary: whatever went wrong is a 500 to the caller.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("%s %s failed", exchange.method, exchange.path)
            self._state.undo()
            response = service_error(500, "DBS.108000", "The emulator failed; its log says why.")
            response = response.with_headers(headers)
        if (fault := exchange.met.fault) is not None:
            if isinstance(fault.behavior, OnResponse):
                response = fault.behavior.act(fault, response, exchange.request_id)
            if not fault.applied:
                self._state.undo()
        return response

    def _record(self, exchange: Exchange, response: Response) -> Call:
        fault = exchange.met.fault
        call = Call(
            seq=0,
            time=self._clock(),
            method=exchange.method,
            path=exchange.path,
            query=exchange.query,
            operation=exchange.route.operation,
            instance_id=exchange.route.path.get("instance_id"),
            task_name=exchange.task_name,
            status=None if fault is not None and fault.behavior.silent else response.status,
            request_id=exchange.request_id,
            caller=exchange.caller,
            fault=str(exchange.met) or None,
            job_id=exchange.job_id if fault is None or fault.applied else None,
        )
        self._state.record(call)
        return call

    def _respond(self, exchange: Exchange) -> Response:
        """The right response, fault or not."""
        try:
            return self._handlers[exchange.route.operation](exchange)
        except Refused as refused:
            return refused.response

    def _missing(self, exchange: Exchange) -> Response:
        """Nothing is there, or not for this method."""
        if not (allow := exchange.route.allow):
            message = "The API does not exist."
            return gateway_error(404, "APIGW.0101", message, exchange.request_id)
        message = "The API does not exist with this method."
        error = gateway_error(405, "APIGW.0101", message, exchange.request_id)
        return error.with_headers({"Allow": ", ".join(allow)})

    def _change(self, exchange: Exchange) -> Response:
        """Pause or resume a task."""
        instance_id, operation = self._admit(exchange), exchange.route.operation
        assert operation is not None
        assert exchange.task_name is not None
        task = self._state.task(instance_id, exchange.task_name)
        if task is None:
            raise Refused(service_error(400, "DBS.05000091", "Synchronization task not found."))
        now = self._clock()
        held = task.holds_at(now)
        possible = task.target in (_RUNNING if operation == "pause" else (PAUSED,))
        if self._mode == "strict" and not possible:
            message = f"The stage of the task ({task.target}) does not allow it."
            raise Refused(service_error(400, "DBS.200086", message))
        if operation == "resume" and held == "refused":
            message = "The task is about to be paused, which does not allow it."
            raise Refused(service_error(400, "DBS.200086", message))
        target = PAUSED if operation == "pause" else task.resumes_to
        change = Change(target=None if held else target, delay=self._delay())
        if (effect := exchange.met.effect) is not None and isinstance(effect.behavior, OnTask):
            change = effect.behavior.act(effect, change)
        exchange.job_id = str(uuid4())
        self._state.change(task, change, operation=operation, job_id=exchange.job_id, now=now)
        return json_response({"job_id": exchange.job_id})

    def _list(self, exchange: Exchange) -> Response:
        """One page of the tasks of an instance."""
        instance_id = self._admit(exchange)
        query = parse_qs(exchange.query)
        listing = list_tasks(
            self._state.tasks(instance_id),
            now=self._clock(),
            limit=int(query.get("limit", ["100"])[0]),
            offset=int(query.get("offset", ["0"])[0]),
        )
        if (fault := exchange.met.fault) is not None and isinstance(fault.behavior, OnList):
            fault.behavior.act(fault, listing, exchange.met.chance)
        return json_response(listing.document())

    def _configuration(self, exchange: Exchange) -> Response:
        """The configuration of a task."""
        instance_id = self._admit(exchange)
        assert exchange.task_name is not None
        task = self._state.task(instance_id, exchange.task_name)
        if task is None:
            raise Refused(service_error(400, "DBS.05000091", "Synchronization task not found."))
        return json_response(configuration(task, self._state.source_of(instance_id)))

    def _instances(self, exchange: Exchange) -> Response:
        """The instances that replicate from a TaurusDB instance."""
        path = self._check(exchange)
        rows = self._state.instances(path["instance_id"], path["project_id"])
        if not rows:
            raise Refused(service_error(400, "DBS.200022", "Instance not found."))
        return json_response(instances(rows))

    def _admit(self, exchange: Exchange) -> str:
        """The instance of a call that is authenticated, fits the contract and names one."""
        path = self._check(exchange)
        if self._state.project_of(path["instance_id"]) != path["project_id"]:
            raise Refused(service_error(400, "DBS.200022", "Instance not found."))
        return path["instance_id"]

    def _check(self, exchange: Exchange) -> Mapping[str, str]:
        """The identifiers in the path of a call that is authenticated and fits the contract."""
        path = exchange.route.path
        try:
            self._authenticate(exchange, path["project_id"])
            exchange.task_name = _task_name(exchange.read_body(), exchange.query)
            self._contract.check(exchange.route, exchange.wire())
        except UnauthenticatedError as error:
            message = f"Incorrect IAM authentication information: {error}"
            refusal = gateway_error(401, "APIGW.0301", message, exchange.request_id)
            raise Refused(refusal) from error
        except Malformed as error:
            message = f"Parameter error: {error}."
            raise Refused(service_error(400, "DBS.280001", message)) from error
        return path

    def _authenticate(self, exchange: Exchange, project_id: str) -> None:
        """Nothing, if the caller is known and may use the project."""
        caller = self._authenticator.caller(exchange.signed())
        exchange.caller = caller.name
        well_formed = self._contract.is_well_formed("project_id", project_id)
        if well_formed and project_id not in caller.scope:
            raise UnauthenticatedError("decrypt token fail")


def asgi(service: Service) -> ASGIApp:
    """The application: the service responds whatever the path."""
    return Router(default=service, redirect_slashes=False)


def _no_database(error: sqlite3.Error, request_id: str) -> Response:
    """The response to a call that could not be kept. Nothing has changed."""
    message = f"The emulator cannot use its database: {error}."
    return service_error(500, "DBS.108000", message).with_headers({"X-Request-Id": request_id})


async def _body(request: Request) -> bytes | None:
    """The body; None as soon as it is too long, and then it is not kept."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > BODY_LIMIT:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return bytes(body)


def _task_name(body: bytes, query: str) -> str | None:
    """The task that a body or a query names, as far as it is understood; for the journal too."""
    if not body:
        return parse_qs(query).get("task_name", [None])[0]
    try:
        document = strict_json("application/json", body)
    except Malformed:
        return None
    name = document.get("task_name") if isinstance(document, dict) else None
    return name if isinstance(name, str) else None
