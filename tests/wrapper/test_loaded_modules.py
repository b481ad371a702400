"""What importing the package and building a client load: every program pays for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORT = "import taurusdb_starrocks as package"
NAME = f"{IMPORT}; package.Client"
BUILD = (
    f"{IMPORT}; client = package.Client(region='ap-southeast-3', project_id='0' * 32, "
    "auth=package.TokenAuth('token'), environ={})"
)
DURABLE = "import taurusdb_starrocks.durable"
CALL = f"""{IMPORT}, httpx
transport = httpx.MockTransport(lambda request: httpx.Response(200, json={{"job_id": "job"}}))
with package.Client(endpoint="http://127.0.0.1", project_id="0" * 32, environ={{}},
                    auth=package.TokenAuth("token"), transport=transport) as client:
    client.pause("9ac58f9b88744f8a87893d22f6ef9a28in17", "orders_sync")"""


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        (IMPORT, {"attr", "inspect", "taurusdb_starrocks._errors"}),
        (NAME, {"anyio", "asyncio", "h11", "httpcore", "httpx", "taurusdb_starrocks_api"}),
        (BUILD, {"anyio", "asyncio", "httpcore"}),
        (CALL, {"anyio", "asyncio", "httpcore", "sqlite3", "taurusdb_starrocks.durable"}),
        (DURABLE, {"asyncio", "httpx"}),
    ],
    ids=["import", "name", "build", "call", "durable"],
)
def test_loaded_modules(program: str, unwanted: set[str]) -> None:
    """Programs load what they use, not what another kind of client needs."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert "taurusdb_starrocks" in loaded
    assert not loaded & unwanted
