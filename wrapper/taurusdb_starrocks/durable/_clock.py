"""Time that includes suspend, does not jump when the clock is set, and survives a reboot."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

# On Linux it runs during suspend. Elsewhere it is the closest clock there is.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Moment(NamedTuple):
    """A point in time, by two clocks.

    Attributes:
        clock: Seconds since the machine started, by a clock that nobody sets.
        wall: Seconds since the epoch, for comparisons across a reboot.
        boot: ID of the current boot of the machine; empty if the system has none.
    """

    clock: float
    wall: float
    boot: str

    def after(self, seconds: float) -> Moment:
        """The moment this many seconds later."""
        return Moment(self.clock + seconds, self.wall + seconds, self.boot)

    def since(self, other: Moment) -> float:
        """Seconds from another moment to this one."""
        if self.boot and self.boot == other.boot:
            return self.clock - other.clock
        return self.wall - other.wall

    @property
    def date(self) -> datetime:
        """Date and time, in UTC."""
        return datetime.fromtimestamp(self.wall, UTC)


def now() -> Moment:
    """The current moment."""
    return Moment(time.clock_gettime(_CLOCK), time.time(), boot())


@cache
def boot() -> str:
    """ID of the current boot of this machine; empty if the system has none."""
    return _text("/proc/sys/kernel/random/boot_id")


@cache
def machine() -> str:
    """ID of this machine, or its host name if the system has no ID."""
    return _text("/etc/machine-id") or platform.node()


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
