"""Cancellation and Ctrl-C: a connection is closed, its place is free, nothing is left over."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from taurusdb_starrocks._transport import sockets
from taurusdb_starrocks._transport.streams import AsyncNetwork

from tests.transport.authority import Authority
from tests.transport.callers import SyncCaller, ask, request_to, settings
from tests.wrapper.loopback import Server, always, read_request, reply

ROOT = Path(__file__).parents[2]


def slowly(sock: socket.socket) -> None:
    while read_request(sock):
        time.sleep(random.random() * 0.002)
        sock.sendall(reply())


def hang(sock: socket.socket) -> None:
    read_request(sock)
    sock.recv(1)


def all_ended(server: Server) -> bool:
    """Whether the other side has closed every connection."""
    _accepting, *peers = server._threads
    for peer in peers:
        peer.join(2)
    return not any(peer.is_alive() for peer in peers)


@pytest.mark.parametrize(
    ("secure", "number", "at_once"), [(False, 3000, 40), (True, 600, 12)], ids=["plain", "tls"]
)
def test_cancelled_exchanges_leave_nothing(
    authority: Authority, secure: bool, number: int, at_once: int
) -> None:
    """Cancelled wherever they are: waiting for a place, connecting, in the handshake, reading."""
    context = authority.client()
    chance = random.Random(1)

    async def one(network: AsyncNetwork, url: str, outcomes: dict[str, int]) -> None:
        within = chance.choice([0, 1, 3, 10, 40]) * 0.001 * chance.random()
        task = asyncio.ensure_future(network.exchange(request_to(url), time.monotonic() + 5))
        await asyncio.sleep(within * (4 if secure else 1))
        outcome = "cancelled" if task.cancel() else "done"
        try:
            await task
        except asyncio.CancelledError:
            pass
        else:
            outcome = "done"
        outcomes[outcome] += 1

    async def main(url: str) -> dict[str, int]:
        network = AsyncNetwork(**settings({}, {"max_connections": 5, "ssl_context": context}))
        outcomes = {"cancelled": 0, "done": 0}
        left = iter(range(number))

        async def worker() -> None:
            for _ in left:
                await one(network, url, outcomes)

        await asyncio.gather(*(worker() for _ in range(at_once)))
        # All five places are free again, at once.
        replies = await asyncio.gather(
            *(network.exchange(request_to(url), time.monotonic() + 5) for _ in range(5))
        )
        assert [answer.status for answer in replies] == [200] * 5
        await network.aclose()
        return outcomes

    with Server(slowly, authority.server() if secure else None) as server:
        outcomes = asyncio.run(main(server.url))
        assert all_ended(server)
    gc.collect()  # What was left unclosed would warn now.
    assert outcomes["cancelled"] > number / 10
    assert outcomes["done"]


def test_cancelled_while_waiting_passes_its_place_on() -> None:
    """A place that is given to an exchange as it is cancelled goes to the next that waits."""

    async def main(url: str) -> None:
        network = AsyncNetwork(**settings({}, {"max_connections": 1}))
        for _ in range(200):
            first, second, third = (
                asyncio.ensure_future(network.exchange(request_to(url), time.monotonic() + 5))
                for _ in range(3)
            )
            # The very moment at which the second has been given the place.
            first.add_done_callback(lambda _, task=second: task.cancel())
            assert (await first).status == 200
            assert (await third).status == 200
            with pytest.raises(asyncio.CancelledError):
                await second
        await network.aclose()

    with Server(always(reply())) as server:
        asyncio.run(main(server.url))


def test_timeouts_of_the_caller() -> None:
    """asyncio.timeout around an exchange is a cancellation like any other."""

    async def main(url: str) -> None:
        network = AsyncNetwork(**settings({}, {"max_connections": 1}))
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await network.exchange(request_to(url), time.monotonic() + 5)
        await network.aclose()

    with Server(hang) as server:
        asyncio.run(main(server.url))


def test_event_loop_that_ends_in_the_middle() -> None:
    """An exchange that is dropped with its event loop makes no noise of its own."""

    async def begin(network: AsyncNetwork, url: str) -> None:
        task = asyncio.ensure_future(network.exchange(request_to(url), time.monotonic() + 5))
        await asyncio.sleep(0.05)
        tasks.append(task)

    tasks: list[asyncio.Future[object]] = []
    with Server(hang) as server:
        network = AsyncNetwork(**settings({}, {}))
        asyncio.run(begin(network, server.url))
        (task,) = tasks
        assert task.cancelled()


INTERRUPTED = """
import os, random, signal, sys, time
sys.path.insert(0, sys.argv[1])
from tests.transport.callers import *
# It raises KeyboardInterrupt, as Python's own handler of SIGINT does.
signal.signal(signal.SIGALRM, signal.default_int_handler)
caller = SyncCaller(**settings({}, {"max_connections": 1}))
url, number = sys.argv[2], int(sys.argv[3])
chance = random.Random(1)
opened = len(os.listdir("/proc/self/fd"))
interrupted = 0
for _ in range(number):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.00005 + chance.random() * 0.002)
        ask(caller, url)
        while True:
            time.sleep(0.001)
    except KeyboardInterrupt:
        interrupted += 1
    assert ask(caller, url).status == 200
caller.close()
print(interrupted, len(os.listdir("/proc/self/fd")) - opened)
"""


def test_interrupts_leave_nothing() -> None:
    """With a single place, signals at random moments never use it up, nor any descriptor."""

    def peer(sock: socket.socket) -> None:
        while read_request(sock):
            time.sleep(random.random() * 0.001)
            close = ("Connection: close",) if random.random() < 0.5 else ()
            sock.sendall(reply(headers=close))

    # A signal within the constructor of a socket leaves it to the garbage collector.
    warnings = ["-W", "error", "-W", "ignore::ResourceWarning"]
    with Server(peer) as server:
        command = [sys.executable, *warnings, "-c", INTERRUPTED, str(ROOT), server.url, "500"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stderr, done.stdout) == ("", "500 0\n")


def test_interrupt_closes_the_connection() -> None:
    """Ctrl-C while a response is awaited: its connection ends, and the next request has another."""
    ended = []

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        if server.connections == 1:
            os.kill(os.getpid(), signal.SIGINT)
            ended.append(sock.recv(1))
        else:
            sock.sendall(reply())

    caller = SyncCaller(**settings({}, {"max_connections": 1}))
    with Server(peer) as server:
        with pytest.raises(KeyboardInterrupt):
            ask(caller, server.url)
        assert ask(caller, server.url).status == 200
    caller.close()
    assert ended == [b""]


def test_interrupt_while_connecting(
    monkeypatch: pytest.MonkeyPatch, black_hole: tuple[str, int]
) -> None:
    """Ctrl-C while an address does not answer: its socket is closed."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", black_hole)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    caller = SyncCaller(**settings({}, {"max_connections": 1}))
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        ask(caller, "http://service.example")
    timer.join()
    monkeypatch.undo()
    gc.collect()
    with Server(always(reply())) as server:
        assert ask(caller, server.url).status == 200
    caller.close()


def test_interrupt_before_an_exchange_could_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal in the last statement of an exchange: its place is found to be free all the same."""
    caller = SyncCaller(**settings({}, {"max_connections": 1}))
    leave = sockets._Process.leave

    def interrupted(*_: object) -> None:
        monkeypatch.setattr(sockets._Process, "leave", leave)
        raise KeyboardInterrupt

    with Server(always(reply())) as server:
        monkeypatch.setattr(sockets._Process, "leave", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask(caller, server.url)
        assert ask(caller, server.url).status == 200
        caller.close()
        assert all_ended(server)


@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")  # asyncio's own word.
def test_event_loop_that_is_closed_in_the_middle(caplog: pytest.LogCaptureFixture) -> None:
    """An exchange on a loop that is closed under it closes its socket; another loop works."""
    network = AsyncNetwork(**settings({}, {}))
    with Server(hang) as server, Server(always(reply())) as other:
        loop = asyncio.new_event_loop()
        task = loop.create_task(network.exchange(request_to(server.url), time.monotonic() + 5))
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()
        del task

        async def again() -> int:
            status = (await network.exchange(request_to(other.url), time.monotonic() + 5)).status
            await network.aclose()
            return status

        assert asyncio.run(again()) == 200
        gc.collect()
        assert all_ended(server)
    assert [record.msg.split("\n")[0] for record in caplog.records] == [
        "Task was destroyed but it is pending!"
    ]


LOAD = """
import asyncio, resource, sys, time
from concurrent.futures import ThreadPoolExecutor
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
sys.path.insert(0, sys.argv[1])
from tests.transport.callers import *
url, kind = sys.argv[2:]
request = request_to(url)
caller = {"sync": SyncCaller, "async": AsyncCaller}[kind](**settings({}, {}))
deadline = time.monotonic() + 30
if kind == "async":
    replies = caller.together([request] * 10_000, deadline)
else:
    with ThreadPoolExecutor(200) as threads:
        replies = list(threads.map(lambda _: caller.exchange(request, deadline), range(2_000)))
assert all(reply.status == 200 for reply in replies), replies[:3]
caller.close()
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_thousands_at_once(kind: str) -> None:
    """10,000 calls at once, or 200 threads, need no more than 256 open files."""
    with Server(always(reply())) as server:
        command = [sys.executable, "-W", "error", "-c", LOAD, str(ROOT), server.url, kind]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.connections <= 100
