"""One page of a list of tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from .records import Row

__all__ = ["Listing", "list_tasks"]


@dataclass
class Listing:
    """The list of an instance, and the page of it that was requested.

    Attributes:
        tasks: The listed entry of each task, with the stored task.
        limit: Maximum number of tasks in the page.
        offset: Number of tasks before the page.
        total: `total_count`; None for the number of `tasks`.
    """

    tasks: list[tuple[Row, dict[str, Any]]]
    limit: int
    offset: int
    total: int | None = None

    def document(self) -> dict[str, Any]:
        """The body of the response."""
        page = self.tasks[self.offset : self.offset + self.limit]
        return {
            "total_count": len(self.tasks) if self.total is None else self.total,
            "replications": [shown for _, shown in page],
            "ext_text": None,
        }


def list_tasks(rows: Iterable[Row], *, now: float, limit: int, offset: int) -> Listing:
    """The correct list at a given time."""
    return Listing([(row, _shown(row, row.stage_at(now))) for row in rows], limit, offset)


@lru_cache(1024)
def _progress(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))


def _shown(task: Row, stage: str) -> dict[str, Any]:
    """The entry of a task in the list."""
    return {
        "source_database": task.source_database,
        "target_database": task.target_database,
        "task_name": task.name,
        "status": task.status,
        "stage": stage,
        **_progress(task.progress),
    }
