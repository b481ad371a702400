"""When the next request to a project may be sent. Pure: the caller passes the time."""

from __future__ import annotations

SLOWEST = 0.2  # Requests per second, however often the service throttles.
EASIER = 0.5  # Factor by which a throttled request lowers the rate.
HARDER = 0.02  # Share of the full rate by which each success raises it again.
TOGETHER = 0.5  # Seconds in which more throttled requests do not lower it again.


class Pace:
    """A rate shared by all requests to the same project of the same region.

    Args:
        rate: Maximum requests per second.
    """

    def __init__(self, rate: float) -> None:
        self._full = rate
        self.rate = rate
        self._next = 0.0
        self._throttled = -TOGETHER

    def delay(self, now: float) -> float:
        """Seconds to wait before the next request."""
        turn = max(now, self._next)
        self._next = turn + 1 / self.rate
        return turn - now

    def throttled(self, now: float, retry_after: float | None) -> None:
        """A request was throttled: all requests wait, and then the rate is halved."""
        if now - self._throttled >= TOGETHER:
            self.rate = max(min(SLOWEST, self._full), self.rate * EASIER)
            self._throttled = now
        self._next = max(self._next, now + (1 / self.rate if retry_after is None else retry_after))

    def succeeded(self) -> None:
        """A request was not throttled."""
        self.rate = min(self._full, self.rate + HARDER * self._full)
