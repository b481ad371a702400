"""Pause and resume synchronization tasks from Apache Airflow.

Needs the extra ``airflow``. ``paused`` makes the first and the last task of a window, and the DAG
that ``sweep_dag`` makes resumes what a window could not. The operators, the sensor and the hook are
for everything else.
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

# Imported when they are first used: Airflow reads the provider's description before it is set up
# itself, and importing one module of this package must not need another.
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
