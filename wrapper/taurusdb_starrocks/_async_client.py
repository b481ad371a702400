"""The client for coroutines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from taurusdb_starrocks._decisions import ensuring
from taurusdb_starrocks._decisions.paging import Found, Reading, following
from taurusdb_starrocks._decisions.polling import Waiting
from taurusdb_starrocks._decisions.recording import Earlier
from taurusdb_starrocks._decisions.steps import ReadPage, Record, Sleep, Steps, arun
from taurusdb_starrocks._decisions.window import AlreadyPaused
from taurusdb_starrocks._instances import Configuration, Instance
from taurusdb_starrocks._operations import PAUSE, RESUME
from taurusdb_starrocks._tasks import Job, Task
from taurusdb_starrocks._verbs import Names, Verbs
from taurusdb_starrocks._windows import AsyncWindow

if TYPE_CHECKING:
    from taurusdb_starrocks._generated import AuthenticatedClient
    from taurusdb_starrocks._transport.plan import Plan

T = TypeVar("T")


class AsyncClient(Verbs):
    """The methods of ``Client`` as coroutines. All coroutines of one asyncio loop can share it."""

    def _connect(self, plan: Plan) -> AuthenticatedClient:
        from taurusdb_starrocks import _generated  # noqa: PLC0415  # As in Verbs.
        from taurusdb_starrocks._transport import async_bridge  # noqa: PLC0415  # As in Verbs.

        self._http, self._within = async_bridge.connect(plan)
        self._sleep = async_bridge.sleep
        self._in_thread = async_bridge.in_thread
        api = _generated.connected()
        api.set_async_httpx_client(self._http)
        return api

    async def pause(self, instance_id: str, task_name: str) -> Job:
        """As ``Client.pause``."""
        return await self._run(self._changing(PAUSE, instance_id, task_name))

    async def resume(self, instance_id: str, task_name: str) -> Job:
        """As ``Client.resume``."""
        return await self._run(self._changing(RESUME, instance_id, task_name))

    @overload
    async def ensure_paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task: ...

    @overload
    async def ensure_paused(
        self, instance_id: str, task_name: list[str] | tuple[str, ...], **options: Unpack[Waiting]
    ) -> list[Task]: ...

    async def ensure_paused(
        self, instance_id: str, task_name: Names, **options: Unpack[Waiting]
    ) -> Any:
        """As ``Client.ensure_paused``."""
        return await self._run(
            self._ensuring(ensuring.ensure_paused, instance_id, task_name, options)
        )

    @overload
    async def ensure_running(
        self,
        instance_id: str,
        task_name: str,
        *,
        earlier: Earlier | None = None,
        **options: Unpack[Waiting],
    ) -> Task: ...

    @overload
    async def ensure_running(
        self,
        instance_id: str,
        task_name: list[str] | tuple[str, ...],
        *,
        earlier: Earlier | None = None,
        **options: Unpack[Waiting],
    ) -> list[Task]: ...

    async def ensure_running(
        self,
        instance_id: str,
        task_name: Names,
        *,
        earlier: Earlier | None = None,
        **options: Unpack[Waiting],
    ) -> Any:
        """As ``Client.ensure_running``."""
        if earlier is None:
            steps = self._ensuring(ensuring.ensure_running, instance_id, task_name, options)
        else:
            steps = self._ensuring(ensuring.take_over, instance_id, task_name, options, earlier)
        return await self._run(steps)

    def tasks(self, instance_id: str) -> AsyncIterator[Task]:
        """As ``Client.tasks``, for ``async for``."""
        return self._all(instance_id, self._listing(instance_id))

    async def _all(self, instance_id: str, reading: Reading) -> AsyncIterator[Task]:
        step = following(reading)
        while step is not None:
            if isinstance(step, Found):
                for task in step.tasks:
                    yield task
                step = following(reading)
            else:
                page = await self._perform(ReadPage(instance_id, step.offset, step.limit))
                step = following(reading, page)

    async def task(self, instance_id: str, task_name: str) -> Task:
        """As ``Client.task``."""
        return await self._run(self._finding(instance_id, task_name))

    async def instances(self, instance_id: str) -> list[Instance]:
        """As ``Client.instances``."""
        return await self._run(self._reading_instances(instance_id))

    async def configuration(self, instance_id: str, task_name: str) -> Configuration:
        """As ``Client.configuration``."""
        return await self._run(self._reading_configuration(instance_id, task_name))

    async def wait_until_paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """As ``Client.wait_until_paused``."""
        return await self._run(self._reaching(PAUSE, instance_id, task_name, options))

    async def wait_until_running(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """As ``Client.wait_until_running``."""
        return await self._run(self._reaching(RESUME, instance_id, task_name, options))

    @overload
    def paused(
        self,
        instance_id: str,
        task_name: str,
        *,
        already_paused: AlreadyPaused = "keep",
        **options: Unpack[Waiting],
    ) -> AsyncWindow[Task]: ...

    @overload
    def paused(
        self,
        instance_id: str,
        task_name: list[str] | tuple[str, ...],
        *,
        already_paused: AlreadyPaused = "keep",
        **options: Unpack[Waiting],
    ) -> AsyncWindow[list[Task]]: ...

    def paused(
        self,
        instance_id: str,
        task_name: Names,
        *,
        already_paused: AlreadyPaused = "keep",
        **options: Unpack[Waiting],
    ) -> AsyncWindow[Any]:
        """As ``Client.paused``, for ``async with``.

        If the block is cancelled, the tasks are still resumed, but for at most ``settle`` seconds.
        Another ``cancel()`` of the asyncio task stops this with a ``NotResumedError``.

        In the main thread, Ctrl-C acts as a cancellation while the window opens or closes, and
        while its block awaits something. This requires ``asyncio.run`` or Python's default handler
        for SIGINT. At the end, ``KeyboardInterrupt`` or ``NotResumedError`` is raised;
        ``NotResumedError`` is also logged.
        """
        make = self._pausing(instance_id, task_name, already_paused, options)
        return AsyncWindow(make, self._perform, single=isinstance(task_name, str))

    async def _run(self, steps: Steps[T]) -> T:
        return await arun(steps, self._perform)

    async def _perform(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            return await self._sleep(step.seconds)
        if isinstance(step, Record):
            return await self._in_thread(step.act, *step.arguments)
        call, arguments, read = self._call(step)
        with self._within(step.deadline):
            return read(await call.asyncio_detailed(**arguments))

    async def aclose(self) -> None:
        """Close the connections. Later calls raise ``ConfigurationError``."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()
