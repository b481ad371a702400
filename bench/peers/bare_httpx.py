"""httpx alone, used as its documentation shows."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx
from measure import PATH, TASK, TOKEN, in_flight, sequential, threads, work

SETTINGS: dict[str, Any] = {
    "base_url": sys.argv[1],
    "headers": {"X-Auth-Token": TOKEN, "X-Language": "en-us"},
}


def call(client: httpx.Client) -> str:
    response = client.post(PATH, json={"task_name": TASK})
    response.raise_for_status()
    return response.json()["job_id"]


async def acall(client: httpx.AsyncClient) -> str:
    response = await client.post(PATH, json={"task_name": TASK})
    response.raise_for_status()
    return response.json()["job_id"]


def one_by_one(calls: int) -> dict[str, float]:
    with httpx.Client(**SETTINGS) as client:
        return sequential(lambda: call(client), calls)


def by_threads(calls: int) -> dict[str, float]:
    with httpx.Client(**SETTINGS) as client:
        return threads(lambda: call(client), calls)


async def by_coroutines(calls: int) -> dict[str, float]:
    if len(sys.argv) > 2:  # In the environment that has it.
        from httpx_aiohttp import HttpxAiohttpClient

        async with HttpxAiohttpClient(**SETTINGS) as client:
            return await in_flight(lambda: acall(client), calls)
    async with httpx.AsyncClient(**SETTINGS) as client:
        return await in_flight(lambda: acall(client), calls)


work(
    {
        "sequential": one_by_one,
        "threads": by_threads,
        "in_flight": lambda calls: asyncio.run(by_coroutines(calls)),
    }
)
