"""What every test may ask for."""

from __future__ import annotations

import pytest
from clients import OpenClient, open_async, open_sync


@pytest.fixture(params=[open_sync, open_async], ids=["sync", "async"])
def open_client(request: pytest.FixtureRequest) -> OpenClient:
    """Opens a client of one kind and then of the other: ``with open_client(…) as client``."""
    opener: OpenClient = request.param
    return opener
