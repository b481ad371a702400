"""The point of it all: whoever changes the source inside ``paused()`` does so while nothing runs.

A writer that writes while a task runs would be replicated from in the middle of its change. Here
the writer looks at the emulator's own state, not at what the client believes.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from taurusdb_starrocks import NotResumedError, Poll, ReplicationError, RetryPolicy, TokenAuth
from taurusdb_starrocks_emulator import Emulator, Fault

POLL = Poll(first=0.001, interval=0.004, longest=0.02)
RUNS = 500  # Half of them with each client.
CHUNKS = 10

# What any call may meet: lost before and after the change, refused, garbled, slow.
FAULTS: list[dict[str, Any]] = [
    {"kind": "reset-before-read"},
    {"kind": "reset-after-read"},
    {"kind": "reset-after-read", "applied": True},
    {"kind": "close"},
    {"kind": "close", "applied": True},
    {"kind": "truncate", "applied": True},
    {"kind": "garbage", "applied": True},
    {"kind": "hang", "seconds": 0.2, "applied": True},
    {"kind": "broken-json", "applied": True},
    {"kind": "html-502"},
    {"kind": "html-502", "applied": True},
    {"kind": "blocked"},
    {"kind": "blocked", "applied": True},
    {"kind": "blocked", "applied": True, "status": 408},
    {"kind": "redirect"},
    {"kind": "throttle"},
    {"kind": "throttle", "retry_after": 0},
    {"kind": "unavailable", "retry_after": 0},
    {"kind": "conflict"},
    {"kind": "error"},
    {"kind": "error", "applied": True},
    {"kind": "error", "status": 403, "code": "DBS.200010"},
    {"kind": "empty", "applied": True},
    {"kind": "no-job", "applied": True},
    {"kind": "stale"},
]
LISTS = ["vanishes", "abnormal", "cancelled", "never-settles", "shuffles"]


class Writer:
    """Changes the source, and notices when a task replicates meanwhile."""

    def __init__(self, emulator: Emulator, names: list[str]) -> None:
        self._emulator = emulator
        self._names = names
        self.writes = 0
        self.noticed = 0

    def write(self) -> None:
        stages = {self._emulator.task(self._emulator.instance_id, n).stage for n in self._names}
        self.writes += 1
        self.noticed += stages != {"Paused"}


def patient(open_client: Any, emulator: Emulator) -> Any:
    """A client that meets faults often and is quick about it."""
    return open_client(
        endpoint=emulator.url,
        project_id=emulator.project_id,
        auth=TokenAuth(emulator.token),
        timeout=2.0,
        read_timeout=0.1,
        retry=RetryPolicy(first_delay=0.001, longest_delay=0.002, budget=1e9),
        poll=POLL,
        settle=0.1,
    )


def test_a_writer_that_does_not_wait_is_noticed(open_client: Any) -> None:
    """After ``pause()`` alone the task still runs: the answer only says that a job was accepted."""
    with Emulator(delay=30.0) as slow:
        auth = TokenAuth(slow.token)
        writer = Writer(slow, ["orders_sync"])
        with open_client(endpoint=slow.url, project_id=slow.project_id, auth=auth) as client:
            client.pause(slow.instance_id, "orders_sync")
            writer.write()
    assert writer.noticed == 1


def spoil(emulator: Emulator, chance: random.Random) -> None:
    """Let every kind of call go wrong, in a way that this run draws."""
    for operation in ("pause", "resume", "list"):
        for fault in chance.sample(FAULTS, 4):
            probability = chance.choice([0.02, 0.1, 0.3])
            seed = chance.randrange(10**6)
            emulator.faults.add(
                Fault(**fault, operation=operation, probability=probability, seed=seed)
            )
    if chance.random() < 0.3:
        kind, seed = chance.choice(LISTS), chance.randrange(10**6)
        emulator.faults.add(Fault(kind, probability=0.1, seed=seed))


class BlockError(Exception):
    pass


def run_once(client: Any, emulator: Emulator, chance: random.Random) -> tuple[int, str]:
    """One window under faults: how often the writer wrote, and how the window ended."""
    emulator.reset()
    names = chance.sample(["orders_sync", "billing_sync", "events_sync"], chance.randint(1, 3))
    writer = Writer(emulator, names)
    spoil(emulator, chance)
    said: set[str] = set()
    ended = "well"
    try:
        with client.paused(emulator.instance_id, names, timeout=1.5):
            for _ in range(chance.randint(1, 3)):
                writer.write()
                time.sleep(chance.choice([0.0, 0.002, 0.015]))
            if chance.random() < 0.3:
                raise BlockError  # noqa: TRY301  # The block is what fails.
            writer.write()
    except NotResumedError as error:
        said, ended = set(error.task_names), "not resumed"
    except (ReplicationError, BlockError) as error:
        ended = type(error).__name__
    assert writer.noticed == 0
    time.sleep(0.02)  # The longest that a change takes to show, and some.
    for name in names:
        task = emulator.task(emulator.instance_id, name)
        assert task.stage != "Paused" or name in said, (name, ended, said)
    return writer.writes, ended


def run_chunk(open_client: Any, chunk: int) -> tuple[int, Counter[str]]:
    """A share of the windows, one after another: all writes, and how the windows ended."""
    writes, outcomes = 0, Counter[str]()
    with Emulator(delay=0.01) as emulator, patient(open_client, emulator) as client:
        for number in range(RUNS // 2 // CHUNKS):
            wrote, ended = run_once(client, emulator, random.Random(f"{chunk}/{number}"))
            writes += wrote
            outcomes[ended] += 1
    return writes, outcomes


def test_under_paused_no_writer_is_ever_noticed(open_client: Any) -> None:
    """500 windows with faults in every call: none is noticed, and no task stays paused unsaid."""
    with ThreadPoolExecutor(CHUNKS) as threads:  # Nearly all of the time is spent waiting.
        chunks = list(threads.map(partial(run_chunk, open_client), range(CHUNKS)))
    for writes, outcomes in chunks:
        assert writes > 0
        assert outcomes["well"] > 0
        print(writes, dict(outcomes))  # noqa: T201  # For whoever runs it with -s.
