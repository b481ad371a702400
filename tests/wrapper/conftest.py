"""What the tests of the wrapper run on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from clients import Maker
from taurusdb_starrocks import AsyncClient, Client


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def make(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Iterator[Maker]:
    """Makes clients: every test that uses it runs once for each kind."""
    maker = Maker(request.param, runner)
    yield maker
    maker.close()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no credentials from where the tests happen to run."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("OS_", "HUAWEICLOUD_", "TAURUSDB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nonexistent")
