"""Windows of each kind, and a task in between that says what it sees, and does what it is told."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from airflow.sdk import DAG, Variable, get_current_context, task, task_group
from taurusdb_starrocks.airflow import StarRocksReplicationHook, paused, records, sweep_dag
from taurusdb_starrocks.airflow.sweep import find, resume

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
BOTH = ["orders_sync", "billing_sync"]
SOME_PAUSED = ["orders_sync", "archive_sync"]
QUICK: dict[str, Any] = {"poll_interval": 0.1, "settle": 0.6, "timeout": 1.5, "retries": 0}


PREFIX = "taurusdb_starrocks.window:"


def sweep_open_window(*, half_done: bool) -> list[str | None]:
    """Sweep while the window is open, maybe after a sweep that was killed; say what was done."""
    (key,) = Variable.keys(prefix=PREFIX)
    if half_done:
        record = records.read(key)
        assert record
        attrs.evolve(record, closing=True).write()
    return [*find(timedelta(minutes=2)), resume(key, poll_interval=0.1, settle=0.5)]


def sweep_all() -> list[str | None]:
    """Do what a sweep does now, and say what was done."""
    return [resume(key, poll_interval=0.1, settle=0.5) for key in find(timedelta(minutes=2))]


def overtake(*, forget: bool) -> None:
    """Do what becomes of a window that was swept, and then another one has one of its tasks."""
    (key,) = Variable.keys(prefix=PREFIX)
    record = records.read(key)
    assert record
    if forget:
        record.delete()
    else:
        attrs.evolve(record, resumed=records.now()).write()
    attrs.evolve(record, dag_id="other", task_names=BOTH[:1], resumes=BOTH[:1]).write()


@task
def work() -> list[str | None]:
    """Say in which stage the tasks are; then fail, or sweep, or take the window its record."""
    with StarRocksReplicationHook().get_conn() as client:
        seen: list[str | None] = [client.task(INSTANCE, name).stage.value for name in BOTH]
    conf = get_current_context()["dag_run"].conf or {}
    if conf.get("fail"):
        raise RuntimeError("the work failed")
    if conf.get("forget"):
        for key in Variable.keys(prefix=PREFIX):
            Variable.delete(key)
    if conf.get("disconnect"):
        os.environ["AIRFLOW_CONN_TAURUSDB_STARROCKS_DEFAULT"] = '{"conn_type": "x"}'
    if conf.get("sweep"):
        return sweep_open_window(half_done=conf["sweep"] == "half done")
    if conf.get("overtaken"):
        overtake(forget=conf["overtaken"] == "without a record")
    if conf.get("too_early"):
        (key,) = Variable.keys(prefix=PREFIX)
        record = records.read(key)
        assert record
        attrs.evolve(record, paused=False).write()
    if conf.get("sweep_others"):
        seen += sweep_all()
    if conf.get("overrun"):
        time.sleep(2.1)
        sweep_all()
    return seen


def window_dag(dag_id: str, **window: Any) -> DAG:
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        arguments = {"task_name": BOTH, "lease": timedelta(hours=1), **QUICK, **window}
        with paused(instance_id=INSTANCE, **arguments):
            work()
    return dag


window = window_dag("window")
window_of_one = window_dag("window_of_one", task_name="orders_sync")
window_of_one_deferred = window_dag(
    "window_of_one_deferred", task_name="orders_sync", deferrable=True
)
window_deferred = window_dag("window_deferred", deferrable=True)
window_short = window_dag("window_short", lease=timedelta(seconds=2))
window_kept = window_dag("window_kept", task_name=SOME_PAUSED)
window_of_paused = window_dag("window_of_paused", task_name="archive_sync", deferrable=True)
window_resumed = window_dag(
    "window_resumed", task_name=SOME_PAUSED, already_paused="resume", deferrable=True
)
window_refused = window_dag("window_refused", task_name=SOME_PAUSED, already_paused="error")
window_retried = window_dag("window_retried", retries=1, retry_delay=timedelta(0))
window_silent = window_dag("window_silent", do_xcom_push=False)


@task(trigger_rule="all_done")
def sweep_now() -> list[str | None]:
    return sweep_all()


with DAG("window_timed_out", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    arguments = {**QUICK, "timeout": 60, "execution_timeout": timedelta(seconds=1.5)}
    with paused(
        instance_id=INSTANCE, task_name="orders_sync", lease=timedelta(hours=1), **arguments
    ) as timed_out:
        work()
    timed_out >> sweep_now()

sweep = sweep_dag("quick_sweep", poll_interval=0.1, settle=0.5)


@task
def numbers() -> list[int]:
    return [1, 2]


@task
def see(_number: object) -> str:
    """Say in which stage the task is."""
    with StarRocksReplicationHook().get_conn() as client:
        return client.task(INSTANCE, "orders_sync").stage.value


@task_group
def see_in_group(number: object) -> None:
    see.override(task_id="see")(number)


with DAG("window_of_many", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as many:
    outside = numbers()
    with paused(
        instance_id=INSTANCE, task_name="orders_sync", lease=timedelta(hours=1), **QUICK
    ) as replication_paused:
        see.override(task_id="first_with_input")(outside)
        see.override(task_id="second_with_input")(outside)
        see.override(task_id="mapped").expand(_number=[1, 2])
        see.override(task_id="mapped_over_input").expand(_number=outside)
        see_in_group.expand(number=[1, 2])
    replication_paused >> see.override(task_id="after")(outside)

with DAG(
    "window_of_any_rule",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"trigger_rule": "all_done"},
):
    with paused(instance_id=INSTANCE, task_name=BOTH, lease=timedelta(hours=1), **QUICK):
        work.override(trigger_rule="all_success")()
