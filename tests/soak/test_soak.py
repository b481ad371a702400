"""Many calls at once against a service that fails now and then: no wrong answer, and no leak.

Each call pauses a task of its own, so that what the caller was told can be held against what
became of exactly that task.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from taurusdb_starrocks import (
    AsyncClient,
    Client,
    Job,
    OutcomeUnknownError,
    ReplicationError,
    RetryPolicy,
    ServerError,
    TokenAuth,
)
from taurusdb_starrocks_emulator import Emulator

CALLS = 20_000
PROJECT = "0483b6b16e954cb88930a360d2c4e663"
INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
SEED = {
    "projects": [
        {
            "id": PROJECT,
            "name": "ap-southeast-3",
            "instances": [
                {
                    "id": INSTANCE,
                    "tasks": [{"name": f"task_{n}", "source_database": "db"} for n in range(CALLS)],
                }
            ],
        }
    ]
}
# One call in twenty, in all.
KINDS: list[dict[str, Any]] = [
    {"kind": "reset-before-read"},
    {"kind": "reset-after-read"},
    {"kind": "reset-after-read", "applied": True},
    {"kind": "close", "applied": True},
    {"kind": "garbage"},
    {"kind": "truncate", "applied": True},
    {"kind": "html-502", "applied": True},
    {"kind": "throttle"},
    {"kind": "unavailable", "retry_after": 0},
    {"kind": "conflict"},
    {"kind": "error", "applied": True},
    {"kind": "empty", "applied": True},
    {"kind": "stale"},
    {"kind": "redirect"},
    {"kind": "huge-body", "size": 4 << 20},
    {"kind": "hang", "seconds": 8.0},
]
FAULTS = [{**kind, "probability": 0.05 / len(KINDS), "seed": n} for n, kind in enumerate(KINDS)]
SETTINGS: dict[str, Any] = {
    "project_id": PROJECT,
    "timeout": 30.0,
    "read_timeout": 5.0,
    "retry": RetryPolicy(first_delay=0.01, longest_delay=0.05, budget=CALLS),
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An emulator in a process of its own, and the file of its state."""
    (tmp_path / "seed.yaml").write_text(yaml.safe_dump(SEED))
    (tmp_path / "faults.yaml").write_text(yaml.safe_dump(FAULTS))
    database = tmp_path / "state.sqlite"
    command = [sys.executable, "-m", "taurusdb_starrocks_emulator", "--token", "soak-token"]
    command += ["--seed", "seed.yaml", "--faults", "faults.yaml", "--db", str(database)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address is not None
        yield address[0], database
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident() -> float:
    """Memory in use by this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Outcome(NamedTuple):
    """What a call came to. No more is kept of it, so that memory shows what leaks."""

    kind: type[Job | ReplicationError]
    job_id: str | None
    attempts: int


def settled(outcome: Job | ReplicationError) -> Outcome:
    job = outcome if isinstance(outcome, Job) else None
    return Outcome(type(outcome), job and job.id, getattr(outcome, "attempts", 1))


def with_threads(url: str, outcomes: list[Any], numbers: range) -> None:
    with Client(endpoint=url, auth=TokenAuth("soak-token"), **SETTINGS) as client:

        def call(number: int) -> None:
            try:
                outcomes[number] = settled(client.pause(INSTANCE, f"task_{number}"))
            except ReplicationError as error:
                outcomes[number] = settled(error)

        with ThreadPoolExecutor(64) as pool:
            list(pool.map(call, numbers))


def with_coroutines(url: str, outcomes: list[Any], numbers: range) -> None:
    async def main() -> None:
        left = iter(numbers)
        async with AsyncClient(endpoint=url, auth=TokenAuth("soak-token"), **SETTINGS) as client:

            async def worker() -> None:
                for number in left:
                    try:
                        outcomes[number] = settled(await client.pause(INSTANCE, f"task_{number}"))
                    except ReplicationError as error:
                        outcomes[number] = settled(error)

            async with asyncio.TaskGroup() as group:
                for _ in range(256):
                    group.create_task(worker())

    asyncio.run(main())


@pytest.mark.parametrize(
    "drive", [with_threads, with_coroutines], ids=["64 threads", "256 coroutines"]
)
def test_soak(
    service: tuple[str, Path],
    drive: Callable[[str, list[Any], range], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """20,000 calls: each a job or a typed error that is true of its task, changed once at most."""
    url, database = service
    outcomes: list[Any] = [None] * CALLS
    files, threads = open_files(), threading.active_count()
    memory: list[float] = []
    blocks: list[int] = []
    started = time.monotonic()
    # In quarters: what the first brings into memory, the pools and their threads, stays there.
    for quarter in range(4):
        drive(url, outcomes, range(quarter * CALLS // 4, (quarter + 1) * CALLS // 4))
        gc.collect()
        memory.append(resident())
        blocks.append(sys.getallocatedblocks())
    took = time.monotonic() - started
    kinds = Counter(outcome.kind.__name__ for outcome in outcomes)
    retried = sum(outcome.attempts > 1 for outcome in outcomes)
    with capsys.disabled():
        print(  # noqa: T201  # The figures are part of the result.
            f"\n{CALLS} calls in {took:.1f} s ({CALLS / took:.0f}/s): {dict(kinds)}; "
            f"{retried} errors after retries; open files {files} -> {open_files()}, threads "
            f"{threads} -> {threading.active_count()}, memory after each quarter "
            f"{', '.join(f'{size:.0f}' for size in memory)} MiB and {blocks} blocks"
        )

    emulator = Emulator(db=database)
    changes = {task.name: task.changes for task in emulator.tasks(INSTANCE)}
    jobs = {call.job_id: call.task_name for call in emulator.journal() if call.job_id}
    emulator.close()
    for number, outcome in enumerate(outcomes):
        name = f"task_{number}"
        if outcome.job_id:
            assert changes[name] == 1, outcome
            assert jobs[outcome.job_id] == name
        elif outcome.kind in {OutcomeUnknownError, ServerError}:
            assert changes[name] in {0, 1}, outcome
        else:
            assert changes[name] == 0, outcome
    assert kinds["Job"] > 0.9 * CALLS
    assert kinds.total() - kinds["Job"] > 0.01 * CALLS
    assert (open_files(), threading.active_count()) == (files, threads)
    # What Python holds beyond the outcomes kept here; the rest is the allocator's own affair.
    assert blocks[3] - blocks[0] < 6 * CALLS
    assert memory[3] - memory[0] < 96
    assert took < 300
