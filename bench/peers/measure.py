"""How every client is measured, inside of its own process and environment.

A worker reads what to measure as one JSON object a line, and writes what it saw.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PROJECT = "0483b6b16e954cb88930a360d2c4e663"
INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
TASK = "orders_sync"
PATH = f"/v3/{PROJECT}/instances/{INSTANCE}/starrocks/databases/replication/pause"
TOKEN = "t" * 1500
ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "SKEXAMPLE"
WARM_UP = 100


def _seen(calls: int, cpu: float, wall: float) -> dict[str, float]:
    return {"cpu_us": cpu / calls * 1e6, "wall_us": wall / calls * 1e6, "per_s": calls / wall}


def sequential(call: Callable[[], object], calls: int) -> dict[str, float]:
    """One call after the other."""
    for _ in range(WARM_UP):
        call()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    return _seen(calls, time.process_time() - cpu, time.perf_counter() - wall)


def threads(call: Callable[[], object], calls: int, number: int = 8) -> dict[str, float]:
    """Calls from so many threads."""
    with ThreadPoolExecutor(number) as pool:
        list(pool.map(lambda _: call(), range(WARM_UP)))
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        list(pool.map(lambda _: call(), range(calls)))
        return _seen(calls, time.process_time() - cpu, time.perf_counter() - wall)


async def in_flight(
    call: Callable[[], Awaitable[object]], calls: int, number: int = 64
) -> dict[str, float]:
    """Calls from coroutines, so many under way at any time."""
    import asyncio

    async def work(turns: Iterator[int]) -> None:
        for _ in turns:
            await call()

    async def all_of(turns: Iterator[int]) -> None:
        await asyncio.gather(*(work(turns) for _ in range(number)))

    await all_of(iter(range(4 * number)))
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await all_of(iter(range(calls)))
    return _seen(calls, time.process_time() - cpu, time.perf_counter() - wall)


def peak() -> float:
    """The most memory that this process has had, in MB."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123  # pathlib is heavy.
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def work(measures: dict[str, Callable[[int], Any]]) -> None:
    """Measure what is read from standard input."""
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(measures[wanted["measure"]](wanted["calls"])), flush=True)
