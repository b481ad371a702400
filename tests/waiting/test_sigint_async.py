"""Where a SIGINT meets a window of an event loop: it ends the block or a request, and no more."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

import httpx
import pytest
from scripted_service import INSTANCE, POLL, Service, refusal
from taurusdb_starrocks import AsyncClient, Client, NotResumedError, TokenAuth, _alerts, _sigint

Run = Callable[[Awaitable[Any]], Any]


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def run_in_a_loop(main: Any) -> Any:
    """As programs do that make their event loop themselves: Python's own handler stays."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


@pytest.fixture(params=[asyncio.run, run_in_a_loop])
def run(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    """Python's own handler is installed before each test, and after it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not _sigint.handler.listeners
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def client(service: Service) -> AsyncClient:
    return AsyncClient(
        endpoint="http://127.0.0.1:1",
        project_id="0" * 32,
        auth=TokenAuth("token"),
        transport=httpx.MockTransport(service),
        poll=POLL,
        settle=0.3,
    )


def critical(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.message for each in caplog.records if each.levelno == logging.CRITICAL]


def test_in_the_block(client: AsyncClient, service: Service, run: Run) -> None:
    """It ends the block; the task runs afterwards."""

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            interrupt()
            await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert service.stages["orders_sync"] == "Incremental"


def test_while_the_block_waits(client: AsyncClient, service: Service, run: Run) -> None:
    """It is a cancellation, not an error of the event loop, which would lose its callbacks."""

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            asyncio.get_running_loop().call_soon(interrupt)
            asyncio.get_running_loop().call_soon(interrupt)
            await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert service.stages["orders_sync"] == "Incremental"


def test_in_another_task_of_a_block(client: AsyncClient, service: Service) -> None:
    """It is raised there, as ever."""
    seen = []

    async def other() -> None:
        try:
            interrupt()
        except KeyboardInterrupt:
            seen.append(1)

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            await asyncio.create_task(other())

    run_in_a_loop(main())
    assert seen == [1]
    assert service.stages["orders_sync"] == "Incremental"


@pytest.mark.parametrize("what", ["list", "pause orders_sync"])
def test_in_a_request_of_the_opening(
    client: AsyncClient, service: Service, run: Run, what: str
) -> None:
    """The block does not begin, and the task runs or is named."""
    service.scripts[what] = [interrupt]

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            pytest.fail("the block must not begin")

    with pytest.raises((KeyboardInterrupt, NotResumedError)):
        run(main())
    assert service.stages["orders_sync"] == "Incremental"


def test_in_the_last_step_of_the_opening(client: AsyncClient, service: Service) -> None:
    """The block does not begin."""

    async def main() -> None:
        window = client.paused(INSTANCE, "orders_sync", progress=lambda _: window.signaled())
        async with window:
            pytest.fail("the block must not begin")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert service.stages["orders_sync"] == "Incremental"


def test_in_a_request_of_the_closing(client: AsyncClient, service: Service, run: Run) -> None:
    """One that is the first does not end it, and is raised when the task runs."""

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            service.scripts["resume orders_sync"] = [interrupt]

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert service.stages["orders_sync"] == "Incremental"


def test_two(
    client: AsyncClient, service: Service, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """The second one ends the closing: the task is named by the error and in the log."""

    def refuse() -> NoReturn:
        interrupt()
        raise httpx.ConnectError("nobody answers")

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            service.scripts["resume orders_sync"] = [refuse] * 9
            interrupt()
            await asyncio.sleep(60)

    with pytest.raises(NotResumedError) as caught:
        run(main())
    assert caught.value.task_names == ("orders_sync",)
    assert caught.value.block_error is not None
    assert critical(caplog) == [f"tasks not resumed: {caught.value}"]


def test_before_the_first_step_of_the_closing(client: AsyncClient, service: Service) -> None:
    """What came before it counts as the block's, also when it was to cancel the task."""

    async def main() -> None:
        window = client.paused(INSTANCE, "orders_sync")
        async with window:
            window.signaled()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 1


@pytest.mark.parametrize("fails", [True, False])
def test_while_the_handler_is_restored(
    client: AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """It is raised, unless there are tasks to name."""
    release = _sigint.handler.release

    def interrupted(listener: Any) -> NoReturn:
        release(listener)
        raise KeyboardInterrupt

    monkeypatch.setattr(_sigint.handler, "release", interrupted)

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            service.scripts["resume orders_sync"] = [refusal(401)] if fails else []

    with pytest.raises(NotResumedError if fails else KeyboardInterrupt):
        asyncio.run(main())


def test_when_asyncio_run_ends_in_a_block(client: AsyncClient, service: Service) -> None:
    """The task runs, and the handler of what has ended does not come back."""

    def end() -> NoReturn:
        raise SystemExit(3)

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            asyncio.get_running_loop().call_soon(end)
            await asyncio.sleep(60)

    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert service.stages["orders_sync"] == "Incremental"


def test_a_handler_of_ones_own(client: AsyncClient) -> None:
    """It stays, and is called."""
    seen = []

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            interrupt()

    signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    asyncio.run(main())
    assert seen == [1]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_another_thread(client: AsyncClient, service: Service) -> None:
    """Nothing is installed: there is no interrupt in it."""
    handlers = []

    async def main() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
    assert service.stages["orders_sync"] == "Incremental"


def test_a_loop_that_is_closed(client: AsyncClient, service: Service) -> None:
    """An interrupt that finds the window without its event loop is no error of its own."""

    async def main() -> Any:
        window = client.paused(INSTANCE, "orders_sync")
        await window.__aenter__()
        return window

    window = run_in_a_loop(main())
    window.signaled()
    coroutine = window.__aexit__(None, None, None)
    with pytest.raises(NotResumedError) as caught:
        coroutine.send(None)
    assert isinstance(caught.value.block_error, KeyboardInterrupt)


def test_the_task_that_opened_the_window_has_ended(client: AsyncClient, service: Service) -> None:
    """As with fixtures. It cannot be cancelled, so the interrupt is raised."""

    async def main() -> None:
        await asyncio.create_task(window.__aenter__())  # type: ignore[arg-type]  # A coroutine.
        asyncio.get_running_loop().call_soon(interrupt)
        await asyncio.sleep(60)

    window = client.paused(INSTANCE, "orders_sync")
    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    loop.run_until_complete(window.__aexit__(None, None, None))
    assert service.stages["orders_sync"] == "Incremental"
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_another_task_closes_the_window(client: AsyncClient, service: Service, run: Run) -> None:
    """An interrupt while it waits is raised when the task runs."""

    async def main() -> None:
        await asyncio.create_task(window.__aenter__())  # type: ignore[arg-type]  # A coroutine.
        loop = asyncio.get_running_loop()
        service.slow["orders_sync"] = 5
        service.scripts["resume orders_sync"] = [lambda: loop.call_soon(interrupt)]
        await window.__aexit__(None, None, None)

    window = client.paused(INSTANCE, "orders_sync")
    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert service.stages["orders_sync"] == "Incremental"


def lose_the_loop(client: AsyncClient, service: Service) -> None:
    """Close the event loop while a window opens, and drop everything."""

    async def main() -> None:
        task = asyncio.ensure_future(client.paused(INSTANCE, "orders_sync").__aenter__())
        while not service.count("pause"):  # noqa: ASYNC110  # The service has no event.
            await asyncio.sleep(0.001)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # It is what is tested.

    service.slow["orders_sync"] = 10**9
    run_in_a_loop(main())


# Python can only show what a coroutine raises while it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("elsewhere", [False, True], ids=["no loop", "another loop"])
def test_a_loop_that_ended_while_the_window_opened(
    client: AsyncClient, service: Service, caplog: pytest.LogCaptureFixture, elsewhere: bool
) -> None:
    """The window swallows no interrupt. It is collected, and the log names its task."""

    async def collect() -> None:
        gc.collect()

    gc.disable()
    lose_the_loop(client, service)
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    gc.enable()
    asyncio.run(collect()) if elsewhere else gc.collect()
    (line,) = critical(caplog)
    assert "May still be paused: orders_sync" in line
    assert not _alerts._open


def test_a_loop_in_another_thread(client: AsyncClient, service: Service) -> None:
    """Its window does not take an interrupt of the main thread, whose block ends."""

    async def work() -> None:
        async with client.paused(INSTANCE, "billing_sync"):
            inside.set()
            await asyncio.to_thread(done.wait, 30)

    inside, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(work()))
    other = Client(
        endpoint="http://127.0.0.1:1",
        project_id="0" * 32,
        auth=TokenAuth("token"),
        transport=httpx.MockTransport(service),
        poll=POLL,
        settle=0.3,
    )
    with pytest.raises(KeyboardInterrupt):
        with other.paused(INSTANCE, "orders_sync"):
            thread.start()
            inside.wait(30)
            interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    done.set()
    thread.join()
    assert service.stages["billing_sync"] == "Incremental"
