"""The small form of ``make soak-fleet``: 300 tasks, and six kills for pausing and for resuming."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fleet.soak import BATTERY, SETTLE, Fleet


def test_killed_fleets_end_well(tmp_path: Path) -> None:
    """Every task is where it should be, and the journal agrees with the emulator on every row."""
    draws = random.Random(1)
    fleet = Fleet(tmp_path, 10, 30, BATTERY)
    with fleet.emulator:
        for verb in ("pause", "resume"):
            came_to = fleet.kill_often(verb, 6, 2.5, draws)
            assert came_to.wrong == []
            assert came_to.kills == 6
            assert came_to.after_accepted == 0
            assert came_to.soonest >= SETTLE
