"""One call of a client, from the request to the usable response or the typed error."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode

from taurusdb_starrocks._decisions.retry import Attempts
from taurusdb_starrocks._decisions.steps import Steps
from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import Call, Document, recognize
from taurusdb_starrocks._redaction import LONGEST_ID, clean, secrets
from taurusdb_starrocks._transport.report import Report

if TYPE_CHECKING:
    from taurusdb_starrocks._transport.plan import Plan

# The deadline of the wait that a call belongs to. A context variable, because generated code has no
# argument for it.
_limit: ContextVar[float | None] = ContextVar("taurusdb_starrocks.limit", default=None)


class within:  # noqa: N801  # Used as a function.
    """Set an additional deadline for all calls in the block; None sets none."""

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline

    def __enter__(self) -> None:
        self._token = _limit.set(self._deadline)

    def __exit__(self, *_exception: object) -> None:
        _limit.reset(self._token)


class Calls:
    """The shared state of all calls of one client.

    Attributes:
        closed: Whether the client has been closed.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self.clock = clock
        self.closed = False
        self._attempts = Attempts(
            plan.retry,
            plan.auth,
            clock=clock,
            wall_clock=time.time,
            chance=random.random,
        )

    @property
    def plan(self) -> Plan:
        """The settings of the client."""
        return self._plan

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        *,
        params: Mapping[str, Any] | None = None,
        document: Any = None,
        content: bytes = b"",
    ) -> tuple[Call, Request]:
        """Recognize the call of a request. The time of the call starts here.

        Raises:
            ConfigurationError: The deadline has already passed.
        """
        if params:
            target = f"{target}?{urlencode(params, quote_via=quote)}"
        headers = {**self._plan.headers, **headers}
        if document is not None:
            content = json.dumps(document).encode()
            headers["Content-Type"] = "application/json"
        path, _, query = target.partition("?")
        operation, instance_id = recognize(method, path)
        now = self.clock()
        deadline = now + self._plan.timeout
        limit = _limit.get()
        call = Call(
            operation,
            self._plan.endpoint.origin.host,
            instance_id,
            _task_name(document if document is not None else content, query),
            started=now,
            deadline=deadline if limit is None else min(deadline, limit),
            secrets=secrets(headers),
        )
        request = Request(
            method,
            self._plan.endpoint.origin,
            f"{self._plan.endpoint.path}{target}",
            headers,
            content,
        )
        return call, request

    def report(self, call: Call, request: Request) -> Report:
        """The context manager that reports a call."""
        return Report(call, request, self.clock)

    def steps(self, call: Call, request: Request) -> Steps[tuple[Reply, Document]]:
        """The steps of the attempts of a call."""
        return self._attempts.of(call, request)

    def left(self, call: Call) -> float:
        """Seconds until the deadline of a call; at least 0."""
        return max(0.0, call.deadline - self.clock())


def closed() -> ConfigurationError:
    """The error for calls on a closed client."""
    return ConfigurationError("The client is closed. Nothing was sent.")


def shown_headers(call: Call, reply: Reply) -> dict[str, str]:
    """The headers of a response that are passed on.

    Left out are headers that do not match the decoded body, and headers that a caller might act
    on: redirects, which are never followed, and cookies.
    """
    dropped = {"content-encoding", "content-length", "transfer-encoding", "location", "set-cookie"}
    headers = {name: value for name, value in reply.headers.items() if name not in dropped}
    if "x-request-id" in headers:
        headers["x-request-id"] = clean(headers["x-request-id"], call.secrets, LONGEST_ID)
    return headers


def _task_name(body: Any, query: str) -> str | None:
    """The task of a request, if any. Through ``Client.api`` the body can be anything."""
    if isinstance(body, bytes):
        try:
            body = json.loads(body) if body else None
        except (ValueError, RecursionError):
            return None
    if isinstance(body, dict):
        name = body.get("task_name")
    else:
        name = parse_qs(query).get("task_name", [None])[0] if query else None
    return name if isinstance(name, str) and name.isprintable() and len(name) <= 200 else None
