"""Reading a list page by page from a service that may not page as its documentation says.

It may hold fewer tasks on a page than requested, count ``offset`` in pages, and miss, repeat or
contradict entries, and the list may change while it is read. So the end of the list is not taken
on trust: that a task is absent, and that all tasks were read, takes proof.

``read`` is a generator of steps: it yields a ``PageRequest`` and is sent the page, and yields
``Found`` for tasks that it has not shown yet. It does no I/O and knows no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from taurusdb_starrocks import _tasks
from taurusdb_starrocks._errors import OutcomeUnknownError
from taurusdb_starrocks._tasks import Stage, Task

# The vendor's API Explorer lets a page hold 50 tasks, although ``limit`` may be 100.
LIMIT = 50
# How often a list is read that could not be read as a whole, by records and by pages in turn.
MOST_PASSES = 6
# Bounds on the work for one list: of all its passes together, and of a page.
MOST_PAGES = 300
MOST_TASKS = 10_000
MOST_ENTRIES = 1000
LONGEST_NAME = 128


class PageRequest(NamedTuple):
    """Read this page; send its total, as the service says it, and its entries."""

    offset: int
    limit: int


class Found(NamedTuple):
    """Tasks that a page shows and no page before it did; send nothing."""

    tasks: tuple[Task, ...]


Page = tuple[object, Sequence[Mapping[str, Any]]]
Reading = Generator[PageRequest | Found, Page | None, dict[str, Task]]
T = Generator[PageRequest | Found, Page | None, None]


class _TooMuchError(Exception):
    """The list is longer than any that is read."""


@attrs.define
class _Seen:
    """What a page showed.

    Attributes:
        names: The tasks on it, each once, in their order.
        length: How many entries it had.
        before_last: How many of them, repeated ones left out, came before its last task.
        new: Whether it showed a task that no page of the pass before it did.
    """

    names: list[str]
    length: int
    before_last: int
    new: bool


@attrs.define
class _Pass:
    """What the list showed when it was read once.

    Attributes:
        tasks: The tasks by name.
        contradicted: Names of tasks that were shown in two ways.
        unreadable: Entries without a name, or with one that no task can have.
        total: How many tasks there are by the last page, or None.
        ended: Whether a page showed that nothing follows.
    """

    tasks: dict[str, Task] = attrs.field(factory=dict)
    contradicted: set[str] = attrs.field(factory=set)
    unreadable: int = 0
    total: int | None = None
    ended: bool = False

    @property
    def counted(self) -> bool:
        """Whether as many tasks were seen as there are."""
        seen = len(self.tasks) + self.unreadable
        return self.total is not None and seen >= self.total

    @property
    def whole(self) -> bool:
        """Whether the list was read from its beginning to its end, and no task is missing."""
        return self.ended and (self.total is None or self.counted)

    def take(self, total: object, entries: Sequence[Mapping[str, Any]]) -> _Seen:
        """Note what a page shows."""
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
    """What is common to all passes over one list."""

    names: frozenset[str] | None
    shown: set[str] = attrs.field(factory=set)
    pages: int = 0

    def page(
        self, taken: _Pass, offset: int, limit: int
    ) -> Generator[PageRequest | Found, Page | None, _Seen]:
        """Read a page, and show what is new on it."""
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
        """Whether the end need not be proved: what is wanted is there, and the count agrees."""
        wanted = self.names is None or self.names <= taken.tasks.keys()
        return wanted and taken.counted and seen.length < limit


def read(names: Collection[str] | None = None) -> Reading:
    """Read the tasks of a list, or look for the named ones.

    A task that is shown in two ways that contradict each other has the stage ``UNKNOWN``: neither
    proves anything.

    Args:
        names: The tasks to look for; None for all.

    Returns:
        All tasks by name; of named ones, those that are there. The others are not there.

    Raises:
        OutcomeUnknownError: The list was not read as a whole: what was not seen may be there.
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
    total = "an unknown number of" if taken.total is None else taken.total
    raise OutcomeUnknownError(
        "The list of tasks could not be read as a whole: "
        f"{len(reader.shown)} of {total} tasks were seen",
        harmless=True,
    )


def following(reading: Reading, page: Page | None = None) -> PageRequest | Found | None:
    """The next step of a reading that is told the page it requested; None when it is over."""
    try:
        return reading.send(page)
    except StopIteration:
        return None


def _by_records(reader: _Reader, taken: _Pass) -> T:
    """Read a list whose offset counts tasks.

    Each page begins with the last task of the one before it, and after the last page there is
    nothing but that task. A page without it shows that the list has moved, or that its offset
    counts something else.
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

    With ``as_long``, further pages are requested to be as long as the first, so that none is
    skipped where the service cuts it. Where it misses entries of it, that would be wrong.
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
            return  # It counts tasks.
        if number > 1 and not seen.new:
            # It shows the same whatever is requested: all there is, if that is what it counts.
            taken.ended = taken.counted and first.length < LIMIT
            return
    taken.ended = True


def _count(total: object) -> int | None:
    """How many tasks the service says there are, if it says it in a way that can be."""
    if isinstance(total, str) and total.isascii() and total.isdecimal() and len(total) < 10:
        total = int(total)
    if isinstance(total, bool) or not isinstance(total, int):
        return None
    return total if total >= 0 else None


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one} / {other}"
