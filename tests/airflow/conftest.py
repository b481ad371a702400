"""A real Airflow with a database of its own, and an emulator with a connection to it.

Airflow reads where its home is when it is imported, so it is set here, before anything else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOME = tempfile.TemporaryDirectory(prefix="airflow-")
os.environ |= {
    "AIRFLOW_HOME": HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": f"{HOME.name}/dags",
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
}

from airflow.sdk import DAG  # noqa: E402  # As said above.
from taurusdb_starrocks_emulator import Emulator  # noqa: E402

from tests.airflow.held import forget_all  # noqa: E402  # It imports Airflow.
from tests.airflow.runs import load  # noqa: E402  # It imports Airflow.

CONNECTION = "taurusdb_starrocks_default"


def pytest_configure(config: pytest.Config) -> None:
    """What Airflow warns of inside of itself is not ours to mend; what our code does still is."""
    for line in ("default", "error:::taurusdb_starrocks"):
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="session", autouse=True)
def _database() -> Iterator[None]:
    shutil.copytree(Path(__file__).with_name("dags"), Path(HOME.name, "dags"))
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True
    )
    yield
    HOME.cleanup()


@pytest.fixture(autouse=True)
def _no_windows(_database: None) -> Iterator[None]:
    yield
    forget_all()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def connection(emulator: Emulator, **extra: Any) -> dict[str, Any]:
    """A connection to an emulator, with its token, as Airflow reads it from the environment."""
    settings = {
        "auth": "token",
        "endpoint": emulator.url,
        "project_id": emulator.project_id,
        **extra,
    }
    return {"conn_type": "taurusdb_starrocks", "password": emulator.token, "extra": settings}


@pytest.fixture(autouse=True)
def connected(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the connection anew, with other fields."""

    def connect(*, extra: dict[str, Any] | None = None, **fields: Any) -> None:
        text = json.dumps({**connection(emulator, **(extra or {})), **fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", text)

    connect()
    return connect


@pytest.fixture(scope="session")
def dag_folder(_database: None) -> Path:
    return Path(HOME.name, "dags")


@pytest.fixture(scope="session")
def dags(dag_folder: Path) -> dict[str, DAG]:
    """The DAGs of the DAG folder, by ID."""
    return load(dag_folder)
