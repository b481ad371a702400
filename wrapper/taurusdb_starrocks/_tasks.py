"""Jobs, and synchronization tasks as the service lists them, parsed leniently.

Huawei Cloud documents every field as a string, but its example has numbers and nulls. Stages are
lowercase in the documentation and capitalized in live responses. Other values are possible.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any

import attrs

from taurusdb_starrocks._redaction import printable

# Longest string that is kept. Names have at most 128 characters, stages far fewer.
LONGEST_TEXT = 256


class Stage(enum.Enum):
    """The stage of a synchronization task."""

    WAIT = "wait"
    FULL = "full"
    INCREMENTAL = "incremental"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """A stage that is not documented. ``Task.stage_text`` is the original text."""

    @property
    def running(self) -> bool:
        """Whether data is being replicated: ``FULL`` or ``INCREMENTAL``."""
        return self in {Stage.FULL, Stage.INCREMENTAL}


@attrs.frozen
class Job:
    """An accepted job that pauses or resumes a task. It may not be finished yet.

    Attributes:
        id: ID of the job, printable.
        request_id: ID of the request, for support tickets. None if the response had no ID.
    """

    id: str
    request_id: str | None


@attrs.frozen
class Task:
    """A synchronization task, as the service listed it.

    Strings are truncated to 256 characters, and unprintable characters are replaced by spaces.

    Attributes:
        name: Name of the task.
        stage: Stage of the task; parsed case-insensitively.
        stage_text: The stage as returned by the service.
        status: ``Yes`` if the task is normal, ``No`` if it is not. Other values occur.
        source_database: Source database, in the TaurusDB instance, if given.
        target_database: Target database, in the StarRocks instance, if given.
        percentage: Progress of the stage from 0 to 100, if given.
        needs_repair: True if the task needs a repair, for example after a schema change that could
            not be replicated. None if the service does not report it.
        main_task: True for a main task, False for a task that repairs another one. None if the
            service does not report it.
    """

    name: str
    stage: Stage
    stage_text: str
    status: str
    source_database: str | None
    target_database: str | None
    percentage: float | None
    needs_repair: bool | None = None
    main_task: bool | None = None

    @property
    def abnormal(self) -> bool:
        """True if the service reports a problem with the task."""
        return self.status.strip().casefold() == "no"


def read(name: str, entry: Mapping[str, Any]) -> Task:
    """Parse an entry of the list."""
    stage = text(entry.get("stage")) or ""
    try:
        known = Stage(stage.strip().casefold())
    except ValueError:
        known = Stage.UNKNOWN
    return Task(
        name=printable(name),
        stage=known,
        stage_text=stage,
        status=text(entry.get("status")) or "",
        source_database=text(entry.get("source_database")),
        target_database=text(entry.get("target_database")),
        percentage=_number(entry.get("percentage")),
        needs_repair=flag(entry.get("is_need_repair")),
        main_task=flag(entry.get("is_main_task")),
    )


def text(value: object, longest: int = LONGEST_TEXT) -> str | None:
    """The value if it is a string, made printable and cut to the longest length."""
    return printable(value[:longest]) if isinstance(value, str) else None


def flag(value: object) -> bool | None:
    """The value if it is a boolean or the string for one. The live service sends strings."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value[:LONGEST_TEXT].strip().casefold())
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
