"""An emulator with many instances, and clients for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from taurusdb_starrocks import AsyncClient, TokenAuth
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks.fleet import Target
from taurusdb_starrocks_emulator import Emulator

from tests.fleet.fleets import PROJECT, instance, seed

Connect = Callable[[str | None, str | None], AsyncClient]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Ten instances with thirty tasks each, all of which run."""
    with Emulator(seed=seed(10, 30)) as emulator:
        yield emulator


@pytest.fixture
def connect(emulator: Emulator) -> Connect:
    def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
        return AsyncClient(
            endpoint=endpoint or emulator.url,
            project_id=project_id or PROJECT,
            auth=TokenAuth(emulator.token),
            timeout=2.0,
            read_timeout=1.0,
        )

    return connect


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal" / "journal.db") as journal:
        yield journal


@pytest.fixture
def targets() -> list[Target]:
    """All of them."""
    return [Target(instance(i), f"task_{n}") for i in range(10) for n in range(30)]


def stages(emulator: Emulator) -> dict[str, int]:
    found: dict[str, Any] = {}
    for task in emulator.tasks():
        found[task.stage] = found.get(task.stage, 0) + 1
    return found
