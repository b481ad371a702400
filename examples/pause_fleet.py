"""Pause or resume the tasks in a CSV file. If it is killed, run it again to continue."""

import sys

from taurusdb_starrocks import fleet
from taurusdb_starrocks.durable import Journal

_, verb, targets, journal = sys.argv  # pause targets.csv state/journal.db
with Journal(journal) as record:
    if verb == "pause":
        result = fleet.pause(targets, journal=record, lease=6 * 3600, max_errors="2%")
    else:
        result = fleet.resume(targets, journal=record)
sys.stdout.write(f"{result.counts} {result.stopped} left: {result.write_left('left.csv')}\n")
if not result.complete:
    sys.exit(1 if verb == "pause" else 122)  # 122: tasks may still be paused.
