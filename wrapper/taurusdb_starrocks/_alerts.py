"""Alerts about tasks that may stay paused: CRITICAL lines in the log.

An exception is not enough: a program can lose it, for example in ``asyncio.gather``. And nothing
raises one if a window is still open when the process exits.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from contextlib import suppress
from typing import NamedTuple, Protocol

from taurusdb_starrocks._errors import NotResumedError, ReplicationError

logger = logging.getLogger("taurusdb_starrocks")


def alert(what: str, error: ReplicationError) -> None:
    """Log an error about tasks that may still be paused, at level CRITICAL.

    Windows call it. Call it yourself if your program may lose the error, for example in a thread.

    The line is written to stderr instead if the logger is disabled or a log handler fails. By
    default, ``logging.config`` disables existing loggers. An ``Exception`` of a log handler is not
    raised.

    Args:
        what: What happened. The line begins with it.
        error: The error. Its message lists the tasks.
    """
    logged = False
    try:
        with suppress(Exception):  # Of the program's own log handler. The tasks matter more.
            logger.critical("%s: %s", what, error)
            logged = not logger.disabled
    finally:
        if not logged and sys.stderr is not None:
            with suppress(OSError, ValueError):  # It is broken or closed.
                sys.stderr.write(f"{logger.name}: {what}: {error}\n")


class OpenWindow(Protocol):
    """The steps of a window that is not closed yet."""

    @property
    def touched(self) -> list[str]:
        """Tasks that the window may have paused."""

    def left_open(self) -> NotResumedError:
        """The error if the window is never closed."""


class _Owner(NamedTuple):
    """The process and the thread that opened a window."""

    process: int
    thread: threading.Thread


# By the steps of each window. The window itself would keep its asyncio task, and so its coroutine,
# from being collected.
_open: dict[OpenWindow, _Owner] = {}
_watched = 0  # The process whose exit is watched.


def opened(window: OpenWindow) -> None:
    """Log the tasks of a window if it is still open when this process exits."""
    _watch_exit()
    _open[window] = _Owner(os.getpid(), threading.current_thread())


def closed(window: OpenWindow) -> None:
    """Forget a window."""
    _open.pop(window, None)


def _watch_exit() -> None:
    global _watched  # noqa: PLW0603  # Once in each process, also after a fork.
    if _watched == os.getpid():
        return
    _watched = os.getpid()
    atexit.register(name_open)
    # A forked child of multiprocessing calls only its finalizers, up to Python 3.12.
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:
        multiprocessing.Finalize(None, name_open, exitpriority=-1000)  # After all others.


def name_open() -> None:
    """Log the tasks of all windows that are still open and will not be closed.

    Python waits for threads that are not daemons: they can still close their windows.
    """
    for window, owner in list(_open.items()):
        thread = owner.thread
        waits = thread.is_alive() and not thread.daemon and thread != threading.current_thread()
        if owner.process == os.getpid() and not waits:
            closed(window)
            if window.touched:
                alert("window still open at exit", window.left_open())
