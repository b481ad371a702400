"""Time: every operation ends at its timeout or at the deadline, and says which."""

from __future__ import annotations

import math
import socket
import statistics
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from taurusdb_starrocks._messages import Reply, Unanswered
from taurusdb_starrocks._transport import pool, sockets

from tests.transport.callers import Open, ask, failing, request_to
from tests.wrapper.loopback import Server, always, closed_port, read_request, reply

LENIENCE = 1.5  # Seconds; alone on a machine, a hundredth is enough.


@contextmanager
def taking(seconds: float) -> Iterator[None]:
    """What is done inside takes so long, and no longer than a busy machine makes it."""
    begun = time.monotonic()
    yield
    took = time.monotonic() - begun
    assert seconds - 0.01 <= took < seconds + LENIENCE


def test_refused_connection(open_network: Open) -> None:
    """A port that nobody listens on is named, and nothing was sent."""
    with closed_port() as port:
        words = f"^Could not connect to 127.0.0.1:{port}: connection refused$"
        with failing(words, sent=False):
            ask(open_network(), f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("host", ["name.invalid", "a..b", "x" * 64, "a\0b"])
def test_unresolvable_name(open_network: Open, host: str) -> None:
    """A name that nothing is known of, or that is none, is shown."""
    words = f"^Could not connect to {host}:80: the name could not be resolved$"
    with failing(words, sent=False):
        ask(open_network(), f"http://{host}")


Resolve = Callable[[list[tuple[str, int]]], None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Lets every name stand for the given addresses."""

    def resolve_to(places: list[tuple[str, int]]) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    return resolve_to


def test_dead_addresses(open_network: Open, resolve: Resolve, black_hole: tuple[str, int]) -> None:
    """Addresses of a host are tried in turn, each for the connect timeout."""
    with Server(always(reply())) as server, closed_port() as port:
        caller = open_network(connect_timeout=0.2)
        resolve([("127.0.0.1", port), black_hole, ("127.0.0.1", server.port)])
        with taking(0.2):
            assert ask(caller, "http://service.example").status == 200
        resolve([black_hole, ("127.0.0.1", port)])
        with taking(0.2), failing("^Could not connect to other.example:80: connection", sent=False):
            ask(caller, "http://other.example")
        resolve([("127.0.0.1", port), black_hole])
        words = "^Could not connect to other.example:80 within 0.2 s$"
        with taking(0.2), failing(words, sent=False):
            ask(caller, "http://other.example")


def test_deadline_among_dead_addresses(
    open_network: Open, resolve: Resolve, black_hole: tuple[str, int]
) -> None:
    """However many addresses a host has, the deadline holds."""
    resolve([black_hole] * 50)
    caller = open_network(connect_timeout=0.1)
    words = "^The deadline passed while connecting to service.example:80$"
    with taking(0.3), failing(words, sent=False):
        ask(caller, "http://service.example", within=0.3)


def test_no_addresses(open_network: Open, resolve: Resolve) -> None:
    """A name without addresses cannot be reached either."""
    resolve([])
    with failing("^Could not connect to service.example:80: the name could not", sent=False):
        ask(open_network(), "http://service.example")


def test_no_threads_left(open_network: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is resolved all the same, as at the end of the program, when none can be started."""

    def exhausted(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with Server(always(reply())) as server:
        monkeypatch.setattr(ThreadPoolExecutor, "submit", exhausted)
        assert ask(open_network(), f"http://localhost:{server.port}").status == 200
        with failing("the name could not be resolved$", sent=False):
            ask(open_network(), "http://name.invalid")


def test_no_sockets_left(open_network: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without descriptors to spare is told so."""

    def exhausted(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    caller = open_network()
    with Server(always(reply())) as server:
        ask(caller, server.url)  # The event loop has what it needs.
        with Server(always(reply())) as other:
            monkeypatch.setattr(socket, "socket", exhausted)
            with failing(f"^Could not connect to .*:{other.port}: too many open files", sent=False):
                ask(caller, other.url)
            monkeypatch.undo()
        assert ask(caller, server.url).status == 200


def hang(sock: socket.socket) -> None:
    read_request(sock)
    sock.recv(1)


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody"])
def test_hanging_response(open_network: Open, part: bytes) -> None:
    """A response that does not come, or not to its end, ends at the timeout or the deadline."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(part)
        sock.recv(1)

    with Server(peer) as server:
        caller = open_network(read_timeout=0.2)
        place = f"127.0.0.1:{server.port}"
        words = rf"^Nothing came from {place} for 0.2 s \(read timeout\)$"
        with taking(0.2), failing(words, sent=True):
            ask(caller, server.url)
        words = f"^The deadline passed before the response of {place} was complete$"
        with taking(0.4), failing(words, sent=True):
            ask(open_network(), server.url, within=0.4)


@pytest.mark.parametrize(
    "answer",
    [
        reply(body=b"x" * 1000),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000,
    ],
    ids=["body", "informational", "headers"],
)
def test_dripping_response(open_network: Open, answer: bytes) -> None:
    """A byte now and then satisfies every read timeout, and no deadline."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        for at in range(len(answer)):
            if server.over.wait(0.01):
                break
            sock.sendall(answer[at : at + 1])

    with Server(peer) as server:
        caller = open_network(read_timeout=0.15)
        with taking(0.4), failing("^The deadline passed before the response of", sent=True):
            ask(caller, server.url, within=0.4)


def test_slow_response_within_its_timeouts(open_network: Open) -> None:
    """The read timeout is for silence, not for the whole: a slow response is a response."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        response = reply(body=b"ok")
        for byte in response:
            time.sleep(1.0 / len(response))
            sock.sendall(bytes([byte]))

    with Server(peer) as server:
        assert ask(open_network(read_timeout=0.7), server.url).body == b"ok"


def test_request_that_is_not_taken(open_network: Open) -> None:
    """A server that does not read holds up a large request until the timeout or the deadline."""

    def peer(sock: socket.socket) -> None:
        server.over.wait(5)

    with Server(peer) as server:
        caller = open_network(read_timeout=0.4)
        large = b"x" * 16_000_000
        with taking(0.4), failing("^Nothing came from .* for 0.4 s", sent=True):
            ask(caller, server.url, body=large)
        with taking(0.4), failing("^The deadline passed before the response", sent=True):
            ask(open_network(), server.url, body=large, within=0.4)


def test_connection_lost_under_a_large_request(open_network: Open) -> None:
    """A server that resets a request half sent leaves the outcome unknown."""

    def peer(sock: socket.socket) -> None:
        sock.recv(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Server(peer) as server:
        with failing(
            "was lost before a complete response: (connection reset|broken pipe)", sent=True
        ):
            ask(open_network(), server.url, body=b"x" * 10_000_000)


def test_no_limits(open_network: Open) -> None:
    """Infinite timeouts and deadlines are allowed, also for those who wait."""
    with Server(always(reply())) as server:
        caller = open_network(connect_timeout=math.inf, read_timeout=math.inf, max_connections=1)
        results = caller.together([request_to(server.url)] * 3, math.inf)
        assert all(isinstance(one, Reply) for one in results)


def test_readiness_that_was_none(open_network: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that is called readable and is not is asked again."""
    calls: list[bool] = []

    def hasty(descriptor: int, seconds: float, *, write: bool = False) -> bool:
        calls.append(write)
        return len(calls) < 3 or really(descriptor, seconds, write=write)

    really = pool.ready
    monkeypatch.setattr(sockets, "ready", hasty)

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        time.sleep(0.05)
        sock.sendall(reply())

    with Server(peer) as server:
        assert ask(open_network(), server.url).status == 200


def test_racing_deadlines_tell_the_truth(open_network: Open) -> None:
    """Whatever was reported as not sent never reached the server; next to nothing overshoots."""
    arrived: set[str] = set()
    lock = threading.Lock()

    def peer(sock: socket.socket) -> None:
        while request := read_request(sock):
            with lock:
                arrived.add(request.split()[1].decode())
            time.sleep(0.001)
            sock.sendall(reply())

    not_sent: set[str] = set()
    outcomes = {"answered": 0, "unknown": 0}
    overshoots = []
    with Server(peer) as server:
        caller = open_network(max_connections=4)
        for number in range(700):
            target = f"/{number}"
            within = (number % 70) * 0.00005
            begun = time.monotonic()
            try:
                ask(caller, server.url, within=within, target=target)
                outcomes["answered"] += 1
            except Unanswered as error:
                if error.sent:
                    outcomes["unknown"] += 1
                else:
                    not_sent.add(target)
            overshoots.append(time.monotonic() - begun - within)
        time.sleep(0.05)
    assert not not_sent & arrived
    assert statistics.median(overshoots) < 0.05
    assert not_sent
    assert outcomes["unknown"]
    assert outcomes["answered"]
