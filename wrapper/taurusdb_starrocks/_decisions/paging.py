"""Read a paginated list from a service whose pagination may differ from its documentation.

A page may have fewer tasks than requested. ``offset`` may count pages. Entries may be missing,
repeated or contradictory, and the list may change while it is read. So this code does not trust the
end of a list: it says that a task is missing, or that all tasks were read, only with proof.

``read`` is a generator of steps: it yields a ``PageRequest`` and receives the page, and it yields
``Found`` for new tasks. It does no I/O and uses no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from taurusdb_starrocks import _tasks
from taurusdb_starrocks._errors import OutcomeUnknownError
from taurusdb_starrocks._tasks import Stage, Task

# In the vendor's API Explorer a page has at most 50 tasks, although ``limit`` can be 100.
LIMIT = 50
# How many times an incomplete list is read again, alternately by records and by pages.
MOST_PASSES = 6
# Limits on the work for one list: for all passes together, and for one page.
MOST_PAGES = 300
MOST_TASKS = 10_000
MOST_ENTRIES = 1000
LONGEST_NAME = 128


class PageRequest(NamedTuple):
    """Request for a page. Send back the total of the service and the entries."""

    offset: int
    limit: int


class Found(NamedTuple):
    """New tasks on a page. Send nothing back."""

    tasks: tuple[Task, ...]


Page = tuple[object, Sequence[Mapping[str, Any]]]
Reading = Generator[PageRequest | Found, Page | None, dict[str, Task]]
T = Generator[PageRequest | Found, Page | None, None]


class _TooMuchError(Exception):
    """The list is longer than the limit."""


@attrs.define
class _Seen:
    """The content of a page.

    Attributes:
        names: Names of its tasks, in order, without duplicates.
        length: Number of its entries.
        before_last: Number of its entries before its last task, without duplicates.
        new: Whether it has a task that no earlier page of the pass had.
    """

    names: list[str]
    length: int
    before_last: int
    new: bool


@attrs.define
class _Pass:
    """The result of reading the list once.

    Attributes:
        tasks: The tasks by name.
        contradicted: Names of tasks with contradictory entries.
        unreadable: Entries without a valid name.
        total: Total number of tasks according to the last page, or None.
        ended: Whether a page proved that there are no more pages.
    """

    tasks: dict[str, Task] = attrs.field(factory=dict)
    contradicted: set[str] = attrs.field(factory=set)
    unreadable: int = 0
    total: int | None = None
    ended: bool = False

    @property
    def counted(self) -> bool:
        """Whether the number of tasks equals the total."""
        seen = len(self.tasks) + self.unreadable
        return self.total is not None and seen >= self.total

    @property
    def whole(self) -> bool:
        """Whether the list was read from start to end and no task is missing."""
        return self.ended and (self.total is None or self.counted)

    def take(self, total: object, entries: Sequence[Mapping[str, Any]]) -> _Seen:
        """Add the content of a page."""
        if len(entries) > MOST_ENTRIES:
            raise _TooMuchError(f"A page has more than {MOST_ENTRIES} tasks")
        self.total = _count(total)
        known = len(self.tasks)
        names: dict[str, None] = {}
        unreadable = before_last = 0
        for entry in entries:
            name = entry.get("task_name")
            if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
                unreadable += 1
                continue
            if name not in names:
                before_last = len(names) + unreadable
            names[name] = None
            self._note(name, entry)
        self.unreadable += unreadable
        return _Seen(list(names), len(entries), before_last, len(self.tasks) > known)

    def _note(self, name: str, entry: Mapping[str, Any]) -> None:
        task = _tasks.read(name, entry)
        known = self.tasks.get(name)
        if known is None or name in self.contradicted:
            self.tasks.setdefault(name, task)
        elif (known.stage, known.abnormal) != (task.stage, task.abnormal):
            self.contradicted.add(name)
            self.tasks[name] = attrs.evolve(
                task,
                stage=Stage.UNKNOWN,
                stage_text=_both(known.stage_text, task.stage_text),
                status=_both(known.status, task.status),
            )


@attrs.define
class _Reader:
    """The shared state of all passes over one list."""

    names: frozenset[str] | None
    shown: set[str] = attrs.field(factory=set)
    pages: int = 0

    def page(
        self, taken: _Pass, offset: int, limit: int
    ) -> Generator[PageRequest | Found, Page | None, _Seen]:
        """Read a page and yield its new tasks."""
        if self.pages == MOST_PAGES:
            raise _TooMuchError(f"The list of tasks did not end within {MOST_PAGES} pages")
        self.pages += 1
        page = yield PageRequest(offset, limit)
        assert page is not None
        seen = taken.take(*page)
        fresh = [name for name in seen.names if name not in self.shown]
        self.shown.update(fresh)
        if len(self.shown) > MOST_TASKS:
            raise _TooMuchError(f"The list of tasks has more than {MOST_TASKS} tasks")
        if fresh:
            yield Found(tuple(taken.tasks[name] for name in fresh))
        return seen

    def enough(self, taken: _Pass, seen: _Seen, limit: int) -> bool:
        """Whether reading can stop early: all requested tasks are found, and the total matches."""
        wanted = self.names is None or self.names <= taken.tasks.keys()
        return wanted and taken.counted and seen.length < limit


def read(names: Collection[str] | None = None) -> Reading:
    """Read all tasks of a list, or only the named ones.

    A task with contradictory entries has the stage ``UNKNOWN``, because neither entry proves
    anything.

    Args:
        names: Names of the tasks to find; None for all tasks.

    Returns:
        The tasks by name. A named task that is not in the result does not exist.

    Raises:
        OutcomeUnknownError: The list was not read completely, so missing tasks may exist.
    """
    reader = _Reader(None if names is None else frozenset(names))
    found: dict[str, Task] = {}
    for number in range(MOST_PASSES):
        taken = _Pass()
        problem = None
        try:
            if number % 2:
                yield from _by_pages(reader, taken, as_long=number % 4 == 1)
            else:
                yield from _by_records(reader, taken)
        except _TooMuchError as error:
            problem = str(error)
        found.update(taken.tasks)
        if reader.names is not None and reader.names <= found.keys():
            return {name: found[name] for name in reader.names}
        if problem is not None:
            raise OutcomeUnknownError(problem, harmless=True)
        if taken.whole and (reader.names is None or not taken.unreadable):
            return {name: task for name, task in found.items() if name in (reader.names or found)}
    total = "an unknown number" if taken.total is None else taken.total
    raise OutcomeUnknownError(
        f"The list of tasks could not be read completely: {len(reader.shown)} of {total} were seen",
        harmless=True,
    )


def following(reading: Reading, page: Page | None = None) -> PageRequest | Found | None:
    """Send a page to a reading; return its next step, or None when it has finished."""
    try:
        return reading.send(page)
    except StopIteration:
        return None


def _by_records(reader: _Reader, taken: _Pass) -> T:
    """Read a list whose offset counts tasks.

    Each page starts with the last task of the previous page. After the last page, only that task
    is left. A page without it shows that the list has changed, or that the offset does not count
    tasks.
    """
    offset = 0
    last: str | None = None
    while True:
        seen = yield from reader.page(taken, offset, LIMIT)
        if last is not None and last not in seen.names:
            return
        nothing_follows = seen.names == ([] if last is None else [last])
        taken.ended = nothing_follows or reader.enough(taken, seen, LIMIT)
        if taken.ended or not seen.new:
            return
        last = seen.names[-1] if seen.before_last else None
        offset += seen.before_last or 1


def _by_pages(reader: _Reader, taken: _Pass, *, as_long: bool) -> T:
    """Read a list whose offset counts pages, from 0 or from 1.

    With ``as_long``, further pages are requested with the length of the first page, so that no task
    is skipped if the service shortens pages. This would be wrong if the first page lacks entries.
    """
    first = yield from reader.page(taken, 0, LIMIT)
    size = max(1, min(LIMIT, first.length)) if as_long else LIMIT
    limit, seen, number = LIMIT, first, 0
    while not reader.enough(taken, seen, limit):
        number, limit = number + 1, size
        seen = yield from reader.page(taken, number, size)
        if not seen.length:
            break
        shared = set(seen.names) & set(first.names)
        if number == 1 and shared and shared != set(first.names):
            return  # The offset counts tasks.
        if number > 1 and not seen.new:
            # All pages are the same: this is the whole list, if the total matches.
            taken.ended = taken.counted and first.length < LIMIT
            return
    taken.ended = True


def _count(total: object) -> int | None:
    """The total number of tasks according to the service, if it is valid."""
    if isinstance(total, str) and total.isascii() and total.isdecimal() and len(total) < 10:
        total = int(total)
    if isinstance(total, bool) or not isinstance(total, int):
        return None
    return total if total >= 0 else None


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one} / {other}"
