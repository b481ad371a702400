"""Fixtures for tests against the emulator; pytest finds them by itself.

    def test_pausing(starrocks_emulator, starrocks_client):
        instance_id, task_name = starrocks_emulator.instance_id, starrocks_emulator.task_name
        starrocks_client.pause(instance_id, task_name)
        assert starrocks_emulator.task(instance_id, task_name).stage == "Paused"

Nothing is started, and nothing beyond pytest is imported, until a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from taurusdb_starrocks import AsyncClient, Client

    from .emulator import Emulator

__all__ = [
    "starrocks_async_client",
    "starrocks_client",
    "starrocks_client_settings",
    "starrocks_emulator",
    "starrocks_emulator_server",
    "starrocks_emulator_settings",
]


@pytest.fixture(scope="session")
def starrocks_emulator_settings() -> dict[str, Any]:
    """Arguments of the test run's `Emulator`. Override it to have others."""
    return {}


@pytest.fixture(scope="session")
def starrocks_emulator_server(starrocks_emulator_settings: dict[str, Any]) -> Iterator[Emulator]:
    """One emulator for the whole session; what a test did to it is there for the next."""
    try:
        from . import Emulator  # noqa: PLC0415 - what no test needs is not imported
    except ModuleNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    with Emulator(**starrocks_emulator_settings) as emulator:
        yield emulator
    emulator.close()


@pytest.fixture
def starrocks_emulator(starrocks_emulator_server: Emulator) -> Emulator:
    """The emulator as it was seeded, for one test: no journal, no jobs, no faults.

    Faults that stand in the settings of the session are gone as well; add them in the test.
    """
    starrocks_emulator_server.reset()
    return starrocks_emulator_server


@pytest.fixture
def starrocks_client_settings() -> dict[str, Any]:
    """Further arguments of the clients: `{"timeout": 0.5}` for tests of what hangs. Override it."""
    return {}


@pytest.fixture
def starrocks_client(
    starrocks_emulator: Emulator, starrocks_client_settings: dict[str, Any]
) -> Iterator[Client]:
    """A `Client` that talks to the emulator with the token for all projects, and polls often."""
    from taurusdb_starrocks import Client  # noqa: PLC0415 - as above

    with Client(**{**_settings(starrocks_emulator), **starrocks_client_settings}) as client:
        yield client


@pytest.fixture
def starrocks_async_client(
    starrocks_emulator: Emulator, starrocks_client_settings: dict[str, Any]
) -> AsyncClient:
    """An `AsyncClient` that talks to the emulator; enter it on the event loop of the test.

    It has no connection before its first call, and only the loop that made a connection can close
    it: `async with starrocks_async_client as client:`.
    """
    from taurusdb_starrocks import AsyncClient  # noqa: PLC0415 - as above

    return AsyncClient(**{**_settings(starrocks_emulator), **starrocks_client_settings})


def _settings(emulator: Emulator) -> dict[str, Any]:
    """What leads a client to the emulator, which needs no long waits."""
    from taurusdb_starrocks import Poll, TokenAuth  # noqa: PLC0415 - as above

    return {
        "endpoint": emulator.url,
        "project_id": emulator.project_id,
        "auth": TokenAuth(emulator.token),
        "poll": Poll(first=0, interval=0.05),
        "wait_timeout": 30,
    }
