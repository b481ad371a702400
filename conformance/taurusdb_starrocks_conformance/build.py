"""Correct requests, except for intentional changes."""

from __future__ import annotations

import json
from collections.abc import Iterable

from .contract import Operation
from .exchange import Request
from .target import Target


def request_for(
    target: Target,
    operation: Operation,
    *,
    task_name: str | None = None,
    project_id: str | None = None,
    instance_id: str | None = None,
    query: str = "",
    headers: Iterable[tuple[str, str]] = (),
    without: Iterable[str] = (),
    body: bytes | None = None,
) -> Request:
    """A request for an operation that is correct except for the given arguments."""
    own = [*headers]
    named = {name.lower() for name, _ in own} | {name.lower() for name in without}
    defaults = [("X-Auth-Token", target.token)]
    if operation.method == "POST":
        defaults.append(("Content-Type", "application/json"))
        if body is None:
            body = json.dumps({"task_name": task_name or target.task_name}).encode()
    if operation.names_task and "task_name=" not in query:
        query = "&".join(filter(None, [f"task_name={task_name or target.task_name}", query]))
    path = target.base + operation.path(
        target.project_id if project_id is None else project_id,
        target.instance(operation) if instance_id is None else instance_id,
    )
    return Request(
        operation.method,
        path + (f"?{query}" if query else ""),
        (*((name, value) for name, value in defaults if name.lower() not in named), *own),
        body or b"",
    )
