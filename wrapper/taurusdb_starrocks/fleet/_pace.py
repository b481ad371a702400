"""When the next request to a project may be sent. Pure: the clock's reading is handed in."""

from __future__ import annotations

SLOWEST = 0.2  # Requests a second, however often the service throttles.
EASIER = 0.5  # What a throttled request leaves of the rate.
HARDER = 0.02  # By what share of the full rate each success raises it again.
TOGETHER = 0.5  # Seconds in which further throttled requests say nothing new.


class Pace:
    """A rate that everybody shares who sends to the same project of the same region.

    Args:
        rate: Requests a second, at most.
    """

    def __init__(self, rate: float) -> None:
        self._full = rate
        self.rate = rate
        self._next = 0.0
        self._throttled = -TOGETHER

    def delay(self, now: float) -> float:
        """Seconds to wait before a request; the turn after it is the next one's."""
        turn = max(now, self._next)
        self._next = turn + 1 / self.rate
        return turn - now

    def throttled(self, now: float, retry_after: float | None) -> None:
        """A request was throttled: everybody waits, and goes on at half of the rate."""
        if now - self._throttled >= TOGETHER:
            self.rate = max(min(SLOWEST, self._full), self.rate * EASIER)
            self._throttled = now
        self._next = max(self._next, now + (1 / self.rate if retry_after is None else retry_after))

    def succeeded(self) -> None:
        """A request was not throttled."""
        self.rate = min(self._full, self.rate + HARDER * self._full)
