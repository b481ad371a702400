"""A service without a network, whose every response can be scripted."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx
from taurusdb_starrocks import Poll

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
POLL = Poll(first=0.0, interval=0.001, longest=0.002)
LOST = httpx.ReadError("connection reset")
Answer = httpx.Response | Exception | Callable[[], object]


class Service:
    """Tasks and their stages; each request may be answered from a script first.

    Attributes:
        stages: Stage of each task.
        status: Status of each task.
        asked: The requests so far: ``pause``, ``resume`` or ``list``, and the task.
        scripts: The next answers to ``pause NAME``, ``resume NAME`` or ``list``. A function is
            called, and the answer is then its response, or the service's own.
        slow: How many lists are served until a change shows, by task.
        delays: How many seconds pass until a change shows, by ``pause NAME`` or ``resume NAME``.
        firm: What becomes of a resume while a pause is still coming: None overrides the pause.
    """

    def __init__(self, **stages: str) -> None:
        self.stages = stages
        self.status = dict.fromkeys(stages, "Yes")
        self.asked: list[tuple[str, str]] = []
        self.scripts: dict[str, list[Answer]] = defaultdict(list)
        self.slow: dict[str, int] = {}
        self.delays: dict[str, float] = {}
        self.firm: str | None = None
        self._coming: dict[str, list[Any]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            verb, name = "list", ""
        else:
            verb = request.url.path.rpartition("/")[2]
            name = json.loads(request.content)["task_name"]
        self.asked.append((verb, name))
        script = self.scripts[f"{verb} {name}".strip()]
        answer = script.pop(0) if script else None
        if callable(answer):
            returned = answer()
            answer = returned if isinstance(returned, httpx.Response) else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        return self.list() if verb == "list" else self.change(verb, name)

    def change(self, verb: str, name: str) -> httpx.Response:
        job = httpx.Response(200, json={"job_id": f"job_{len(self.asked)}"})
        if verb == "resume" and self.firm and self._coming.get(name, [0, ""])[1] == "Paused":
            return job if self.firm == "ignored" else refusal(400, "DBS.200086")
        stage = "Paused" if verb == "pause" else "Incremental"
        not_before = time.monotonic() + self.delays.get(f"{verb} {name}", 0.0)
        self._coming[name] = [self.slow.get(name, 0), stage, not_before]
        return job

    def list(self) -> httpx.Response:
        for name, coming in list(self._coming.items()):
            if coming[0] == 0 and time.monotonic() >= coming[2]:
                self.stages[name] = coming[1]
                del self._coming[name]
            else:
                coming[0] = max(0, coming[0] - 1)
        page = [
            {"task_name": name, "stage": stage, "status": self.status[name], "percentage": 100}
            for name, stage in self.stages.items()
        ]
        return httpx.Response(200, json={"total_count": len(page), "replications": page})

    def count(self, verb: str) -> int:
        return sum(asked == verb for asked, _ in self.asked)

    def block(self, verb: str, name: str, status: int) -> httpx.Response:
        """The response of a firewall, after the change was made."""
        self.change(verb, name)
        return httpx.Response(status, text="<html>Blocked</html>")

    def lose(self, verb: str, name: str) -> Callable[[], object]:
        """An answer that is lost after the change was made."""

        def act() -> None:
            self.change(verb, name)
            raise LOST

        return act


def refusal(status: int, code: str = "DBS.200001", **headers: str) -> httpx.Response:
    return httpx.Response(
        status,
        json={"error_code": code, "error_msg": "no"},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
