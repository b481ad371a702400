"""Run a coroutine in sync code, out of reach of the exceptions of signal handlers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

TICK = 0.05  # Seconds between checks that the coroutine has ended.


def in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in sync code. Each exception that a signal handler raises cancels it once.

    The event loop runs in another thread. Handlers run in the main thread. There, an exception in
    the middle of the event loop would stop it, and nobody would learn that tasks are still paused.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(asyncio.wait([task]))

    interrupt: BaseException | None = None
    started = False
    while not loop.is_closed():
        try:
            if started:
                time.sleep(TICK)
            else:
                started = True
                _start(run)
        except BaseException as error:  # noqa: BLE001  # It is raised when the task has ended.
            interrupt = error
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(task.cancel)
    try:
        result = task.result()
    except asyncio.CancelledError:
        assert interrupt is not None
        raise interrupt from None
    if interrupt is not None:  # It came when there was nothing left to cancel.
        raise interrupt
    return result


def _start(run: Callable[[], None]) -> None:
    """Run a function in a thread, or here if no thread can be started."""
    thread = threading.Thread(target=run, name="taurusdb-starrocks-fleet")
    try:
        thread.start()
    except RuntimeError:
        run()
