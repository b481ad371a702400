"""Both networks behind one face, so that a test is written once and runs against each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from taurusdb_starrocks._messages import Origin, Reply, Request, Unanswered
from taurusdb_starrocks._transport.proxies import Proxies
from taurusdb_starrocks._transport.sockets import Network
from taurusdb_starrocks._transport.streams import AsyncNetwork

TOKEN = "t0ken-of-the-tests"
BODY = b'{"task_name": "orders_sync"}'


def request_to(url: str, **changes: Any) -> Request:
    """A request with a token and a body."""
    parts = urlsplit(url)
    assert parts.hostname
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    fields: dict[str, Any] = {
        "method": "POST",
        "origin": Origin(parts.scheme, parts.hostname, port),
        "target": parts.path or "/v3/pause",
        "headers": {"X-Auth-Token": TOKEN},
        "body": BODY,
    }
    return Request(**fields | changes)


Outcome = Reply | BaseException


class Caller(Protocol):
    """One network, opened with the settings of the test."""

    def exchange(self, request: Request, deadline: float) -> Reply: ...

    def together(self, requests: list[Request], deadline: float) -> list[Outcome]:
        """All of them at once, begun in order."""

    def shut(self) -> None:
        """Close the network, but not what it runs on."""

    def close(self) -> None: ...


def ask(caller: Caller, url: str, within: float = 5, **changes: Any) -> Reply:
    """The response to one request."""
    return caller.exchange(request_to(url, **changes), time.monotonic() + within)


@contextmanager
def failing(match: str, *, sent: bool, lasting: bool = False) -> Iterator[None]:
    """What is asked inside fails, in these words and no others that hold the token."""
    with pytest.raises(Unanswered, match=match) as caught:
        yield
    assert (caught.value.sent, caught.value.lasting) == (sent, lasting), caught.value.what
    link: BaseException | None = caught.value
    while link is not None:
        assert TOKEN not in f"{link!r} {link.args}"
        if link is not caught.value:
            assert link.__traceback__ is None
        link = link.__cause__ or link.__context__


class SyncCaller:
    def __init__(self, **settings: Any) -> None:
        self.network = Network(**settings)

    def exchange(self, request: Request, deadline: float) -> Reply:
        return self.network.exchange(request, deadline)

    def together(self, requests: list[Request], deadline: float) -> list[Outcome]:
        def one(request: Request) -> Outcome:
            try:
                return self.network.exchange(request, deadline)
            except Unanswered as error:
                return error

        with ThreadPoolExecutor(len(requests)) as threads:
            begun = []
            for request in requests:
                begun.append(threads.submit(one, request))
                time.sleep(0.005)  # For the thread to come as far as it can.
            return [outcome.result() for outcome in begun]

    def shut(self) -> None:
        self.network.close()

    def close(self) -> None:
        self.shut()


class AsyncCaller:
    def __init__(self, **settings: Any) -> None:
        self.network = AsyncNetwork(**settings)
        self.runner = asyncio.Runner()

    def exchange(self, request: Request, deadline: float) -> Reply:
        return self.runner.run(self.network.exchange(request, deadline))

    def together(self, requests: list[Request], deadline: float) -> list[Outcome]:
        async def all_of_them() -> list[Outcome]:
            return await asyncio.gather(
                *(self.network.exchange(request, deadline) for request in requests),
                return_exceptions=True,
            )

        return self.runner.run(all_of_them())

    def shut(self) -> None:
        self.runner.run(self.network.aclose())

    def close(self) -> None:
        self.shut()
        self.runner.close()


class Open(Protocol):
    """Opens a network of one kind; the test's end closes it."""

    def __call__(self, environ: dict[str, str] | None = None, **settings: Any) -> Caller: ...


def settings(environ: dict[str, str] | None, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a network, with what the test does not give."""
    usual = {"connect_timeout": 3, "read_timeout": 3, "proxies": Proxies(environ or {})}
    return usual | given
