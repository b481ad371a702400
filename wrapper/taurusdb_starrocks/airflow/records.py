"""The record of each open window: an Airflow Variable, which the sweep finds by its prefix."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from airflow.sdk import Variable

from taurusdb_starrocks import Job, ReplicationError

PREFIX = "taurusdb_starrocks.window:"
# The time of the last sweep, and the interval of sweeps.
SWEPT = "taurusdb_starrocks.swept"


def now() -> datetime:
    """The time, in UTC and whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@attrs.frozen
class Record:
    """An open window: its run, the tasks to resume, and the end of its lease.

    Attributes:
        conn_id: ID of the connection to resume the tasks with.
        instance_id: StarRocks instance.
        task_names: The tasks of the window. No other window may pause them while it is open.
        resumes: The tasks that it may have paused.
        dag_id: DAG of the window.
        run_id: Run of the DAG.
        task_id: Task that opened it.
        map_index: Map index of that task; -1 if it is not mapped.
        opened: When it was opened, by the last attempt.
        until: When the lease ends.
        paused: Whether all tasks were seen paused, so that no pause is in progress.
        closing: Whether the sweep is resuming it.
        resumed: When the sweep resumed it while its run was still running.
        closed_by: Task that closes it, of the same run and map index.
        requested: Whether the last attempt has requested a pause.
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
    closed_by: str = ""
    requested: bool = False

    @property
    def key(self) -> str:
        """Key of its Variable, the same for every attempt of the task that opens the window."""
        whose = [self.conn_id, self.dag_id, self.run_id, self.task_id, self.map_index]
        digest = hashlib.sha256(json.dumps(whose).encode()).hexdigest()[:32]
        return f"{PREFIX}{self.instance_id}:{digest}"

    def __str__(self) -> str:
        index = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"the window of {self.dag_id}.{self.task_id}{index}, run {self.run_id}"

    def write(self) -> None:
        """Write it, and read it again to make sure.

        Raises:
            RuntimeError: It reads differently. Nothing must be paused then.
        """
        fields = attrs.asdict(self, value_serializer=_plain)
        Variable.set(self.key, json.dumps(fields), description=f"Open: {self}")
        if read(self.key) != self:
            raise RuntimeError(
                f"The Variable {self.key} was written, but reads differently: is it in a "
                "secrets backend as well? Nothing was paused."
            )

    def delete(self) -> None:
        """Delete its Variable."""
        Variable.delete(self.key)


@attrs.frozen
class Claim:
    """What one attempt to open a window may do. Pass it as ``recorder=`` to what pauses its tasks.

    A worker that was cut off or suspended can go on with an attempt that Airflow has given up.

    Attributes:
        key: Key of the record.
        opened: When this attempt wrote it.
    """

    key: str
    opened: datetime

    def sending(self, verb: str, task_name: str, /) -> None:
        """Note in the record that a pause is requested, or refuse it.

        Raises:
            ReplicationError: The window was closed, or opened again by another attempt.
        """
        record = read(self.key)
        if record is None or record.closing or record.opened != self.opened:
            raise ReplicationError(
                f"The {verb} of {task_name} was not sent, because its window was closed, or opened "
                "again by another attempt, meanwhile."
            )
        if not record.requested:
            attrs.evolve(record, requested=True).write()

    def answered(self, _verb: str, _task_name: str, _answer: Job | ReplicationError, /) -> None:
        """Needs no record."""

    def reached(self, _verb: str, _task_names: Sequence[str], /) -> None:
        """Needs no record."""

    def requested(self) -> bool:
        """Whether this attempt has requested a pause before, in a triggerer that has ended."""
        record = read(self.key)
        return record is not None and record.requested


def read(key: str) -> Record | None:
    """The record of a key; None if there is none.

    Raises:
        ValueError: The Variable is not a record.
        ConnectionError: It exists, but could not be read.
    """
    text = Variable.get(key, default=None)
    if text is None:
        # Airflow returns the default if its API fails, too. An open window would be overlooked.
        if key in Variable.keys(prefix=key):
            raise ConnectionError(f"The Variable {key} could not be read. Nothing was changed.")
        return None
    try:
        fields: dict[str, Any] = json.loads(text)
        resumed = fields["resumed"] and _time(fields["resumed"])
        times = {"opened": _time(fields["opened"]), "until": _time(fields["until"])}
        return Record(**{**fields, **times, "resumed": resumed})
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f"The Variable {key} is not the record of a window. Read which tasks it names, resume "
            "them if they are paused, and delete it."
        ) from error


def open_windows(instance_id: str | None = None) -> Iterator[str]:
    """The keys of all open windows, or of those of one instance."""
    prefix = f"{PREFIX}{instance_id}:" if instance_id else PREFIX
    # A database may read "_" as any character.
    return (key for key in Variable.keys(prefix=prefix) if key.startswith(prefix))


def paused_by_others(key: str, instance_id: str) -> dict[str, Record]:
    """The tasks of an instance that other open windows may have paused, with these windows.

    A window that the sweep has resumed must not resume them again: the other window was opened
    after that.

    Args:
        key: Key of this window.
        instance_id: The instance.
    """
    found: dict[str, Record] = {}
    for each in open_windows(instance_id):
        other = read(each) if each != key else None
        if other is not None and other.resumed is None:
            found |= dict.fromkeys(other.resumes, other)
    return found


def note_sweep(every: timedelta) -> None:
    """Record that a sweep runs now."""
    fields = {"at": now().isoformat(), "every": every.total_seconds()}
    Variable.set(SWEPT, json.dumps(fields), description="When the last sweep ran")


def sweep_is_late() -> str | None:
    """A warning if no sweep has run for three of its intervals, or ever; else None."""
    text = Variable.get(SWEPT, default=None)
    if text is None:
        return "No sweep has ever run here"
    fields = json.loads(text)
    at = datetime.fromisoformat(fields["at"])
    if now() - at > 3 * timedelta(seconds=fields["every"]):
        return f"No sweep has run since {at.isoformat()}"
    return None


def _time(text: str) -> datetime:
    """A time; in UTC if a person who edited the Variable left out the offset."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _plain(_record: object, _attribute: object, value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
