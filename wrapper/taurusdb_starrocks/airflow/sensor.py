"""A sensor for the stage of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue, conf

from taurusdb_starrocks import ReplicationError, TaskFailedError
from taurusdb_starrocks.airflow.hook import DEFAULT_CONN_ID, StarRocksReplicationHook
from taurusdb_starrocks.airflow.operators import failed, failed_with
from taurusdb_starrocks.airflow.trigger import ReplicationTrigger
from taurusdb_starrocks.airflow.waits import Goal, Result, Wait, at_goal, final, result


class ReplicationStageSensor(BaseSensorOperator):
    """Waits until tasks are paused, or until they are running. It changes nothing.

    A poll that fails temporarily does not end the wait. A task that is abnormal or cancelled fails
    the sensor.

    Args:
        instance_id: StarRocks instance (ends in ``in17``).
        task_name: One synchronization task or several.
        stage: ``paused``, or ``running`` for full or incremental.
        conn_id: ID of the connection.
        deferrable: Whether to wait in the triggerer, which occupies no worker.
        **sensor: Arguments of every sensor: ``poke_interval``, ``timeout``, ``mode``, …
    """

    template_fields: Sequence[str] = ("conn_id", "instance_id", "task_name")

    def __init__(
        self,
        *,
        instance_id: str,
        task_name: str | list[str],
        stage: Goal = "paused",
        conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **sensor: Any,
    ) -> None:
        super().__init__(**sensor)
        if stage not in {"paused", "running"}:
            raise ValueError(f"stage must be 'paused' or 'running', not {stage!r}")
        self.conn_id = conn_id
        self.instance_id = instance_id
        self.task_name = task_name
        self.stage = stage
        self.deferrable = deferrable

    @property
    def task_names(self) -> list[str]:
        """The tasks, each once."""
        names = [self.task_name] if isinstance(self.task_name, str) else self.task_name
        return list(dict.fromkeys(names))

    def execute(self, context: Context) -> Any:
        """Wait, here or in the triggerer, and return the last seen stages of the tasks."""
        if not self.deferrable:
            return super().execute(context)
        wait = Wait(
            instance_id=self.instance_id,
            task_names=self.task_names,
            goal=self.stage,
            change=False,
            timeout=self.timeout,
            poll_interval=self.poke_interval,
            settle=self.timeout,
        )
        return self.defer(
            trigger=ReplicationTrigger(self.conn_id, **attrs.asdict(wait)),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + 300.0),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:  # noqa: ARG002  # Airflow's.
        """Continue after the trigger fired."""
        if "error" in event:
            raise failed_with(event["error"], useless=event["final"])
        return self._as_given(event["results"])

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002  # Airflow's.
        """Poll once."""
        try:
            with StarRocksReplicationHook(self.conn_id).get_conn() as client:
                tasks = [client.task(self.instance_id, name) for name in self.task_names]
        except ReplicationError as error:
            if final(error):
                raise failed(error) from error
            self.log.warning("This poll failed, and the next one may succeed: %s", error)
            return PokeReturnValue(is_done=False)
        for task in tasks:
            if task.abnormal:
                raise failed(TaskFailedError(f"The task {task.name} is abnormal.", task=task))
        return PokeReturnValue(
            is_done=all(at_goal(task, self.stage) for task in tasks),
            xcom_value=self._as_given([result(task.name, task, None) for task in tasks]),
        )

    def _as_given(self, results: list[Result]) -> Any:
        """A list for a list of tasks."""
        return results[0] if isinstance(self.task_name, str) else results
