"""A client of each kind on a service whose every response can be scripted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from scripted_service import POLL, Service
from taurusdb_starrocks import RetryPolicy, TokenAuth


@pytest.fixture
def service() -> Service:
    return Service(orders_sync="Incremental", billing_sync="Full", archive_sync="Paused")


@pytest.fixture
def client(open_client: Any, service: Service) -> Iterator[Any]:
    """It polls every millisecond and settles within a third of a second."""
    with open_client(
        endpoint="http://127.0.0.1:1",
        project_id="0" * 32,
        auth=TokenAuth("token"),
        transport=httpx.MockTransport(service),
        retry=RetryPolicy(first_delay=0.0, longest_delay=0.0, budget=1e9),
        poll=POLL,
        settle=0.3,
        wait_timeout=10.0,
    ) as opened:
        yield opened
