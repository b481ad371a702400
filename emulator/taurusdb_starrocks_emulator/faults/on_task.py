"""Faults that change what happens to the task, independent of the response."""

from __future__ import annotations

from dataclasses import replace

from taurusdb_starrocks_emulator.records import Change

from .fault import Fault
from .kinds import OnTask


@OnTask.declare(
    "late-pause",
    "a pause that takes effect some seconds later and that no resume prevents: until then, a "
    "resume is `refused` (400 `DBS.200086`) or `ignored` (200 and a job without effect)",
    {"seconds": 1.5, "meanwhile": "refused"},
    operations=("pause",),
)
def late_pause(fault: Fault, change: Change) -> Change:
    """The same change, but later and irrevocable."""
    return replace(change, delay=fault.seconds or 0, meanwhile=fault.meanwhile or "refused")


@OnTask.declare("no-effect", "200 and a job without effect")
def no_effect(_fault: Fault, change: Change) -> Change:
    """No change."""
    return replace(change, target=None)
