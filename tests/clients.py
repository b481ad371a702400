"""Both clients behind one face, so that a test is written once and runs against both."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
from taurusdb_starrocks import AsyncClient, AsyncWindow, Client, Job, RetryPolicy, TokenAuth

PROJECT = "0483b6b16e954cb88930a360d2c4e663"
INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
TASK = "orders_sync"
TOKEN = "MIIEtokenOfTheProject0123456789abcdef"
AT_ONCE = RetryPolicy(first_delay=0.0)
ONCE = RetryPolicy(attempts=1)

SETTINGS: dict[str, Any] = {
    "endpoint": "https://gaussdb.example.com",
    "project_id": PROJECT,
    "retry": AT_ONCE,
    "environ": {"HOME": "/nonexistent"},
}


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

    def paused(self, *args: Any, **kwargs: Any) -> BlockingWindow:
        return BlockingWindow(self._runner, self.client.paused(*args, **kwargs))


class BlockingWindow:
    """A window of an ``AsyncClient``, for a ``with`` statement."""

    def __init__(self, runner: asyncio.Runner, window: AsyncWindow[Any]) -> None:
        self._runner = runner
        self._window = window

    @property
    def found_paused(self) -> tuple[str, ...]:
        return self._window.found_paused

    def __enter__(self) -> Any:
        return self._runner.run(self._window.__aenter__())

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._runner.run(self._window.__aexit__(kind, error, traceback))


async def _await(awaitable: Any) -> Any:
    return await awaitable


async def _collect(iterator: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in iterator]


class Face:
    """A client of either kind, called from synchronous code, about one task unless told another."""

    def __init__(self, client: Client | AsyncClient, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner
        self._verbs: Any = client if isinstance(client, Client) else Blocking(runner, client)

    def do(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """What the verb returns."""
        return getattr(self._verbs, verb)(*args, **kwargs)

    def pause(self, instance_id: Any = INSTANCE, task_name: Any = TASK, **kwargs: Any) -> Job:
        job: Job = self.do("pause", instance_id, task_name, **kwargs)
        return job

    def resume(self, instance_id: Any = INSTANCE, task_name: Any = TASK) -> Job:
        job: Job = self.do("resume", instance_id, task_name)
        return job

    def tasks(self, instance_id: Any = INSTANCE) -> list[Any]:
        return list(self.do("tasks", instance_id))

    def all_at_once(self, number: int) -> list[Any]:
        """As many pauses at once; each comes to its job or its exception."""
        if isinstance(self.client, Client):
            client = self.client
            with concurrent.futures.ThreadPoolExecutor(min(number, 128)) as pool:
                futures = [pool.submit(client.pause, INSTANCE, TASK) for _ in range(number)]
            return [future.exception() or future.result() for future in futures]

        async def gather() -> list[Any]:
            assert isinstance(self.client, AsyncClient)
            calls = (self.client.pause(INSTANCE, TASK) for _ in range(number))
            return await asyncio.gather(*calls, return_exceptions=True)

        return self._runner.run(gather())

    def close(self) -> None:
        self.do("close" if isinstance(self.client, Client) else "aclose")


class Maker:
    """Makes clients of one kind and closes them in the end."""

    def __init__(self, kind: type[Client | AsyncClient], runner: asyncio.Runner) -> None:
        self.kind = kind
        self.runner = runner
        self._made: list[Face] = []

    def __call__(self, **settings: Any) -> Face:
        """A client with settings that work, but for those given; None takes one away."""
        if "auth" not in settings:
            settings["auth"] = TokenAuth(TOKEN)
        settings = {
            name: value
            for name, value in (SETTINGS | settings).items()
            if value is not None or name in {"region", "auth"}
        }
        face = Face(self.kind(**settings), self.runner)
        self._made.append(face)
        return face

    def close(self) -> None:
        for face in self._made:
            face.close()


class Wire(httpx.MockTransport):
    """A transport that keeps what it was sent and gives the answers in order, the last for ever.

    An answer is a reply, an exception, or a function from a request to one of these.
    """

    def __init__(self, *answers: Any) -> None:
        super().__init__(self._answer)
        self._answers = list(answers) or [httpx.Response(200, json={"job_id": "job-1"})]
        self.sent: list[httpx.Request] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        # As it is now: an identity may change it and send it again.
        now = {"headers": request.headers.raw, "content": request.content}
        self.sent.append(httpx.Request(request.method, request.url, **now))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not isinstance(answer, (httpx.Response, Exception)):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        # A reply can be read once.
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            content=answer.content,
            extensions=answer.extensions,
        )


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
