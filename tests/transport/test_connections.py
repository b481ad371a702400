"""Which connection a request gets: kept, closed, waited for, never shared, never a parent's."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from taurusdb_starrocks._messages import Reply, Unanswered
from taurusdb_starrocks._transport import pool

from tests.transport.authority import Authority
from tests.transport.callers import (
    AsyncCaller,
    Caller,
    Open,
    Outcome,
    ask,
    failing,
    request_to,
    settings,
)
from tests.wrapper.loopback import Server, always, read_request, reply

ROOT = Path(__file__).parents[2]


def test_what_is_sent(open_network: Open) -> None:
    """Host and, where a body is usual, its length are added; the rest is as given."""
    requests = []

    def peer(sock: socket.socket) -> None:
        while request := read_request(sock):
            requests.append(request.decode())
            sock.sendall(reply())

    with Server(peer) as server:
        caller = open_network()
        ask(caller, server.url, target="/a?b=c%20d", headers={"X-A": "b"}, body=b"{}")
        ask(caller, server.url, method="GET", headers={}, body=b"")
        ask(caller, server.url, headers={}, body=b"")
        host = f"Host: 127.0.0.1:{server.port}\r\n"
    assert requests == [
        f"POST /a?b=c%20d HTTP/1.1\r\n{host}X-A: b\r\nContent-Length: 2\r\n\r\n{{}}",
        f"GET /v3/pause HTTP/1.1\r\n{host}\r\n",
        f"POST /v3/pause HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n",
    ]


def test_malformed_request_is_not_sent(open_network: Open) -> None:
    """A request that is no HTTP is refused before it is sent, and its secret not shown."""
    with Server(always(reply())) as server:
        caller = open_network()
        words = "^The request to .* cannot be sent: its target or a header is malformed$"
        for _ in range(2):
            with failing(words, sent=False, lasting=True):
                ask(caller, server.url, headers={"X-Auth-Token": "line\nbreak"})
        assert ask(caller, server.url).status == 200


def test_one_connection_serves_many_requests(open_network: Open) -> None:
    """A connection is kept, and the last one used is used first."""
    with Server(always(reply())) as server:
        caller = open_network()
        for _ in range(5):
            assert ask(caller, server.url).status == 200
        assert server.connections == 1
        assert len(ask_together(caller, server, 3)) == 3
        assert ask(caller, server.url).status == 200
        assert server.connections <= 3


def ask_together(caller: Caller, server: Server, number: int) -> list[Outcome]:
    return caller.together([request_to(server.url)] * number, time.monotonic() + 5)


@pytest.mark.parametrize(
    "answer",
    [
        reply(headers=("Connection: close",)),
        reply().replace(b"HTTP/1.1", b"HTTP/1.0"),
        reply(body=b"x" * (1024 * 1024 + 1)),
    ],
    ids=["close", "1.0", "too large"],
)
def test_connection_that_cannot_be_kept(open_network: Open, answer: bytes) -> None:
    """A connection ends where the server says so, or where its response is not read to the end."""
    with Server(always(answer)) as server:
        caller = open_network()
        for _ in range(3):
            assert ask(caller, server.url).status == 200
        assert server.connections == 3


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("secure", [False, True])
def test_stray_response_answers_nothing(
    open_network: Open, authority: Authority, late: bool, secure: bool
) -> None:
    """A second response, in the same packet or a later one, never answers the next request."""
    answered, strayed = threading.Event(), threading.Event()

    def peer(sock: socket.socket) -> None:
        answers = [reply(200, {"job_id": "a"}), reply(200, {"job_id": "b"})]
        while read_request(sock):
            if late:
                sock.sendall(answers[0])
                answered.wait(5)
                sock.sendall(answers[1])
            else:
                sock.sendall(b"".join(answers))
            strayed.set()

    with Server(peer, authority.server() if secure else None) as server:
        caller = open_network(ssl_context=authority.client())
        for number in range(1, 4):
            assert ask(caller, server.url).body == b'{"job_id": "a"}'
            answered.set()
            assert strayed.wait(5)
            answered.clear()
            strayed.clear()
            assert server.connections == number


@pytest.mark.parametrize(
    "extra", [b"\x17", b"\x17\x03\x03\x00\x20record"], ids=["header", "record"]
)
def test_half_a_record_is_left_over(open_network: Open, authority: Authority, extra: bytes) -> None:
    """Not even the beginning of a TLS record may be left on a connection that is kept."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        # Two writes in one packet.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        sock.sendall(reply())
        os.write(sock.fileno(), extra)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        server.over.wait(1)

    with Server(peer, authority.server()) as server:
        caller = open_network(ssl_context=authority.client())
        for number in range(1, 3):
            assert ask(caller, server.url).status == 200
            assert server.connections == number


def test_server_that_closes_while_idle(open_network: Open) -> None:
    """A kept connection that the server has closed is replaced before anything is sent."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(reply())

    with Server(peer) as server:
        caller = open_network()
        for number in range(1, 4):
            assert ask(caller, server.url).status == 200
            time.sleep(0.02)
            assert server.connections == number


def test_server_that_closes_while_sending(open_network: Open) -> None:
    """A kept connection that ends as the request leaves: outcome unknown, nothing sent again."""
    requests = []

    def peer(sock: socket.socket) -> None:
        requests.append(read_request(sock))
        sock.sendall(reply())
        requests.append(read_request(sock))

    with Server(peer) as server:
        caller = open_network()
        assert ask(caller, server.url).status == 200
        with failing("closed the connection before a complete response", sent=True):
            ask(caller, server.url)
        assert len(requests) == 2


def test_idle_connections_are_dropped(open_network: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been idle for longer than servers allow is not used again."""
    monkeypatch.setattr(pool, "KEPT_FOR", 0.05)
    with Server(always(reply())) as server:
        caller = open_network()
        ask(caller, server.url)
        ask(caller, server.url)
        assert server.connections == 1
        time.sleep(0.1)
        ask(caller, server.url)
        assert server.connections == 2


class Gate:
    """A server's peer that answers only when told, and counts who is there."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.order: list[str] = []
        self.open = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, sock: socket.socket) -> None:
        while request := read_request(sock):
            with self._lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
                self.order.append(request.split()[1].decode())
            self.open.wait(5)
            with self._lock:
                self.inside -= 1
            sock.sendall(reply())


def test_the_rest_waits_in_order(open_network: Open) -> None:
    """No more than max_connections are open; who came first is served first."""
    gate = Gate()
    with Server(gate) as server:
        caller = open_network(max_connections=1)
        threading.Timer(0.3, gate.open.set).start()
        targets = [f"/{number}" for number in range(20)]
        requests = [request_to(server.url, target=target) for target in targets]
        outcomes = caller.together(requests, time.monotonic() + 5)
        assert all(isinstance(one, Reply) for one in outcomes)
    assert (gate.most, server.connections) == (1, 1)
    assert gate.order == targets


def test_waiting_ends_at_the_deadline(open_network: Open) -> None:
    """Who waits for a connection until the deadline has sent nothing."""
    gate = Gate()
    with Server(gate) as server:
        caller = open_network(max_connections=2)
        begun = time.monotonic()
        results = caller.together([request_to(server.url)] * 6, begun + 0.3)
        assert time.monotonic() - begun < 1
        failures = [one for one in results if isinstance(one, Unanswered)]
        place = f"127.0.0.1:{server.port}"
        assert {one.what for one in failures if one.sent} == {
            f"The deadline passed before the response of {place} was complete"
        }
        waiting = [one.what for one in failures if not one.sent]
        assert len(waiting) == 4
        # Who gets a connection as time is up has waited as well.
        assert set(waiting) <= {
            f"The deadline passed while waiting for a free connection to {place}",
            f"The deadline passed before the request to {place} was sent",
        }
        gate.open.set()
        assert all(isinstance(one, Reply) for one in ask_together(caller, server, 4))


def test_deadline_that_has_passed(open_network: Open) -> None:
    """A request whose time is up before it begins is not sent, on a kept connection either."""
    with Server(always(reply())) as server:
        caller = open_network()
        with failing("^The deadline passed before the request to 127.* was sent$", sent=False):
            ask(caller, server.url, within=-1)
        ask(caller, server.url)
        with failing("^The deadline passed before the request to 127.* was sent$", sent=False):
            ask(caller, server.url, within=0)


def test_other_origins_make_room(open_network: Open) -> None:
    """An idle connection is closed where another origin needs one beyond the limit."""
    with Server(always(reply())) as one, Server(always(reply())) as other:
        caller = open_network(max_connections=1)
        for server in (one, other, one, one):
            assert ask(caller, server.url).status == 200
        assert (one.connections, other.connections) == (2, 1)


@pytest.mark.parametrize("missing", [False, True], ids=["poll", "select"])
def test_systems_without_poll(
    open_network: Open, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    """Where the system has no poll, select does."""
    if missing:
        monkeypatch.delattr(select, "poll")
    with Server(always(reply())) as server:
        caller = open_network()
        for _ in range(2):
            assert ask(caller, server.url, body=b"x" * 100_000).status == 200
        assert server.connections == 1


def test_descriptors_above_a_thousand(open_network: Open) -> None:
    """Programs with many open files are served as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1500, hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Server(always(reply())) as server:
            caller = open_network()
            for _ in range(2):
                assert ask(caller, server.url).status == 200
            assert server.connections == 1
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_closed_network_keeps_nothing(open_network: Open) -> None:
    """After close the server sees its connections end; a request then opens one of its own."""
    ended = threading.Semaphore(0)

    def peer(sock: socket.socket) -> None:
        always(reply())(sock)
        ended.release()

    with Server(peer) as server:
        caller = open_network()
        ask(caller, server.url)
        caller.shut()
        assert ended.acquire(timeout=2)
        for number in (2, 3):
            assert ask(caller, server.url).status == 200
            assert server.connections == number
            assert ended.acquire(timeout=2)


def test_reset_is_called_a_reset(open_network: Open) -> None:
    """A reset connection does not read like a timeout."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Server(peer) as server:
        with failing("^The connection to .* was lost .*: connection reset by peer$", sent=True):
            ask(open_network(), server.url)


FORK = """
import asyncio, os, sys, time
sys.path.insert(0, sys.argv[2])
from tests.transport.callers import *
caller = {"sync": SyncCaller, "async": AsyncCaller}[sys.argv[1]](**settings({}, {}))
url = sys.argv[3]
assert ask(caller, url).status == 200
child = os.fork()
if not child:
    if sys.argv[1] == "async":
        caller.runner = asyncio.Runner()
    assert ask(caller, url).status == 200
    assert ask(caller, url).status == 200
    caller.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert ask(caller, url).status == 200
caller.close()
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_child_of_a_fork(kind: str) -> None:
    """A child has connections of its own, and the parent's still works after the child's end."""
    with Server(always(reply())) as server:
        command = [sys.executable, "-W", "error", "-c", FORK, kind, str(ROOT), server.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.connections == 2


def test_loops_do_not_share() -> None:
    """A network used on one event loop and then another leaves the first one's connections."""
    caller = AsyncCaller(**settings({}, {}))
    with Server(always(reply())) as server:
        ask(caller, server.url)

        async def elsewhere() -> int:
            request = request_to(server.url)
            status = (await caller.network.exchange(request, time.monotonic() + 5)).status
            await caller.network.aclose()
            return status

        assert asyncio.run(elsewhere()) == 200
        assert server.connections == 2
        assert ask(caller, server.url).status == 200
        assert server.connections == 2
        caller.close()
