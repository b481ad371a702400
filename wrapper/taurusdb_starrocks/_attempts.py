"""How often a request is sent, and what came of it: below auth, so that a login is retried too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import httpx

from taurusdb_starrocks._body import Body
from taurusdb_starrocks._call import Call, current
from taurusdb_starrocks._connections import Routes
from taurusdb_starrocks._errors import (
    NotSentError,
    OutcomeUnknownError,
    ReplicationError,
    ServerError,
)
from taurusdb_starrocks._reply import LOGIN, clean, judge, secrets
from taurusdb_starrocks._retry import RetryPolicy

# httpx's async pool looks through all that is in flight at every step: a call that costs 0.8 ms
# of CPU alone costs 2 ms among 64, and more from there on. The rest wait outside.
IN_FLIGHT = 16
# What httpx raises only before a request has left.
BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class Attempts:
    """What both transports decide alike: whether and when there is another attempt."""

    def __init__(
        self, policy: RetryPolicy, chance: Callable[[], float], *, connect: float, read: float
    ) -> None:
        self._policy = policy
        self._chance = chance
        self._budget = policy.budget
        self._connect = connect
        self._read = read

    def begin(self, request: httpx.Request, *, sent: bool) -> Call:
        """The call under way, with another attempt counted and its timeouts set."""
        call = current.get()
        if LOGIN in request.extensions:
            call.logins += 1
        else:
            call.attempts += 1
        call.sent = sent and LOGIN not in request.extensions
        call.harmless = request.method == "GET"
        left = max(call.left(), 0.001)
        request.extensions["timeout"] = {
            "connect": min(self._connect, left),
            "read": min(self._read, left),
            "write": min(self._read, left),
            "pool": left,
        }
        return call

    def delay(self, error: ReplicationError | None, attempt: int, call: Call) -> float | None:
        """Seconds until the next attempt; None if this one was the last."""
        # After a refusal the request is as good as not sent.
        call.sent = call.sent and isinstance(error, (OutcomeUnknownError, ServerError))
        if error is None:
            self._budget = min(self._policy.budget, self._budget + 0.1)
            return None
        delay = self._policy.delay(error, attempt, self._chance())
        if delay is None or delay >= call.left() or self._budget < 1:
            return None
        self._budget -= 1
        return delay


class RetryingTransport(httpx.BaseTransport):
    """Sends a request as often as the policy allows and returns the last reply, read whole."""

    def __init__(
        self,
        routes: Routes[httpx.BaseTransport],
        attempts: Attempts,
        sleep: Callable[[float], object],
    ) -> None:
        self._routes = routes
        self._attempts = attempts
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The last attempt's reply, or the error that no attempt got beyond."""
        attempt = 0
        while True:
            attempt += 1
            call = self._attempts.begin(request, sent=not self._routes.traced)
            request.extensions["trace"] = _Trace(call).note
            cause: httpx.TransportError | None = None
            try:
                reply = self._exchange(request)
            except httpx.TransportError as error:
                cause = _bare(error, request)
            outcome = judge(reply) if cause is None else _explain(cause, call)
            delay = self._attempts.delay(outcome, attempt, call)
            if delay is not None:
                self._sleep(delay)
            elif outcome is None or cause is None:
                return reply
            else:
                raise outcome from cause

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        response = self._routes.to(request.url).handle_request(request)
        body = Body(response.headers)
        try:
            assert isinstance(response.stream, httpx.SyncByteStream)
            for chunk in response.stream:
                if not body.takes(chunk):
                    break
        finally:
            response.close()
        return body.whole(response, request)

    def close(self) -> None:
        """Close the connections."""
        for transport in self._routes.opened():
            transport.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """The same for coroutines."""

    def __init__(
        self,
        routes: Routes[httpx.AsyncBaseTransport],
        attempts: Attempts,
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._routes = routes
        self._attempts = attempts
        self._sleep = sleep
        self._gate = anyio.Semaphore(IN_FLIGHT)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The last attempt's reply, or the error that no attempt got beyond."""
        attempt = 0
        while True:
            attempt += 1
            call = self._attempts.begin(request, sent=not self._routes.traced)
            request.extensions["trace"] = _Trace(call).anote
            cause: httpx.TransportError | None = None
            try:
                reply = await self._exchange(request)
            except httpx.TransportError as error:
                cause = _bare(error, request)
            outcome = judge(reply) if cause is None else _explain(cause, call)
            delay = self._attempts.delay(outcome, attempt, call)
            if delay is not None:
                await self._sleep(delay)
            elif outcome is None or cause is None:
                return reply
            else:
                raise outcome from cause

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        async with self._gate:
            return await self._exchange_now(request)

    async def _exchange_now(self, request: httpx.Request) -> httpx.Response:
        response = await self._routes.to(request.url).handle_async_request(request)
        body = Body(response.headers)
        try:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            async for chunk in response.stream:
                if not body.takes(chunk):
                    break
        finally:
            await response.aclose()
        return body.whole(response, request)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._routes.opened():
            await transport.aclose()


class _Trace:
    """Notes when a request begins to leave; httpcore tells by its ``trace`` extension."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def note(self, event: str, info: dict[str, Any]) -> None:
        # A proxy's CONNECT is a request as well, and is not ours.
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self._call.sent = LOGIN not in info["request"].extensions

    async def anote(self, event: str, info: dict[str, Any]) -> None:
        self.note(event, info)


def _explain(cause: httpx.TransportError, call: Call) -> ReplicationError:
    if isinstance(cause, BEFORE_SENDING):
        call.sent = False
    what = " ".join(str(cause).split()) or "No answer in time"
    error = call.stamp(unanswered(call, f"{type(cause).__name__}: {what.rstrip('.')}"))
    error.__cause__ = cause  # For the policy to see, before anything is raised.
    return error


def _bare(error: httpx.TransportError, request: httpx.Request) -> httpx.TransportError:
    """The error with nothing in it that was sent.

    The variables of the frames below hold the headers, and h11 quotes the line it cannot read.
    """
    hidden = secrets(request)
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link.__context__ = link.__cause__ or link.__context__
        link.args = tuple(clean(arg, hidden) if isinstance(arg, str) else arg for arg in link.args)
        link = link.__context__
    return error


def unanswered(call: Call, what: str) -> ReplicationError:
    """The error of a request that got no answer: whether it left decides."""
    if not call.sent:
        return NotSentError(f"{what}. The request did not leave: it is safe to repeat.")
    return OutcomeUnknownError(what, harmless=call.harmless)
