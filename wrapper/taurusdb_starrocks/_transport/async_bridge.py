"""The HTTP client for generated code, for coroutines. Needs an asyncio event loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from typing import Any

import httpx

from taurusdb_starrocks._decisions.steps import Latch, Send, Sleep, Wait, arun
from taurusdb_starrocks._errors import ConfigurationError, ReplicationError
from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._operations import Call
from taurusdb_starrocks._transport.async_mock import AsyncMockNetwork
from taurusdb_starrocks._transport.bridge import Answer, Bridge, Unreached
from taurusdb_starrocks._transport.calls import Calls, closed, within
from taurusdb_starrocks._transport.failures import bare
from taurusdb_starrocks._transport.plan import Plan
from taurusdb_starrocks._transport.proxies import Proxies
from taurusdb_starrocks._transport.streams import AsyncNetwork


class AsyncHTTPClient(httpx.AsyncClient):
    """An async httpx client that turns its requests into calls."""

    def __init__(
        self, calls: Calls, network: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        self._bridge = Bridge(calls, headers)
        self._network = network
        super().__init__(
            base_url=str(calls.plan.endpoint),
            headers=self._bridge.headers,
            transport=Unreached(),
            trust_env=False,
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def extended(self, headers: Mapping[str, str]) -> AsyncHTTPClient:
        """A copy with additional headers that uses the same connections."""
        return AsyncHTTPClient(self._bridge.calls, self._network, {**self._bridge.extra, **headers})

    async def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """Return the response if it is usable; otherwise raise the typed error."""
        self._check()
        made = self._bridge.simple(method, url, options)
        if made is None:
            return await super().request(method, url, **options)
        return await self._call(*made)

    async def send(self, request: httpx.Request, **_options: Any) -> httpx.Response:
        """The same for a request that is already built."""
        self._check()
        return await self._call(*self._bridge.built(request, await request.aread()))

    def _check(self) -> None:
        if self._bridge.calls.closed:
            raise closed()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(
                "An AsyncClient needs an asyncio event loop, but none is running. Nothing was sent."
            ) from None
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise ConfigurationError(
                "An AsyncClient belongs to the event loop of its first call, but this is another "
                "loop: create a client for each loop. Nothing was sent."
            )

    async def _call(self, call: Call, request: Request) -> httpx.Response:
        calls, network, outside = self._bridge.calls, self._network, sys.exception()

        async def perform(step: Send | Sleep | Wait) -> Any:
            if isinstance(step, Send):
                return await network.exchange(step.request, call.deadline)
            if isinstance(step, Sleep):
                return await asyncio.sleep(step.seconds)
            return await _opened(step.latch, calls.left(call))

        try:
            with calls.report(call, request) as report:
                reply, document = await arun(calls.steps(call, request), perform)
                report.reply = reply
        except ReplicationError as error:
            raise bare(error, outside) from error.__cause__
        return Answer(call, request, reply, document)

    async def aclose(self) -> None:
        """Close the connections, also for copies of this client."""
        await super().aclose()
        self._bridge.calls.closed = True
        await self._network.aclose()

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()


async def _opened(latch: Latch, seconds: float) -> bool:
    """Wait for a latch; return whether it opened in time. Another thread may open it."""
    loop = asyncio.get_running_loop()
    opened = asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # The loop has been closed.
            loop.call_soon_threadsafe(opened.set)

    latch.then(wake)
    try:
        async with asyncio.timeout(seconds):
            await opened.wait()
    except TimeoutError:
        return False
    return True


async def in_thread(act: Callable[..., Any], *arguments: Any) -> Any:
    """Call a blocking function in a thread. A cancellation does not stop the function."""
    outcome: Future[Any] = Future()
    lock = threading.Lock()

    def once() -> Any:
        with lock:
            if not outcome.done():
                try:
                    outcome.set_result(act(*arguments))
                except BaseException as error:  # noqa: BLE001  # It is raised below.
                    outcome.set_exception(error)
        return outcome.result()

    try:
        running = asyncio.get_running_loop().run_in_executor(None, copy_context().run, once)
    except RuntimeError:
        # No thread can be started: the main thread has ended, or there are too many threads. Block
        # the event loop instead, because the function may be needed to resume a task. The executor
        # may still call it later, when one of its threads is free.
        return once()
    return await running


async def sleep(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


def connect(
    plan: Plan,
) -> tuple[AsyncHTTPClient, Callable[[float | None], AbstractContextManager[None]]]:
    """The HTTP client for a plan, and the context manager for the deadline of a wait."""
    if plan.transport is not None and not isinstance(plan.transport, httpx.AsyncBaseTransport):
        raise ConfigurationError("transport must be an httpx.AsyncBaseTransport.")
    network: AsyncNetwork | AsyncMockNetwork = (
        AsyncNetwork(
            connect_timeout=plan.connect_timeout,
            read_timeout=plan.read_timeout,
            max_connections=plan.max_connections,
            ssl_context=plan.ssl_context,
            proxies=Proxies(plan.proxies),
        )
        if plan.transport is None
        else AsyncMockNetwork(plan.transport)
    )
    return AsyncHTTPClient(Calls(plan), network), within
