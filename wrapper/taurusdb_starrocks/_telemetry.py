"""A span for each call, when opentelemetry-api is installed; nothing when it is not.

Names and attributes follow OpenTelemetry's semantic conventions for HTTP clients.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import httpx


@cache
def _trace_api() -> Any:
    """opentelemetry.trace, looked for on the first call and not at import; None without it."""
    try:
        return import_module("opentelemetry.trace")
    except ImportError:
        return None


Report = Callable[[httpx.Response | BaseException | None, int], None]


@contextmanager
def span(request: httpx.Request) -> Iterator[Report]:
    """Surround a call with a span; what is yielded takes the outcome and the attempts."""
    trace = _trace_api()
    if trace is None:
        yield lambda _outcome, _attempts: None
        return
    template = re.sub(
        r"/v3/[^/]+/instances/[^/]+/", "/v3/{project_id}/instances/{instance_id}/", request.url.path
    )
    with trace.get_tracer("taurusdb_starrocks").start_as_current_span(
        f"{request.method} {template}",
        kind=trace.SpanKind.CLIENT,
        attributes={
            "http.request.method": request.method,
            "url.full": str(request.url),
            "url.template": template,
            "server.address": request.url.host,
            "server.port": request.url.port or {"https": 443, "http": 80}[request.url.scheme],
        },
        record_exception=False,
        set_status_on_exception=False,
    ) as current:

        def report(outcome: httpx.Response | BaseException | None, attempts: int) -> None:
            status = getattr(outcome, "status_code", None) or getattr(outcome, "status", None)
            if status is not None:
                current.set_attribute("http.response.status_code", status)
            if attempts > 1:
                current.set_attribute("http.request.resend_count", attempts - 1)
            if isinstance(outcome, BaseException):
                current.set_attribute("error.type", str(status or type(outcome).__name__))
                current.set_status(trace.StatusCode.ERROR)

        yield report
