"""Delay SIGINT where a ``KeyboardInterrupt`` would leave work half done.

A SIGINT can arrive at any instruction. In the main thread, if the handler of Python or of
``asyncio.run`` is installed, this module replaces it temporarily. The new handler calls the
replaced one. If that one raises ``KeyboardInterrupt`` inside a guarded method, or inside an event
loop that would lose a callback, the interrupt is passed to the object of the method or to a window
of the loop, which raises it later, when it is safe.
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
from weakref import WeakSet

F = TypeVar("F", bound=Callable[..., object])

_guarded: set[CodeType] = set()


class Listener(Protocol):
    """Something that can take an interrupt that arrives inside an event loop."""

    def takes(self) -> bool:
        """Take the interrupt and return True; or return False, so that it is raised."""


def guarded(method: F) -> F:
    """Mark a method whose object has a ``signaled()``, which is called instead of raising."""
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
    """The class behind ``asyncio.run``, if asyncio has been imported."""
    return getattr(sys.modules.get("asyncio"), "Runner", None)


def _is_of_asyncio(installed: object) -> bool:
    runner = _runner()
    owner = getattr(installed.func, "__self__", None) if isinstance(installed, partial) else None
    return runner is not None and isinstance(owner, runner)


def _asyncio_runs() -> bool:
    """Whether this is called inside ``asyncio.run``, and not while it ends."""
    runner, frame = _runner(), inspect.currentframe()
    while runner is not None and frame is not None:
        if frame.f_code is runner.run.__code__:
            return True
        frame = frame.f_back
    return False


class _Handler:
    """Installs the handler of this module while SIGINT is delayed."""

    def __init__(self) -> None:
        self._holders = 0
        self.replaced: Any = signal.default_int_handler
        # Weak references: a listener refers to its asyncio task. asyncio closes the coroutine of a
        # task that nothing else refers to.
        self.listeners: WeakSet[Listener] = WeakSet()

    def hold(self, listener: Listener | None = None) -> bool:
        """Install the handler if that is possible; return whether it was.

        Args:
            listener: A window in an event loop. The handler of ``asyncio.run`` can then be
                replaced too. As usual, the first SIGINT is a cancellation.
        """
        installed = signal.getsignal(signal.SIGINT)
        replaceable = installed is signal.default_int_handler
        if not replaceable and listener is not None:
            replaceable = _is_of_asyncio(installed)
        if not replaceable and installed is not _handle:
            return False
        try:
            signal.signal(signal.SIGINT, _handle)
        except ValueError:  # Not in the main thread, where KeyboardInterrupt is raised.
            return False
        if replaceable:
            self.replaced = installed
        self._holders += 1
        if listener is not None:
            self.listeners.add(listener)
        return True

    def release(self, listener: Listener | None = None) -> None:
        """Restore the replaced handler when no one delays SIGINT any more."""
        if listener is not None:
            self.listeners.discard(listener)
        self._holders -= 1
        if self._holders or signal.getsignal(signal.SIGINT) is not _handle:
            return
        # When asyncio.run has ended, its handler has no effect.
        gone = _is_of_asyncio(self.replaced) and not _asyncio_runs()
        with suppress(ValueError):  # As above. The handler that stays behaves in the same way.
            signal.signal(signal.SIGINT, signal.default_int_handler if gone else self.replaced)


handler = _Handler()
