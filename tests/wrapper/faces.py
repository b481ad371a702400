"""Both clients behind one face, so that every test runs against both."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

import httpx
from taurusdb_starrocks import AsyncClient, Client, Job, RetryPolicy, TokenAuth

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


class Face:
    """A client of either kind, called from synchronous code."""

    def __init__(self, client: Client | AsyncClient, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def do(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """What the verb returns."""
        if isinstance(self.client, Client):
            return getattr(self.client, verb)(*args, **kwargs)

        async def wait() -> Any:
            return await getattr(self.client, verb)(*args, **kwargs)

        return self._runner.run(wait())

    def pause(self, instance_id: Any = INSTANCE, task_name: Any = TASK, **kwargs: Any) -> Job:
        job: Job = self.do("pause", instance_id, task_name, **kwargs)
        return job

    def resume(self, instance_id: Any = INSTANCE, task_name: Any = TASK) -> Job:
        job: Job = self.do("resume", instance_id, task_name)
        return job

    def tasks(self, instance_id: Any = INSTANCE) -> list[Any]:
        if isinstance(self.client, Client):
            return list(self.client.tasks(instance_id))

        async def gather() -> list[Any]:
            assert isinstance(self.client, AsyncClient)
            return [task async for task in self.client.tasks(instance_id)]

        return self._runner.run(gather())

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
