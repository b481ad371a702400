"""What became of the requests to change one task."""

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
    """Whether a task may have changed by a request that failed so."""
    return isinstance(error, (OutcomeUnknownError, ServerError)) and not error.harmless


@attrs.frozen
class Outcome:
    """What became of a row of requests, the last of which may have been accepted.

    Attributes:
        state: ``none`` before there was a request, then ``accepted``, ``refused`` or ``lost``.
        since: When the last was accepted, or the first of the row refused or lost.
        error: What the last failed with, or one before it that leaves open what happened.
        polls: Polls that showed the task since the last request.
    """

    state: str = "none"
    since: float = 0.0
    error: ReplicationError | None = None
    polls: int = 0

    @property
    def open(self) -> bool:
        """Whether polls are to settle it: there was a request, and it was not accepted."""
        return self.state in {"refused", "lost"}

    def failed(self, error: ReplicationError, now: float) -> Outcome:
        """After one more request that failed."""
        # It may be refused because the task is there already, or because an earlier one worked.
        state = "refused" if type(error) is BadRequestError else "lost"
        doubt = may_have_changed(self.error) and not may_have_changed(error)
        # That there was no time left for another request says less than what the last one came to.
        doubt = doubt or (self.error is not None and isinstance(error, NotSentError))
        return Outcome(state, self.since if self.open else now, self.error if doubt else error)

    def polled(self) -> Outcome:
        """After one more poll that showed the task."""
        return attrs.evolve(self, polls=self.polls + 1)
