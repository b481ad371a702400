"""Reports a call: one line in the log, and a span if OpenTelemetry is installed.

Names and attributes of spans follow OpenTelemetry's semantic conventions for HTTP clients.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Self

from taurusdb_starrocks._errors import ReplicationError
from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import Call
from taurusdb_starrocks._redaction import LONGEST_ID, clean

logger = logging.getLogger("taurusdb_starrocks")

Outcome = Reply | BaseException | None


@cache
def _tracing() -> tuple[Any, Any] | None:
    """opentelemetry.trace and the tracer, loaded on the first call; None if it is not installed."""
    try:
        trace = import_module("opentelemetry.trace")
    except ImportError:
        return None
    return trace, trace.get_tracer("taurusdb_starrocks")


class Report:
    """Context manager of a call. Its outcome is ``reply``, or the exception that ends the block."""

    def __init__(self, call: Call, request: Request, clock: Callable[[], float]) -> None:
        self._call = call
        self._request = request
        self._clock = clock
        self.reply: Reply | None = None

    def __enter__(self) -> Self:
        tracing = _tracing()
        self._span = None if tracing is None else _Span(*tracing, self._call, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        elapsed = self._clock() - self._call.started
        if isinstance(error, ReplicationError) and error.host is None:
            _stamp(error, self._call, elapsed)
        outcome: Outcome = error or self.reply
        if self._span is not None:
            self._span.end(outcome, self._call.attempts)
        level = _level(self._call, outcome)
        if logger.isEnabledFor(level):
            logger.log(level, "%s", _line(self._call, outcome, elapsed))


def _stamp(error: ReplicationError, call: Call, elapsed: float) -> None:
    """Set an error's operation, instance, task, number of attempts and duration."""
    error.operation = call.operation.name
    error.host = call.host
    error.instance_id = call.instance_id
    error.task_name = call.task_name
    error.attempts = call.attempts or call.logins
    error.elapsed = elapsed


def _level(call: Call, outcome: Outcome) -> int:
    """WARNING for failed or retried calls, INFO for changes, DEBUG for calls that only read."""
    # A cancelled or interrupted change may have taken effect.
    failure = BaseException if call.operation.changes else Exception
    if isinstance(outcome, failure) or call.attempts > 1 or call.logins > 1:
        return logging.WARNING
    return logging.INFO if call.operation.changes else logging.DEBUG


def _line(call: Call, outcome: Outcome, elapsed: float) -> str:
    ended = f" {type(outcome).__name__}" if isinstance(outcome, BaseException) else ""
    return (
        f"{call.operation.name} host={call.host} instance={call.instance_id or '-'} "
        f"task={call.task_name or '-'} status={_status(outcome) or '-'}{ended} "
        f"attempts={call.attempts} duration={elapsed:.3f}s "
        f"request_id={_request_id(call, outcome) or '-'}"
    )


def _status(outcome: Outcome) -> int | None:
    return getattr(outcome, "status", None)


def _request_id(call: Call, outcome: Outcome) -> str | None:
    if isinstance(outcome, Reply):
        return clean(outcome.headers.get("x-request-id", ""), call.secrets, LONGEST_ID)
    return getattr(outcome, "request_id", None)


class _Span:
    """The span of a call. It is the current span until it ends."""

    def __init__(self, trace: Any, tracer: Any, call: Call, request: Request) -> None:
        template = call.operation.template
        attributes = {
            "http.request.method": request.method,
            "url.full": f"{request.origin}{request.target}",
            "url.template": template,
            "server.address": request.origin.host,
            "server.port": request.origin.port,
            "taurusdb_starrocks.operation": call.operation.name,
        }
        if call.instance_id:
            attributes["taurusdb_starrocks.instance_id"] = call.instance_id
        if call.task_name:
            attributes["taurusdb_starrocks.task_name"] = call.task_name
        self._trace = trace
        self._span = tracer.start_span(
            f"{request.method} {template}", kind=trace.SpanKind.CLIENT, attributes=attributes
        )
        self._current = None
        # Without a tracer provider the span is invalid, and to make it current only takes time.
        if self._span.get_span_context().is_valid:
            self._current = trace.use_span(self._span, end_on_exit=True)
            self._current.__enter__()

    def end(self, outcome: Outcome, attempts: int) -> None:
        if self._current is None:
            return
        status = _status(outcome)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if attempts > 1:
            self._span.set_attribute("http.request.resend_count", attempts - 1)
        if isinstance(outcome, BaseException):
            self._span.set_attribute("error.type", str(status or type(outcome).__name__))
            self._span.set_status(self._trace.StatusCode.ERROR)
        self._current.__exit__(None, None, None)
