"""One client for many threads, many coroutines, and the children of a fork."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from clients import INSTANCE, PROJECT, SETTINGS, TASK
from loopback import Server, read_request, reply
from taurusdb_starrocks import AsyncClient, Client, TokenAuth


def echo_name(sock: Any) -> None:
    """Answers with a job named after the task, so that a mixed-up answer shows."""
    while request := read_request(sock):
        name = json.loads(request.partition(b"\r\n\r\n")[2])["task_name"]
        sock.sendall(reply(document={"job_id": name}, headers=(f"X-Request-Id: {name}",)))


def settings(url: str) -> dict[str, Any]:
    return SETTINGS | {"endpoint": url, "auth": TokenAuth("t"), "timeout": 30}


def test_sixty_four_threads() -> None:
    """64 threads share a client, and each gets its own answers."""
    with (
        Server(echo_name) as server,
        Client(**settings(server.url)) as client,
        concurrent.futures.ThreadPoolExecutor(64) as pool,
    ):
        start = threading.Barrier(64)

        def work(thread: int) -> None:
            start.wait()
            for number in range(10):
                name = f"task_{thread}_{number}"
                job = client.pause(INSTANCE, name)
                assert (job.id, job.request_id) == (name, name)

        for future in [pool.submit(work, thread) for thread in range(64)]:
            future.result()
        assert server.connections <= 100


def test_thousand_coroutines() -> None:
    """1,000 coroutines share a client, over no more connections than it may have."""

    async def body(url: str) -> None:
        async with AsyncClient(**settings(url)) as client:
            names = [f"task_{number}" for number in range(1000)]
            jobs = await asyncio.gather(*(client.pause(INSTANCE, name) for name in names))
            assert [job.id for job in jobs] == names

    with Server(echo_name) as server:
        asyncio.run(body(server.url))
        assert server.connections <= 200


def test_cancelled_calls_leave_the_pool_usable() -> None:
    """Calls that are cancelled at any moment cost a connection at most, and no later call."""
    release = threading.Event()

    def peer(sock: Any) -> None:
        while request := read_request(sock):
            if b"task_hang" in request:
                release.wait(10)
            sock.sendall(reply())

    async def body(url: str) -> None:
        async with AsyncClient(**settings(url)) as client:
            for delay in (0, 0.001, 0.01, 0.05):
                tasks = [
                    asyncio.create_task(client.pause(INSTANCE, "task_hang")) for _ in range(150)
                ]
                await asyncio.sleep(delay)
                for task in tasks:
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
            async with asyncio.timeout(10):
                calls = (client.pause(INSTANCE, TASK) for _ in range(150))
                jobs = await asyncio.gather(*calls)
            assert {job.id for job in jobs} == {"job-1"}
        release.set()

    with Server(peer) as server:
        asyncio.run(body(server.url))


def test_timeout_of_the_callers_own() -> None:
    """A deadline around a call is the caller's: it comes out as the caller's TimeoutError."""

    async def body(url: str) -> None:
        async with AsyncClient(**settings(url)) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.pause(INSTANCE, TASK)

    with Server(lambda sock: server.over.wait()) as server:
        asyncio.run(body(server.url))


FORK = """
import asyncio, json, os, sys
sys.path[:0] = sys.argv[1].split(":")
from loopback import Server
from test_sharing import echo_name, settings
from taurusdb_starrocks import AsyncClient, Client
INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"

def in_child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid

def wait(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

url = sys.argv[2]
client = Client(**settings(url))

def calls(who):
    for number in range(50):
        name = f"{who}_{number}"
        assert client.pause(INSTANCE, name).id == name

wait(in_child(lambda: calls("unused_before")))
calls("parent")
children = [in_child(lambda who=who: calls(who)) for who in ("one", "two", "three")]
calls("meanwhile")
for child in children:
    wait(child)
calls("after")

async def acalls(aclient, who):
    for number in range(20):
        name = f"{who}_{number}"
        assert (await aclient.pause(INSTANCE, name)).id == name

async def unused():
    await acalls(aclient, "async_child")
    await aclient.aclose()

aclient = AsyncClient(**settings(url))
child = in_child(lambda: asyncio.run(unused()))
async def parent():
    await acalls(aclient, "async_parent")
    await aclient.aclose()
asyncio.run(parent())
wait(child)
client.close()
print("done")
"""


def test_fork() -> None:
    """A client works in the children of a fork, made before or after its first call."""
    here = Path(__file__).parent
    with Server(echo_name) as server:
        done = subprocess.run(
            [sys.executable, "-c", FORK, f"{here}:{here.parent}", server.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
    assert PROJECT in settings("")["project_id"]
