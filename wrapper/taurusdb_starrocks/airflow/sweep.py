"""The sweep: a DAG that resumes the tasks that windows left paused."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import attrs
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowException

from taurusdb_starrocks import ReplicationError
from taurusdb_starrocks.airflow import records
from taurusdb_starrocks.airflow.hook import StarRocksReplicationHook
from taurusdb_starrocks.airflow.records import Record
from taurusdb_starrocks.airflow.waits import Wait

log = logging.getLogger("airflow.task.taurusdb_starrocks")

Reason = Literal[
    "its run has ended",
    "its teardown has failed",
    "an earlier sweep has begun",
    "its lease has ended",
]
# States of a teardown that will not run anymore, unless its window is cleared.
_FAILED = ["failed", "upstream_failed", "skipped", "removed"]
# Airflow maps at most 1024 by default ([core] max_map_length). The next sweep does the rest.
_MOST = 1000
# Seconds to wait for a task to run. After that, the next sweep tries again.
_PATIENCE = 300.0


def sweep_dag(
    dag_id: str = "taurusdb_starrocks_sweep",
    *,
    every: timedelta = timedelta(minutes=2),
    poll_interval: float = 10.0,
    settle: float = 60.0,
    **operator: Any,
) -> DAG:
    """A DAG that resumes the tasks of windows that are over, but were not closed.

    A window is over if its run or its lease has ended, or if its teardown has failed.

    Unlike other new DAGs, it is active (unpaused) as soon as it is created. Install it with a file
    in the DAG folder::

        from taurusdb_starrocks.airflow import sweep_dag

        dag = sweep_dag()

    Args:
        dag_id: ID of the DAG.
        every: Interval of the sweep. A window logs a warning if no sweep has run for three
            intervals.
        poll_interval: Seconds between two polls while it waits for a task to run.
        settle: Maximum delay, in seconds, after which a pause that a window requested but never
            confirmed can still take effect.
        **operator: Standard operator arguments: ``queue``, ``pool``, …. Use a separate queue if
            long tasks may occupy all workers.
    """
    options: dict[str, Any] = {
        "retries": 0,  # The next sweep tries again, with what it finds then.
        # Before all other tasks that wait for a worker.
        "priority_weight": 10_000,
        "weight_rule": "absolute",
        **operator,
    }
    with DAG(
        dag_id,
        description="Resumes replication that windows have left paused",
        schedule=every,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        # A run whose worker died lasts until Airflow notices, after five minutes by default.
        max_active_runs=4,
        dagrun_timeout=timedelta(minutes=30),
        is_paused_upon_creation=False,
        tags=["taurusdb-starrocks"],
    ) as dag:

        @task(**options)  # type: ignore[untyped-decorator]  # Airflow types it so with options only.
        def find_windows() -> list[str]:
            return find(every)

        @task(**options, map_index_template="{{ task.op_kwargs['key'] }}")
        def resume_window(key: str) -> str | None:
            return resume(key, poll_interval=poll_interval, settle=settle)

        resume_window.expand(key=find_windows())
    return dag


def find(every: timedelta) -> list[str]:
    """The keys of the windows to resume."""
    found = []
    for key in records.open_windows():
        try:
            record = records.read(key)
        except ValueError:  # Its own task reports it.
            found.append(key)
        else:
            if record is not None and reason_to_resume(record):
                found.append(key)
    records.note_sweep(every)
    if len(found) > _MOST:
        log.warning("windows left to the next sweep: %d", len(found) - _MOST)
    return found[:_MOST]


def reason_to_resume(record: Record) -> Reason | None:
    """Why a window must be resumed; None if it must not."""
    if not _lives(record):
        return "its run has ended"
    if _teardown_has_failed(record):
        return "its teardown has failed"
    if record.closing:
        return "an earlier sweep has begun"
    if record.resumed is None and records.now() >= record.until:
        return "its lease has ended"
    return None


def _lives(record: Record) -> bool:
    """Whether the run of a window exists and has not ended."""
    count: int = get_current_context()["ti"].get_dr_count(
        dag_id=record.dag_id, run_ids=[record.run_id], states=["queued", "running"]
    )
    return count > 0


def _teardown_has_failed(record: Record) -> bool:
    """Whether the teardown of a window has failed for good, or because its setup failed."""
    count: int = get_current_context()["ti"].get_ti_count(
        dag_id=record.dag_id,
        run_ids=[record.run_id],
        task_ids=[record.closed_by],
        map_index=record.map_index,
        states=_FAILED,
    )
    return count > 0


def resume(key: str, *, poll_interval: float, settle: float) -> str | None:
    """Resume the tasks of one window, wait until they are running, and return what was done.

    It is safe at any time. If it fails, the next sweep tries again.
    """
    record = records.read(key)
    reason = reason_to_resume(record) if record else None
    if record is None or reason is None:
        return None  # Closed, or opened again, since it was found.
    attrs.evolve(record, closing=True).write()
    kept = {}
    if record.resumed is not None:  # Another window may have opened since.
        kept = records.paused_by_others(key, record.instance_id)
    names = [name for name in record.resumes if name not in kept]
    if names:
        wait = Wait(
            instance_id=record.instance_id,
            task_names=names,
            goal="running",
            change=True,
            timeout=_PATIENCE,
            poll_interval=poll_interval,
            settle=settle,
            # Its pause may be in progress, or be sent by a worker that is cut off.
            twice=not record.paused,
        )
        try:
            with StarRocksReplicationHook(record.conn_id).get_conn() as client:
                wait.run(client)
        except ReplicationError as error:
            raise AirflowException(
                f"Not resumed yet: {record}. The next sweep tries again. {error}"
            ) from error
    left = records.read(key)
    if left is not None and left.opened != record.opened:
        raise AirflowException(
            f"{record} was opened again while it was being resumed. Check its tasks."
        )
    if reason in {"its run has ended", "its teardown has failed"}:
        record.delete()
    elif left is not None:  # Its teardown must report that the tasks were resumed before.
        attrs.evolve(record, closing=False, resumed=records.now()).write()
    said = f"resumed {', '.join(names) or 'nothing'} of {record}: {reason}"
    log.warning(said)
    return said
