"""Faults of the list of tasks."""

from __future__ import annotations

import random

from taurusdb_starrocks_emulator.listing import Listing
from taurusdb_starrocks_emulator.records import Row

from .fault import Fault
from .kinds import OnList


@OnList.declare("vanishes", "a list without the task", {"task": None})
def vanishes(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Leave out the tasks that are meant."""
    listing.tasks = [(row, shown) for row, shown in listing.tasks if not _means(fault, row)]


@OnList.declare("abnormal", "a list with the task's status `No`", {"task": None})
def abnormal(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Show a status that is not normal."""
    for row, shown in listing.tasks:
        if _means(fault, row):
            shown["status"] = "No"


@OnList.declare("cancelled", "a list with the task's stage `Cancelled`", {"task": None})
def cancelled(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Show a stage that it does not leave by itself."""
    for row, shown in listing.tasks:
        if _means(fault, row):
            shown["stage"] = "Cancelled"


@OnList.declare(
    "never-settles",
    "a list with the stage that the task had before its last change",
    {"task": None},
)
def never_settles(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Show the stage from before."""
    for row, shown in listing.tasks:
        if _means(fault, row):
            shown["stage"] = row.stage


@OnList.declare("shuffles", "a list in another order at every call")
def shuffles(_fault: Fault, listing: Listing, chance: random.Random) -> None:
    """Change the order."""
    chance.shuffle(listing.tasks)


@OnList.declare("never-ends", "a list in which there is always another page")
def never_ends(_fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Repeat the tasks as often as it takes."""
    tasks, limit, offset = listing.tasks, listing.limit, listing.offset
    if tasks:
        listing.tasks = [tasks[(offset + index) % len(tasks)] for index in range(limit)]
        listing.total, listing.offset = offset + 2 * limit, 0


def _means(fault: Fault, row: Row) -> bool:
    """Whether the fault is about this task."""
    return fault.task in (None, row.name)
