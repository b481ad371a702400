"""The benchmark's own parts: the server that is measured against, and the sums."""

from __future__ import annotations

import socket

import pytest

from bench.measures import MUSTS, Results
from bench.processes import Server
from bench.server import bomb, complete
from bench.table import markdown

LIGHT = "CPU of `from taurusdb_starrocks import Client`, relative to `import httpx`"
ONE_CALL = "time of a process with one call over TLS, relative to the official SDK"


def test_server_waits_for_the_whole_request() -> None:
    """A request that comes in pieces gets one response, and the next one another."""
    with Server("plain") as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(10)
        for _ in range(2):
            client.sendall(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nab")
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.settimeout(10)
            client.sendall(b"cd")
            assert client.recv(65536).endswith(b'-3d22f6ef9a28"}')


def test_server_tells_what_it_costs() -> None:
    """Its ceiling is a rate, and its CPU grows with the requests."""
    with Server("plain") as server:
        before = server.cpu()
        seen = server.ceiling(6400)
        assert seen["per_s"] > 0
        assert server.cpu() > before


@pytest.mark.parametrize(
    ("request_", "whole"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab", True),
    ],
)
def test_complete_request(request_: bytes, whole: bool) -> None:
    """A request is complete with its body."""
    assert complete(request_) is whole


def test_bomb_is_small() -> None:
    """What unpacks to 200 MB is sent as less than one."""
    assert len(bomb()) < 1024 * 1024


def test_table_compares_rounds() -> None:
    """A ratio is the median of the rounds' ratios; what misses its bound is marked."""
    many = {"cpu_us": 100.0, "wall_us": 100.0, "per_s": 100.0}
    once = {"wall_ms": 10.0, "cpu_ms": 10.0, "peak_mb": 10.0}
    names = ["ours sequential", "httpx sequential", "official threads", "ours threads"]
    names += ["ours in_flight", "httpx-aiohttp in_flight"]
    results = Results(
        starts={
            "python": [{**once, "cpu_ms": 10.0}] * 3,
            "import httpx": [{**once, "cpu_ms": 20.0}] * 3,
            "from taurusdb_starrocks import Client": [
                {**once, "cpu_ms": ms} for ms in (12.0, 15.0, 90.0)
            ],
            "httpx.Client()": [{**once, "cpu_ms": 30.0}] * 3,
            "Client(TokenAuth)": [{**once, "cpu_ms": 30.0}] * 3,
        },
        once={"ours": [once] * 3, "official": [once] * 3},
        many={name: [many] * 3 for name in names},
        layers={layer: [many] for layer in ("network", "attempts", "bridge", "generated", "verbs")},
        memory={
            f"{name}{kind}": 30.0
            for name in ("ours", "official", "httpx")
            for kind in ("", " large", " bomb")
        },
        ceiling={"per_s": 1000.0, "cpu_us": 10.0},
    )
    values = {must.label: must.value(results) for must in MUSTS}
    assert values[LIGHT] == 0.5
    text = markdown(results, "2026-11-25")
    assert f"| {LIGHT} | 0.50 | ≤ 1.25 | yes |" in text
    assert f"| {ONE_CALL} | 1.00 | ≤ 0.4 | **no** |" in text
    assert "| taurusdb-starrocks, 64 coroutines | " in text
