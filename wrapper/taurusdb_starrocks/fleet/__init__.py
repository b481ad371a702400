"""Pausing and resuming the tasks of hundreds of instances as safely as one."""

from taurusdb_starrocks.fleet._run import Event
from taurusdb_starrocks.fleet._targets import Outcome, Target
from taurusdb_starrocks.fleet._verbs import (
    Options,
    Result,
    Row,
    apause,
    aresume,
    connect,
    pause,
    report,
    resume,
)
from taurusdb_starrocks.fleet._window import (
    AsyncFleetWindow,
    FleetError,
    FleetWindow,
    awindow,
    window,
)

__all__ = [
    "AsyncFleetWindow",
    "Event",
    "FleetError",
    "FleetWindow",
    "Options",
    "Outcome",
    "Result",
    "Row",
    "Target",
    "apause",
    "aresume",
    "awindow",
    "connect",
    "pause",
    "report",
    "resume",
    "window",
]
