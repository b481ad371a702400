"""This project's client."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from measure import ACCESS_KEY, INSTANCE, PROJECT, SECRET_KEY, TASK, TOKEN, in_flight
from measure import sequential, threads, work

from taurusdb_starrocks import AccessKeyAuth, AsyncClient, Client, TokenAuth

URL = sys.argv[1]
TOKENS: dict[str, Any] = {"endpoint": URL, "project_id": PROJECT, "auth": TokenAuth(TOKEN)}
KEYS: dict[str, Any] = {
    "endpoint": URL,
    "project_id": PROJECT,
    "auth": AccessKeyAuth(ACCESS_KEY, SECRET_KEY),
}


def one_by_one(calls: int, settings: dict[str, Any]) -> dict[str, float]:
    with Client(**settings) as client:
        return sequential(lambda: client.pause(INSTANCE, TASK), calls)


def by_threads(calls: int, settings: dict[str, Any]) -> dict[str, float]:
    with Client(**settings) as client:
        return threads(lambda: client.pause(INSTANCE, TASK), calls)


async def by_coroutines(calls: int, settings: dict[str, Any]) -> dict[str, float]:
    async with AsyncClient(**settings) as client:
        return await in_flight(lambda: client.pause(INSTANCE, TASK), calls)


work(
    {
        "sequential": lambda calls: one_by_one(calls, TOKENS),
        "sequential_signed": lambda calls: one_by_one(calls, KEYS),
        "threads": lambda calls: by_threads(calls, TOKENS),
        "threads_signed": lambda calls: by_threads(calls, KEYS),
        "in_flight": lambda calls: asyncio.run(by_coroutines(calls, TOKENS)),
        "in_flight_signed": lambda calls: asyncio.run(by_coroutines(calls, KEYS)),
    }
)
