"""What a list of tasks shows."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from .faults import Fault
from .state import Row

__all__ = ["page"]


def page(
    rows: list[Row],
    *,
    now: float,
    limit: int,
    offset: int,
    fault: Fault | None,
    chance: random.Random | None,
) -> dict[str, Any]:
    """One page of the tasks, as the contract has it or as a fault of the list alters it."""
    kind = None if fault is None else fault.kind
    alter = _ALTERATIONS.get(kind or "", _as_it_is)
    tasks = []
    for row in rows:
        right = _shown(row, row.stage_at(now))
        meant = fault is None or fault.task in (None, row.name)
        shown = alter(row, right) if meant else right
        tasks += [] if shown is None else [shown]
    total = len(tasks)
    if kind == "shuffles" and chance is not None:
        chance.shuffle(tasks)
    if kind == "never-ends" and tasks:
        tasks = [tasks[(offset + index) % total] for index in range(limit)]
        total, offset = offset + 2 * limit, 0
    return {"total_count": total, "replications": tasks[offset : offset + limit], "ext_text": None}


def _shown(task: Row, stage: str) -> dict[str, Any]:
    """A task as the list shows it."""
    return {
        "source_database": task.source_database,
        "target_database": task.target_database,
        "task_name": task.name,
        "status": task.status,
        "stage": stage,
        **task.progress,
    }


def _as_it_is(_task: Row, right: dict[str, Any]) -> dict[str, Any]:
    return right


_ALTERATIONS: dict[str, Callable[[Row, dict[str, Any]], dict[str, Any] | None]] = {
    "vanishes": lambda _task, _right: None,
    "abnormal": lambda _task, right: {**right, "status": "No"},
    "cancelled": lambda _task, right: {**right, "stage": "Cancelled"},
    "never-settles": lambda task, right: {**right, "stage": task.stage},
}
