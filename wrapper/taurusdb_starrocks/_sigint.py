"""SIGINT, held back where a ``KeyboardInterrupt`` would leave something half done.

It can come at any instruction. In the main thread, where Python's own handler is installed, it is
replaced for a while: the handler here does the same, but in the middle of a guarded method it tells
the method's object, which raises the interrupt when it can be dealt with.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FrameType
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

_guarded: set[CodeType] = set()


def guarded(method: F) -> F:
    """A method whose object has a ``signaled()``, which is called in place of raising."""
    _guarded.add(method.__code__)
    return method


def _handle(_signal: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code in _guarded:
            frame.f_locals["self"].signaled()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


class _Handler:
    """Which handler is installed: the one here while somebody holds SIGINT back."""

    def __init__(self) -> None:
        self._holders = 0

    def hold(self) -> bool:
        """Install the one here, if Python's own is installed; return whether that was possible."""
        if signal.getsignal(signal.SIGINT) not in {signal.default_int_handler, _handle}:
            return False
        try:
            signal.signal(signal.SIGINT, _handle)
        except ValueError:  # Not in the main thread.
            return False
        self._holders += 1
        return True

    def release(self) -> None:
        """Restore Python's own after the last ``hold`` that was possible."""
        self._holders -= 1
        if not self._holders and signal.getsignal(signal.SIGINT) is _handle:
            with suppress(ValueError):  # As above; the handler that stays does the same.
                signal.signal(signal.SIGINT, signal.default_int_handler)


handler = _Handler()
