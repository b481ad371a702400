"""Waiting for tasks, in a worker or in a trigger, and what is told of it afterwards."""

from __future__ import annotations

import time
from contextlib import suppress
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

Goal = Literal["paused", "running"]


class Result(TypedDict):
    """What became of one task, as it stands in XCom.

    Attributes:
        task_name: Name of the task.
        stage: Stage it was last seen in, in lower case; None where nothing was waited for.
        job_id: ID of the job that the service accepted; None if none was needed, or if the
            response with its ID was lost.
        request_id: ID of that request, for the vendor's support.
    """

    task_name: str
    stage: str | None
    job_id: str | None
    request_id: str | None


def result(name: str, task: Task | None, job: Job | None) -> Result:
    """What became of a task that was last seen so, by that job."""
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
        goal: Where they are to be.
        change: Whether to request it, or only to wait for it.
        timeout: Longest time in seconds.
        poll_interval: Seconds between two polls.
        settle: Longest time in seconds to find out what became of a request without a response.
        again: Whether somebody who is gone may have requested it already. Then it is looked for,
            for ``settle`` seconds, before it is requested.
    """

    instance_id: str
    task_names: list[str]
    goal: Goal
    change: bool
    timeout: float
    poll_interval: float
    settle: float
    again: bool = False

    @property
    def look(self) -> Wait:
        """The same, for ``settle`` seconds and without requesting anything."""
        return attrs.evolve(self, change=False, timeout=self.settle, again=False)

    def run(self, client: Client) -> list[Result]:
        """Wait with a client for threads."""
        if self.again:
            with suppress(WaitTimeoutError):
                return self.look.run(client)
        jobs: dict[str, Job] = {}
        if self.change:
            ensure = client.ensure_paused if self.goal == "paused" else client.ensure_running
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
        if self.again:
            with suppress(WaitTimeoutError):
                return await self.look.arun(client)
        jobs: dict[str, Job] = {}
        if self.change:
            ensure = client.ensure_paused if self.goal == "paused" else client.ensure_running
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
        }

    def _rest(self, elapsed: float) -> Waiting:
        """What is left of the time for the next of several tasks; one poll at least."""
        return {**self._options({}), "timeout": max(self.timeout - elapsed, 1.0)}

    def _results(self, tasks: list[Task], jobs: dict[str, Job]) -> list[Result]:
        return [
            result(name, task, jobs.get(name))
            for name, task in zip(self.task_names, tasks, strict=True)
        ]


# Another attempt of the same task would end in the same way.
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
    """Whether it is useless that Airflow retries."""
    return isinstance(error, _FINAL)


def at_goal(task: Task, goal: Goal) -> bool:
    """Whether a task is where it is to be."""
    return task.stage is Stage.PAUSED if goal == "paused" else task.stage.running
