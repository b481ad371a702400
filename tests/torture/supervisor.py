"""One program after another, what happens to it, and what becomes of its tasks."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.torture.plan import TASKS, Plan

if TYPE_CHECKING:
    from tests.torture.cell import Cell

# A window that takes longer is itself a fault; its own bounds add up to a fraction of this.
HANGS = 30.0


class Supervisor:
    """One victim after another on an instance of their own, and what becomes of its tasks."""

    def __init__(self, cell: Cell, number: int, instance: str) -> None:
        self._cell = cell
        self._instance = instance
        self._asynchronous = bool(number % 2)
        self._victim: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._since = 0.0

    def run(self) -> None:
        """Have windows until there are no more."""
        while (plan := self._cell.next(self._asynchronous)) is not None:
            if self._victim is None:
                self._victim = self._cell.start(self._instance, self._asynchronous)
                self._pending = b""
                assert self._line(self._victim, HANGS) == b'{"at": "ready"}'
            self._window(self._victim, plan)
        if self._victim is not None:
            self._end(self._victim)

    def _window(self, victim: subprocess.Popen[bytes], plan: Plan) -> None:
        """One window, and the state of the world after it."""
        emulator, tally = self._cell.emulator, self._cell.tally
        for name in TASKS:
            emulator.set_stage(self._instance, name, "Incremental")
        self._since = time.time()
        self._say(victim, plan.document())
        begun, signals, said = time.monotonic(), sorted(plan.signals), []
        end: dict[str, Any] | None = None
        while end is None:
            due = begun + (signals[0][0] if signals else HANGS)
            line = self._line(victim, max(0.0, due - time.monotonic()))
            if line is None and signals:
                number = signals.pop(0)[1]
                victim.send_signal(number)
                with self._cell.lock:
                    tally.signals[signal.Signals(number).name] += 1
                continue
            if line is None or not line:
                self._violation(plan, "hangs" if line is None else "died", {}, said)
                with self._cell.lock:
                    tally.windows += 1
                self._end(victim)
                return
            message = json.loads(line)
            said.append(message)
            if message["at"] == "forked":
                self._forked(plan, said)
                self._say(victim, {})
            elif message["at"] == "ensured":
                self._ensured(plan, message, said)
                self._say(victim, {})
            elif message["at"] == "end":
                end = message
        self._judge(plan, end, said)

    def _judge(self, plan: Plan, end: dict[str, Any], said: list[Any]) -> None:
        """Whether each task runs, or was named to the user."""
        self._cell.barrier()
        left = [name for name in plan.names if self._target(name) == "Paused"]
        tally = self._cell.tally
        with self._cell.lock:
            tally.windows += plan.verb == "window"
            tally.ensured += plan.verb == "ensure"
            tally.ends[" + ".join(end["errors"]) or "no error"] += 1
            if plan.aim is not None:
                tally.signals[f"{signal.Signals(plan.aimed).name} as the block ends"] += 1
            tally.signals["cancellation"] += len(plan.cancels)
            tally.signals["fork"] += plan.fork
            tally.named += sum(name in end["named"] for name in left)
            tally.logged += sum(name in end["logged"] and name not in end["named"] for name in left)
        unnamed = [name for name in left if name not in end["named"] and name not in end["logged"]]
        if unnamed and plan.verb == "window":
            self._violation(plan, "left paused and not named", {**end, "left": unnamed}, said)

    def _forked(self, plan: Plan, said: list[Any]) -> None:
        """Whether the parent's tasks are still paused, after a child left the block."""
        inside = [name for name in plan.names if self._target(name) != "Paused"]
        if inside and any(message["at"] == "inside" for message in said):
            calls = self._calls(plan.names)
            if any(call["operation"] == "resume" for call in calls):
                self._violation(plan, "resumed by a forked child", {"left": inside}, said)

    def _ensured(self, plan: Plan, message: dict[str, Any], said: list[Any]) -> None:
        """Whether it is so, by the emulator's own records."""
        for goal, names in (("running", message.get("running")), ("paused", message.get("paused"))):
            wrong = [n for n in names or () if (self._target(n) == "Paused") != (goal == "paused")]
            if wrong:
                self._violation(plan, f"said to be {goal} and is not", {"left": wrong}, said)

    def _target(self, name: str) -> str:
        return self._cell.emulator.task(self._instance, name).target

    def _calls(self, names: list[str]) -> list[dict[str, Any]]:
        """The last calls about these tasks, for whoever looks into a violation."""
        calls = [
            call
            for call in self._cell.emulator.journal()
            if call.instance_id == self._instance
            and call.task_name in (None, *names)
            and call.time >= self._since
        ]
        return [
            {
                "time": round(call.time - self._since, 3),
                "operation": call.operation,
                "task": call.task_name,
                "status": call.status,
                "fault": call.fault,
            }
            for call in calls
        ]

    def _violation(self, plan: Plan, what: str, end: dict[str, Any], said: list[Any]) -> None:
        calls = self._calls(plan.names)
        found = {
            "what": what,
            "asynchronous": self._asynchronous,
            "plan": plan.document(),
            "end": end,
            "said": said,
            "calls": calls,
        }
        with self._cell.lock:
            self._cell.tally.violations.append(found)

    def _say(self, victim: subprocess.Popen[bytes], what: dict[str, Any]) -> None:
        assert victim.stdin is not None
        victim.stdin.write(json.dumps(what).encode() + b"\n")
        victim.stdin.flush()

    def _line(self, victim: subprocess.Popen[bytes], seconds: float) -> bytes | None:
        """The victim's next line; empty if there is no further one, None if it takes too long."""
        assert victim.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self._pending:
            if not select.select([victim.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            if not (data := os.read(victim.stdout.fileno(), 65536)):
                return b""
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _end(self, victim: subprocess.Popen[bytes]) -> None:
        victim.kill()
        victim.communicate()
        self._victim = None
