"""The guide's DAG and its sweep, as the page has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG
from taurusdb_starrocks_emulator import Emulator

from tests.airflow.guide import install
from tests.airflow.runs import load, run


@pytest.fixture(scope="module")
def guide(dag_folder: Path) -> dict[str, DAG]:
    return {
        dag_id: dag
        for name in install(dag_folder)
        for dag_id, dag in load(dag_folder / name).items()
    }


def test_the_guides_dag(guide: dict[str, DAG], emulator: Emulator) -> None:
    """Each instance of its file has a window of its own, and all run in the end."""
    ran = run(guide["maintenance"])
    assert ran.state == "success"
    assert ran.returned["one_instance.pause_replication", 0]["resumes"] == [
        "orders_sync",
        "billing_sync",
    ]
    assert ran.returned["one_instance.pause_replication", 1]["resumes"] == ["stock_sync"]
    changes = [call.operation for call in emulator.journal() if call.operation != "list"]
    assert (changes.count("pause"), changes.count("resume")) == (3, 3)
    assert [task.name for task in emulator.tasks() if task.stage == "Paused"] == ["archive_sync"]


def test_the_guides_sweep(guide: dict[str, DAG]) -> None:
    """It is on as soon as its file is there, and runs."""
    assert guide["taurusdb_starrocks_sweep"].is_paused_upon_creation is False
    assert run(guide["taurusdb_starrocks_sweep"]).state == "success"
