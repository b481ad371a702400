"""The ways in which a window is interrupted, as a person or a machine does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_cluster import Cluster
from taurusdb_starrocks_emulator import Emulator


@dataclass
class Interruption:
    """One of them, and what came of it.

    Attributes:
        dag_id: The DAG whose window is interrupted.
        what: What happens to it.
        interrupt: Does it.
        run_id: The run that is interrupted.
        seconds: From the interruption until the task ran.
        resumed_by: Who resumed it.
        run_state: How the run ended.
    """

    dag_id: str
    number: int
    what: str
    interrupt: Callable[[Cluster, Interruption], object] | None = None
    run_id: str = ""
    at: float = 0.0
    seconds: float = 0.0
    resumed_by: list[str] = field(default_factory=list)
    run_state: str = ""

    @property
    def instance_id(self) -> str:
        return f"{self.number:032d}in17"

    def stage(self, emulator: Emulator) -> str:
        return emulator.task(self.instance_id, "orders_sync").stage


def _task(cluster: Cluster, one: Interruption) -> str:
    return f"/dags/{one.dag_id}/dagRuns/{one.run_id}/taskInstances/work"


def clear(cluster: Cluster, one: Interruption) -> None:
    wanted = {
        "dry_run": False,
        "dag_run_id": one.run_id,
        "task_ids": ["work"],
        "only_failed": False,
    }
    cluster.call("POST", f"/dags/{one.dag_id}/clearTaskInstances", json=wanted)


def mark_task_failed(cluster: Cluster, one: Interruption) -> None:
    cluster.call("PATCH", _task(cluster, one), json={"new_state": "failed"})


def mark_run_failed(cluster: Cluster, one: Interruption) -> None:
    cluster.call("PATCH", f"/dags/{one.dag_id}/dagRuns/{one.run_id}", json={"state": "failed"})


def turn_dag_off(cluster: Cluster, one: Interruption) -> None:
    """No further task is scheduled then, and no teardown either."""
    cluster.turn(one.dag_id, on=False)
    mark_task_failed(cluster, one)


def interruptions() -> list[Interruption]:
    """All of them; the worker is killed by the test itself, and leases end by themselves."""
    return [
        Interruption("task_fails", 1001, "a task in the window fails"),
        Interruption("task_is_cleared", 1002, "a task in the window is cleared", clear),
        Interruption("task_is_marked_failed", 1003, "a task is marked failed", mark_task_failed),
        Interruption("run_is_marked_failed", 1004, "the run is marked failed", mark_run_failed),
        Interruption("worker_is_killed", 1005, "the worker is killed (kill -9)"),
        Interruption(
            "run_is_marked_failed_while_pausing",
            1006,
            "the run is marked failed during the setup",
            mark_run_failed,
        ),
        Interruption("dag_is_turned_off", 1007, "the DAG is turned off (paused)", turn_dag_off),
        Interruption("lease_ends", 1008, "the lease ends before the work is done"),
        Interruption(
            "deferred_run_is_marked_failed",
            1009,
            "the run is marked failed, operators deferred",
            mark_run_failed,
        ),
    ]


def working(folder: Path, one: Interruption) -> int | None:
    """The process in which its work runs, once it does."""
    path = folder / f"{one.dag_id}.pid"
    return int(path.read_text(encoding="utf-8") or 0) or None if path.exists() else None


def who_resumed(cluster: Cluster, one: Interruption, swept: list[str]) -> list[str]:
    """By the states of the tasks, and by what the sweeps say that they did."""
    found = []
    if one.run_state != "deleted":
        states = cluster.states(one.dag_id, one.run_id)
        if states.get("resume_replication") == "success":
            found.append("teardown")
    found += [
        f"sweep ({said.rpartition(': ')[2]})"
        for said in swept
        if one.run_id in said and one.dag_id in said
    ]
    return found


def said_by_sweeps(cluster: Cluster) -> list[str]:
    """What each sweep returned that has resumed something."""
    said: list[Any] = [
        cluster.returned(one)
        for one in cluster.task_instances("taurusdb_starrocks_sweep")
        if one["task_id"] == "resume_window" and one["state"] == "success"
    ]
    return [str(text) for text in said if text]
