"""Tasks that a window leaves paused are in the log, even if the program loses the exception."""

from __future__ import annotations

import asyncio
import atexit
import logging
import multiprocessing.util
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from scripted_service import INSTANCE, POLL, Service, refusal
from taurusdb_starrocks import AsyncClient, Client, NotResumedError, TokenAuth, _alerts

LOGGER = logging.getLogger("taurusdb_starrocks")


@pytest.fixture
def settings(service: Service) -> dict[str, Any]:
    service.scripts["resume orders_sync"] = [refusal(401)] * 9
    return {
        "endpoint": "http://127.0.0.1:1",
        "project_id": "0" * 32,
        "auth": TokenAuth("a-token-that-is-secret"),
        "transport": httpx.MockTransport(service),
        "poll": POLL,
        "settle": 0.3,
    }


def critical(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.CRITICAL]


def assert_named(lines: list[str]) -> None:
    """One line, with the task and without a secret."""
    (line,) = lines
    assert line.startswith("tasks not resumed: May still be paused: orders_sync.")
    assert "a-token-that-is-secret" not in line


def test_gather_loses_the_exception(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """``asyncio.gather`` raises the first exception only."""

    async def window(client: AsyncClient) -> None:
        async with client.paused(INSTANCE, "orders_sync"):
            await failed.wait()

    async def fail() -> None:
        failed.set()
        raise ValueError

    async def main() -> None:
        async with AsyncClient(**settings) as client:
            pausing = asyncio.ensure_future(window(client))
            with pytest.raises(ValueError):  # noqa: PT011  # It is the one above.
                await asyncio.gather(pausing, fail())
            await asyncio.wait([pausing])

    failed = asyncio.Event()
    asyncio.run(main())
    assert_named(critical(caplog))


@pytest.mark.parametrize("decorated", [False, True])
def test_nobody_reads_the_result_of_a_thread(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture, decorated: bool
) -> None:
    """A thread pool keeps the exception in its future."""

    def window() -> None:
        with client.paused(INSTANCE, "orders_sync"):
            pass

    with Client(**settings) as client, ThreadPoolExecutor() as pool:
        work = client.paused(INSTANCE, "orders_sync")(lambda: None) if decorated else window
        pool.submit(work)
    assert_named(critical(caplog))


def test_windows_in_a_window(settings: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Each window logs its own tasks, once."""
    with Client(**settings) as client, pytest.raises(NotResumedError):
        with client.paused(INSTANCE, "billing_sync"):
            with client.paused(INSTANCE, "orders_sync"):
                pass
    assert_named(critical(caplog))


class Broken(logging.Handler):
    """A log handler that raises an exception."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(logging.CRITICAL)
        self._error = error

    def emit(self, _record: logging.LogRecord) -> None:
        raise self._error


@pytest.fixture
def broken(request: pytest.FixtureRequest) -> Iterator[None]:
    handler = Broken(request.param)
    LOGGER.addHandler(handler)
    yield
    LOGGER.removeHandler(handler)


def left_paused(settings: dict[str, Any]) -> None:
    with Client(**settings) as client, client.paused(INSTANCE, "orders_sync"):
        pass


@pytest.mark.parametrize("broken", [OSError("the pager is down")], indirect=True)
@pytest.mark.usefixtures("broken")
def test_a_log_handler_that_fails(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is the window's, and stderr has the task."""
    with pytest.raises(NotResumedError):
        left_paused(settings)
    assert "May still be paused: orders_sync" in capsys.readouterr().err


@pytest.mark.parametrize("broken", [SystemExit(3)], indirect=True)
@pytest.mark.usefixtures("broken")
def test_a_signal_handler_that_exits_while_logging(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is the window's, and stderr has the task."""
    with pytest.raises(NotResumedError) as caught:
        left_paused(settings)
    assert isinstance(caught.value.block_error, SystemExit)
    assert "May still be paused: orders_sync" in capsys.readouterr().err


@pytest.fixture
def _disabled() -> Iterator[None]:
    LOGGER.disabled = True
    yield
    LOGGER.disabled = False


@pytest.mark.usefixtures("_disabled")
def test_a_disabled_logger(settings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """``logging.config`` disables loggers by default: the line goes to stderr."""
    with pytest.raises(NotResumedError):
        left_paused(settings)
    line = capsys.readouterr().err
    assert line.startswith(
        "taurusdb_starrocks: tasks not resumed: May still be paused: orders_sync"
    )


@pytest.mark.usefixtures("_disabled")
def test_a_disabled_logger_at_exit(
    settings: dict[str, Any], service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for a window that is still open."""
    service.scripts.clear()
    with Client(**settings) as client, client.paused(INSTANCE, "orders_sync"):
        _alerts.name_open()
    line = capsys.readouterr().err
    assert line.startswith("taurusdb_starrocks: window still open at exit: May still be paused: o")


class Closed:
    def write(self, _text: str) -> None:
        raise ValueError("I/O operation on closed file")


@pytest.mark.usefixtures("_disabled")
@pytest.mark.parametrize("stderr", [None, Closed()], ids=["none", "closed"])
def test_no_stderr(settings: dict[str, Any], stderr: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is still the window's."""
    monkeypatch.setattr(sys, "stderr", stderr)
    with pytest.raises(NotResumedError):
        left_paused(settings)


@pytest.mark.parametrize("daemon", [False, True])
def test_a_thread_that_python_waits_for(
    settings: dict[str, Any], service: Service, caplog: pytest.LogCaptureFixture, daemon: bool
) -> None:
    """Its window is not named: it can still be closed. A daemon thread is just stopped."""

    def work() -> None:
        with client.paused(INSTANCE, "orders_sync"):
            inside.set()
            done.wait(30)

    service.scripts.clear()
    inside, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=work, daemon=daemon)
    with Client(**settings) as client:
        thread.start()
        inside.wait(30)
        _alerts.name_open()
        done.set()
        thread.join()
    assert len(critical(caplog)) == daemon


@pytest.mark.parametrize("loaded", [False, True])
def test_exit_of_a_child_of_multiprocessing(
    settings: dict[str, Any], service: Service, monkeypatch: pytest.MonkeyPatch, loaded: bool
) -> None:
    """Each process is watched once, after a fork as well."""
    service.scripts.clear()
    registered: list[object] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    monkeypatch.setattr(
        multiprocessing.util, "Finalize", lambda *given, **_: registered.append(given)
    )
    if not loaded:
        monkeypatch.delitem(sys.modules, "multiprocessing.util")
    monkeypatch.setattr(_alerts, "_watched", os.getpid() + 1)
    with Client(**settings) as client:
        for _ in range(2):
            with client.paused(INSTANCE, "orders_sync"):
                pass
    assert registered[0] is _alerts.name_open
    assert registered[1:] == [(None, _alerts.name_open)][:loaded]
