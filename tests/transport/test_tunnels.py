"""Requests through proxies: who sees what, and what a proxy's failures mean."""

from __future__ import annotations

import socket
import time

import pytest
from taurusdb_starrocks import ConfigurationError

from tests.transport.authority import Authority
from tests.transport.callers import TOKEN, Open, ask, failing
from tests.transport.servers import ESTABLISHED, Proxy
from tests.wrapper.loopback import Server, always, closed_port, reply


@pytest.fixture(params=["http", "https"])
def kind(request: pytest.FixtureRequest) -> str:
    """What is spoken with the proxy."""
    return str(request.param)


def proxy_of(kind: str, authority: Authority, answer: bytes = ESTABLISHED) -> Proxy:
    return Proxy(answer, authority.server() if kind == "https" else None)


def test_https_goes_through_a_tunnel(open_network: Open, authority: Authority, kind: str) -> None:
    """The proxy sees CONNECT, once, with its own credentials, and nothing of the requests."""
    with proxy_of(kind, authority) as proxy, Server(always(reply()), authority.server()) as server:
        address = proxy.url.replace("://", "://user:p%40ss%2Fw%C3%B6rd@")
        caller = open_network({"HTTPS_PROXY": address}, ssl_context=authority.client())
        assert ask(caller, server.url).status == 200
        assert ask(caller, server.url).status == 200
        assert server.connections == 1
    (asked,) = proxy.asked
    assert asked.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in asked
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNzL3fDtnJk\r\n" in asked
    assert TOKEN.encode() not in asked


def test_proxy_credentials_do_not_enter_the_tunnel(
    open_network: Open, authority: Authority
) -> None:
    """The service never sees the credentials of the proxy."""
    seen = []

    def peer(sock: socket.socket) -> None:
        seen.append(sock.recv(65536))
        sock.sendall(reply())

    with Proxy() as proxy, Server(peer, authority.server()) as server:
        address = proxy.url.replace("://", "://user:hunter2@")
        caller = open_network({"HTTPS_PROXY": address}, ssl_context=authority.client())
        ask(caller, server.url)
    assert b"roxy" not in seen[0]


def test_each_origin_has_a_tunnel_of_its_own(open_network: Open, authority: Authority) -> None:
    """A tunnel that leads to one origin is never used for another."""
    with (
        Proxy() as proxy,
        Server(always(reply(200)), authority.server()) as one,
        Server(always(reply(201)), authority.server()) as other,
    ):
        caller = open_network({"HTTPS_PROXY": proxy.url}, ssl_context=authority.client())
        assert [ask(caller, url).status for url in (one.url, other.url, one.url)] == [200, 201, 200]
    assert len(proxy.asked) == 2


@pytest.mark.parametrize("status", [302, 400, 403, 407, 502])
def test_refused_tunnel_is_not_sent(
    open_network: Open, authority: Authority, kind: str, status: int
) -> None:
    """A proxy that refuses is named with its status; its words, which may repeat ours, are not."""
    answer = b"HTTP/1.1 %d no Basic dXNlcjpodW50ZXIy\r\nContent-Length: 9\r\n\r\nno" % status
    with proxy_of(kind, authority, answer) as proxy:
        address = proxy.url.replace("://", "://user:hunter2@")
        caller = open_network({"HTTPS_PROXY": address}, ssl_context=authority.client())
        words = (
            rf"^The proxy 127\.0\.0\.1:{proxy.port} refused to connect to "
            rf"service\.example: status {status}$"
        )
        with failing(words, sent=False):
            ask(caller, "https://service.example")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection before a complete response"),
        (b"HTTP/1.1 200 Conn", "closed the connection before a complete response"),
        (b"220 mail.example ESMTP\r\n\r\n", "is not HTTP: its status line or a header"),
        (ESTABLISHED + b"x", "sent more than the response to CONNECT"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 21, "too many informational responses"),
    ],
    ids=["nothing", "half", "mail", "more", "informational"],
)
def test_broken_proxy_is_not_sent(
    open_network: Open, authority: Authority, kind: str, answer: bytes, words: str
) -> None:
    """Whatever a proxy does instead of tunnelling, nothing was sent, and the proxy is named."""
    with proxy_of(kind, authority, answer) as proxy:
        caller = open_network({"HTTPS_PROXY": proxy.url}, ssl_context=authority.client())
        with failing(rf"the proxy 127\.0\.0\.1:{proxy.port}.*{words}|{words}", sent=False):
            ask(caller, "https://service.example")


def test_unreachable_proxy_is_named(open_network: Open) -> None:
    """A proxy that is down is told apart from a service that is."""
    with closed_port() as port:
        caller = open_network({"HTTPS_PROXY": f"http://127.0.0.1:{port}"})
        words = rf"^Could not connect to the proxy 127\.0\.0\.1:{port}: connection refused$"
        with failing(words, sent=False):
            ask(caller, "https://service.example")


def test_untrusted_https_proxy(open_network: Open, authority: Authority) -> None:
    """A proxy that cannot prove who it is gets neither credentials nor request."""
    with proxy_of("https", authority) as proxy:
        caller = open_network({"HTTPS_PROXY": proxy.url})
        words = rf"^Could not connect to the proxy 127.0.0.1:{proxy.port}: certificate verify"
        with failing(words, sent=False, lasting=True):
            ask(caller, "https://service.example")
    assert proxy.asked == []


def test_untrusted_service_behind_a_proxy(open_network: Open, authority: Authority) -> None:
    """The service is named, not the proxy that led to it."""
    stranger = Authority()
    with Proxy() as proxy, Server(always(reply()), stranger.server()) as server:
        caller = open_network({"HTTPS_PROXY": proxy.url}, ssl_context=authority.client())
        words = rf"^Could not connect to 127.0.0.1:{server.port} through the proxy .*certificate"
        with failing(words, sent=False, lasting=True):
            ask(caller, server.url)


@pytest.mark.parametrize("within", [0.3, 5])
def test_dripping_proxy_ends_in_time(open_network: Open, within: float) -> None:
    """A proxy that says a byte at a time is left at the connect timeout or the deadline."""

    def drip(sock: socket.socket) -> None:
        while not server.over.wait(0.05):
            sock.sendall(b"H")

    with Server(drip) as server:
        caller = open_network({"HTTPS_PROXY": server.url}, connect_timeout=0.4)
        words = "^Could not connect to .* within 0.4 s" if within > 1 else "^The deadline passed"
        begun = time.monotonic()
        with failing(words, sent=False):
            ask(caller, "https://service.example", within=within)
        assert time.monotonic() - begun < min(within, 0.4) + 1.5


def test_unusable_proxy_is_no_network_failure(open_network: Open) -> None:
    """A proxy that cannot be used is a mistake in the configuration, at the first request."""
    caller = open_network({"HTTPS_PROXY": "socks5://user:hunter2@127.0.0.1:1080"})
    with pytest.raises(ConfigurationError, match=r"HTTPS_PROXY.*SOCKS") as caught:
        ask(caller, "https://service.example")
    assert "hunter2" not in str(caught.value)
