"""Time that counts while the machine sleeps, ignores jumps of the clock, and outlives a reboot."""

from __future__ import annotations

import platform
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Counts suspend on Linux. Elsewhere the closest that there is.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Moment(NamedTuple):
    """A moment: by a clock that runs since the machine started, and by the one on the wall.

    Attributes:
        clock: Seconds since some time before the machine started.
        wall: Seconds since the epoch, for when the machine has started again.
        boot: Which start of the machine that is; empty where nothing tells.
    """

    clock: float
    wall: float
    boot: str

    def after(self, seconds: float) -> Moment:
        """The moment so many seconds later."""
        return Moment(self.clock + seconds, self.wall + seconds, self.boot)

    def since(self, other: Moment) -> float:
        """Seconds from another moment to this one."""
        if self.boot and self.boot == other.boot:
            return self.clock - other.clock
        return self.wall - other.wall

    @property
    def date(self) -> datetime:
        """The moment for people; in UTC."""
        return datetime.fromtimestamp(self.wall, UTC)


def now() -> Moment:
    """This moment."""
    return Moment(time.clock_gettime(_CLOCK), time.time(), boot())


@cache
def boot() -> str:
    """Which start of this machine it is; empty where nothing tells."""
    return _text("/proc/sys/kernel/random/boot_id")


@cache
def machine() -> str:
    """Which machine it is."""
    return _text("/etc/machine-id") or platform.node()


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
