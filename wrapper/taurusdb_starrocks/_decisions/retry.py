"""Retries: the policy, and the attempts of one call as steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from taurusdb_starrocks._decisions.outcome import may_have_changed
from taurusdb_starrocks._decisions.steps import Send, Sleep, Steps
from taurusdb_starrocks._decisions.verdict import judge
from taurusdb_starrocks._errors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
)
from taurusdb_starrocks._instances import advice
from taurusdb_starrocks._messages import Reply, Request, Unanswered
from taurusdb_starrocks._operations import LOGIN, Call, Document, Operation
from taurusdb_starrocks._redaction import clean, secrets
from taurusdb_starrocks._rules import plain

if TYPE_CHECKING:
    from taurusdb_starrocks._credentials import Credentials


@attrs.frozen
class RetryPolicy:
    """Decides whether a failed call is retried, and after how many seconds.

    A call is retried only if the failed attempt cannot have changed a task:

    - the request was not sent (except for TLS failures, which would fail again),
    - the response was a 409, a 429, or a 503 with ``Retry-After``,
    - the request only reads, and there was no usable response, a 408, or a 5xx.

    For other rules, override ``delay`` in a subclass.

    Attributes:
        attempts: Maximum number of attempts of a call, including the first.
        first_delay: Maximum wait before the second attempt, in seconds. It doubles for each
            additional attempt.
        longest_delay: Limit of the doubled wait, in seconds.
        budget: Number of retries that a client has for all its calls. Each retry takes one, and
            each successful call gives back a tenth, so that retries do not make an outage worse.
    """

    attempts: int = 3
    first_delay: float = 0.5
    longest_delay: float = 8.0
    budget: float = 20.0

    def __attrs_post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 1:
            raise ConfigurationError(
                f"attempts must be an integer of at least 1, not {self.attempts!r}."
            )
        for name in ("first_delay", "longest_delay", "budget"):
            value = getattr(self, name)
            if type(value) not in {int, float} or not 0 <= value < math.inf:
                raise ConfigurationError(f"{name} must be a number of at least 0, not {value!r}.")

    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        """Seconds to wait after a failed attempt, or None to raise the error.

        Args:
            error: Error of the attempt.
            attempt: Number of the attempt, from 1.
            chance: A random number from 0 to 1, which spreads the waits of many callers.
        """
        if attempt >= self.attempts or not _repeatable(error):
            return None
        asked = getattr(error, "retry_after", None)
        if isinstance(asked, float):
            return asked
        return chance * min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 60))


def _repeatable(error: ReplicationError) -> bool:
    match error:
        case NotSentError():
            return not error.lasting
        case ConflictError() | RateLimitError():
            return True
        case OutcomeUnknownError():
            return error.harmless
        case ServerError():
            return error.harmless
        case _:
            return False


class Attempts:
    """Makes the attempts of all calls of one client, which share a retry budget.

    Args:
        policy: When to retry.
        credentials: Credentials for each attempt.
        clock: Reads a monotonic clock, in seconds.
        wall_clock: Returns seconds since the epoch.
        chance: Returns a random number from 0 to 1.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        credentials: Credentials,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._credentials = credentials
        self._clock = clock
        self._wall_clock = wall_clock
        self._chance = chance
        self._budget = policy.budget

    def of(self, call: Call, request: Request) -> Steps[tuple[Reply, Document]]:
        """Send a request until there is a usable response or no attempt is left.

        Each attempt is authenticated when it is sent, because a signature has a date. A rejected
        token is renewed once. If the outcome of one attempt at a change is unknown, the outcome of
        the call is unknown, even if a later attempt fails in another way.
        """
        doubts: list[ReplicationError] = []
        try:
            return (yield from self._until_final(call, request, doubts))
        except ReplicationError as error:
            final = _final(error, doubts, call)
        raise final

    def _until_final(
        self, call: Call, request: Request, doubts: list[ReplicationError]
    ) -> Steps[tuple[Reply, Document]]:
        headers = yield from self._authenticated(call, request, None)
        renewed = False
        attempt = 0
        while True:
            attempt += 1
            call.attempts += 1
            result = yield from self._once(call, call.operation, request.with_headers(headers))
            if isinstance(result, tuple):
                return result
            if may_have_changed(result):
                doubts.append(result)
            # Without a known code, a 401 to a change has an unknown outcome. It is still a 401.
            if getattr(result, "status", None) == 401 and not renewed:
                renewed = True
                other = yield from self._authenticated(call, request, headers)
                if other:
                    headers = other
                    continue
            delay = self._delay(result, attempt, call)
            if delay is None:
                raise result
            yield Sleep(delay)
            headers = yield from self._authenticated(call, request, None)

    def login(
        self, call: Call, request: Request, hidden: list[str]
    ) -> Steps[tuple[Reply, Document]]:
        """Send a login within a call, as often as the policy allows."""
        call.secrets += hidden
        attempt = 0
        while True:
            attempt += 1
            call.logins += 1
            result = yield from self._once(call, LOGIN, request)
            if isinstance(result, tuple):
                return result
            delay = self._delay(result, attempt, call)
            if delay is None:
                raise result
            yield Sleep(delay)

    def _authenticated(
        self, call: Call, request: Request, rejected: dict[str, str] | None
    ) -> Steps[dict[str, str]]:
        """The headers that authenticate an attempt; None if there are only the rejected ones."""
        try:
            headers = yield from self._credentials.authenticate(
                request, rejected, lambda login, hidden: self.login(call, login, hidden)
            )
            found = {plain(name): plain(value) for name, value in dict(headers or {}).items()}
            call.secrets += [secret for secret in secrets(found) if secret not in call.secrets]
        except ReplicationError:
            raise
        except Exception as error:  # Any exception: the user may have written the credentials.
            raise NotSentError(
                f"{type(self._credentials).__name__} failed with {type(error).__name__}. Nothing "
                "was sent."
            ) from error
        return found

    def _once(
        self, call: Call, operation: Operation, request: Request
    ) -> Steps[tuple[Reply, Document] | ReplicationError]:
        """Make one attempt; return its outcome."""
        try:
            reply: Reply = yield Send(request)
        except Unanswered as failure:
            return unanswered(call, operation, failure)
        verdict = judge(operation, reply, call.secrets, self._wall_clock())
        if isinstance(verdict, ReplicationError):
            return verdict
        self._budget = min(self._policy.budget, self._budget + 0.1)
        return reply, verdict

    def _delay(self, error: ReplicationError, attempt: int, call: Call) -> float | None:
        left = call.deadline - self._clock()
        try:
            delay = self._policy.delay(error, attempt, self._chance())
            if delay is None or not 0 <= delay < left or self._budget < 1:
                return None
        except Exception as failure:  # noqa: BLE001  # Any exception: the user may have written the policy.
            # The error of the attempt is more important, because a task may have changed.
            error.add_note(f"{type(self._policy).__name__} failed with {type(failure).__name__}.")
            return None
        self._budget -= 1
        return delay


def unanswered(call: Call, operation: Operation, failure: Unanswered) -> ReplicationError:
    """The error of an attempt without a response, depending on whether it was sent."""
    what = clean(failure.what, call.secrets)
    error: ReplicationError
    if failure.sent:
        error = OutcomeUnknownError(what, harmless=not operation.changes)
    else:
        error = NotSentError(
            f"{what}. The request was not sent: it is safe to repeat.", lasting=failure.lasting
        )
    error.__cause__ = failure
    return error


def _final(
    error: ReplicationError, doubts: Sequence[ReplicationError], call: Call
) -> ReplicationError:
    """The error of the call, from the error of the last attempt and earlier attempts."""
    if isinstance(error, NotFoundError) and call.instance_id:
        error.message += advice(call.instance_id)
    if not doubts or may_have_changed(error):
        return error
    unknown = OutcomeUnknownError(
        f"The outcome of an earlier attempt is unknown "
        f"({doubts[-1].message.split('.')[0]}), and the last attempt "
        f"failed: {error.message.rstrip('.')}",
        status=getattr(error, "status", None),
        code=getattr(error, "code", None),
        request_id=error.request_id,
    )
    unknown.__cause__ = error
    return unknown
