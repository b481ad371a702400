"""Whatever interrupts a window, cancellation or a real signal to a real process, it is closed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from taurusdb_starrocks import AsyncClient, NotResumedError, Poll, TokenAuth
from taurusdb_starrocks_emulator import Emulator

POLL = Poll(first=0.02, interval=0.02, longest=0.1)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(delay=0.2) as running:
        yield running


def stage(emulator: Emulator) -> str:
    return emulator.task(emulator.instance_id, "orders_sync").stage


@asynccontextmanager
async def opened(emulator: Emulator) -> Any:
    auth = TokenAuth(emulator.token)
    async with AsyncClient(
        endpoint=emulator.url, project_id=emulator.project_id, auth=auth
    ) as client:
        yield client


async def window(emulator: Emulator, inside: asyncio.Event) -> None:
    async with (
        opened(emulator) as client,
        client.paused(emulator.instance_id, "orders_sync", poll=POLL),
    ):
        assert stage(emulator) == "Paused"
        inside.set()
        await asyncio.sleep(60)


def test_a_cancelled_block(emulator: Emulator) -> None:
    """``task.cancel()`` in the block: the task runs again before the cancellation goes on."""

    async def main() -> None:
        inside = asyncio.Event()
        task = asyncio.create_task(window(emulator, inside))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stage(emulator) == "Incremental"

    asyncio.run(main())


def test_a_cancelled_opening(emulator: Emulator) -> None:
    """Cancelled while it waits for the task to be paused: the task runs again."""

    async def main() -> None:
        task = asyncio.create_task(window(emulator, asyncio.Event()))
        while not emulator.task(emulator.instance_id, "orders_sync").changes:  # noqa: ASYNC110  # Another thread changes it.
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    time.sleep(0.25)
    assert stage(emulator) == "Incremental"


@pytest.mark.parametrize("limit", [asyncio.timeout, anyio.fail_after])
def test_a_block_that_times_out(emulator: Emulator, limit: Any) -> None:
    """A timeout around the window ends the block and not the resuming."""

    async def main() -> None:
        async with opened(emulator) as client:
            with pytest.raises(TimeoutError):
                async with _limited(limit(0.6)):
                    async with client.paused(emulator.instance_id, "orders_sync", poll=POLL):
                        await asyncio.sleep(60)
            assert stage(emulator) == "Incremental"
            await client.task(emulator.instance_id, "orders_sync")  # The pool is usable.

    asyncio.run(main())


@asynccontextmanager
async def _limited(scope: Any) -> Any:
    if hasattr(scope, "__aenter__"):
        async with scope:
            yield
    else:
        with scope:
            yield


def test_a_second_cancellation(emulator: Emulator) -> None:
    """Cancelled again while it resumes: it gets through, and says what it leaves behind."""

    async def main() -> None:
        inside = asyncio.Event()
        task = asyncio.create_task(window(emulator, inside))
        await inside.wait()
        task.cancel()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(BaseExceptionGroup) as caught:
            await task
        cancelled, _ = caught.value.split(asyncio.CancelledError)
        left, _ = caught.value.split(NotResumedError)
        assert cancelled is not None
        assert left is not None

    asyncio.run(main())


SCRIPT = """
import asyncio, signal, sys, time
from taurusdb_starrocks import AsyncClient, Client, Poll, TokenAuth

def terminate(*_):
    raise SystemExit(3)

signal.signal(signal.SIGTERM, terminate)
signal.signal(signal.SIGINT, signal.default_int_handler)  # It may have been started deaf to it.
kind, url, project, instance, token = sys.argv[1:]
settings = {"endpoint": url, "project_id": project, "auth": TokenAuth(token)}
poll = Poll(first=0.02, interval=0.02)

def inside():
    print("inside", flush=True)

async def main():
    async with AsyncClient(**settings) as client:
        async with client.paused(instance, "orders_sync", poll=poll):
            inside()
            await asyncio.sleep(60)

if kind == "async":
    asyncio.run(main())
else:
    with Client(**settings) as client, client.paused(instance, "orders_sync", poll=poll):
        inside()
        time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 3), (signal.SIGINT, -signal.SIGINT)],
    ids=["TERM", "INT"],
)
def test_a_signal(emulator: Emulator, kind: str, number: signal.Signals, status: int) -> None:
    """Ctrl-C, and SIGTERM turned into an exception: the process resumes the task, then ends."""
    arguments = [kind, emulator.url, emulator.project_id, emulator.instance_id, emulator.token]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        assert stage(emulator) == "Paused"
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == status, complaint
    assert stage(emulator) == "Incremental"
