"""The provider for Airflow: Airflow finds it, and its sweep is a DAG."""

from __future__ import annotations

import os
import tempfile

with tempfile.TemporaryDirectory() as home:
    os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}

    from airflow.providers_manager import ProvidersManager
    from airflow.sdk import DAG
    from taurusdb_starrocks import airflow

    manager = ProvidersManager()
    assert "taurusdb-starrocks" in manager.providers
    hook = manager.hooks["taurusdb_starrocks"]
    assert hook, "the connection type has no hook"
    assert all(getattr(airflow, name) for name in airflow.__all__)
    dag = airflow.sweep_dag()
    assert isinstance(dag, DAG)
    assert dag.task_ids == ["find_windows", "resume_window"], dag.task_ids
