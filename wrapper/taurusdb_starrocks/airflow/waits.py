"""Waiting for tasks, in a worker or in a trigger, and the results."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import datetime
from typing import Literal, TypedDict

import attrs

from taurusdb_starrocks import (
    AlreadyPausedError,
    AsyncClient,
    AuthenticationError,
    Client,
    ConfigurationError,
    Job,
    NotFoundError,
    PermissionDeniedError,
    Poll,
    ReplicationError,
    Stage,
    Task,
    TaskFailedError,
    UnsupportedOperationError,
    Waiting,
    WaitTimeoutError,
)
from taurusdb_starrocks.airflow.records import Claim

Goal = Literal["paused", "running"]


class Result(TypedDict):
    """The result of one task, as it is in XCom.

    Attributes:
        task_name: Name of the task.
        stage: Last seen stage, in lower case; None if it was not waited for.
        job_id: ID of the accepted job; None if no request was needed, or its response was lost.
        request_id: ID of that request, for Huawei Cloud support tickets.
    """

    task_name: str
    stage: str | None
    job_id: str | None
    request_id: str | None


def result(name: str, task: Task | None, job: Job | None) -> Result:
    """The result of a task, from its last seen state and its job."""
    return {
        "task_name": name,
        "stage": task.stage.value if task else None,
        "job_id": job.id if job else None,
        "request_id": job.request_id if job else None,
    }


@attrs.frozen
class Wait:
    """A wait for tasks of one instance.

    Attributes:
        instance_id: StarRocks instance.
        task_names: The tasks.
        goal: The wanted state.
        change: Whether to request it, or only wait for it.
        timeout: Maximum time, in seconds.
        poll_interval: Seconds between two polls.
        settle: Maximum time, in seconds, to determine the outcome of a request whose response was
            lost.
        again: Whether an earlier attempt may have requested it. Then the stages are polled for
            ``settle`` seconds before a request is sent.
        twice: Whether to request it once more, ``settle`` seconds after it was reached, because
            an earlier request for the opposite may still take effect.
        window: Key of the record of the window that pauses the tasks, or empty.
        opened: When that window was opened, in ISO 8601.
    """

    instance_id: str
    task_names: list[str]
    goal: Goal
    change: bool
    timeout: float
    poll_interval: float
    settle: float
    again: bool = False
    twice: bool = False
    window: str = ""
    opened: str = ""

    @property
    def look(self) -> Wait:
        """The same wait, for ``settle`` seconds and without requests."""
        return attrs.evolve(self, change=False, timeout=self.settle, again=False, window="")

    @property
    def claim(self) -> Claim | None:
        """What the attempt of a window may do."""
        if not self.window:
            return None
        return Claim(self.window, datetime.fromisoformat(self.opened))

    def requested(self) -> bool:
        """Whether an earlier attempt, or an earlier triggerer, may have requested it."""
        return self.again or (self.claim is not None and self.claim.requested())

    def run(self, client: Client) -> list[Result]:
        """Wait with a client for threads."""
        if self.requested():
            with suppress(WaitTimeoutError):
                return self.look.run(client)
        jobs: dict[str, Job] = {}
        if self.change:
            ensure = client.ensure_paused if self.goal == "paused" else client.ensure_running
            tasks = ensure(self.instance_id, self.task_names, **self._options(jobs))
            if self.twice:
                time.sleep(self.settle)
                tasks = ensure(self.instance_id, self.task_names, **self._options(jobs))
            return self._results(tasks, jobs)
        wait = client.wait_until_paused if self.goal == "paused" else client.wait_until_running
        began = time.monotonic()
        tasks = [
            wait(self.instance_id, name, **self._rest(time.monotonic() - began))
            for name in self.task_names
        ]
        return self._results(tasks, jobs)

    async def arun(self, client: AsyncClient) -> list[Result]:
        """The same with a client for coroutines."""
        if await asyncio.to_thread(self.requested):
            with suppress(WaitTimeoutError):
                return await self.look.arun(client)
        jobs: dict[str, Job] = {}
        if self.change:
            ensure = client.ensure_paused if self.goal == "paused" else client.ensure_running
            tasks = await ensure(self.instance_id, self.task_names, **self._options(jobs))
            if self.twice:
                await asyncio.sleep(self.settle)
                tasks = await ensure(self.instance_id, self.task_names, **self._options(jobs))
            return self._results(tasks, jobs)
        wait = client.wait_until_paused if self.goal == "paused" else client.wait_until_running
        began = time.monotonic()
        tasks = [
            await wait(self.instance_id, name, **self._rest(time.monotonic() - began))
            for name in self.task_names
        ]
        return self._results(tasks, jobs)

    def _options(self, jobs: dict[str, Job]) -> Waiting:
        poll = Poll(
            first=min(Poll().first, self.poll_interval),
            interval=self.poll_interval,
            longest=max(Poll().longest, self.poll_interval),
        )
        return {
            "timeout": self.timeout,
            "poll": poll,
            "settle": self.settle,
            "accepted": jobs.__setitem__,
            "recorder": self.claim,
        }

    def _rest(self, elapsed: float) -> Waiting:
        """The rest of the time, for the next of several tasks; enough for one poll at least."""
        return {**self._options({}), "timeout": max(self.timeout - elapsed, 1.0)}

    def _results(self, tasks: list[Task], jobs: dict[str, Job]) -> list[Result]:
        return [
            result(name, task, jobs.get(name))
            for name, task in zip(self.task_names, tasks, strict=True)
        ]


# Another attempt would fail in the same way.
_FINAL = (
    AlreadyPausedError,
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    TaskFailedError,
    UnsupportedOperationError,
)


def final(error: ReplicationError) -> bool:
    """Whether a retry by Airflow would be useless."""
    return isinstance(error, _FINAL)


def at_goal(task: Task, goal: Goal) -> bool:
    """Whether a task is in the wanted state."""
    return task.stage is Stage.PAUSED if goal == "paused" else task.stage.running
