"""Alerts about tasks that a window leaves paused: CRITICAL lines in the log."""

from __future__ import annotations

import atexit
import logging
from functools import cache
from typing import Protocol

logger = logging.getLogger("taurusdb_starrocks")


class OpenWindow(Protocol):
    """A window that is not closed yet."""

    def left_paused(self) -> str | None:
        """The message that names the tasks it leaves paused if it is never closed; None if none."""


_open: set[OpenWindow] = set()


def opened(window: OpenWindow) -> None:
    """Log the tasks of a window if it is still open when the interpreter exits."""
    _watch_exit()
    _open.add(window)


def closed(window: OpenWindow) -> None:
    """Forget a window."""
    _open.discard(window)


@cache
def _watch_exit() -> None:
    atexit.register(name_open)


def name_open() -> None:
    """Log the tasks of all windows that are open."""
    for window in list(_open):
        message = window.left_paused()
        if message is not None:
            logger.critical("window still open at exit: %s", message)
