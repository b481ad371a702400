"""The service as an ASGI application."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from .auth import Authenticator
from .connection import Connection, Delivery
from .contract import Contract, Route
from .exchange import BODY_LIMIT, Exchange
from .faults import Faults, Met, OnConnection, OnResponse
from .iam import Iam
from .operations import Operations
from .records import Call
from .request_log import log_call
from .response import Refused, Response, gateway_error, service_error
from .state import State

__all__ = ["Service", "asgi"]

_log = logging.getLogger("taurusdb_starrocks_emulator")
_IAM = {"/v3/auth/tokens": {"POST": "login"}, "/v3/projects": {"GET": "projects"}}


class Service:
    """Handles calls: reads them, applies faults, records them, and responds."""

    def __init__(
        self,
        *,
        state: State,
        authenticator: Authenticator,
        contract: Contract,
        operations: Operations,
        faults: Faults,
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._contract = contract
        self._faults = faults
        self._clock = clock
        iam = Iam(state, authenticator)
        self._handlers: Mapping[str | None, Callable[[Exchange], Response]] = {
            **operations.handlers,
            "login": iam.login,
            "projects": iam.projects,
            None: _missing,
        }
        self._checked = frozenset(operations.handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one call: read it, decide in one transaction, and then respond."""
        begun = time.perf_counter()
        path = scope.get("raw_path", quote(scope["path"]).encode()).decode("latin-1")
        route = self._route(scope["method"], path)
        connection: Connection | None = scope.get("state", {}).get("connection")
        met = self._meet(route.operation, connection)
        unread = met.fault is not None and met.fault.behavior.before_body
        headers = Headers(raw=scope["headers"])
        try:
            body = b"" if unread else await _body(headers, receive)
        except _DisconnectedError:
            return
        exchange = Exchange(
            route=route,
            request_id=uuid4().hex,
            method=scope["method"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            met=met,
        )
        try:
            with self._state.transaction():
                response = Response(status=0) if unread else self._decide(exchange)
                call = self._record(exchange, response)
        except sqlite3.Error as error:  # Another process locks the file, or the disk is full.
            _log.error("%s %s: the database cannot be used: %s", exchange.method, path, error)
            await _no_database(error, exchange.request_id).send(send)
            return
        log_call(call, time.perf_counter() - begun)
        if met.fault is not None and isinstance(behavior := met.fault.behavior, OnConnection):
            assert connection is not None
            delivery = Delivery(connection, receive, send)
            await behavior.act(met.fault, response, delivery)
            if not behavior.keeps_connection:
                # This tells the server that nothing more will be sent.
                await delivery.disconnected()
        else:
            await response.send(send)

    def _meet(self, operation: str | None, connection: Connection | None) -> Met:
        """The faults that affect a call."""
        if connection is not None:
            connection.calls += 1
        else:
            for fault in self._faults:
                if fault.behavior.needs_connection:
                    message = f"the fault {fault.kind!r} needs a server: enter the emulator"
                    raise RuntimeError(message)
        if operation is None:
            return Met()
        return self._faults.meet(operation, reused=connection is not None and connection.calls > 1)

    def _route(self, method: str, path: str) -> Route:
        if path in _IAM:
            return Route(_IAM[path].get(method), tuple(_IAM[path]))
        return self._contract.route(method, path)

    def _decide(self, exchange: Exchange) -> Response:
        """The response to a call. Its changes are complete when this returns."""
        operation, headers = exchange.route.operation, {"X-Request-Id": exchange.request_id}
        try:
            response = self._respond(exchange).with_headers(headers)
            if operation is not None and operation in self._checked:
                self._contract.check_response(operation, response)
        # The outermost boundary: any failure is a 500 for the caller.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("%s %s failed", exchange.method, exchange.path)
            self._state.undo()
            response = service_error(500, "DBS.108000", "The emulator failed. See its log.")
            response = response.with_headers(headers)
        if (fault := exchange.met.fault) is not None:
            if isinstance(fault.behavior, OnResponse):
                response = fault.behavior.act(fault, response, exchange.request_id)
            if not fault.applied:
                self._state.undo()
        return response

    def _respond(self, exchange: Exchange) -> Response:
        """The correct response, without faults."""
        try:
            return self._handlers[exchange.route.operation](exchange)
        except Refused as refused:
            return refused.response

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


class _DisconnectedError(Exception):
    """The caller disconnected before the request was complete."""


def asgi(service: Service) -> ASGIApp:
    """The application. It responds to all paths."""
    rest = Router(redirect_slashes=False)  # Events of the server that are not calls.

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (service if scope["type"] == "http" else rest)(scope, receive, send)

    return app


def _missing(exchange: Exchange) -> Response:
    """The response for an unknown path or method."""
    if not (allow := exchange.route.allow):
        message = "The API does not exist."
        return gateway_error(404, "APIGW.0101", message, exchange.request_id)
    message = "The API does not exist with this method."
    error = gateway_error(405, "APIGW.0101", message, exchange.request_id)
    return error.with_headers({"Allow": ", ".join(allow)})


def _no_database(error: sqlite3.Error, request_id: str) -> Response:
    """The response to a call that could not be stored. Nothing has changed."""
    message = f"The emulator cannot use its database: {error}."
    return service_error(500, "DBS.108000", message).with_headers({"X-Request-Id": request_id})


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """The body, or None if it is too long."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > BODY_LIMIT:
        return None
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_LIMIT:
            return None
    return body
