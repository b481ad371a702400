"""Other people's programs, started once for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from keystone_peer import Keystone, keystone_servers
from official_peer import Official, official_client


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    with official_client(tmp_path_factory.mktemp("official")) as client:
        yield client


@pytest.fixture(scope="session")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    with keystone_servers(tmp_path_factory.mktemp("keystone")) as servers:
        yield servers
