"""The methods of a recorder, which an ``AsyncClient`` calls in a thread, if there is one."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import httpx
import pytest
from scripted_service import INSTANCE, POLL, Service
from taurusdb_starrocks import AsyncClient, Earlier, ReplicationError, TokenAuth
from taurusdb_starrocks._transport.async_bridge import in_thread

OF_THE_CALLER: ContextVar[str] = ContextVar("of_the_caller")


class Recorder:
    """Notes the calls, and whether they came in the main thread."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []

    def _note(self, name: str) -> None:
        self.calls.append((name, threading.current_thread() is threading.main_thread()))

    def opening(self) -> Earlier:
        self._note("opening")
        return Earlier()

    def found(self, _tasks: Any, _found_paused: Any) -> Any:
        return ()

    def configured(self, _task_name: str, _configuration: Any) -> None:
        pytest.fail("nobody wants it")

    def sending(self, verb: str, _task_name: str) -> None:
        self._note(f"sending {verb}")

    def answered(self, verb: str, _task_name: str, _answer: Any) -> None:
        self._note(f"answered {verb}")

    def reached(self, _verb: str, _task_names: Any) -> None:
        pass

    def opened(self, tasks: Any) -> Any:
        return tasks

    def closing(self, task_names: Any) -> Any:
        self._note("closing")
        return task_names

    def closed(self, _left: Any, _seen: Any) -> Any:
        self._note("closed")
        return ()


class Exhausted(ThreadPoolExecutor):
    """Cannot start a thread, but keeps what it was given: one of its threads may do that later."""

    def submit(self, *given: Any, **options: Any) -> Any:
        super().submit(*given, **options).add_done_callback(lambda _: None)
        raise RuntimeError("can't start new thread")


def ended() -> ThreadPoolExecutor:
    """An executor as it is when the main thread of a program has ended."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    return executor


@pytest.mark.parametrize("make", [None, ended, Exhausted])
def test_a_window_without_threads(service: Service, make: Any) -> None:
    """The recorder is called in the event loop's thread, each method once; the task is resumed."""

    async def main() -> None:
        if make is not None:
            asyncio.get_running_loop().set_default_executor(make())
        async with AsyncClient(
            endpoint="http://127.0.0.1:1",
            project_id="0" * 32,
            auth=TokenAuth("token"),
            transport=httpx.MockTransport(service),
            poll=POLL,
            settle=0.3,
        ) as client:
            async with client.paused(INSTANCE, "orders_sync", recorder=recorder):
                assert service.stages["orders_sync"] == "Paused"

    recorder = Recorder()
    asyncio.run(main())
    assert service.stages["orders_sync"] == "Incremental"
    assert [name for name, _ in recorder.calls] == [
        "opening",
        "sending pause",
        "answered pause",
        "closing",
        "sending resume",
        "answered resume",
        "closed",
    ]
    if make is not Exhausted:  # There, a thread may be the first.
        assert {main_thread for _, main_thread in recorder.calls} == {make is ended}


@pytest.mark.parametrize("make", [ThreadPoolExecutor, ended, Exhausted])
def test_what_the_function_does(make: Any) -> None:
    """Its exception is raised, and it sees the context variables of the caller."""

    def act(error: Exception) -> None:
        calls.append(OF_THE_CALLER.get())
        raise error

    async def main() -> None:
        OF_THE_CALLER.set("x")
        asyncio.get_running_loop().set_default_executor(make())
        await in_thread(act, ReplicationError("the record is full"))

    calls: list[str] = []
    with pytest.raises(ReplicationError, match="the record is full"):
        asyncio.run(main())
    assert calls == ["x"]
