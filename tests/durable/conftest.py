"""An emulator with a journal beside it, and programs that are started and killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from programs import Program, Surroundings
from taurusdb_starrocks import Client
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks_emulator import Emulator


@pytest.fixture(scope="session")
def serving() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator
    emulator.close()


@pytest.fixture
def emulator(serving: Emulator) -> Emulator:
    serving.reset()
    return serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that nobody else can write."""
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with Journal(folder / "journal.db") as journal:
        yield journal


@pytest.fixture
def around(emulator: Emulator, folder: Path) -> Iterator[Surroundings]:
    """What a test shares with its programs, which are killed afterwards."""
    surroundings = Surroundings(emulator, folder / "journal.db")
    yield surroundings
    surroundings.end()


@pytest.fixture
def client(around: Surroundings) -> Iterator[Client]:
    with around.client() as client:
        yield client


@pytest.fixture
def program(around: Surroundings) -> Callable[..., Program]:
    return around.program
