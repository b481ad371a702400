"""SIGINT, held back where a ``KeyboardInterrupt`` would leave something half done.

It can come at any instruction. In the main thread, where Python's own handler is installed or that
of ``asyncio.run``, it is replaced for a while. The handler here calls the one that it replaces. If
that raises ``KeyboardInterrupt`` in the middle of a guarded method, or of an event loop that would
lose a callback by it, then the method's object, or a window of that loop, raises the interrupt when
it can be dealt with.
"""

from __future__ import annotations

import inspect
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import CodeType, FrameType
from typing import Any, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., object])

_guarded: set[CodeType] = set()


class Listener(Protocol):
    """Somebody who may take an interrupt that comes in the middle of an event loop."""

    def takes(self) -> bool:
        """Take it, and return True; or leave it to be raised."""


def guarded(method: F) -> F:
    """A method whose object has a ``signaled()``, which is called in place of raising."""
    _guarded.add(method.__code__)
    return method


def _handle(signum: int, frame: FrameType | None) -> None:
    try:
        handler.replaced(signum, frame)
    except KeyboardInterrupt:
        if not _taken(frame):
            raise


def _taken(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _guarded:
            frame.f_locals["self"].signaled()
            return True
        frame = frame.f_back
    taken = [listener.takes() for listener in tuple(handler.listeners)]
    return any(taken)


def _runner() -> type[Any] | None:
    """The class behind ``asyncio.run``, if anybody has loaded it."""
    return getattr(sys.modules.get("asyncio"), "Runner", None)


def _is_of_asyncio(installed: object) -> bool:
    runner = _runner()
    owner = getattr(installed.func, "__self__", None) if isinstance(installed, partial) else None
    return runner is not None and isinstance(owner, runner)


def _asyncio_runs() -> bool:
    """Whether this is called from within ``asyncio.run``, and not while that ends."""
    runner, frame = _runner(), inspect.currentframe()
    while runner is not None and frame is not None:
        if frame.f_code is runner.run.__code__:
            return True
        frame = frame.f_back
    return False


class _Handler:
    """Which handler is installed: the one here while somebody holds SIGINT back."""

    def __init__(self) -> None:
        self._holders = 0
        self.replaced: Any = signal.default_int_handler
        self.listeners: list[Listener] = []

    def hold(self, listener: Listener | None = None) -> bool:
        """Install the one here, if that is possible; return whether it was.

        Args:
            listener: A window of an event loop. For it, the handler of ``asyncio.run`` may be
                replaced too: the first SIGINT is then a cancellation, as without it.
        """
        installed = signal.getsignal(signal.SIGINT)
        replaceable = installed is signal.default_int_handler
        if not replaceable and listener is not None:
            replaceable = _is_of_asyncio(installed)
        if not replaceable and installed is not _handle:
            return False
        if replaceable:
            try:
                signal.signal(signal.SIGINT, _handle)
            except ValueError:  # Not in the main thread.
                return False
            self.replaced = installed
        self._holders += 1
        if listener is not None:
            self.listeners.append(listener)
        return True

    def release(self, listener: Listener | None = None) -> None:
        """Restore what was replaced after the last ``hold`` that was possible."""
        if listener is not None:
            self.listeners.remove(listener)
        self._holders -= 1
        if self._holders or signal.getsignal(signal.SIGINT) is not _handle:
            return
        # When asyncio.run has ended, its handler serves nobody.
        gone = _is_of_asyncio(self.replaced) and not _asyncio_runs()
        with suppress(ValueError):  # As above; the handler that stays does the same.
            signal.signal(signal.SIGINT, signal.default_int_handler if gone else self.replaced)


handler = _Handler()
