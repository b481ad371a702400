"""Reads a file of targets, for one mapped task group per instance."""

from __future__ import annotations

import csv
from os import PathLike
from typing import TypedDict

# Columns that a file for fleets may have.
OF_THE_CONNECTION = frozenset({"region", "endpoint", "project_id"})


class InstanceTargets(TypedDict):
    """The tasks of one instance, with the argument names of ``paused`` and the operators."""

    instance_id: str
    task_name: list[str]


def read_targets(path: str | PathLike[str]) -> list[InstanceTargets]:
    """Read a CSV file with the columns ``instance_id`` and ``task_name``.

    More columns are ignored, but ``region``, ``endpoint``, and ``project_id`` are errors, because
    the connection has these values.

    Returns:
        The targets of each instance, in the order of their first lines, for ``expand_kwargs``.

    Raises:
        ValueError: A column is missing or not allowed, a line lacks a value, or a target is
            repeated. The message lists all faulty lines.
        OSError: The file cannot be read.
    """
    found: dict[str, list[str]] = {}
    faults = []
    with open(path, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123  # Any path will do.
        rows = csv.DictReader(file)
        missing = {"instance_id", "task_name"} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))} in the first line")
        wrong = OF_THE_CONNECTION & set(rows.fieldnames or ())
        if wrong:
            raise ValueError(
                f"{path}: remove the columns {', '.join(sorted(wrong))}: the connection sets them"
            )
        for row in rows:
            instance_id = (row["instance_id"] or "").strip()
            name = (row["task_name"] or "").strip()
            names = found.setdefault(instance_id, [])
            if not instance_id or not name:
                faults.append(f"line {rows.line_num} lacks a value")
            elif name in names:
                faults.append(f"line {rows.line_num} repeats {name} of {instance_id}")
            names.append(name)
    if faults:
        raise ValueError(f"{path}: {'; '.join(faults)}")
    return [{"instance_id": key, "task_name": names} for key, names in found.items()]
