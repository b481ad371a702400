"""Windows in a DAG: tasks that run only while replication is paused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, Self, get_args

import attrs
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from taurusdb_starrocks import AlreadyPausedError, Client, ReplicationError, Stage
from taurusdb_starrocks.airflow import records
from taurusdb_starrocks.airflow.hook import DEFAULT_CONN_ID
from taurusdb_starrocks.airflow.operators import (
    PauseReplicationOperator,
    ResumeReplicationOperator,
    failed,
    failed_with,
)
from taurusdb_starrocks.airflow.records import Record
from taurusdb_starrocks.airflow.waits import final

AlreadyPaused = Literal["keep", "resume", "error"]

# A window must end no matter how the windows of earlier runs ended.
_INDEPENDENT: dict[str, Any] = {"depends_on_past": False, "wait_for_downstream": False}


def paused(
    *,
    instance_id: str,
    task_name: str | list[str],
    lease: timedelta,
    name: str = "replication",
    conn_id: str = DEFAULT_CONN_ID,
    already_paused: AlreadyPaused = "keep",
    **operator: Any,
) -> BaseOperator:
    """A window: the tasks in the ``with`` block run only while replication is paused.

    A setup task pauses the synchronization tasks, and a teardown task resumes them, no matter how
    the tasks in between end. If the teardown cannot run, the sweep resumes the synchronization
    tasks: install ``sweep_dag``. While the window is open, its record is a Variable. A window does
    not open while another window holds one of its synchronization tasks.

    Args:
        instance_id: StarRocks instance (ends in ``in17``).
        task_name: One synchronization task or several.
        lease: Maximum duration of the window. After that, the sweep resumes the synchronization
            tasks, even if the work is still running, and the teardown fails, to report this.
        name: Part of the task IDs: ``pause_NAME`` and ``resume_NAME``. A third task,
            ``resumed_NAME``, does nothing; with it, the run fails if the teardown failed.
        conn_id: ID of the connection.
        already_paused: What to do with tasks that are already paused: ``keep`` leaves them paused
            afterwards, ``resume`` resumes them with the others, ``error`` does not open the window.
        **operator: Arguments of both operators: ``pool``, ``deferrable``, ``timeout``, …

    Returns:
        The teardown, for a ``with`` statement. The statement raises ``ValueError`` if a task in the
        block could hide that the teardown failed.
    """
    if already_paused not in get_args(AlreadyPaused):
        raise ValueError(f"already_paused must be one of {get_args(AlreadyPaused)}")
    if lease <= timedelta(0):
        raise ValueError("lease must be longer than 0")
    of_both = {
        "instance_id": instance_id,
        "task_name": task_name,
        "conn_id": conn_id,
        # A task with more tasks before it comes first. By Airflow's default, all setups that wait
        # for a pool would run before the first teardown that waits for it.
        "weight_rule": "upstream",
        **operator,
    }
    opening = OpenWindowOperator(
        task_id=f"pause_{name}", lease=lease, already_paused=already_paused, **of_both
    )
    closing = CloseWindowOperator(
        task_id=f"resume_{name}",
        opened_by=opening.task_id,
        **{"retries": 3, "retry_delay": timedelta(minutes=1), **of_both, **_INDEPENDENT},
    )
    closing.as_teardown(setups=opening)
    opening.closed_by = closing.task_id
    # A run succeeds although a teardown failed. With on_failure_fail_dagrun, it would succeed
    # although the work failed, because the teardown would be its last task. So another task is.
    closing >> EmptyOperator(task_id=f"resumed_{name}", trigger_rule="all_success", **_INDEPENDENT)
    return closing


def _record(
    operator: PauseReplicationOperator | ResumeReplicationOperator, **fields: Any
) -> Record:
    return Record(
        conn_id=operator.conn_id,
        instance_id=operator.instance_id,
        task_names=operator.task_names,
        **fields,
    )


class OpenWindowOperator(PauseReplicationOperator):
    """The setup of a window."""

    ui_color = "#f5d76e"

    def __init__(self, *, lease: timedelta, already_paused: AlreadyPaused, **operator: Any) -> None:
        super().__init__(**operator)
        self.lease = lease
        self.already_paused = already_paused
        self.closed_by = ""

    def execute(self, context: Context) -> Any:
        """Write the record, pause the tasks, and wait until all are paused."""
        late = records.sweep_is_late()
        if late:
            self.log.warning(
                "%s: nothing resumes these tasks if the teardown of this window does not run. "
                "Put sweep_dag() into the DAG folder.",
                late,
            )
        record = self._claim(context)
        try:
            with self.connect() as client:
                record, again = self._look(client, record)
                opened = record.opened.isoformat()
                wait = self.waiting(self.task_names, again=again)
                wait = attrs.evolve(wait, window=record.key, opened=opened)
                if self.deferrable and record.resumes:
                    self.wait_elsewhere(wait)
                results = wait.run(client)
        except ReplicationError as error:
            self._give_up(context, useless=final(error), opened=record.opened)
            raise failed(error) from error
        return self._opened(context, results)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Continue after the trigger fired."""
        if "error" in event:
            self._give_up(context, useless=event["final"])
            raise failed_with(event["error"], useless=event["final"])
        return self._opened(context, event["results"])

    def _mine(self, context: Context, **fields: Any) -> Record:
        ti, opened = context["ti"], records.now()
        whose = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id}
        whose["closed_by"] = self.closed_by
        index = -1 if ti.map_index is None else ti.map_index
        until = opened + self.lease
        return _record(self, **whose, map_index=index, opened=opened, until=until, **fields)

    def _claim(self, context: Context) -> Record:
        """Write a record for these tasks, unless another window has one of them.

        If two windows do so at the same time, each sees the other, and neither opens.
        """
        record = self._mine(context, resumes=[])
        before = records.read(record.key)
        if before is not None:
            if before.closing:
                raise AirflowException("The sweep is resuming this window. Try again later.")
            record = attrs.evolve(record, resumes=before.resumes)
        record.write()
        for key in records.open_windows(self.instance_id):
            other = records.read(key) if key != record.key else None
            if other is None or other.resumed is not None:
                continue
            shared = sorted(set(other.task_names) & set(self.task_names))
            if shared:
                if before is None:
                    record.delete()
                else:
                    before.write()
                raise AirflowException(
                    f"Another window has {', '.join(shared)}: {other}. Nothing was paused here. If "
                    "that run has ended, the next sweep closes that window."
                )
        return record

    def _look(self, client: Client, record: Record) -> tuple[Record, bool]:
        """Add the tasks to resume to the record, before any is paused."""
        ours = set(record.resumes)
        found = [
            name
            for name in self.task_names
            if name not in ours and client.task(self.instance_id, name).stage is Stage.PAUSED
        ]
        if found and self.already_paused == "error":
            raise AlreadyPausedError(self.instance_id, found)
        if found:
            self.log.warning(
                "Already paused, and %s afterwards: %s",
                "left paused" if self.already_paused == "keep" else "resumed",
                ", ".join(found),
            )
        kept = set(found) if self.already_paused == "keep" else set()
        resumes = [*record.resumes, *(n for n in self.task_names if n not in {*ours, *kept})]
        again = bool(ours)
        record = attrs.evolve(record, resumes=resumes)
        record.write()
        return record, again

    def _opened(self, context: Context, results: Any) -> Any:
        """Let the work run, unless the tasks were resumed or are being resumed."""
        record = records.read(self._mine(context, resumes=[]).key)
        if record is None or record.closing:
            raise AirflowException("The sweep has closed this window while it was opened.")
        over = record.resumed is not None or records.now() >= record.until
        # If a sweep has resumed the window, it must do so again: the tasks were paused after that.
        record = attrs.evolve(record, paused=True, resumed=None)
        record.write()
        if over:
            self._give_up(context, useless=False)
            raise AirflowException(
                f"The lease of this window ended at {record.until.isoformat()}, before its tasks "
                "were paused, so nothing runs in it. The tasks are resumed. Take a longer lease."
            )
        return {"tasks": results, "resumes": record.resumes}

    def _give_up(self, context: Context, *, useless: bool, opened: datetime | None = None) -> None:
        """After the last attempt, resume the tasks, and let the sweep do so once more.

        Another attempt, which has opened the window later than ``opened``, keeps it.
        """
        ti = context["ti"]
        record = records.read(self._mine(context, resumes=[]).key)
        if record is None or not (useless or ti.try_number > ti.max_tries):
            return
        if record.closing or opened not in {None, record.opened}:
            return
        if not record.resumes:
            record.delete()
            return
        attrs.evolve(record, until=record.opened).write()
        resume = attrs.evolve(
            self.waiting(record.resumes), goal="running", timeout=self.settle * 2, again=False
        )
        try:
            with self.connect() as client:
                resume.run(client)
        except ReplicationError as error:
            self.log.error("Not resumed. The sweep tries again: %s", error)  # noqa: TRY400  # A text says all.


class CloseWindowOperator(ResumeReplicationOperator):
    """The teardown of a window."""

    ui_color = "#a3d977"

    def __init__(self, *, opened_by: str, **operator: Any) -> None:
        super().__init__(**operator)
        self.opened_by = opened_by
        self._outside: set[str] = set()

    def __enter__(self) -> Self:
        """Begin the block: all tasks that are created in it belong to the window."""
        super().__enter__()  # type: ignore[no-untyped-call]  # Airflow's is not typed.
        self._outside = set(self.dag.task_ids)
        return self

    def __exit__(self, *exception: object) -> None:
        """Run the tasks of the block after the setup, and the teardown after them.

        Airflow itself forgets mapped tasks, and tasks with an input from outside the block.
        """
        super().__exit__(*exception)  # type: ignore[no-untyped-call]  # As above.
        opening = self.dag.get_task(self.opened_by)
        inside = set(self.dag.task_ids) - self._outside
        for task in map(self.dag.get_task, sorted(inside)):
            if isinstance(task, ShortCircuitOperator) and task.ignore_downstream_trigger_rules:
                raise ValueError(
                    f"The task {task.task_id} also skips the tasks after this window. The run can "
                    "then succeed although replication was not resumed. Set "
                    "ignore_downstream_trigger_rules=False for it."
                )
            if task.upstream_task_ids.isdisjoint({*inside, opening.task_id}):
                opening >> task
            if task.downstream_task_ids.isdisjoint({*inside, self.task_id}):
                task >> self

    def execute(self, context: Context) -> Any:
        """Resume the tasks, wait until they are running, and delete the record."""
        record = self._read(context)
        names = self._names(context, record)
        if not names:
            return self._closed(context, [])
        # If somebody marked the setup as successful too early, a pause may be in progress.
        unseen = record is not None and not record.paused
        wait = attrs.evolve(self.waiting(names), twice=unseen)
        if self.deferrable:
            self.wait_elsewhere(wait)
        try:
            with self.connect() as client:
                results = wait.run(client)
        except ReplicationError as error:
            raise failed(error) from error
        return self._closed(context, results)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Continue after the trigger fired."""
        if "error" in event:
            raise failed_with(event["error"], useless=event["final"])
        return self._closed(context, event["results"])

    def _read(self, context: Context) -> Record | None:
        ti, then = context["ti"], records.now()
        index = -1 if ti.map_index is None else ti.map_index
        whose = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": self.opened_by}
        mine = _record(self, **whose, map_index=index, opened=then, until=then, resumes=[])
        return records.read(mine.key)

    def _names(self, context: Context, record: Record | None) -> list[str]:
        """The tasks to resume, from the record or from the result of the setup."""
        if record is not None and record.resumed is None:
            return record.resumes
        key = "" if record is None else record.key
        names = self._paused_by_setup(context) if record is None else record.resumes
        kept = records.paused_by_others(key, self.instance_id)
        for name in kept.keys() & set(names):
            self.log.warning(
                "Not resumed, because %s has paused it meanwhile: %s", kept[name], name
            )
        return [name for name in names if name not in kept]

    def _paused_by_setup(self, context: Context) -> list[str]:
        ti = context["ti"]
        index = None if ti.map_index is None or ti.map_index < 0 else ti.map_index
        opened = ti.xcom_pull(task_ids=self.opened_by, map_indexes=index)
        if not opened:
            raise AirflowFailException(
                "There is no record of what this window paused. Read the stages of "
                f"{', '.join(self.task_names)} and resume what is paused."
            )
        return list(opened["resumes"])

    def _closed(self, context: Context, results: list[Any]) -> Any:
        record = self._read(context)
        if record is not None:
            record.delete()
            if record.resumed is not None:
                raise AirflowFailException(
                    f"The sweep resumed the tasks at {record.resumed.isoformat()}, while this "
                    f"window was open, because its lease ended at {record.until.isoformat()}. Work "
                    "after that ran with replication on. Take a longer lease."
                )
        return results
