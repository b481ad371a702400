"""Headers: the language, the content type, and headers that must have no effect."""

from __future__ import annotations

from collections.abc import Iterator

from taurusdb_starrocks_conformance.contract import Operation, operations
from taurusdb_starrocks_conformance.exchange import Request
from taurusdb_starrocks_conformance.wire import Wire

from .probe import (
    ACCEPTED,
    ANOTHER_METHOD,
    ANOTHER_TYPE,
    EITHER_TYPE,
    MALFORMED,
    Probe,
    probe,
)


def languages(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """`X-Language` has two values."""
    for value in ("fr-fr", "en", "en-us,zh-cn", "en_us", "1", "x" * 300):
        request = wire.request(operation, headers=[("X-Language", value)])
        yield probe("negative_data_rejection", value[:20], request, MALFORMED)


def content_types(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """A correct body with another content type is refused."""
    check = "content_type_is_checked"
    for kind in (
        "text/plain",
        "text/html",
        "text/plain; charset=utf-8",
        "application/xml",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/javascript",
        "application/x-ndjson",
        "application/yaml",
        "image/png",
        "xapplication/json",
    ):
        request = wire.request(operation, headers=[("Content-Type", kind)])
        yield probe(check, kind, request, ANOTHER_TYPE)
    form = f"task_name={wire.target.task_name}".encode()
    kind = "application/x-www-form-urlencoded"
    request = wire.request(operation, headers=[("Content-Type", kind)], body=form)
    yield probe(check, "a form", request, ANOTHER_TYPE)
    disposition = 'Content-Disposition: form-data; name="task_name"'
    part = f"--x\r\n{disposition}\r\n\r\n{wire.target.task_name}\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    request = wire.request(operation, headers=[("Content-Type", kind)], body=part.encode())
    yield probe(check, "a form in parts", request, ANOTHER_TYPE)
    # HTTP allows a server to guess if there is no content type. Types that end in +json are JSON,
    # and frameworks accept them. A charset has no meaning for JSON. An invalid type is like none.
    for kind in (
        "application/problem+json",
        "application/vnd.api+json",
        'application/json; charset="utf-8"',
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "application/json; version=1",
        "APPLICATION/JSON",
        "application/json, text/plain",
        "application/json;",
        "text/json",
        "*/*",
        "application",
        "",
        ";;;",
    ):
        request = wire.request(operation, headers=[("Content-Type", kind)])
        yield probe(check, f"{kind!r}", request, EITHER_TYPE)
    request = wire.request(operation, without=["Content-Type"])
    yield probe(check, "no type", request, EITHER_TYPE)


def overrides(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Headers and query values that override the method or the path in some frameworks."""
    check, own = "headers_keep_meaning", wire.request(operation)
    override: tuple[str, ...] = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
    if operation.method == "POST":
        # A read-only request must not become a change.
        for name in override:
            headers = (*own.headers, (name, "POST"))
            request = Request("GET", own.path, headers, own.body)
            yield probe(check, f"GET with {name}: POST", request, ANOTHER_METHOD)
        for query in ("_method=POST", "method=POST", "x-http-method-override=POST"):
            request = Request("GET", f"{own.path}?{query}", own.headers, own.body)
            yield probe(check, f"GET with {query}", request, ANOTHER_METHOD)
    wrong = "GET" if operation.method == "POST" else "POST"
    if operation.may_have_siblings and wire.target.is_remote:
        override = ()
    for name in override:
        request = wire.request(operation, headers=[(name, wrong)])
        yield probe(check, f"{name}: {wrong}", request, ACCEPTED)
    other = operations()["resume" if operation.verb == "pause" else "pause"]
    elsewhere = wire.request(other).path
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"):
        request = wire.request(operation, headers=[(name, elsewhere)])
        yield probe(check, f"{name} of another operation", request, ACCEPTED)


def conditions(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """HTTP headers that request something other than the full response in JSON."""
    cases: tuple[tuple[str, str, set[int]], ...] = (
        ("Accept", "application/json", set()),
        ("Accept", "text/html,application/xhtml+xml;q=0.9", {406}),
        ("Accept", "application/xml", {406}),
        ("Accept-Language", "fr", set()),
        ("Origin", "null", {403}),
        ("Range", "bytes=0-3", {206}),
        ("If-None-Match", "*", {304, 412}),
        ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", {304}),
        ("If-Match", '"x"', {412}),
        ("Prefer", "respond-async", set()),
    )
    for name, value, others in cases:
        request = wire.request(operation, headers=[(name, value)])
        yield probe(
            "positive_data_acceptance",
            f"{name}: {value}"[:60],
            request,
            ACCEPTED | others if name == "Accept" else ACCEPTED,
            tolerated=frozenset(others),
        )
