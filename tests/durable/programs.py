"""Programs with durable windows, each a process of its own, and what they and a test share."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from taurusdb_starrocks import AccessKeyAuth, AsyncClient, Client, Poll
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks_emulator import Emulator

from tests import guardians

POLL = Poll(first=0.01, interval=0.03, longest=0.1)
ORDERS, BILLING = "orders_sync", "billing_sync"
BOTH = [ORDERS, BILLING]

# What every program begins with. `say` writes a line at once, `listen` waits for one.
START = """
import asyncio, json, os, signal, subprocess, sys, threading, time
from taurusdb_starrocks import *
from taurusdb_starrocks.durable import *
given = json.loads(sys.argv[1])
POLL = Poll(first=0.01, interval=0.03, longest=0.1)
AUTH = AccessKeyAuth(given["access_key"], given["secret_key"])
SETTINGS = dict(endpoint=given["endpoint"], project_id=given["project_id"], poll=POLL,
                timeout=given["timeout"], settle=given["settle"])
INSTANCE, NAMES = given["instance_id"], given["names"]
client = Client(auth=AUTH, **SETTINGS)
journal = Journal(given["journal"])
def say(*what):
    os.write(1, (json.dumps(what) + "\\n").encode())
def listen():
    return sys.stdin.readline().strip()
"""


class Program:
    """A program in a process of its own."""

    def __init__(self, code: str, given: dict[str, Any], start: str = START) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # As long as the program.
        self._process = subprocess.Popen(
            [sys.executable, "-c", start + textwrap.dedent(code), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._said = b""

    def hear(self, seconds: float = 20.0) -> Any:
        """The next line that it prints; None when it has ended."""
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._said:
            assert select.select([handle], [], [], seconds)[0], "it says nothing"
            if not (chunk := os.read(handle, 65536)):
                return None
            self._said += chunk
        line, _, self._said = self._said.partition(b"\n")
        return json.loads(line)

    def say(self, what: str = "") -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, and wait until it has ended."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 20.0) -> int:
        """Wait until it has ended, and return its exit status."""
        status = self._process.wait(seconds)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        return status

    @property
    def errors(self) -> str:
        """Its standard error so far."""
        self._stderr.seek(0)
        return self._stderr.read().decode()

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            self._process.kill()
        self.wait()
        self._stderr.close()


class Surroundings:
    """An emulator, a journal, and the programs that were started."""

    def __init__(self, emulator: Emulator, journal: Path) -> None:
        self.emulator = emulator
        self.journal = journal
        self.instance_id = emulator.instance_id
        self.settings: dict[str, Any] = {
            "endpoint": emulator.url,
            "project_id": emulator.project_id,
            "poll": POLL,
            "timeout": 2.0,
            "settle": 0.5,
        }
        self._programs: list[Program] = []

    def auth(self) -> AccessKeyAuth:
        return AccessKeyAuth(self.emulator.access_key, self.emulator.secret_key)

    def client(self, **settings: Any) -> Client:
        return Client(**{"auth": self.auth(), **self.settings, **settings})

    def async_client(self, **settings: Any) -> AsyncClient:
        return AsyncClient(**{"auth": self.auth(), **self.settings, **settings})

    def connect(self, _endpoint: str, _project_id: str) -> Client:
        """The client of a `recover`."""
        return self.client()

    def program(self, code: str, *, start: str = START, **given: Any) -> Program:
        given = {
            "endpoint": self.emulator.url,
            "project_id": self.emulator.project_id,
            "access_key": self.emulator.access_key,
            "secret_key": self.emulator.secret_key,
            "token": self.emulator.token,
            "instance_id": self.instance_id,
            "names": BOTH,
            "journal": str(self.journal),
            "timeout": 2.0,
            "settle": 0.5,
            **given,
        }
        program = Program(code, given, start)
        self._programs.append(program)
        return program

    def stages(self, names: list[str] | None = None) -> list[str]:
        return [self.emulator.task(self.instance_id, name).stage for name in names or BOTH]

    def running(self, names: list[str] | None = None) -> bool:
        return all(stage in {"Incremental", "Full"} for stage in self.stages(names))

    def paused(self, names: list[str] | None = None) -> bool:
        return all(stage == "Paused" for stage in self.stages(names))

    def sent(self, operation: str, name: str | None = None) -> int:
        return sum(
            call.operation == operation and name in {None, call.task_name}
            for call in self.emulator.journal()
        )

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the journal, read with a separate connection."""
        with Journal(self.journal) as journal:
            return [
                tuple(row) for row in journal.read(lambda c: c.execute(query, values).fetchall())
            ]

    def guardians(self) -> list[int]:
        """Process IDs of the running guardians of this journal, found by their open files."""
        return guardians.living(self.journal)

    def end(self) -> None:
        for program in self._programs:
            program.end()
        guardians.end(self.journal)


def until(condition: Callable[[], Any], seconds: float = 15.0) -> float:
    """Wait until a condition is true, and return how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it does not become so"
        time.sleep(0.01)
    return time.monotonic() - began
