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
        self._last: str | None = None
        self._moved = False
        self._pages = 0
        self._passes = 1

    def take(self, total: object, entries: Sequence[Mapping[str, Any]]) -> Iterator[Task]:
        """The tasks of a page that have not been seen; ``next`` is then the look to go on with.

        Raises:
            OutcomeUnknownError: The list does not end.
        """
        self._pages += 1
        if self._pages > MOST_PAGES:
            raise OutcomeUnknownError(f"The list of tasks did not end within {MOST_PAGES} pages.")
        tasks = [task for entry in entries if (task := _tasks.read(entry)) is not None]
        if self._last is not None and (not tasks or tasks[0].name != self._last):
            self._moved = True
        fresh = [task for task in tasks if task.name not in self._seen]
        self._seen.update(task.name for task in fresh)
        self._turn(total, tasks, len(entries), bool(fresh))
        return iter(fresh)

    def _turn(self, total: object, tasks: Sequence[Task], length: int, news: bool) -> None:
        assert self.next is not None
        count = _count(total)
        offset = self.next.offset
        end = offset + length
        if length > 1 and (news if count is None else end < count):
            self._last = tasks[-1].name if tasks else None
            self.next = attrs.evolve(self.next, offset=end - 1)
            return
        missing = self._moved or (count is not None and len(self._seen) < count)
        if missing and self._passes < MOST_PASSES and (offset or news):
            self._passes += 1
            self._last, self._moved = None, False
            self.next = attrs.evolve(self.next, offset=0)
        else:
            self.next = None


def _count(total: object) -> int | None:
    try:
        return int(total) if isinstance(total, (int, str)) else None
    except ValueError:
        return None
