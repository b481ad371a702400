"""A DAG for each operator, and for the sensor, in each way they can be used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, XComArg, task
from taurusdb_starrocks.airflow import (
    PauseReplicationOperator,
    ReplicationStageSensor,
    ResumeReplicationOperator,
)

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
BOTH = ["orders_sync", "billing_sync"]
QUICK: dict[str, Any] = {"poll_interval": 0.1, "settle": 1.0, "timeout": 20.0}


def new(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))


with new("one_task") as one_task:
    # As a template, which is rendered when the task runs.
    pause = PauseReplicationOperator(
        task_id="pause", instance_id=INSTANCE, task_name="{{ dag_run.conf['name'] }}", **QUICK
    )
    resume = ResumeReplicationOperator(
        task_id="resume", instance_id=INSTANCE, task_name="orders_sync", **QUICK
    )

    @task
    def told(job_id: Any, request_id: Any) -> list[Any]:
        return [job_id, request_id]

    pause >> told(XComArg(pause, "job_id"), XComArg(pause, "request_id")) >> resume

with new("several_deferred") as several_deferred:
    (
        PauseReplicationOperator(
            task_id="pause", instance_id=INSTANCE, task_name=BOTH, deferrable=True, **QUICK
        )
        >> ReplicationStageSensor(
            task_id="sense",
            instance_id=INSTANCE,
            task_name=BOTH,
            deferrable=True,
            poke_interval=0.1,
            timeout=10.0,
        )
        >> ResumeReplicationOperator(
            task_id="resume", instance_id=INSTANCE, task_name=BOTH, deferrable=True, **QUICK
        )
        >> ReplicationStageSensor(
            task_id="sense_running",
            instance_id=INSTANCE,
            task_name=BOTH[0],
            stage="running",
            deferrable=True,
            poke_interval=0.1,
        )
    )

with new("only_requested") as only_requested:
    (
        PauseReplicationOperator(
            task_id="pause", instance_id=INSTANCE, task_name=BOTH, wait=False, **QUICK
        )
        >> ReplicationStageSensor(
            task_id="sense", instance_id=INSTANCE, task_name=BOTH, poke_interval=0.1, timeout=10.0
        )
        >> ResumeReplicationOperator(
            task_id="resume", instance_id=INSTANCE, task_name="orders_sync", wait=False, **QUICK
        )
        >> ReplicationStageSensor(
            task_id="sense_running",
            instance_id=INSTANCE,
            task_name="orders_sync",
            stage="running",
            poke_interval=0.1,
            timeout=10.0,
        )
    )
