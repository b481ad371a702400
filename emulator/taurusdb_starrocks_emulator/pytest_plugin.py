"""Fixtures for tests against the emulator. pytest loads them automatically.

    def test_pausing(starrocks_emulator, starrocks_client):
        instance_id, task_name = starrocks_emulator.instance_id, starrocks_emulator.task_name
        starrocks_client.pause(instance_id, task_name)
        assert starrocks_emulator.task(instance_id, task_name).stage == "Paused"

Nothing is started, and nothing besides pytest is imported, until a test uses a fixture.
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
    """Arguments for the `Emulator` of the test run. Override it in the top-level `conftest.py`."""
    return {}


@pytest.fixture(scope="session")
def _starrocks_settings_at_start(starrocks_emulator_settings: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the emulator was started with, also where a module overrides them."""
    return starrocks_emulator_settings


@pytest.fixture(scope="session")
def starrocks_emulator_server(_starrocks_settings_at_start: dict[str, Any]) -> Iterator[Emulator]:
    """One emulator for the whole test run. Its state is kept between tests."""
    try:
        from . import Emulator  # noqa: PLC0415 - imported only if a test needs it
    except ModuleNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    with Emulator(**_starrocks_settings_at_start) as emulator:
        yield emulator
    emulator.close()


@pytest.fixture
def starrocks_emulator(
    starrocks_emulator_server: Emulator,
    _starrocks_settings_at_start: dict[str, Any],
    starrocks_emulator_settings: dict[str, Any],
) -> Emulator:
    """The emulator, reset to the seed for each test: no recorded calls, no jobs, no faults.

    Faults from `starrocks_emulator_settings` are also removed. Add them in the test. The test fails
    if its module has other settings than the emulator of the test run.
    """
    if starrocks_emulator_settings != _starrocks_settings_at_start:
        pytest.fail(
            "The emulator of this test run was started with the settings "
            f"{_starrocks_settings_at_start!r}, but here starrocks_emulator_settings is "
            f"{starrocks_emulator_settings!r}. Override it only in the top-level conftest.py. For "
            "a test with other settings, use `with Emulator(...)`.",
            pytrace=False,
        )
    starrocks_emulator_server.reset()
    return starrocks_emulator_server


@pytest.fixture
def starrocks_client_settings() -> dict[str, Any]:
    """More arguments for the clients, such as `{"timeout": 0.5}`. Override it to set them."""
    return {}


@pytest.fixture
def starrocks_client(
    starrocks_emulator: Emulator, starrocks_client_settings: dict[str, Any]
) -> Iterator[Client]:
    """A `Client` for the emulator, with the token for all projects. It polls often."""
    from taurusdb_starrocks import Client  # noqa: PLC0415 - as above

    with Client(**{**_settings(starrocks_emulator), **starrocks_client_settings}) as client:
        yield client


@pytest.fixture
def starrocks_async_client(
    starrocks_emulator: Emulator, starrocks_client_settings: dict[str, Any]
) -> AsyncClient:
    """An `AsyncClient` for the emulator. Enter it in the event loop of the test.

    `async with starrocks_async_client as client:`. It connects on the first call, and only the loop
    that opened a connection can close it.
    """
    from taurusdb_starrocks import AsyncClient  # noqa: PLC0415 - as above

    return AsyncClient(**{**_settings(starrocks_emulator), **starrocks_client_settings})


def _settings(emulator: Emulator) -> dict[str, Any]:
    """Arguments for a client of the emulator, with short waits."""
    from taurusdb_starrocks import Poll, TokenAuth  # noqa: PLC0415 - as above

    return {
        "endpoint": emulator.url,
        "project_id": emulator.project_id,
        "auth": TokenAuth(emulator.token),
        "poll": Poll(first=0, interval=0.05),
        "wait_timeout": 30,
    }
