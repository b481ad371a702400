"""Queries, and requests that are too large."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from urllib.parse import quote

from taurusdb_starrocks_conformance.contract import Operation
from taurusdb_starrocks_conformance.exchange import UNKNOWN_TASK, Request
from taurusdb_starrocks_conformance.near_misses import other_names, wrong_names
from taurusdb_starrocks_conformance.wire import Wire

from .probe import ABSENT, ACCEPTED, EITHER, MALFORMED, TOO_LONG, TOO_LONG_OR_FINE, Probe, probe


def sizes(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Large requests: a server may refuse them or close the connection, but must not fail."""
    check, name = "negative_data_rejection", wire.target.task_name

    def large(what: str, request: Request, allowed: frozenset[int], by: str = check) -> Probe:
        return probe(by, what, request, allowed, may_drop=True)

    padded = json.dumps({"task_name": name}).encode() + b" " * (1 << 20)
    yield large("a megabyte of spaces", wire.request(operation, body=padded), TOO_LONG_OR_FINE)
    note = json.dumps({"task_name": name, "note": "x" * (1 << 20)}).encode()
    yield large("a megabyte beside it", wire.request(operation, body=note), TOO_LONG_OR_FINE)
    long_name = json.dumps({"task_name": name + "x" * (3 << 20)}).encode()
    request = wire.request(operation, body=long_name)
    yield large("a name of three megabytes", request, TOO_LONG, "invalid_accepted")
    request = wire.request(operation, headers=[("X-Note", "x" * 40_000)])
    yield large("a header of 40 kB", request, TOO_LONG | ACCEPTED)
    request = wire.request(operation, query="x=" + "y" * 20_000)
    yield large("a query of 20 kB", request, TOO_LONG | ACCEPTED)


def limits(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """`limit` is from 1 to 100, `offset` is not negative, and both are integers."""
    for query in (
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=abc",
        "limit=1.5",
        "limit=99999999999999999999",
        "limit=true",
        "limit=null",
        "limit=0x10",
        "limit=1%27",
        "limit=1%00",
        "limit=%E4%B8%80",
        "offset=-1",
        "offset=abc",
        "offset=1.5",
        "offset=null",
        "offset=99999999999999999999",
        "offset=2147483648",
        "limit=10&offset=-5",
        "limit=0&offset=0",
    ):
        request = wire.request(operation, query=query)
        yield probe("negative_data_rejection", query, request, MALFORMED)
    # How a number is parsed is open, but there must be a response.
    for query in (
        "limit=",
        "offset=",
        "limit=1&limit=2",
        "limit=%2B1",
        "limit=%201",
        "limit=01",
        "limit=1_0",
        "limit=%D9%A3",
        "limit=1e1",
        "limit=1.0",
        "limit[]=1",
        "LIMIT=1",
        "limit=1;offset=0",
        "x=1",
        "&&&",
        "limit",
        "%FF=1",
        "limit=1&%00=1",
    ):
        request = wire.request(operation, query=query)
        yield probe("negative_data_rejection", query, request, EITHER)


def names(
    wire: Wire, operation: Operation, chance: random.Random, taken: frozenset[str] | None
) -> Iterator[Probe]:
    """Task names for an operation with a task name in the query."""
    own = wire.target.task_name
    for what, value in wrong_names(own).items():
        if isinstance(value, str) and len(value) < 4_000:
            name = quote(value.encode("utf-8", "surrogatepass"), safe="")
            request = wire.request(operation, query=f"task_name={name}")
            yield probe("invalid_accepted", what, request, MALFORMED)
    for what, query in {
        "no name": "limit=1&task_name=",
        "another parameter": f"name={own}&x_task_name={own}",
        "name of the parameter in uppercase": f"TASK_NAME={own}&x_task_name=",
    }.items():
        request = wire.request(operation, query=query)
        yield probe("negative_data_rejection", what, request, MALFORMED)
    absent = {"a task that does not exist": f"{UNKNOWN_TASK}_{chance.getrandbits(64):x}"}
    # If the tasks are unknown, one of them may have a similar name.
    others = {} if taken is None else other_names(own)
    for what, name in {**absent, **others}.items():
        if name not in (taken or ()):
            request = wire.request(operation, task_name=name)
            yield probe("unknown_is_refused", what, request, ABSENT)


def strange(wire: Wire, operation: Operation, chance: random.Random) -> Iterator[Probe]:
    """Query values that an operation does not have. They must have no effect."""
    unknown = f"{UNKNOWN_TASK}_{chance.getrandbits(32):x}"
    other = f"{chance.getrandbits(128):032x}in17"
    for query in (
        *([] if operation.names_task else [f"task_name={unknown}", "task_name="]),
        f"instance_id={other}",
        f"project_id={other[:32]}",
        "dry_run=true",
        "action=delete",
        "stage=Paused",
        "limit=0&limit=" if operation.method == "POST" else "x[]=1",
        "=",
        "&",
        "?",
        "%00=%00",
    ):
        request = wire.request(operation, query=query)
        yield probe("headers_keep_meaning", f"?{query}"[:40], request, EITHER)
    if operation.method == "POST":
        # Only the body selects the task.
        own = wire.target.task_name
        request = wire.request(operation, task_name=unknown, query=f"task_name={own}")
        yield probe("unknown_is_refused", "the task's name in the query only", request, ABSENT)
        request = wire.request(operation, body=b"{}", query=f"task_name={own}")
        yield probe("negative_data_rejection", "no name but in the query", request, MALFORMED)
        request = wire.request(operation, task_name=unknown, headers=[("X-Task-Name", own)])
        yield probe("unknown_is_refused", "the task's name in a header only", request, ABSENT)
