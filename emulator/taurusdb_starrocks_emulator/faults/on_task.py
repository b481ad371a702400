"""Faults of what becomes of the task, whatever the response says."""

from __future__ import annotations

from dataclasses import replace

from taurusdb_starrocks_emulator.records import Change

from .fault import Fault
from .kinds import OnTask


@OnTask.declare(
    "late-pause",
    "a pause that is carried out some seconds later, which no resume overrides: meanwhile it is "
    "`refused` (400 `DBS.200086`) or `ignored` (200 and a job without effect)",
    {"seconds": 1.5, "meanwhile": "refused"},
    operations=("pause",),
)
def late_pause(fault: Fault, change: Change) -> Change:
    """The same change, later, and firmly."""
    return replace(change, delay=fault.seconds or 0, meanwhile=fault.meanwhile or "refused")


@OnTask.declare("no-effect", "200 and a job that does nothing")
def no_effect(_fault: Fault, change: Change) -> Change:
    """No change."""
    return replace(change, target=None)
