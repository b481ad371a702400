"""What the four right servers share: the tasks, and what may be done to them.

How a request is read (its path, its headers, its JSON) is each framework's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN

SOURCE = "5e4d3c2b1a09f8e7d6c5b4a392817060in07"
PREFIX = "v3/{project}/instances/{instance}"
ROUTES = {
    "pause": ("POST", f"{PREFIX}/starrocks/databases/replication/pause"),
    "resume": ("POST", f"{PREFIX}/starrocks/databases/replication/resume"),
    "list": ("GET", f"{PREFIX}/starrocks/databases/replication"),
    "configuration": ("GET", f"{PREFIX}/starrocks/databases/replication/configuration"),
    "instances": ("GET", f"{PREFIX}/htap"),
}
MALFORMED = (400, {"error_code": "DBS.280001", "error_msg": "Parameter error."})
INSTANCE_NOT_FOUND = (400, {"error_code": "DBS.200022", "error_msg": "Instance not found."})
TASK_NOT_FOUND = (400, {"error_code": "DBS.05000091", "error_msg": "Task not found."})
WRONG_STAGE = (400, {"error_code": "DBS.200086", "error_msg": "The stage does not allow it."})
UNPROVED = (401, {"error_code": "APIGW.0301", "error_msg": "Incorrect authentication information"})
Answered = tuple[int, dict[str, Any]]


class Rules:
    """A service of three tasks; strict ones refuse to pause a paused task."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.stages = {"daily_sync": "Incremental", TASK: "Incremental", "weekly_sync": "Paused"}

    def answer(
        self,
        verb: str,
        project: str,
        instance: str,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        body: Callable[[], Any],
    ) -> Answered:
        """Status and document; `body` reads the request's JSON, or raises ValueError."""
        own = SOURCE if verb == "instances" else INSTANCE
        if headers.get("X-Auth-Token") != TOKEN:
            return UNPROVED
        if not re.fullmatch("[0-9A-Za-z]{32}", project):
            return MALFORMED
        if not re.fullmatch("[0-9A-Za-z]{32}[a-z]{2}[0-9]{2}", instance):
            return MALFORMED
        if headers.get("X-Language", "en-us") not in ("en-us", "zh-cn"):
            return MALFORMED
        if project != PROJECT:
            return UNPROVED
        if verb in ("pause", "resume"):
            return self.change(verb, instance, headers, body)
        if instance != own:
            return INSTANCE_NOT_FOUND
        if verb == "list":
            return self.listed(query)
        if verb == "instances":
            listed = [{"id": INSTANCE, "engine_name": "star-rocks"}]
            return 200, {"total": 1, "instances": listed}
        name = query.get("task_name", "")
        if not re.fullmatch("[A-Za-z0-9_]{3,128}", name):
            return MALFORMED
        return (200, {"source_instance_id": SOURCE}) if name in self.stages else TASK_NOT_FOUND

    def change(
        self, verb: str, instance: str, headers: Mapping[str, str], body: Callable[[], Any]
    ) -> Answered:
        """Pause or resume."""
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            return MALFORMED
        try:
            document = body()
        except (ValueError, RecursionError):
            return MALFORMED
        name = document.get("task_name") if isinstance(document, dict) else None
        if not (isinstance(name, str) and re.fullmatch("[A-Za-z0-9_]{3,128}", name)):
            return MALFORMED
        if instance != INSTANCE:
            return INSTANCE_NOT_FOUND
        if name not in self.stages:
            return TASK_NOT_FOUND
        if self.strict and (self.stages[name] == "Paused") == (verb == "pause"):
            return WRONG_STAGE
        self.stages[name] = "Paused" if verb == "pause" else "Incremental"
        return 200, {"job_id": str(uuid4())}

    def listed(self, query: Mapping[str, str]) -> Answered:
        """A page."""
        try:
            limit, offset = int(query.get("limit", "100")), int(query.get("offset", "0"))
        except ValueError:
            return MALFORMED
        if not (1 <= limit <= 100 and 0 <= offset <= 2147483647):
            return MALFORMED
        rows = [{"task_name": name, "stage": stage} for name, stage in self.stages.items()]
        page = rows[offset : offset + limit]
        return 200, {"total_count": len(rows), "replications": page}


def request_id() -> dict[str, str]:
    """The header that every response has."""
    return {"X-Request-Id": uuid4().hex}
