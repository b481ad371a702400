"""TLS: who is trusted, and what is said when a session breaks, in both networks alike."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Generator

import pytest
from taurusdb_starrocks._transport import tls
from taurusdb_starrocks._transport.failures import Fault

from tests.transport.authority import Authority
from tests.transport.callers import Open, ask, failing
from tests.transport.servers import ESTABLISHED
from tests.wrapper.loopback import Server, always, read_request, reply


@pytest.fixture(params=[False, True], ids=["1.2", "1.3"])
def newest(request: pytest.FixtureRequest) -> bool:
    """Whether the server speaks the newest version of TLS."""
    return bool(request.param)


def test_one_session_serves_many_requests(
    open_network: Open, authority: Authority, newest: bool
) -> None:
    """A TLS connection is kept and used again, large bodies in both directions included."""
    large = b"x" * 300_000
    with Server(always(reply(body=large)), authority.server(newest=newest)) as server:
        caller = open_network(ssl_context=authority.client())
        for _ in range(3):
            assert ask(caller, server.url, body=large).body == large
        assert server.connections == 1


def test_unknown_authority(open_network: Open, authority: Authority) -> None:
    """By default the authorities of certifi's list count, and no other."""
    with Server(always(reply()), authority.server()) as server:
        words = (
            rf"^Could not connect to 127.0.0.1:{server.port}: certificate verify failed: "
            r"unable to get local issuer certificate$"
        )
        for _ in range(2):
            with failing(words, sent=False, lasting=True):
                ask(open_network(), server.url)


def test_default_context_is_built_once_and_late(
    open_network: Open, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building it takes 20 ms: not before the first https connection, and once for a network."""
    built = []

    def build() -> ssl.SSLContext:
        built.append(1)
        return authority.client()

    monkeypatch.setattr(tls, "default_context", build)
    with Server(always(reply())) as plain, Server(always(reply()), authority.server()) as server:
        caller = open_network()
        ask(caller, plain.url)
        assert not built
        ask(caller, server.url)
        with Server(always(reply()), authority.server()) as other:
            ask(caller, other.url)
    assert len(built) == 1


def test_certificate_for_another_host(open_network: Open, authority: Authority) -> None:
    """A certificate must be for the host that is called."""
    with Server(always(reply()), authority.server()) as server:
        caller = open_network(ssl_context=authority.client())
        words = r"certificate verify failed: [Hh]ostname mismatch, .* not valid for 'localhost'$"
        with failing(words, sent=False, lasting=True):
            ask(caller, server.url.replace("127.0.0.1", "localhost"))


def test_host_that_no_certificate_can_name(open_network: Open, authority: Authority) -> None:
    """A host name that TLS cannot even ask for fails like the others, also behind a proxy."""
    with Server(always(ESTABLISHED)) as proxy:
        caller = open_network({"ALL_PROXY": proxy.url}, ssl_context=authority.client())
        with failing("^Could not connect to a..b .*: no certificate", sent=False, lasting=True):
            ask(caller, "https://a..b")


def test_session_that_cannot_be_written_to(authority: Authority) -> None:
    """A session that takes no request now, as in a new handshake, breaks with words for it."""

    def steps() -> Generator[bytes, bytes, None]:
        yield b"request"

    session = tls.Tls(authority.client(), "service.example")
    with pytest.raises(Fault, match=r"^The TLS connection to {peer} broke: "):
        next(session.carry(steps()))


def test_client_certificate(open_network: Open, authority: Authority, newest: bool) -> None:
    """A client certificate in the context is shown to a server that asks for one."""
    with Server(always(reply()), authority.server(ask_client=True, newest=newest)) as server:
        caller = open_network(ssl_context=authority.client(known=True))
        assert ask(caller, server.url).status == 200


def test_missing_client_certificate(open_network: Open, authority: Authority, newest: bool) -> None:
    """TLS 1.2 refuses in the handshake; TLS 1.3 only once the request has left."""
    with Server(always(reply()), authority.server(ask_client=True, newest=newest)) as server:
        caller = open_network(ssl_context=authority.client())
        words = (
            "^The TLS connection to .* broke: tlsv13 alert certificate required$"
            if newest
            else "^Could not connect to .*: TLS handshake failed: .*handshake failure$"
        )
        with failing(words, sent=newest, lasting=True):
            ask(caller, server.url)


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def peer(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(data)

    return peer


@pytest.mark.parametrize(
    ("data", "words", "lasting"),
    [
        (reply(), "TLS handshake failed: wrong version number", True),
        (b"\x15\x03\x03\x00\x02\x02\x28", "TLS handshake failed: .*handshake failure", True),
        (b"", "it closed the connection in the TLS handshake", False),
        (b"\x16\x03\x03", "it closed the connection in the TLS handshake", False),
    ],
    ids=["http", "alert", "nothing", "half"],
)
def test_no_handshake(
    open_network: Open, authority: Authority, data: bytes, words: str, lasting: bool
) -> None:
    """Whatever comes instead of a handshake, nothing was sent."""
    with Server(answering(data)) as server:
        caller = open_network(ssl_context=authority.client())
        with failing(f"^Could not connect to .*: {words}$", sent=False, lasting=lasting):
            ask(caller, server.url.replace("http", "https"))


def raw(sock: socket.socket) -> socket.socket:
    """The connection below a TLS socket, which writes past the session."""
    descriptor = sock.detach()
    if descriptor < 0:
        raise OSError("the server has been stopped")
    return socket.socket(fileno=descriptor)


@pytest.mark.parametrize(
    ("garbage", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "The TLS connection to .* broke: wrong version"),
        (b"\x17\x03\x03\x00\x20" + bytes(32), "The TLS connection to .* broke: .*(mac|decryption)"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "The TLS connection to .* broke: "),
        (b"", "closed the connection before a complete response"),
        (b"\x17\x03\x03\x00\x20", "closed the connection before a complete response"),
    ],
    ids=["plain", "damaged", "alert", "nothing", "half"],
)
@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["none", "part"])
def test_session_that_breaks(
    open_network: Open, authority: Authority, garbage: bytes, words: str, part: bytes, newest: bool
) -> None:
    """Garbage on a session is a typed failure after sending: nobody knows what came of it."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        if part:
            sock.sendall(part)
        with raw(sock) as wire:
            wire.sendall(garbage)

    with Server(peer, authority.server(newest=newest)) as server:
        caller = open_network(ssl_context=authority.client())
        with failing(words, sent=True):
            ask(caller, server.url)


@pytest.mark.parametrize("together", [False, True])
def test_garbage_after_a_response(open_network: Open, authority: Authority, together: bool) -> None:
    """A whole response counts, whatever follows; the connection is not used again."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(reply())
        if not together:
            time.sleep(0.05)
        with raw(sock) as wire:
            wire.sendall(b"garbage that is no record")
            server.over.wait(1)

    with Server(peer, authority.server()) as server:
        caller = open_network(ssl_context=authority.client())
        assert ask(caller, server.url).status == 200
        time.sleep(0.1)
        assert ask(caller, server.url).status == 200
        assert server.connections == 2


@pytest.mark.parametrize("farewell", [False, True])
def test_body_until_the_session_ends(
    open_network: Open, authority: Authority, newest: bool, farewell: bool
) -> None:
    """A body without a length ends with the session or the connection."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"body" * 20_000)
        if farewell:
            sock.unwrap()

    with Server(peer, authority.server(newest=newest)) as server:
        caller = open_network(ssl_context=authority.client())
        assert ask(caller, server.url).body == b"body" * 20_000


def test_farewell_without_an_end(open_network: Open, authority: Authority) -> None:
    """A session's end is enough, even if the connection below stays open."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nbody")
        sock.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            sock.unwrap()
        server.over.wait(3)

    with Server(peer, authority.server()) as server:
        caller = open_network(ssl_context=authority.client())
        begun = time.monotonic()
        assert ask(caller, server.url).body == b"body"
        assert time.monotonic() - begun < 1


def test_farewell_in_the_middle(open_network: Open, authority: Authority) -> None:
    """A session that ends within a response is an end like any other."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbody")
        sock.unwrap()

    with Server(peer, authority.server()) as server:
        caller = open_network(ssl_context=authority.client())
        with failing("closed the connection before a complete response", sent=True):
            ask(caller, server.url)


def test_session_that_is_reset(open_network: Open, authority: Authority) -> None:
    """A reset is called a reset."""

    def peer(sock: socket.socket) -> None:
        read_request(sock)
        with raw(sock) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Server(peer, authority.server()) as server:
        caller = open_network(ssl_context=authority.client())
        with failing("was lost before .*: connection reset by peer$", sent=True):
            ask(caller, server.url)


def test_hanging_handshake(open_network: Open, authority: Authority) -> None:
    """A handshake ends at the connect timeout or at the deadline, and nothing was sent."""
    with Server(lambda _: server.over.wait(5) and None) as server:
        url = server.url.replace("http", "https")
        caller = open_network(ssl_context=authority.client(), connect_timeout=0.3)
        for within, words in [
            (5, r"^Could not connect to .* within 0.3 s$"),
            (0.2, "^The deadline"),
        ]:
            begun = time.monotonic()
            with failing(words, sent=False):
                ask(caller, url, within=within)
            assert time.monotonic() - begun < min(within, 0.3) + 1.5
