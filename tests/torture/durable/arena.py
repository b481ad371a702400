"""An emulator with faults, a journal, and programs with durable windows that are killed on it."""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks_emulator import Emulator, Fault

PROJECT = "0483b6b16e954cb88930a360d2c4e663"
TASKS = [f"task_{number}" for number in range(6)]
SETTLE = 1.0
TIMEOUT = 6.0
LATEST = 0.6  # Seconds after which no pause takes effect any more.
VICTIM = str(Path(__file__).with_name("victim.py"))
# The service is no obstacle in most calls: what is tested is who resumes, and when.
FAULTS: list[dict[str, Any]] = [
    {"kind": "reset-before-read", "probability": 0.01},
    {"kind": "reset-after-read", "probability": 0.01, "applied": True},
    {"kind": "reset-after-read", "probability": 0.01, "applied": False},
    {"kind": "hang", "probability": 0.005, "seconds": 0.7, "applied": True},
    {"kind": "error", "probability": 0.01, "applied": True},
    {"kind": "error", "probability": 0.01, "applied": False},
    {"kind": "throttle", "probability": 0.01},
    {"kind": "late-pause", "probability": 0.03, "seconds": 0.15, "meanwhile": "refused"},
    {"kind": "late-pause", "probability": 0.03, "seconds": 0.15, "meanwhile": "ignored"},
    {"kind": "late-pause", "probability": 0.02, "seconds": 0.5, "meanwhile": "ignored"},
]


class Program:
    """One program, and what it said."""

    def __init__(self, arena: Arena, instance: str, names: list[str], **more: Any) -> None:
        given = {**arena.settings, "instance": instance, "names": names, **more}
        self.names = names
        self.said: list[dict[str, Any]] = []
        self.killed = 0.0  # When, on the wall clock.
        self._pending = b""
        self._process = subprocess.Popen(
            [sys.executable, VICTIM, json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=arena.complaints,
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def go(self) -> None:
        """Let it open its window."""
        assert self.until("ready", 60) is not None, "a program did not start"
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def until(self, at: str, seconds: float) -> dict[str, Any] | None:
        """What it says when it is that far; None if it does not come to it in time."""
        deadline = time.monotonic() + seconds
        while True:
            for message in self.said:
                if message["at"] == at:
                    return message
            if not self._read(max(0.0, deadline - time.monotonic())):
                return None

    def _read(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return False
        handle = self._process.stdout.fileno()
        if not select.select([handle], [], [], seconds)[0]:
            return False
        data = os.read(handle, 65536)
        self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        self.said += [json.loads(line) for line in lines]
        return bool(data)

    def said_at(self, at: str) -> dict[str, Any] | None:
        """The same without waiting, from all that it has said."""
        while self._read(0):
            pass
        return next((message for message in self.said if message["at"] == at), None)

    def kill(self) -> None:
        """SIGKILL."""
        self.killed = time.time()
        self._process.kill()

    def signal(self, number: int) -> None:
        """Another signal."""
        self._process.send_signal(number)

    def ended(self) -> bool:
        """Whether it is gone, be it by itself."""
        return self._process.poll() is not None

    def close(self) -> None:
        """Wait for its end, which must have been brought about."""
        self.said_at("end")
        self._process.wait(60)
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]  # Both are pipes.

    def guardians(self) -> list[int]:
        """Its child processes: it has no others."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                text = stat.read_text()
                if int(text.rpartition(")")[2].split()[1]) == self.pid:
                    found.append(int(stat.parent.name))
        return found

    def block(self) -> tuple[float, float] | None:
        """From when to when its block was seen to last; None if it never began."""
        inside, outside = self.said_at("inside"), self.said_at("outside")
        if inside is None:
            return None
        return inside["time"], outside["time"] if outside else self.killed


class Arena:
    """One emulator and one journal for all programs; what was found is kept here."""

    def __init__(
        self, folder: Path, instances: int, seed: int, *, patience: float, guardians: bool
    ) -> None:
        self.patience = patience  # Seconds within which every task must run again.
        self.guardians = guardians
        self.journal = folder / "journal.db"
        self.complaints = (folder / "stderr.txt").open("wb")
        self.instances = [f"{number:032x}in17" for number in range(instances)]
        tasks = [{"name": name, "source_database": "db"} for name in TASKS]
        project: dict[str, Any] = {"id": PROJECT, "name": "r"}
        project["instances"] = [{"id": instance, "tasks": tasks} for instance in self.instances]
        weather = [Fault(**fault, seed=seed * 100 + at) for at, fault in enumerate(FAULTS)]
        self.emulator = Emulator(seed={"projects": [project]}, delay=0.02, faults=weather)
        self.counts: Counter[str] = Counter()
        self.violations: list[dict[str, Any]] = []
        self.seconds: list[float] = []  # From a kill until every task ran.

    def __enter__(self) -> Self:
        self.emulator.__enter__()
        Journal(self.journal).close()
        self.settings = {
            "role": "window",
            "url": self.emulator.url,
            "project": PROJECT,
            "token": self.emulator.token,
            "journal": str(self.journal),
            "settle": SETTLE,
            "timeout": TIMEOUT,
            "lease": 120.0,
            "guardian": self.guardians,
            "clock": 0.0,
            "inside": 0.4,
            "asynchronous": False,
        }
        return self

    def __exit__(self, *exception: object) -> None:
        self.emulator.__exit__(*exception)  # type: ignore[arg-type]  # Passed on as it came.
        self.complaints.close()

    def stage(self, instance: str, name: str) -> str:
        """Where the emulator is bringing a task, or where it is."""
        return self.emulator.task(instance, name).target

    def fresh(self, instance: str) -> None:
        """Have every task of an instance run."""
        for name in TASKS:
            self.emulator.set_stage(instance, name, "Incremental")

    def found(self, what: str, instance: str, **more: Any) -> None:
        """Note a violation, with what the emulator saw of the instance."""
        calls = [
            {
                "time": call.time,
                "operation": call.operation,
                "task": call.task_name,
                "status": call.status,
                "fault": call.fault,
            }
            for call in self.emulator.journal()
            if call.instance_id == instance and call.operation != "list"
        ]
        self.violations.append({"what": what, "instance": instance, **more, "calls": calls[-40:]})

    def resumes(self, instance: str, names: list[str], begin: float, end: float) -> list[str]:
        """The tasks that somebody requested to be resumed in a time."""
        return [
            call.task_name or ""
            for call in self.emulator.journal()
            if call.instance_id == instance
            and call.operation == "resume"
            and call.task_name in names
            and begin <= call.time <= end
        ]

    def check_block(self, instance: str, program: Program, ours: list[str]) -> None:
        """No task may be resumed while the block of a program lasts."""
        block = program.block()
        if block is None:
            return
        self.counts["blocks"] += 1
        early = self.resumes(instance, ours, *block)
        if early:
            self.found("a task ran in a block", instance, tasks=early, said=program.said)

    def recorded(self) -> set[tuple[str, str]]:
        """Tasks whose window is not closed and has requested something."""
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "SELECT instance_id, name FROM task WHERE window IS NOT NULL AND EXISTS "
                "(SELECT 1 FROM request WHERE task = task.id AND request.window = task.window)"
            )
            return set(rows.fetchall())

    def await_running(self, instance: str, names: list[str], seconds: float) -> bool:
        """Whether all tasks come to run, and the journal says so, within a time."""
        deadline = time.monotonic() + seconds
        since = None
        while time.monotonic() < deadline:
            running = all(self.stage(instance, name) != "Paused" for name in names)
            if running and not self.recorded() & {(instance, name) for name in names}:
                since = since or time.monotonic()
                if time.monotonic() - since > LATEST:
                    return True
            else:
                since = None
            time.sleep(0.05)
        return False

    def repeats(self) -> dict[str, Any]:
        """Requests that were repeated, by the journal's own records.

        Those of unknown outcome are told apart: a program repeats its own when two polls show that
        nothing happened. Somebody who takes over has not seen what there was before.
        """
        query = """
            SELECT task, verb, request.actor, job_id IS NOT NULL, sent_clock, instance_id, name
            FROM request JOIN task ON task.id = request.task
            WHERE state NOT IN ('refused', 'unsent') ORDER BY task, request.id
        """
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as database:
            rows = database.execute(query).fetchall()
        late = {
            (call.instance_id, call.task_name)
            for call in self.emulator.journal()
            if call.fault and "late-pause" in call.fault
        }
        own, others, accepted = [], [], []
        for before, after in pairwise(rows):
            if before[:2] != after[:2]:
                continue
            gap = after[4] - before[4]
            if not before[3]:
                (own if before[2] == after[2] else others).append(gap)
            elif before[5:] not in late:
                accepted.append([gap, before, after])
        return {"requests": len(rows), "own": own, "others": others, "accepted": accepted}


def end(pid: int) -> None:
    """SIGKILL, for a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
