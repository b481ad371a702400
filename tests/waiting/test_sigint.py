"""Where a SIGINT meets a window: it ends the block or a request, and is held back elsewhere."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from scripted_service import INSTANCE, POLL, Service, refusal
from taurusdb_starrocks import (
    AsyncClient,
    Client,
    NotResumedError,
    TokenAuth,
    _alerts,
    _sigint,
    _windows,
)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    """Python's own handler is installed before each test, and after it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def settings(service: Service) -> dict[str, Any]:
    return {
        "endpoint": "http://127.0.0.1:1",
        "project_id": "0" * 32,
        "auth": TokenAuth("token"),
        "transport": httpx.MockTransport(service),
        "poll": POLL,
        "settle": 0.3,
    }


@pytest.fixture
def client(settings: dict[str, Any]) -> Iterator[Client]:
    """The client for threads, in place of both."""
    with Client(**settings) as opened:
        yield opened


def after(number: int, act: Callable[[], object]) -> Callable[[object], None]:
    """A ``progress`` that does something the nth time it is called."""
    calls = iter(range(1, 1000))

    def progress(_task: object) -> None:
        if next(calls) == number:
            act()

    return progress


def test_in_the_block(client: Client, service: Service) -> None:
    """It is raised at once, as ever."""
    with pytest.raises(KeyboardInterrupt), client.paused(INSTANCE, "orders_sync"):
        interrupt()
        pytest.fail("it is not held back")
    assert service.stages["orders_sync"] == "Incremental"


@pytest.mark.parametrize("what", ["list", "pause orders_sync"])
def test_in_a_request_of_the_opening(client: Client, service: Service, what: str) -> None:
    """It ends the request, and the block does not begin."""
    service.scripts[what] = [interrupt]
    with pytest.raises((KeyboardInterrupt, NotResumedError)) as caught:
        with client.paused(INSTANCE, "orders_sync"):
            pytest.fail("the block must not begin")
    if what == "list":
        assert caught.type is KeyboardInterrupt
        assert service.asked == [("list", "")]
    else:
        assert isinstance(caught.value, NotResumedError)
        assert isinstance(caught.value.block_error, KeyboardInterrupt)
        assert ("resume", "orders_sync") in service.asked


class Interrupted:
    """An object whose finalizer is interrupted; Python drops what is raised there."""

    def __del__(self) -> None:
        interrupt()


def drop_interrupt() -> None:
    objects = [Interrupted()]
    objects.clear()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("what", ["list", "pause orders_sync"])
def test_in_a_finalizer_of_the_opening(client: Client, service: Service, what: str) -> None:
    """It is not lost: the block does not begin."""
    service.scripts[what] = [drop_interrupt]
    with pytest.raises((KeyboardInterrupt, NotResumedError)) as caught:
        with client.paused(INSTANCE, "orders_sync"):
            pytest.fail("the block must not begin")
    if what == "list":
        assert caught.type is KeyboardInterrupt
        assert service.asked == [("list", "")]
    assert service.stages["orders_sync"] == "Incremental"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_in_a_finalizer_of_a_request_that_fails(client: Client, service: Service) -> None:
    """The request's error does not replace it."""

    def fail() -> None:
        drop_interrupt()
        raise httpx.ReadError("reset")

    service.scripts["pause orders_sync"] = [fail]
    with pytest.raises((KeyboardInterrupt, NotResumedError)):
        with client.paused(INSTANCE, "orders_sync"):
            pytest.fail("the block must not begin")
    assert ("resume", "orders_sync") in service.asked
    assert service.stages["orders_sync"] == "Incremental"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_in_a_finalizer_of_the_closing(client: Client, service: Service) -> None:
    """It is raised when the task runs."""
    with pytest.raises(KeyboardInterrupt), client.paused(INSTANCE, "orders_sync"):
        service.scripts["resume orders_sync"] = [drop_interrupt]
    assert service.stages["orders_sync"] == "Incremental"


@pytest.mark.parametrize("number", [1, 2])
def test_between_the_steps_of_the_opening(client: Client, service: Service, number: int) -> None:
    """It is held back until the next step, or the block; the task was seen paused or is soon."""
    service.slow["orders_sync"] = 1
    with pytest.raises(KeyboardInterrupt):
        with client.paused(INSTANCE, "orders_sync", progress=after(number, interrupt)):
            pytest.fail("the block must not begin")
    assert service.stages["orders_sync"] == "Incremental"


def test_in_a_request_of_the_closing(client: Client, service: Service) -> None:
    """It ends the request, which is sent again, and is raised when the task runs."""
    with pytest.raises(KeyboardInterrupt), client.paused(INSTANCE, "orders_sync"):
        service.scripts["resume orders_sync"] = [interrupt]
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 2


@pytest.mark.parametrize("number", [2, 3])
def test_between_the_steps_of_the_closing(client: Client, service: Service, number: int) -> None:
    """It is held back: until the next step, or until the task runs."""
    with pytest.raises(KeyboardInterrupt):
        with client.paused(INSTANCE, "orders_sync", progress=after(number, interrupt)):
            service.slow["orders_sync"] = 1
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 1


def test_after_an_error_of_the_block(client: Client, service: Service) -> None:
    """The interrupt is raised, and the error is its context."""
    error = LookupError()
    with pytest.raises(KeyboardInterrupt) as caught:
        with client.paused(INSTANCE, "orders_sync", progress=after(2, interrupt)):
            raise error
    assert caught.value.__context__ is error
    assert service.stages["orders_sync"] == "Incremental"


def test_after_an_interrupt_of_the_block(client: Client, service: Service) -> None:
    """One is enough: that of the block goes on."""
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as caught:
        with client.paused(INSTANCE, "orders_sync", progress=after(2, interrupt)):
            raise error
    assert caught.value is error
    assert service.stages["orders_sync"] == "Incremental"


def test_while_tasks_are_left_paused(client: Client, service: Service) -> None:
    """The error names the tasks, and tells of the interrupt."""

    sent: list[bool] = []

    def progress(_task: object) -> None:
        if ("resume", "orders_sync") in service.asked and not sent:
            sent.append(True)
            interrupt()

    with pytest.raises(NotResumedError) as caught:
        with client.paused(INSTANCE, "orders_sync", progress=progress):
            service.slow["orders_sync"] = 10**9
    assert isinstance(caught.value.block_error, KeyboardInterrupt)


@pytest.mark.parametrize("fails", [True, False])
def test_while_the_handler_is_restored(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """It is raised, unless there are tasks to name."""
    release = _sigint.handler.release

    def interrupted() -> None:
        release()
        interrupt()

    monkeypatch.setattr(_sigint.handler, "release", interrupted)
    with pytest.raises(NotResumedError if fails else KeyboardInterrupt):
        with client.paused(INSTANCE, "orders_sync"):
            service.scripts["resume orders_sync"] = [refusal(401)] if fails else []


def test_at_the_instant_that_a_block_begins_or_ends(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before the first step of the closing counts as the block's."""
    window = client.paused(INSTANCE, "orders_sync")
    with pytest.raises(KeyboardInterrupt):
        with window:
            window.signaled()
    assert service.stages["orders_sync"] == "Incremental"


def test_two_windows(client: Client, service: Service) -> None:
    """Python's handler comes back with the last one, in whatever order they are closed."""
    for first, second in [(0, 1), (1, 0)]:
        windows = [client.paused(INSTANCE, name) for name in ("orders_sync", "billing_sync")]
        for window in windows:
            window.__enter__()
        windows[first].__exit__(None, None, None)
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        windows[second].__exit__(None, None, None)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "Paused" not in {service.stages["orders_sync"], service.stages["billing_sync"]}


def test_a_handler_of_ones_own(client: Client, service: Service) -> None:
    """It stays, before, inside and after; one that is installed inside stays too."""
    seen = []

    def own(*_: object) -> None:
        seen.append(1)

    signal.signal(signal.SIGINT, own)
    with client.paused(INSTANCE, "orders_sync"):
        assert signal.getsignal(signal.SIGINT) is own
        interrupt()
    assert signal.getsignal(signal.SIGINT) is own
    assert seen == [1]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with client.paused(INSTANCE, "orders_sync"):
        signal.signal(signal.SIGINT, own)
    assert signal.getsignal(signal.SIGINT) is own
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_another_thread(client: Client, service: Service) -> None:
    """There is no interrupt in it, and it installs nothing."""
    handlers = []

    def work() -> None:
        with client.paused(INSTANCE, "orders_sync"):
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
    assert service.stages["orders_sync"] == "Incremental"


def test_a_window_that_another_thread_closes(client: Client, service: Service) -> None:
    """The task runs; the handler that stays acts as Python's, and goes with the next window."""
    window = client.paused(INSTANCE, "orders_sync")
    window.__enter__()
    thread = threading.Thread(target=lambda: window.__exit__(None, None, None))
    thread.start()
    thread.join()
    assert service.stages["orders_sync"] == "Incremental"
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    with client.paused(INSTANCE, "orders_sync"):
        pass


def test_a_window_that_is_open_at_exit(
    client: Client, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The last line of the log names its tasks; one that is closed says nothing."""
    window = client.paused(INSTANCE, "orders_sync")
    window.__enter__()
    _alerts.name_open()
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "window still open at exit: May still be paused: orders_sync" in record.message
    window.__exit__(None, None, None)
    caplog.clear()
    _alerts.name_open()
    assert [record for record in caplog.records if record.levelno == logging.CRITICAL] == []


def test_a_window_that_paused_nothing_says_nothing_at_exit(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nothing of its own to resume."""
    with client.paused(INSTANCE, "archive_sync"):
        _alerts.name_open()
    assert [record for record in caplog.records if record.levelno == logging.CRITICAL] == []


def test_an_exception_before_the_first_step_of_the_closing(
    client: Client,
    service: Service,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A handler of one's own raised it: it goes on, and the tasks are named at exit."""
    with pytest.raises(SystemExit):
        with client.paused(INSTANCE, "orders_sync") as task:
            monkeypatch.setattr(_windows, "run", lambda *_: sys.exit(3))
    assert service.stages[task.name] == "Paused"
    _alerts.name_open()
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "May still be paused: orders_sync" in record.message
    _alerts._open.clear()


@pytest.mark.parametrize("loaded", [True, False])
def test_a_coroutine_without_its_event_loop(
    settings: dict[str, Any],
    service: Service,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    loaded: bool,
) -> None:
    """Nothing can be sent: the error and the log name the task, with AnyIO loaded or without."""

    async def work() -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            inside.set()
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.ensure_future(coroutine)
        await inside.wait()
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # It is what is tested.

    import anyio  # noqa: F401, PLC0415  # Loaded, or as if it were not.

    if not loaded:
        monkeypatch.delitem(sys.modules, "anyio")
    client, inside, coroutine = AsyncClient(**settings), asyncio.Event(), work()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    with pytest.raises(NotResumedError) as caught:
        coroutine.close()
    assert isinstance(caught.value.block_error, GeneratorExit)
    (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "tasks not resumed: May still be paused: orders_sync" in record.message
