"""A DAG for each way in which an operator or the sensor is retried or fails."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, task
from taurusdb_starrocks.airflow import (
    PauseReplicationOperator,
    ReplicationStageSensor,
    ResumeReplicationOperator,
    StarRocksReplicationHook,
)

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
TASK: dict[str, Any] = {"instance_id": INSTANCE, "task_name": "orders_sync"}
QUICK: dict[str, Any] = {"poll_interval": 0.1, "settle": 0.5, "timeout": 2.0, **TASK}
TWICE: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0)}


def new(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))


with new("pause_twice") as pause_twice:
    PauseReplicationOperator(task_id="pause", **QUICK, **TWICE)
with new("pause_twice_deferred") as pause_twice_deferred:
    PauseReplicationOperator(task_id="pause", deferrable=True, **QUICK, **TWICE)
with new("request_twice") as request_twice:
    PauseReplicationOperator(task_id="pause", wait=False, **QUICK, **TWICE)
with new("resume_twice") as resume_twice:
    ResumeReplicationOperator(task_id="resume", wait=False, do_xcom_push=False, **QUICK, **TWICE)

SENSE: dict[str, Any] = {"task_id": "sense", "poke_interval": 0.1, "timeout": 2.0, **TASK, **TWICE}
with new("sense") as sense:
    ReplicationStageSensor(**SENSE)
with new("sense_deferred") as sense_deferred:
    ReplicationStageSensor(deferrable=True, **SENSE)

with new("careless") as careless:

    @task
    def tell() -> None:
        connection = StarRocksReplicationHook.get_connection("taurusdb_starrocks_default")
        logging.getLogger("airflow.task").info("the password is %s", connection.password)

    tell()
