"""The lease of a window: when it ends, and the errors about that."""

from __future__ import annotations

from taurusdb_starrocks import ConfigurationError
from taurusdb_starrocks.durable import _clock
from taurusdb_starrocks.durable._clock import Moment
from taurusdb_starrocks.durable._errors import LeaseExpiredError

SHARE = 0.5  # Of the lease must be left when a block starts.
WARN_AT = 0.8  # Of the lease is over.
LONGEST = 1_000_000.0  # Seconds.


def checked(seconds: float) -> float:
    """The length of a lease in seconds.

    Raises:
        ConfigurationError: It is not a number of seconds in the allowed range.
    """
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= LONGEST:
        raise ConfigurationError(
            f"lease must be a number of seconds above 0 and up to {LONGEST:.0f}, not {seconds!r}. "
            "Nothing was sent."
        )
    return float(seconds)


class Term:
    """A lease.

    Args:
        seconds: Its length; None has no limit.
        instance_id: Instance of the tasks.
        task_name: The first of them.

    Attributes:
        seconds: Its length, from when it started or was extended.
        end: When it ends; None if never.
    """

    def __init__(self, seconds: float | None, instance_id: str, task_name: str) -> None:
        self.seconds = seconds
        self.end: Moment | None = None
        self._instance_id = instance_id
        self._task_name = task_name

    def ends(self, now: Moment, seconds: float | None) -> Moment | None:
        """When it would end, this many seconds after a moment; None if never."""
        return None if seconds is None else now.after(seconds)

    @property
    def left(self) -> float:
        """Seconds until it ends; 0 when it has ended."""
        return float("inf") if self.end is None else max(0.0, self.end.since(_clock.now()))

    @property
    def late(self) -> bool:
        """Whether 80 % of it are over."""
        return self.seconds is not None and self.left <= (1 - WARN_AT) * self.seconds

    def check(self) -> None:
        """Raise ``LeaseExpiredError`` if it has ended."""
        if self.left <= 0:
            raise self.expired(
                "The lease of the window has expired. Its guardian resumes the tasks, or without "
                "one the end of the block. Stop any work that requires them to be paused."
            )

    def check_share(self) -> None:
        """Raise ``LeaseExpiredError`` if less of it is left than a block needs to start."""
        self.check()
        if self.seconds is not None and self.left < SHARE * self.seconds:
            raise self.expired(
                f"Pausing took so long that only {self.left:.0f} s of the lease of "
                f"{self.seconds:g} s are left, less than half. The block did not start, and the "
                "tasks are being resumed."
            )

    def expired(self, message: str) -> LeaseExpiredError:
        """The error about a lease that has ended."""
        assert self.end is not None
        error = LeaseExpiredError(message, expired=self.end.date)
        error.instance_id, error.task_name = self._instance_id, self._task_name
        return error
