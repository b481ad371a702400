"""Operators that pause and resume."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, NoReturn

import attrs
from airflow.sdk import BaseOperator, Context, conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from taurusdb_starrocks import Client, ReplicationError, WaitTimeoutError
from taurusdb_starrocks.airflow.hook import DEFAULT_CONN_ID, StarRocksReplicationHook
from taurusdb_starrocks.airflow.trigger import ReplicationTrigger
from taurusdb_starrocks.airflow.waits import Goal, Result, Wait, final, result


def failed(error: ReplicationError) -> AirflowException:
    """The exception that fails a task; without retries if another attempt would fail too."""
    return failed_with(str(error), useless=final(error))


def failed_with(text: str, *, useless: bool) -> AirflowException:
    """The same for an error that a trigger reported."""
    return AirflowFailException(text) if useless else AirflowException(text)


class ReplicationOperator(BaseOperator):
    """The base of both operators: it returns the results of the tasks.

    Args:
        instance_id: StarRocks instance (ends in ``in17``).
        task_name: One synchronization task or several.
        conn_id: ID of the connection.
        wait: Whether to wait until the tasks are paused or running. Otherwise the operator ends
            when the service has accepted the requests.
        timeout: Maximum time to wait, in seconds.
        poll_interval: Seconds between two polls.
        settle: Maximum time, in seconds, to determine the outcome of a request whose response was
            lost.
        deferrable: Whether to wait in the triggerer, which occupies no worker.
        **operator: Standard operator arguments: ``task_id``, ``pool``, ``retries``, …
    """

    template_fields: Sequence[str] = ("conn_id", "instance_id", "task_name")
    goal: ClassVar[Goal]

    def __init__(
        self,
        *,
        instance_id: str,
        task_name: str | list[str],
        conn_id: str = DEFAULT_CONN_ID,
        wait: bool = True,
        timeout: float = 1800.0,
        poll_interval: float = 10.0,
        settle: float = 60.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.conn_id = conn_id
        self.instance_id = instance_id
        self.task_name = task_name
        self.wait = wait
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.settle = settle
        self.deferrable = deferrable

    @property
    def task_names(self) -> list[str]:
        """The tasks, each once."""
        names = [self.task_name] if isinstance(self.task_name, str) else self.task_name
        return list(dict.fromkeys(names))

    def execute(self, context: Context) -> Any:
        """Request the change, wait for it, and return the results of the tasks."""
        # A pause is sent again only if the first is known to have had no effect. A resume is always
        # sent: it does no harm, and a pause of a task that runs may be in progress.
        again = self.goal == "paused" and context["ti"].try_number > 1
        if self.wait and self.deferrable:
            self.wait_elsewhere(self.waiting(self.task_names, again=again))
        try:
            with self.connect() as client:
                if self.wait:
                    results = self.waiting(self.task_names, again=again).run(client)
                else:
                    results = [self._request(client, name, again) for name in self.task_names]
        except ReplicationError as error:
            raise failed(error) from error
        return self._as_given(context, results)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Continue after the trigger fired."""
        if "error" in event:
            raise failed_with(event["error"], useless=event["final"])
        return self._as_given(context, event["results"])

    def connect(self) -> Client:
        """A client for the connection."""
        return StarRocksReplicationHook(self.conn_id).get_conn()

    def waiting(self, names: list[str], *, again: bool = False) -> Wait:
        """How to wait for some of the tasks."""
        return Wait(
            instance_id=self.instance_id,
            task_names=names,
            goal=self.goal,
            change=True,
            timeout=self.timeout,
            poll_interval=self.poll_interval,
            settle=self.settle,
            again=again,
        )

    def wait_elsewhere(self, wait: Wait) -> NoReturn:
        """Wait in the triggerer."""
        self.defer(
            trigger=ReplicationTrigger(self.conn_id, **attrs.asdict(wait)),
            method_name="execute_complete",
            # The trigger has a timeout of its own. This one is for a triggerer that does not run.
            timeout=timedelta(seconds=self.timeout + self.settle + 300.0),
        )

    def _request(self, client: Client, name: str, again: bool) -> Result:
        """Send one request, without waiting for its effect."""
        if again:
            with suppress(WaitTimeoutError):
                return self.waiting([name]).look.run(client)[0]
        change = client.pause if self.goal == "paused" else client.resume
        return result(name, None, change(self.instance_id, name))

    def _as_given(self, context: Context, results: list[Result]) -> Any:
        """A list for a list of tasks. The IDs of a single task are XCom keys as well."""
        if not isinstance(self.task_name, str):
            return results
        if self.do_xcom_push:
            for key, value in results[0].items():
                context["ti"].xcom_push(key, value)
        return results[0]


class PauseReplicationOperator(ReplicationOperator):
    """Pauses synchronization tasks. Nothing resumes them: use ``paused`` for that.

    Its arguments are those of ``ReplicationOperator``.
    """

    goal = "paused"


class ResumeReplicationOperator(ReplicationOperator):
    """Resumes synchronization tasks.

    Its arguments are those of ``ReplicationOperator``.
    """

    goal = "running"
