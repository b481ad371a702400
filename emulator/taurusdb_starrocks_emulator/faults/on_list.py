"""Faults of the list of tasks."""

from __future__ import annotations

import random

from taurusdb_starrocks_emulator.listing import Listing
from taurusdb_starrocks_emulator.records import PAUSED, Row

from .fault import Fault
from .kinds import OnList


@OnList.declare("vanishes", "a list without the task", {"task": None})
def vanishes(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Leave out the selected tasks."""
    listing.tasks = [(row, shown) for row, shown in listing.tasks if not _means(fault, row)]


@OnList.declare("abnormal", "a list with the task's status `No`", {"task": None})
def abnormal(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Show a status that is not normal."""
    for row, shown in listing.tasks:
        if _means(fault, row):
            shown["status"] = "No"


@OnList.declare("cancelled", "a list with the task's stage `Cancelled`", {"task": None})
def cancelled(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Show a stage that the task does not leave on its own."""
    for row, shown in listing.tasks:
        if _means(fault, row):
            shown["stage"] = "Cancelled"


@OnList.declare(
    "never-settles",
    "a list with the stage that the task had before its last change",
    {"task": None},
)
def never_settles(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Show the previous stage."""
    for row, shown in listing.tasks:
        if _means(fault, row):
            shown["stage"] = row.stage


@OnList.declare("shuffles", "a list in a different order at every call")
def shuffles(_fault: Fault, listing: Listing, chance: random.Random) -> None:
    """Change the order."""
    chance.shuffle(listing.tasks)


@OnList.declare("never-ends", "a list that never ends: there is always another page")
def never_ends(_fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Repeat the tasks as often as needed."""
    tasks, limit, offset = listing.tasks, listing.limit, listing.offset
    if tasks:
        listing.tasks = [tasks[(offset + index) % len(tasks)] for index in range(limit)]
        listing.total, listing.offset = offset + 2 * limit, 0


@OnList.declare(
    "contradicts",
    "a list that has the task twice, the second time with the opposite stage",
    {"task": None},
)
def contradicts(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Add a paused entry after a running one, or the other way around."""
    tasks = []
    for row, shown in listing.tasks:
        tasks.append((row, shown))
        if _means(fault, row):
            opposite = row.resumes_to if shown["stage"].lower() == PAUSED.lower() else PAUSED
            tasks.append((row, {**shown, "stage": opposite}))
    listing.tasks = tasks


@OnList.declare("misses", "a list without the task, although the total counts it", {"task": None})
def misses(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Leave out the selected tasks; `total_count` stays correct."""
    listing.total = len(listing.tasks)
    listing.tasks = [(row, shown) for row, shown in listing.tasks if not _means(fault, row)]


@OnList.declare(
    "repeats",
    "a page in which a second copy of the task replaces the last task of the page",
    {"task": None},
)
def repeats(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Repeat tasks of the page, and drop those that no longer fit. The count stays correct."""
    listing.total = len(listing.tasks)
    page = listing.tasks[listing.offset : listing.offset + listing.limit]
    again = [each for one in page for each in ([one, one] if _means(fault, one[0]) else [one])]
    listing.tasks, listing.offset = again[: len(page)], 0


@OnList.declare("short-pages", "a list with fewer tasks per page than requested", {"limit": 50})
def short_pages(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Limit the page; `total_count` stays correct."""
    listing.limit = min(listing.limit, fault.limit or 1)


@OnList.declare(
    "offset-in-pages", "a list whose `offset` counts pages, starting at `first`", {"first": 0}
)
def offset_in_pages(fault: Fault, listing: Listing, _chance: random.Random) -> None:
    """Skip `offset` pages."""
    listing.offset = max(0, listing.offset - (fault.first or 0)) * listing.limit


def _means(fault: Fault, row: Row) -> bool:
    """Whether the fault affects this task."""
    return fault.task in (None, row.name)
