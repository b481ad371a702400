"""When to try again: a policy that is a pure function of what happened."""

from __future__ import annotations

import math
import ssl

import attrs

from taurusdb_starrocks._errors import (
    ConfigurationError,
    ConflictError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
)


@attrs.frozen
class RetryPolicy:
    """Says how long to wait before the next attempt, or that there is none.

    Only what cannot have changed a task is tried again: a request that never left (but not a
    failure of TLS, which does not heal), 429, 409, 503 with ``Retry-After``, and a look without
    a usable answer. To decide otherwise, pass an object of a subclass with its own ``delay``.

    Attributes:
        attempts: Most attempts a call makes, the first included.
        first_delay: Longest wait before the second attempt, in seconds; doubles from there.
        longest_delay: Where the doubling ends, in seconds.
        budget: Retries a client may make in a row over all its calls. Every call that succeeds
            gives back a tenth of one, so an outage is not multiplied by the retries.
    """

    attempts: int = 3
    first_delay: float = 0.5
    longest_delay: float = 8.0
    budget: float = 20.0

    def __attrs_post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 1:
            raise ConfigurationError(f"attempts must be a number from 1, not {self.attempts!r}.")
        for name in ("first_delay", "longest_delay", "budget"):
            value = getattr(self, name)
            if type(value) not in {int, float} or not 0 <= value < math.inf:
                raise ConfigurationError(f"{name} must be a number from 0, not {value!r}.")

    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        """Seconds to wait after a failed attempt, or None to raise the error.

        Args:
            error: What the attempt came to.
            attempt: Which attempt that was, from 1.
            chance: A random number from 0 to 1, which spreads the waits of many callers.
        """
        if attempt >= self.attempts or not _harmless(error):
            return None
        asked = getattr(error, "retry_after", None)
        if isinstance(asked, float):
            return asked
        return chance * min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 60))


def _harmless(error: ReplicationError) -> bool:
    match error:
        case NotSentError():
            return not _is_tls(error)
        case ConflictError() | RateLimitError():
            return True
        case OutcomeUnknownError():
            return error.harmless
        case ServerError():
            return error.status == 503 and error.retry_after is not None
        case _:
            return False


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
