"""Pause and resume synchronization tasks from Apache Airflow.

It needs the extra ``airflow``. ``paused`` creates the setup and the teardown of a window. The DAG
of ``sweep_dag`` resumes the tasks that a window could not resume. The operators, the sensor, and
the hook are for everything else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taurusdb_starrocks.airflow.hook import StarRocksReplicationHook
    from taurusdb_starrocks.airflow.operators import (
        PauseReplicationOperator,
        ResumeReplicationOperator,
    )
    from taurusdb_starrocks.airflow.sensor import ReplicationStageSensor
    from taurusdb_starrocks.airflow.sweep import sweep_dag
    from taurusdb_starrocks.airflow.targets import read_targets
    from taurusdb_starrocks.airflow.trigger import ReplicationTrigger
    from taurusdb_starrocks.airflow.windows import paused

__all__ = [
    "PauseReplicationOperator",
    "ReplicationStageSensor",
    "ReplicationTrigger",
    "ResumeReplicationOperator",
    "StarRocksReplicationHook",
    "paused",
    "read_targets",
    "sweep_dag",
]

# Imported at first use: Airflow reads the provider's description before Airflow itself is set up,
# and importing one module of this package must not import another.
_LATER = {
    "PauseReplicationOperator": "operators",
    "ReplicationStageSensor": "sensor",
    "ReplicationTrigger": "trigger",
    "ResumeReplicationOperator": "operators",
    "StarRocksReplicationHook": "hook",
    "paused": "windows",
    "read_targets": "targets",
    "sweep_dag": "sweep",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
