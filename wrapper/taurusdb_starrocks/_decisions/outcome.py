"""The outcome of the requests to change one task."""

from __future__ import annotations

import attrs

from taurusdb_starrocks._errors import (
    BadRequestError,
    NotSentError,
    OutcomeUnknownError,
    ReplicationError,
    ServerError,
)


def may_have_changed(error: ReplicationError | None) -> bool:
    """Whether a request with this error may have changed the task."""
    return isinstance(error, (OutcomeUnknownError, ServerError)) and not error.harmless


@attrs.frozen
class Outcome:
    """The outcome of a series of requests.

    Attributes:
        state: ``none`` before the first request, then ``accepted``, ``refused`` or ``lost``.
        since: When the last request was accepted, or when the first one was refused or lost.
        error: The last error, or an earlier one after which the outcome is unknown.
        polls: Number of polls that showed the task since the last request.
    """

    state: str = "none"
    since: float = 0.0
    error: ReplicationError | None = None
    polls: int = 0

    @property
    def open(self) -> bool:
        """Whether polls must find out what happened: a request was sent but not accepted."""
        return self.state in {"refused", "lost"}

    def failed(self, error: ReplicationError, now: float) -> Outcome:
        """The outcome after one more failed request."""
        # It may be refused because the task is at the goal, or because an earlier request worked.
        state = "refused" if type(error) is BadRequestError else "lost"
        doubt = may_have_changed(self.error) and not may_have_changed(error)
        # "No time left for another request" is less informative than the last real error.
        doubt = doubt or (self.error is not None and isinstance(error, NotSentError))
        return Outcome(state, self.since if self.open else now, self.error if doubt else error)

    def polled(self) -> Outcome:
        """The outcome after one more poll that showed the task."""
        return attrs.evolve(self, polls=self.polls + 1)
