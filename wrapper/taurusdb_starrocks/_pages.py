"""A list read page by page while it may change underneath, or never end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from taurusdb_starrocks import _tasks
from taurusdb_starrocks._errors import OutcomeUnknownError
from taurusdb_starrocks._tasks import Task

LIMIT = 100
MOST_PAGES = 1000
MOST_PASSES = 5


@attrs.frozen
class Look:
    """Look at a page of tasks; the answer is the service's total and the entries."""

    instance_id: str
    offset: int


class Pages:
    """Says which page to ask for next, and which tasks of a page are new.

    Pages overlap by one entry: when the overlap is not the same entry twice, the list has moved
    in between, and a task may have slipped through. The list is then read once more from its
    beginning, as it is when fewer tasks came than the service counts.
    """

    def __init__(self, instance_id: str) -> None:
        self.next: Look | None = Look(instance_id, 0)
        self._seen: set[str] = set()
        self._pages = 0
        self._passes = 0
        self._begin_pass()

    def _begin_pass(self) -> None:
        self._passes += 1
        self._in_pass: set[str] = set()
        self._last: str | None = None
        self._moved = False

    def take(self, total: object, entries: Sequence[Mapping[str, Any]]) -> Iterator[Task]:
        """The tasks of a page that have not been seen; ``next`` is then the look to go on with.

        Raises:
            OutcomeUnknownError: The list does not end.
        """
        self._pages += 1
        if self._pages > MOST_PAGES:
            raise OutcomeUnknownError(
                f"The list of tasks did not end within {MOST_PAGES} pages", harmless=True
            )
        tasks = {task.name: task for entry in entries if (task := _tasks.read(entry)) is not None}
        names = list(tasks)
        if self._last is not None and names[:1] != [self._last]:
            self._moved = True
        self._turn(_count(total), names, len(entries))
        fresh = [task for name, task in tasks.items() if name not in self._seen]
        self._seen.update(names)
        return iter(fresh)

    def _turn(self, count: int | None, names: Sequence[str], length: int) -> None:
        """Decide what to look at next: the next page, the list once more, or nothing."""
        assert self.next is not None
        offset = self.next.offset
        goes_on = not self._in_pass.issuperset(names)
        self._in_pass.update(names)
        if goes_on and (count is None or offset + length < count):
            overlap = 1 if length > 1 else 0
            self._last = names[-1] if overlap else None
            self.next = attrs.evolve(self.next, offset=offset + length - overlap)
        elif self._passes < MOST_PASSES and (
            self._moved or (count is not None and len(self._in_pass) < count)
        ):
            self._begin_pass()
            self.next = attrs.evolve(self.next, offset=0)
        else:
            self.next = None


def _count(total: object) -> int | None:
    try:
        return int(total) if isinstance(total, (int, str)) else None
    except ValueError:
        return None
