"""Requests that are correct according to the contract, JSON and HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from taurusdb_starrocks_conformance.contract import Operation
from taurusdb_starrocks_conformance.wire import Wire

from .probe import ACCEPTED, Probe, probe


def right(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Requests that are correct according to the contract, JSON and HTTP. They must be accepted."""
    name = wire.target.task_name

    def accepted(what: str, **changes: Any) -> Probe:
        return probe("positive_data_acceptance", what, wire.request(operation, **changes), ACCEPTED)

    yield accepted("plain")
    yield accepted("in Chinese", headers=[("X-Language", "zh-cn")])
    yield accepted("in English", headers=[("X-Language", "en-us")])
    token = ("x-auth-token", wire.target.token)
    yield accepted("header name in lowercase", headers=[token])
    if operation.method == "GET" and operation.verb != "list":
        return
    if operation.method == "GET":
        for query in ("limit=1", "limit=100", "offset=0", "limit=1&offset=0", "offset=2147483647"):
            yield accepted(query, query=query)
        return
    texts = {
        "no spaces": f'{{"task_name":"{name}"}}',
        "spaces and line breaks": f'\r\n {{\n\t"task_name" :\n "{name}" }} \n',
        "escaped letters": '{"task_name": "' + "".join(f"\\u{ord(c):04x}" for c in name) + '"}',
        "escaped key": f'{{"task\\u005fname": "{name}"}}',
        "further property": json.dumps({"task_name": name, "note": "x"}),
        "further property in other scripts": json.dumps(
            {"task_name": name, "\u6ce8": "\U0001f600 \u00e9"}, ensure_ascii=False
        ),
        "further properties of all types": json.dumps(
            {"a": None, "b": [1, {"c": True}], "task_name": name, "d": 1e300, "e": -0.0}
        ),
        "a key that is empty": json.dumps({"": 1, "task_name": name}),
    }
    for what, text in texts.items():
        yield accepted(what, body=text.encode())
    # The form of the vendor's official client.
    for kind in ("application/json;charset=UTF-8", "application/json; charset=utf-8"):
        yield accepted(kind, headers=[("Content-Type", kind)])
