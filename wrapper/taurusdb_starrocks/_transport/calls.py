"""One call of a client, from the request that it is to the usable response or the typed error."""

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

# The deadline of the wait that a call is a part of: it passes through generated code, which has no
# argument for it.
_limit: ContextVar[float | None] = ContextVar("taurusdb_starrocks.limit", default=None)


class within:  # noqa: N801  # Used as a function.
    """Hold every call in the block to a deadline, beside its own; None is no deadline."""

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline

    def __enter__(self) -> None:
        self._token = _limit.set(self._deadline)

    def __exit__(self, *_exception: object) -> None:
        _limit.reset(self._token)


class Calls:
    """What the calls of one client have in common.

    Attributes:
        closed: Whether there are to be no more of them.
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
        """What the client is built from."""
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
        """A request, recognized as the call that it is; its time runs from here.

        Raises:
            ConfigurationError: The time is over before it began.
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
        """Surrounds a call."""
        return Report(call, request, self.clock)

    def steps(self, call: Call, request: Request) -> Steps[tuple[Reply, Document]]:
        """The attempts of a call."""
        return self._attempts.of(call, request)

    def left(self, call: Call) -> float:
        """Seconds until a call's deadline; not less than 0."""
        return max(0.0, call.deadline - self.clock())


def closed() -> ConfigurationError:
    """The error of a call on a client that is closed."""
    return ConfigurationError("The client is closed. Nothing was sent.")


def shown_headers(call: Call, reply: Reply) -> dict[str, str]:
    """The headers of a response that go further.

    Left out are those that no longer fit the decoded body, and those that a reader might act on: a
    redirect that nobody follows, and cookies.
    """
    dropped = {"content-encoding", "content-length", "transfer-encoding", "location", "set-cookie"}
    headers = {name: value for name, value in reply.headers.items() if name not in dropped}
    if "x-request-id" in headers:
        headers["x-request-id"] = clean(headers["x-request-id"], call.secrets, LONGEST_ID)
    return headers


def _task_name(body: Any, query: str) -> str | None:
    """The task that a request is about: through ``Client.api`` anything can be sent."""
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
