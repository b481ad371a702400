"""Both networks, and an authority for TLS."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.transport.authority import Authority
from tests.transport.callers import AsyncCaller, Caller, Open, SyncCaller, settings


@pytest.fixture(params=[SyncCaller, AsyncCaller], ids=["sync", "async"])
def open_network(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens networks of one kind and then of the other."""
    with ExitStack() as stack:

        def open_(environ: dict[str, str] | None = None, **given: Any) -> Caller:
            caller: Caller = request.param(**settings(environ, given))
            return stack.enter_context(closing(caller))

        yield open_


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Private keys take a while: one for all tests."""
    return Authority()


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """An address that answers nothing: a listener whose queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield listener.getsockname()
