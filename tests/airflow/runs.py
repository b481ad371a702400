"""Runs DAGs in this process, as ``dag.test()`` does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG


@dataclass
class Ran:
    """How a run ended: its state, the state of each task, and what each returned."""

    state: str
    states: dict[Any, str]
    returned: dict[Any, Any]


def load(folder: Path) -> dict[str, DAG]:
    """The DAGs of a folder, by ID, as Airflow finds them."""
    bag = DagBag(folder, bundle_path=folder, bundle_name="dags-folder")
    assert bag.import_errors == {}
    return bag.dags


def run(dag: DAG, *, at: datetime | None = None, **conf: Any) -> Ran:
    """Run a DAG to its end; its run ID has the time that it is given."""
    done = dag.test(run_conf=conf or None, run_after=at)
    states, returned = {}, {}
    for ti in done.get_task_instances():
        key = ti.task_id if ti.map_index < 0 else (ti.task_id, ti.map_index)
        states[key] = str(ti.state)
        returned[key] = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
    return Ran(str(done.state), states, returned)


def when(condition: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Do something once something is so, beside the run."""

    def wait() -> None:
        for _ in range(500):
            if condition():
                act()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
