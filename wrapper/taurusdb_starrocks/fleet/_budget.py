"""How many targets may fail before pausing stops. Pure: no I/O and no clock."""

from __future__ import annotations

import re
from typing import Literal

from taurusdb_starrocks import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
)

Kind = Literal["refused", "unreachable", "unknown", "throttled"]

FIRST = 10  # This many failures of the same kind, without a success before them, stop a run.


def kind_of(error: ReplicationError) -> Kind:
    """What a failed request means for its task.

    ``throttled`` includes a service that did nothing and says when to try again.
    """
    match error:
        case RateLimitError() | ServerError(harmless=True):
            return "throttled"
        case NotSentError():
            return "unreachable"
        case OutcomeUnknownError(harmless=False) | ServerError():
            return "unknown"
        case OutcomeUnknownError():
            return "unreachable"
    return "refused"


def most_errors(max_errors: int | str | None, total: int) -> int | None:
    """How many targets may fail.

    Args:
        max_errors: A number, or a share of all targets like ``2%``; None for no limit.
        total: Number of targets.
    """
    if max_errors is None or (type(max_errors) is int and max_errors >= 0):
        return max_errors
    text = re.fullmatch(r"([0-9]{1,9})|([0-9]{1,3}(?:\.[0-9]{1,3})?)%", str(max_errors))
    if text is None or isinstance(max_errors, bool) or float(text[2] or 0) > 100:
        raise ConfigurationError(
            f"max_errors must be a number from 0 or a share like '2%', not {max_errors!r}."
        )
    return int(text[1]) if text[1] else int(total * float(text[2]) / 100)


class Budget:
    """Counts failures, and says when no more requests may be sent.

    Args:
        most: How many targets may fail; None for no limit.
        endless: Whether failures never stop the run, as when tasks are resumed.

    Attributes:
        counts: How many failed so far, by kind. A target whose outcome was unknown does not count
            any more once it turns out well.
        stopped: Why no more requests may be sent; empty while they may.
    """

    def __init__(self, most: int | None, *, endless: bool = False) -> None:
        self._most = most
        self._endless = endless
        self.counts: dict[str, int] = {"refused": 0, "unreachable": 0, "unknown": 0}
        self.stopped = ""
        self._alike: tuple[str, ...] | None = None
        self._first = 0  # Failures of the same kind from the start; -1 after anything else.

    def accepted(self) -> None:
        """A request was accepted."""
        self._first = -1

    def failed(self, kind: Kind, error: ReplicationError) -> None:
        """A target failed, for now at least."""
        self.counts[kind] += 1
        if self._endless:
            return
        way = (kind, type(error).__name__, str(getattr(error, "code", "")))
        if self._first >= 0:
            self._first = self._first + 1 if way == (self._alike or way) else -1
            self._alike = way
        if self._first >= FIRST:
            self.stop(f"the first {FIRST} all failed in the same way: {error}")
        elif self._most is not None and sum(self.counts.values()) > self._most:
            told = ", ".join(f"{count} {name}" for name, count in self.counts.items())
            self.stop(f"more than {self._most} failed: {told}")

    def settled(self) -> None:
        """A target whose outcome was unknown turned out well."""
        self.counts["unknown"] -= 1

    def stop(self, why: str) -> None:
        """Allow no more requests."""
        self.stopped = self.stopped or why
