"""What is kept of each open window: one Airflow Variable, which the sweep finds by its prefix."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from airflow.sdk import Variable

PREFIX = "taurusdb_starrocks.window:"
# When a sweep last ran, and how often it is to run.
SWEPT = "taurusdb_starrocks.swept"


def now() -> datetime:
    """The time, in UTC and whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@attrs.frozen
class Record:
    """An open window: whose it is, what it resumes, and until when it may last.

    Attributes:
        conn_id: ID of the connection that the tasks are resumed with.
        instance_id: StarRocks instance.
        task_names: The tasks that the window is about: no other window takes them meanwhile.
        resumes: Those of them that it may have paused.
        dag_id: DAG of the window.
        run_id: Run of the DAG.
        task_id: Task that opened it.
        map_index: Index of that task if it is mapped, else -1.
        opened: When it was opened, last.
        until: When the lease ends.
        paused: Whether the tasks were seen paused, so that no pause is under way.
        closing: Whether the sweep is resuming it.
        resumed: When the sweep resumed it although its run went on.
    """

    conn_id: str
    instance_id: str
    task_names: list[str]
    resumes: list[str]
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    opened: datetime
    until: datetime
    paused: bool = False
    closing: bool = False
    resumed: datetime | None = None

    @property
    def key(self) -> str:
        """Key of its Variable: the same for every attempt of the task that opens the window."""
        whose = [self.conn_id, self.dag_id, self.run_id, self.task_id, self.map_index]
        digest = hashlib.sha256(json.dumps(whose).encode()).hexdigest()[:32]
        return f"{PREFIX}{self.instance_id}:{digest}"

    def __str__(self) -> str:
        index = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"the window of {self.dag_id}.{self.task_id}{index}, run {self.run_id}"

    def write(self) -> None:
        """Keep it, and make sure that it is kept.

        Raises:
            RuntimeError: It cannot be read again. Nothing must be paused then.
        """
        fields = attrs.asdict(self, value_serializer=_plain)
        Variable.set(self.key, json.dumps(fields), description=f"Open: {self}")
        if read(self.key) != self:
            raise RuntimeError(
                f"The Variable {self.key} was written and reads otherwise: is it in a secrets "
                "backend as well? Nothing was paused."
            )

    def delete(self) -> None:
        """Forget it."""
        Variable.delete(self.key)


def read(key: str) -> Record | None:
    """The record of a key, if there is one.

    Raises:
        ValueError: There is something else.
        ConnectionError: It is there, and could not be read.
    """
    text = Variable.get(key, default=None)
    if text is None:
        # Airflow gives the default also when its API fails. Without its record, a window that is
        # open would be taken for none.
        if key in Variable.keys(prefix=key):
            raise ConnectionError(f"The Variable {key} could not be read. Nothing was changed.")
        return None
    try:
        fields: dict[str, Any] = json.loads(text)
        for name in ("opened", "until", "resumed"):
            fields[name] = fields[name] and datetime.fromisoformat(fields[name])
        return Record(**fields)
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"The Variable {key} is no record of a window. Read which tasks it names, resume them "
            "if they are paused, and delete it."
        ) from error


def open_windows(instance_id: str | None = None) -> Iterator[str]:
    """The keys of all open windows, or of those over one instance."""
    prefix = f"{PREFIX}{instance_id}:" if instance_id else PREFIX
    # A database may read "_" as any character.
    return (key for key in Variable.keys(prefix=prefix) if key.startswith(prefix))


def paused_by_others(key: str, instance_id: str) -> dict[str, Record]:
    """The tasks of an instance that other open windows may have paused, and these windows.

    A window that the sweep has resumed must leave them alone: the other one was opened after that.

    Args:
        key: Key of the window that asks.
        instance_id: The instance.
    """
    found: dict[str, Record] = {}
    for each in open_windows(instance_id):
        other = read(each) if each != key else None
        if other is not None and other.resumed is None:
            found |= dict.fromkeys(other.resumes, other)
    return found


def note_sweep(every: timedelta) -> None:
    """Keep when a sweep ran."""
    fields = {"at": now().isoformat(), "every": every.total_seconds()}
    Variable.set(SWEPT, json.dumps(fields), description="When the last sweep ran")


def sweep_is_late() -> str | None:
    """What to warn of if no sweep has run for three of its intervals, or ever."""
    text = Variable.get(SWEPT, default=None)
    if text is None:
        return "No sweep has ever run here"
    fields = json.loads(text)
    at = datetime.fromisoformat(fields["at"])
    if now() - at > 3 * timedelta(seconds=fields["every"]):
        return f"No sweep has run since {at.isoformat()}"
    return None


def _plain(_record: object, _attribute: object, value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
