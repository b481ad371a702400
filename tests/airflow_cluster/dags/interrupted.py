"""Windows to be interrupted, each over an instance of its own."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_current_context, task
from taurusdb_starrocks.airflow import StarRocksReplicationHook, paused

# What the test reads: the process in which the work of a DAG runs.
HERE = Path(__file__).parent


@task
def work(fail: bool) -> None:
    """Say which process it is, and run until somebody ends it; a second attempt ends by itself."""
    ti = get_current_context()["ti"]
    (HERE / f"{ti.dag_id}.pid").write_text(str(os.getpid()), encoding="utf-8")
    if fail:
        raise RuntimeError("the work failed")
    if ti.try_number == 1:
        time.sleep(1800)


@task
def careless() -> None:
    """Print what must be masked."""
    connection = StarRocksReplicationHook.get_connection("taurusdb_starrocks_default")
    print(f"the password is {connection.password}")  # noqa: T201  # A task's careless author.


def interrupted(dag_id: str, number: int, *, fail: bool = False, **window: Any) -> DAG:
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        arguments = {"lease": timedelta(hours=2), "poll_interval": 2, **window}
        with paused(instance_id=f"{number:032d}in17", task_name="orders_sync", **arguments):
            work(fail)
    return dag


task_fails = interrupted("task_fails", 1001, fail=True)
task_is_cleared = interrupted("task_is_cleared", 1002)
task_is_marked_failed = interrupted("task_is_marked_failed", 1003)
run_is_marked_failed = interrupted("run_is_marked_failed", 1004)
worker_is_killed = interrupted("worker_is_killed", 1005)
run_is_marked_failed_while_pausing = interrupted("run_is_marked_failed_while_pausing", 1006)
dag_is_turned_off = interrupted("dag_is_turned_off", 1007, lease=timedelta(seconds=90))
lease_ends = interrupted("lease_ends", 1008, lease=timedelta(seconds=90))
deferred_run_is_marked_failed = interrupted("deferred_run_is_marked_failed", 1009, deferrable=True)

with DAG("careless", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as careless_dag:
    careless()
