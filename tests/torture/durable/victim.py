"""A program with one durable window, for whoever kills it; or one that recovers.

It says how far it is in a line of JSON each. Times are of the wall clock, as in the emulator's
journal.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from typing import Any

from taurusdb_starrocks import (
    AsyncClient,
    Client,
    NotResumedError,
    Poll,
    ReplicationError,
    RetryPolicy,
    TokenAuth,
)
from taurusdb_starrocks.durable import Journal, LeaseExpiredError, overview, recover, window

given: dict[str, Any] = json.loads(sys.argv[1])
now = time.time
waiting: dict[str, Any] = {
    "timeout": given["timeout"],
    "settle": given["settle"],
    "poll": Poll(first=0.01, interval=0.03, longest=0.2),
}


def tell(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def settings() -> dict[str, Any]:
    return {
        "endpoint": given["url"],
        "project_id": given["project"],
        "auth": TokenAuth(given["token"]),
        "timeout": 0.8,
        "connect_timeout": 0.6,
        "read_timeout": 0.6,
        "trust_env": False,
        "retry": RetryPolicy(first_delay=0.01, longest_delay=0.05),
    }


def opened(client: Any) -> Any:
    return window(
        client,
        given["instance"],
        given["names"],
        journal=Journal(given["journal"]),
        lease=given["lease"],
        guardian=given["guardian"],
        reason="torture",
        **waiting,
    )


def inside(entered: Any) -> None:
    tell(at="inside", time=now(), taken=list(entered.taken_over))


def stay(steps: int) -> Any:
    """How long each step of the block takes; it says when the last one is over."""
    for step in range(steps):
        if step == steps // 2:
            move_clock()
        yield given["inside"] / steps
    tell(at="outside", time=now())


def move_clock() -> None:
    """Have this process see another time on the wall from now on."""
    time.time = lambda: now() + given["clock"]  # type: ignore[method-assign]  # That is the test.


def sync_window() -> None:
    with Client(**settings()) as client, opened(client) as entered:
        inside(entered)
        for seconds in stay(10):
            time.sleep(seconds)


async def async_window() -> None:
    async with AsyncClient(**settings()) as client, opened(client) as entered:
        inside(entered)
        for seconds in stay(10):
            await asyncio.sleep(seconds)


def recovered() -> None:
    """Recover once, and say what is still recorded."""
    with Journal(given["journal"]) as journal:
        done = recover(journal, connect=lambda *_: Client(**settings()), **waiting)
        outcomes = [(each.entry.task_name, each.outcome, each.why) for each in done]
        left = [(entry.task_name, entry.state) for entry in overview(journal)]
        tell(at="recovered", outcomes=outcomes, left=left)


def main() -> None:
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    if given["role"] == "recover":
        move_clock()
        recovered()
        return
    tell(at="ready")
    sys.stdin.readline()
    error: BaseException | None = None
    try:
        if given["asynchronous"]:
            asyncio.run(async_window())
        else:
            sync_window()
    except ReplicationError as raised:
        error = raised
    tell(
        at="end",
        time=now(),
        error=type(error).__name__ if error else "",
        text=str(error)[:400] if error else "",
        named=list(error.task_names) if isinstance(error, NotResumedError) else [],
        expired=isinstance(error, LeaseExpiredError),
    )


if __name__ == "__main__":
    main()
