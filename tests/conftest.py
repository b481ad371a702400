"""What every test may ask for."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest
from clients import OpenClient, open_async, open_sync


def pytest_configure() -> None:
    """Let SIGHUP end the programs that tests start: under nohup they would ignore it too."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(params=[open_sync, open_async], ids=["sync", "async"])
def open_client(request: pytest.FixtureRequest) -> OpenClient:
    """Opens a client of one kind and then of the other: ``with open_client(…) as client``."""
    opener: OpenClient = request.param
    return opener


@pytest.fixture
def process_group() -> Iterator[int]:
    """A group of processes whose leader runs; that of pytest may have no leader any more."""
    with subprocess.Popen(["sleep", "60"], process_group=0) as leader:
        yield leader.pid
        leader.kill()
