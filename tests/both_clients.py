"""Both clients behind one face, so that a test is written once and runs against both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from taurusdb_starrocks import AsyncClient, Client


class Blocking:
    """An ``AsyncClient`` on an event loop of its own, with the verbs of a ``Client``."""

    def __init__(self, runner: asyncio.Runner, client: AsyncClient) -> None:
        self._runner = runner
        self.client = client

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.client, name)
        return self._blocking(member) if callable(member) else member

    def _blocking(self, member: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = member(*args, **kwargs)
            if inspect.isawaitable(result):
                return self._runner.run(_await(result))
            if isinstance(result, AsyncIterator):
                return iter(self._runner.run(_collect(result)))
            return result

        return call

    @contextmanager
    def paused(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        window = self.client.paused(*args, **kwargs)
        tasks = self._runner.run(_await(window.__aenter__()))
        try:
            yield tasks
        except BaseException as error:
            if not self._runner.run(_exit(window, error)):
                raise
        else:
            self._runner.run(_exit(window, None))


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _exit(window: Any, error: BaseException | None) -> Any:
    return await window.__aexit__(type(error) if error else None, error, None)


async def _collect(iterator: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in iterator]


OpenClient = Callable[..., AbstractContextManager[Any]]


@contextmanager
def open_sync(**settings: Any) -> Iterator[Client]:
    with Client(**settings) as client:
        yield client


@contextmanager
def open_async(**settings: Any) -> Iterator[Blocking]:
    with asyncio.Runner() as runner:
        client = AsyncClient(**settings)
        yield Blocking(runner, client)
        runner.run(client.aclose())
