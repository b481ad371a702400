"""Alerts about tasks that may stay paused: CRITICAL lines in the log.

An exception is not enough: a program can lose it, for example in ``asyncio.gather``. And nothing
raises one if a window is still open when the process exits.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from contextlib import suppress
from functools import cache
from typing import Protocol

from taurusdb_starrocks._errors import NotResumedError

logger = logging.getLogger("taurusdb_starrocks")


def alert(what: str, error: NotResumedError) -> None:
    """Log the tasks of an error. An ``Exception`` of a log handler is not raised.

    The tasks are written to stderr instead if the logger is disabled, as ``logging.config``
    disables all loggers that exist, or if a log handler fails.
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


# Maps the steps of each open window to the process that opened it. The window itself would keep its
# asyncio task, and so its coroutine, from being collected.
_open: dict[OpenWindow, int] = {}


def opened(window: OpenWindow) -> None:
    """Log the tasks of a window if it is still open when the interpreter exits."""
    _watch_exit()
    _open[window] = os.getpid()


def closed(window: OpenWindow) -> None:
    """Forget a window."""
    _open.pop(window, None)


@cache
def _watch_exit() -> None:
    atexit.register(name_open)


def name_open() -> None:
    """Log the tasks of all windows that are still open in this process."""
    for window, process in list(_open.items()):
        if process == os.getpid() and window.touched:
            alert("window still open at exit", window.left_open())
