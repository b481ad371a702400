"""A call ends within its deadline, whatever the server does, and says whether it had left."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest
import trustme
from clients import INSTANCE, PROJECT, SETTINGS, TASK, Maker, Wire
from loopback import Server, always, read_request, reply
from taurusdb_starrocks import (
    AsyncClient,
    IamPasswordAuth,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    RetryPolicy,
    TokenAuth,
)

DEADLINE = 0.6
MOST = DEADLINE + 1.0


def drip(sock: socket.socket, data: bytes, over: threading.Event) -> None:
    """A byte every 20 ms."""
    for byte in data:
        if over.wait(0.02):
            return
        sock.sendall(bytes([byte]))


def drips_headers(server: Server, sock: socket.socket) -> None:
    read_request(sock)
    drip(sock, b"HTTP/1.1 200 OK\r\n" + b"X-Filler: a\r\n" * 1000, server.over)


def drips_one_header(server: Server, sock: socket.socket) -> None:
    read_request(sock)
    drip(sock, b"HTTP/1.1 200 OK\r\nX-Filler: " + b"a" * 10_000, server.over)


def drips_interim_answers(server: Server, sock: socket.socket) -> None:
    read_request(sock)
    drip(sock, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, server.over)


def drips_body(server: Server, sock: socket.socket) -> None:
    read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(sock, b'{"job_id": "' + b"a" * 10_000, server.over)


def drips_chunks(server: Server, sock: socket.socket) -> None:
    read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(sock, b"1\r\na\r\n" * 10_000, server.over)


def hangs(server: Server, sock: socket.socket) -> None:
    read_request(sock)
    server.over.wait()


def never_reads(server: Server, sock: socket.socket) -> None:
    server.over.wait()


AFTER_SENDING = [
    drips_headers,
    drips_one_header,
    drips_interim_answers,
    drips_body,
    drips_chunks,
    hangs,
    never_reads,
]


def serve(peer: Callable[[Server, socket.socket], None]) -> Server:
    server = Server(lambda sock: peer(server, sock))
    return server


def timed(make: Maker, kind: type[ReplicationError], **settings: object) -> ReplicationError:
    """The error a call ends in, if it does so in time."""
    client = make(**{"timeout": DEADLINE, "retry": RetryPolicy(), **settings})
    before = time.monotonic()
    with pytest.raises(kind) as caught:
        client.pause()
    took = time.monotonic() - before
    print(f"overshoot {took - DEADLINE:.3f} s")  # noqa: T201  # Shown with -rP.
    assert took < MOST
    assert caught.value.elapsed <= took
    return caught.value


@pytest.mark.parametrize("peer", AFTER_SENDING)
def test_slow_answer_is_an_unknown_outcome(
    make: Maker, peer: Callable[[Server, socket.socket], None]
) -> None:
    """A server that drips or hangs holds a call no longer than the deadline, with one request."""
    with serve(peer) as server:
        error = timed(make, OutcomeUnknownError, endpoint=server.url)
    assert isinstance(error, OutcomeUnknownError)
    assert (error.attempts, error.status) == (1, None)
    assert server.connections == 1


def test_read_timeout_ends_a_call_before_its_deadline(make: Maker) -> None:
    """A server that says nothing is given up after the read timeout."""
    with serve(hangs) as server:
        client = make(endpoint=server.url, timeout=30, read_timeout=0.2)
        before = time.monotonic()
        with pytest.raises(OutcomeUnknownError, match=r"for 0\.2 s \(read timeout\)"):
            client.pause()
    assert time.monotonic() - before < 2


def test_slow_handshake_is_not_sent(make: Maker) -> None:
    """A TLS handshake that is never answered: the request had not left."""
    with serve(never_reads) as server:
        error = timed(make, NotSentError, endpoint=server.url.replace("http:", "https:"))
    assert "safe to repeat" in str(error)


def test_dripped_handshake_is_not_sent(make: Maker) -> None:
    """A handshake that comes byte by byte ends at the deadline as well."""

    def peer(server: Server, sock: socket.socket) -> None:
        sock.recv(65536)
        # A handshake record of 16 KB, begun and drawn out.
        drip(sock, b"\x16\x03\x03\x40\x00" + b"\x00" * 16384, server.over)

    with serve(peer) as server:
        timed(make, NotSentError, endpoint=server.url.replace("http:", "https:"))


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue is full, so that connecting hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            waiting.append(sock)
        yield port
        for sock in waiting:
            sock.close()


def test_connecting_without_end_is_not_sent(make: Maker, full_port: int) -> None:
    """A host that does not answer at all: the connect timeout and then the deadline hold."""
    endpoint = f"http://127.0.0.1:{full_port}"
    error = timed(make, NotSentError, endpoint=endpoint)
    assert error.attempts == 1
    retry = RetryPolicy(attempts=2, first_delay=0.01)
    error = timed(make, NotSentError, endpoint=endpoint, connect_timeout=0.1, retry=retry)
    assert error.attempts == 2
    assert str(error).startswith(f"Could not connect to 127.0.0.1:{full_port} within 0.1 s. ")


def test_deadline_spans_all_attempts(make: Maker) -> None:
    """Attempts and the waits between them share one deadline."""
    with Server(always(reply(429, {"error_code": "APIGW.0308"}, ("Retry-After: 0.4",)))) as server:
        error = timed(make, RateLimitError, endpoint=server.url, retry=RetryPolicy(attempts=99))
    assert error.attempts < 99


def test_many_quick_retries_end_at_the_deadline(make: Maker) -> None:
    """A policy that never gives up is stopped by the deadline, which an attempt may be cut by."""
    retry = RetryPolicy(attempts=10**9, first_delay=0.01, longest_delay=0.01, budget=1e9)
    with Server(always(reply(429, {"error_code": "APIGW.0308"}))) as server:
        error = timed(make, ReplicationError, endpoint=server.url, retry=retry)
    assert isinstance(error, (RateLimitError, NotSentError, OutcomeUnknownError))


def test_slow_login_is_not_sent(make: Maker) -> None:
    """A login that hangs: the call's own request never left, and the call ends in time."""
    with serve(hangs) as iam, Server(always(reply())) as server:
        auth = IamPasswordAuth("u", "pass-word", "a", project_id=PROJECT, iam_endpoint=iam.url)
        error = timed(make, NotSentError, endpoint=server.url, auth=auth)
    assert error.attempts == 1
    assert server.connections == 0


def test_waiting_for_anothers_login_is_bounded(make: Maker) -> None:
    """Calls that share a login which hangs all end by their deadlines, with nothing sent."""
    with serve(hangs) as iam, Server(always(reply())) as server:
        auth = IamPasswordAuth("u", "pass-word", "a", project_id=PROJECT, iam_endpoint=iam.url)
        client = make(endpoint=server.url, auth=auth, timeout=DEADLINE)
        before = time.monotonic()
        outcomes = client.all_at_once(20)
        took = time.monotonic() - before
    assert took < MOST
    assert {type(outcome) for outcome in outcomes} == {NotSentError}
    assert server.connections == 0


def test_login_after_a_refused_token_is_not_sent(make: Maker) -> None:
    """A 401 settles that nothing happened: when the new login hangs, nothing was sent."""
    logins = []

    def iam_peer(sock: socket.socket) -> None:
        while request := read_request(sock):
            logins.append(request)
            if len(logins) > 1:
                iam.over.wait()
            body = {"token": {"expires_at": "2999-01-01T00:00:00Z"}}
            sock.sendall(reply(201, body, ("X-Subject-Token: abc",)))

    iam = Server(iam_peer)
    with iam, Server(always(reply(401, {"error_code": "APIGW.0301"}))) as server:
        auth = IamPasswordAuth("u", "pass-word", "a", project_id=PROJECT, iam_endpoint=iam.url)
        timed(make, NotSentError, endpoint=server.url, auth=auth)
        # Calls that wait for the one that is logging in.
        auth = IamPasswordAuth("u", "pass-word", "a", project_id=PROJECT, iam_endpoint=iam.url)
        logins.clear()
        outcomes = make(endpoint=server.url, timeout=DEADLINE, auth=auth).all_at_once(5)
    assert {type(outcome) for outcome in outcomes} == {NotSentError}


def test_full_pool_is_not_sent(make: Maker) -> None:
    """Calls that wait for a connection until their deadlines have not sent anything."""
    with serve(hangs) as server:
        client = make(endpoint=server.url, timeout=2 * DEADLINE, max_connections=4)
        before = time.monotonic()
        outcomes = client.all_at_once(40)
        took = time.monotonic() - before
        kinds = Counter(type(outcome) for outcome in outcomes)
        while server.connections < kinds[OutcomeUnknownError] and time.monotonic() < before + 10:
            time.sleep(0.01)  # It accepts connections later than the system does.
    assert took < DEADLINE + MOST
    assert kinds.keys() == {NotSentError, OutcomeUnknownError}
    # Those that begin last may get a connection that was given up.
    assert kinds[OutcomeUnknownError] <= server.connections < 40
    waited = [str(error) for error in outcomes if type(error) is NotSentError]
    assert all("safe to repeat" in text for text in waited)


def test_mock_that_hangs_is_an_unknown_outcome() -> None:
    """A transport for coroutines in place of the network is held to the deadline as well."""

    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def body() -> OutcomeUnknownError:
        settings = SETTINGS | {"auth": TokenAuth("t"), "timeout": 0.1}
        async with AsyncClient(**settings, transport=httpx.MockTransport(hang)) as client:
            with pytest.raises(OutcomeUnknownError, match=r"no complete response within") as it:
                await client.pause(INSTANCE, TASK)
        return it.value

    before = time.monotonic()
    assert asyncio.run(body()).attempts == 1
    assert time.monotonic() - before < MOST


def test_mock_after_the_deadline_is_not_sent(make: Maker) -> None:
    """A call whose time is up before its request begins sends nothing, to a mock either."""
    iam = httpx.Response(
        201,
        json={"token": {"expires_at": "2999-01-01T00:00:00Z"}},
        headers={"X-Subject-Token": "t"},
    )

    def answer(_: httpx.Request) -> httpx.Response:
        time.sleep(0.2)
        return iam

    wire = Wire(answer)
    auth = IamPasswordAuth("u", "pass-word", "a", project_id=PROJECT)
    with pytest.raises(NotSentError, match="the deadline has passed"):
        make(transport=wire, auth=auth, timeout=0.1).pause()
    assert len(wire.sent) == 1


def test_slow_tls_answer_is_an_unknown_outcome(make: Maker) -> None:
    """The deadline holds behind TLS too."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    server = Server(lambda sock: drips_headers(server, sock), context)
    with server:
        timed(make, OutcomeUnknownError, endpoint=server.url, ssl_context=trusting)


def test_client_works_after_a_deadline(make: Maker) -> None:
    """A call that ran out of time leaves a client that works."""
    asked = []

    def peer(sock: socket.socket) -> None:
        while request := read_request(sock):
            asked.append(request)
            if len(asked) == 1:
                server.over.wait(5)
            sock.sendall(reply())

    server = Server(peer)
    with server:
        client = make(endpoint=server.url, timeout=DEADLINE)
        with pytest.raises(OutcomeUnknownError):
            client.pause()
        assert client.pause().id == "job-1"
