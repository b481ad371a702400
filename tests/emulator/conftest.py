"""An emulator that listens, and a clock that a test moves."""

from collections.abc import Iterator
from typing import Any

import pytest
from emulator_calls import Clock, open_client
from taurusdb_starrocks_emulator import Emulator


@pytest.fixture(scope="session")
def serving() -> Iterator[Any]:
    """One server for all tests of a worker; `emulator` brings it back to its seed."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(serving: Emulator) -> Any:
    serving.reset()
    return serving


@pytest.fixture
def clock() -> Any:
    return Clock()


@pytest.fixture
def timed(clock: Clock) -> Iterator[Any]:
    """An emulator whose time stands still until the test moves it."""
    with Emulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Any]:
    with open_client(emulator) as client:
        yield client
