"""One span a call, by the semantic conventions for HTTP clients, when OpenTelemetry is there."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from clients import INSTANCE, PROJECT, TASK, Maker, Wire
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from taurusdb_starrocks import AsyncClient, Client, ReplicationError
from taurusdb_starrocks._transport import report

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
REPLICATION = "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What was reported. A process can be given a provider once."""
    if trace.get_tracer_provider() is not PROVIDER:
        trace.set_tracer_provider(PROVIDER)
    EXPORTER.clear()
    yield EXPORTER
    EXPORTER.clear()


def call(make: Maker, spans: InMemorySpanExporter, *answers: Any) -> ReadableSpan:
    client = make(transport=Wire(*answers), endpoint="https://e.com")
    with contextlib.suppress(ReplicationError):
        client.pause()
    (span,) = spans.get_finished_spans()
    return span


def test_span_of_a_call(make: Maker, spans: InMemorySpanExporter) -> None:
    """Method, URL, template, server and status, and nothing that is secret."""
    span = call(make, spans, httpx.Response(200, json={"job_id": "j"}))
    assert span.name == f"POST {REPLICATION}/pause"
    assert span.kind is trace.SpanKind.CLIENT
    assert span.status.status_code is trace.StatusCode.UNSET
    assert span.events == ()
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "taurusdb_starrocks"
    path = f"/v3/{PROJECT}/instances/{INSTANCE}/starrocks/databases/replication/pause"
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "url.full": f"https://e.com{path}",
        "url.template": f"{REPLICATION}/pause",
        "server.address": "e.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "taurusdb_starrocks.operation": "pause",
        "taurusdb_starrocks.instance_id": INSTANCE,
        "taurusdb_starrocks.task_name": TASK,
    }


def test_port_of_the_server(make: Maker, spans: InMemorySpanExporter) -> None:
    """A port that is given is the one that is reported; plain HTTP has its own."""
    for endpoint, port in (("https://e.com:8443", 8443), ("http://localhost", 80)):
        spans.clear()
        make(transport=Wire(), endpoint=endpoint).pause()
        (span,) = spans.get_finished_spans()
        assert (span.attributes or {})["server.port"] == port


@pytest.mark.parametrize(
    ("answer", "status", "kind", "resent"),
    [
        (httpx.Response(400), 400, "400", None),
        (httpx.Response(429, json={"error_code": "APIGW.0308"}), 429, "429", 2),
        (httpx.Response(200), 200, "200", None),
        (httpx.ReadTimeout("x"), None, "OutcomeUnknownError", None),
        (httpx.ConnectError("x"), None, "NotSentError", 2),
    ],
)
def test_span_of_a_failure(
    make: Maker,
    spans: InMemorySpanExporter,
    answer: Any,
    status: int | None,
    kind: str,
    resent: int | None,
) -> None:
    """A failure has its type, the status if there was one, and how often it was sent again."""
    span = call(make, spans, answer)
    attributes = span.attributes or {}
    assert span.status.status_code is trace.StatusCode.ERROR
    assert attributes.get("http.response.status_code") == status
    assert attributes["error.type"] == kind
    assert attributes.get("http.request.resend_count") == resent


def test_span_is_a_child_of_the_callers(make: Maker, spans: InMemorySpanExporter) -> None:
    """The span stands below the one that the caller is in."""
    client = make(transport=Wire()).client

    async def call() -> None:
        with trace.get_tracer("test").start_as_current_span("outer"):
            assert isinstance(client, AsyncClient)
            await client.pause(INSTANCE, TASK)

    if isinstance(client, Client):
        with trace.get_tracer("test").start_as_current_span("outer"):
            client.pause(INSTANCE, TASK)
    else:
        make.runner.run(call())
    inner, outer = spans.get_finished_spans()
    assert inner.parent == outer.context


WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import httpx
from taurusdb_starrocks import Client, TokenAuth
transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"job_id": "j"}))
with Client(endpoint="https://e.com", project_id=sys.argv[1], auth=TokenAuth("t"),
            transport=transport, environ={}) as client:
    print(client.pause(sys.argv[2], "orders_sync").id)
assert not any(name.startswith("opentelemetry") for name in sys.modules)
"""


def test_no_span_without_opentelemetry(
    make: Maker, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its API cannot be imported, nothing is reported."""
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    report._tracing.cache_clear()
    make(transport=Wire()).pause()
    report._tracing.cache_clear()
    assert spans.get_finished_spans() == ()


def test_works_without_opentelemetry() -> None:
    """Where OpenTelemetry is not installed, calls go on as ever."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT, PROJECT, INSTANCE],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "j\n"
