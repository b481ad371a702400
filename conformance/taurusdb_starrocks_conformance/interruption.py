"""Signal handlers that stop a run, so that it can restore the task."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
# Signals often arrive twice: from a shell and from a process manager, or from a double Ctrl-C.
GIVES_UP_AT = 3


@contextmanager
def interruptible(stop: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Within the block, the first signal stops the run, and the third one ends it at once.

    Ignored signals stay ignored. Outside the main thread, Python allows no signal handlers, and
    the block changes nothing.

    Args:
        stop: Called once, in a signal handler, with the first signal.

    Raises:
        KeyboardInterrupt: At the third signal.
    """
    count = 0

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            stop(signal.Signals(number))
        elif count >= GIVES_UP_AT:
            raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
