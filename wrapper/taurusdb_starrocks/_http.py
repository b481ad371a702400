"""The road below the generated client: judge and deadline above auth, retry and bounds below.

httpx asks the auth between the two layers of this module, so a login is retried and bounded
like any request, and a 401 reaches the auth before it is judged.
"""

from __future__ import annotations

import logging
import os
import random
import ssl
import time
import zlib
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Generic, TypeVar
from urllib.request import getproxies, proxy_bypass

import anyio
import attrs
import httpcore
import httpx

from taurusdb_starrocks import _rules
from taurusdb_starrocks._call import Call, calling, current
from taurusdb_starrocks._errors import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    ReplicationError,
    ServerError,
)
from taurusdb_starrocks._reply import LOGIN, clean, judge, secrets
from taurusdb_starrocks._retry import RetryPolicy

LARGEST_BODY = 1024 * 1024
# httpx's async pool looks through all that is in flight at every step: a call that costs 0.8 ms
# of CPU alone costs 2 ms among 64, and more from there on. The rest wait outside.
IN_FLIGHT = 16
# Headers of a reply that go no further: those that no longer fit the body, and those that httpx
# would act on, which is parsing a redirect nobody follows and sending cookies back.
DROPPED = {
    b"content-encoding",
    b"content-length",
    b"transfer-encoding",
    b"location",
    b"set-cookie",
}
# What httpx raises only before a request has left.
BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)

Transport = TypeVar("Transport", httpx.BaseTransport, httpx.AsyncBaseTransport)


@attrs.frozen
class Plan:
    """What the road is built from. Times are in seconds."""

    endpoint: str
    auth: httpx.Auth
    user_agent: str
    total: float
    connect: float
    read: float
    retry: RetryPolicy
    ssl_context: ssl.SSLContext | None
    trust_env: bool
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None

    def settings(self) -> dict[str, Any]:
        """What httpx is told: nothing of the environment, no redirects, no packed answers."""
        return {
            "base_url": self.endpoint,
            "auth": self.auth,
            "headers": {"User-Agent": self.user_agent, "Accept-Encoding": "identity"},
            "follow_redirects": False,
            "trust_env": False,
        }

    def tls(self) -> ssl.SSLContext:
        """The TLS settings given, or those that verify against certifi's list."""
        return self.ssl_context or httpx.create_ssl_context(trust_env=False)


def plan(  # The arguments are those of the clients, and described there.
    endpoint: str,
    auth: httpx.Auth,
    *,
    timeout: float = 60.0,
    connect_timeout: float = 5.0,
    read_timeout: float = 30.0,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # Frozen.
    ssl_context: ssl.SSLContext | None = None,
    trust_env: bool = True,
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
) -> Plan:
    """The plan for an endpoint that is known to be good, with everything else checked here."""
    if not isinstance(auth, httpx.Auth):
        raise ConfigurationError("auth must be an identity like TokenAuth(…), not a bare value.")
    if not isinstance(retry, RetryPolicy):
        raise ConfigurationError("retry must be a RetryPolicy.")
    if not isinstance(ssl_context, ssl.SSLContext | None):
        raise ConfigurationError("ssl_context must be an ssl.SSLContext.")
    return Plan(
        endpoint=endpoint,
        auth=auth,
        user_agent=f"taurusdb-starrocks/{version('taurusdb-starrocks')}",
        total=_rules.seconds("timeout", timeout),
        connect=_rules.seconds("connect_timeout", connect_timeout),
        read=_rules.seconds("read_timeout", read_timeout),
        retry=retry,
        ssl_context=ssl_context,
        trust_env=trust_env,
        transport=transport,
    )


# --- Above auth -------------------------------------------------------------------------------


class HTTPClient(httpx.Client):
    """An httpx client whose calls have one deadline and end in a good reply or a typed error."""

    def __init__(self, plan: Plan) -> None:
        if plan.transport is None:
            routes = Routes(opener(plan.tls()), trust_env=plan.trust_env, traced=True)
        elif isinstance(plan.transport, httpx.BaseTransport):
            routes = Routes(given(plan.transport), trust_env=False, traced=False)
        else:
            raise ConfigurationError("transport must be an httpx.BaseTransport.")
        transport = RetryingTransport(routes, Attempts(plan, random.random), time.sleep)
        super().__init__(transport=transport, **plan.settings())
        logging.getLogger("httpcore.http11").addFilter(_without_headers)
        self._total = plan.total

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The reply, if it is a good one."""
        _open(self)
        with calling(request, self._total) as call:
            return _good(super().send(request, **options), call)


class AsyncHTTPClient(httpx.AsyncClient):
    """The same for coroutines."""

    def __init__(self, plan: Plan) -> None:
        if plan.transport is None:
            routes = Routes(async_opener(plan.tls()), trust_env=plan.trust_env, traced=True)
        elif isinstance(plan.transport, httpx.AsyncBaseTransport):
            routes = Routes(given(plan.transport), trust_env=False, traced=False)
        else:
            raise ConfigurationError("transport must be an httpx.AsyncBaseTransport.")
        transport = AsyncRetryingTransport(routes, Attempts(plan, random.random), anyio.sleep)
        super().__init__(transport=transport, **plan.settings())
        logging.getLogger("httpcore.http11").addFilter(_without_headers)
        self._total = plan.total

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The reply, if it is a good one."""
        _open(self)
        with calling(request, self._total) as call:
            # The scope holds against whatever takes long: a drip, a pool, another's login.
            with anyio.move_on_after(self._total):
                return _good(await super().send(request, **options), call)
            raise _unanswered(call, f"No answer within {self._total:g} s")


def _open(client: httpx.Client | httpx.AsyncClient) -> None:
    if client.is_closed:
        raise ConfigurationError("The client is closed. Nothing was sent.")


def _good(response: httpx.Response, call: Call) -> httpx.Response:
    error = judge(response)
    if error is not None:
        raise error
    call.reply = response
    return response


def _unanswered(call: Call, what: str) -> ReplicationError:
    if not call.sent:
        return NotSentError(f"{what}. The request did not leave: it is safe to repeat.")
    return OutcomeUnknownError(what, harmless=call.harmless)


# --- Below auth: attempts ---------------------------------------------------------------------


class Attempts:
    """What both transports decide alike: whether and when there is another attempt."""

    def __init__(self, plan: Plan, chance: Callable[[], float]) -> None:
        self._plan = plan
        self._chance = chance
        self._budget = plan.retry.budget

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
            "connect": min(self._plan.connect, left),
            "read": min(self._plan.read, left),
            "write": min(self._plan.read, left),
            "pool": left,
        }
        return call

    def delay(self, error: ReplicationError | None, attempt: int, call: Call) -> float | None:
        """Seconds until the next attempt; None if this one was the last."""
        # After a refusal the request is as good as not sent.
        call.sent = call.sent and isinstance(error, (OutcomeUnknownError, ServerError))
        if error is None:
            self._budget = min(self._plan.retry.budget, self._budget + 0.1)
            return None
        delay = self._plan.retry.delay(error, attempt, self._chance())
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
    error = call.stamp(_unanswered(call, f"{type(cause).__name__}: {what.rstrip('.')}"))
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


def _without_headers(record: logging.LogRecord) -> bool:
    """Cut what httpcore says at DEBUG, in a call of ours, down to the event.

    It shows the headers of every reply, the one with a new token included.
    """
    if current.get(None) is not None:
        record.msg, record.args = record.getMessage().partition(" ")[0], ()
    return True


# --- Below auth: the body ---------------------------------------------------------------------


class Body:
    """Collects a reply's body, decoding as it comes and never holding more than the limit.

    httpx's own decoders unpack a chunk whole: 64 KiB of gzip can become 64 MB.
    """

    def __init__(self, headers: httpx.Headers) -> None:
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        self._decoder = (
            zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in {"gzip", "deflate"} else None
        )
        self._unread = (
            None
            if self._decoder or encoding == "identity"
            else f"has the unknown encoding {encoding[:40]!r}"
        )
        self._content = bytearray()

    def takes(self, chunk: bytes) -> bool:
        """Whether more is wanted after this chunk."""
        room = LARGEST_BODY + 1 - len(self._content)
        if self._decoder is None:
            self._content += chunk[:room]
        else:
            try:
                self._content += self._decoder.decompress(chunk, room)
            except zlib.error:
                self._unread = "cannot be decoded"
            if self._decoder.unused_data:  # The decoder would keep all that follows.
                self._unread = "goes on after its encoding has ended"
        if len(self._content) > LARGEST_BODY:
            self._unread = f"is larger than {LARGEST_BODY} bytes"
        return self._unread is None

    def whole(self, response: httpx.Response, request: httpx.Request) -> httpx.Response:
        """The response with its body read; one that could not be is empty and says why."""
        if self._decoder and not self._decoder.eof and self._content and not self._unread:
            self._unread = "ends before its encoding does"
        headers = httpx.Headers(
            [(name, value) for name, value in response.headers.raw if name.lower() not in DROPPED]
        )
        if "X-Request-Id" in headers:
            headers["X-Request-Id"] = clean(headers["X-Request-Id"], secrets(request))
        return httpx.Response(
            response.status_code,
            headers=headers,
            content=b"" if self._unread else bytes(self._content),
            extensions={"unread": self._unread},
            request=request,
        )


# --- Below auth: connections ------------------------------------------------------------------


class Routes(Generic[Transport]):
    """The transport for each proxy that is needed; one of its own after a fork.

    Two processes on one connection would read each other's answers.
    """

    def __init__(
        self, opener: Callable[[str | None], Transport], *, trust_env: bool, traced: bool
    ) -> None:
        self._opener: Callable[[str | None], Transport] = opener
        self._trust_env = trust_env
        self.traced = traced  # Whether the transports tell when a request begins to leave.
        self._transports: dict[tuple[int, str | None], Transport] = {}

    def to(self, url: httpx.URL) -> Transport:
        """The transport that leads to a URL."""
        proxy = _proxy(url) if self._trust_env else None
        key = os.getpid(), proxy
        if key not in self._transports:
            try:
                opened = self._open(proxy)
            except (ImportError, ValueError, httpx.InvalidURL) as error:
                raise ConfigurationError(
                    f"The proxy that the environment names for {url.scheme}:// cannot be used: "
                    f"{type(error).__name__}. Nothing was sent."
                ) from None
            return self._transports.setdefault(key, opened)
        return self._transports[key]

    def _open(self, proxy: str | None) -> Transport:
        if proxy and not 0 < (httpx.URL(proxy).port or 1) < 2**16:
            raise ValueError("impossible port")
        return self._opener(proxy)

    def opened(self) -> list[Transport]:
        """The transports of this process."""
        return [one for (pid, _), one in self._transports.items() if pid == os.getpid()]


def _proxy(url: httpx.URL) -> str | None:
    if proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxies = getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    return address if not address or "://" in address else f"http://{address}"


def opener(ssl_context: ssl.SSLContext) -> Callable[[str | None], httpx.BaseTransport]:
    """Opens transports whose connections hold the call's deadline."""

    def open_(proxy: str | None) -> httpx.BaseTransport:
        transport = httpx.HTTPTransport(verify=ssl_context, proxy=proxy, limits=LIMITS)
        # httpx has no argument for the network backend of its pool, and its timeouts are for
        # each read alone: a server that drips would hold a call for ever.
        pool = transport._pool  # noqa: SLF001
        pool._network_backend = DeadlineBackend(pool._network_backend)  # noqa: SLF001
        return transport

    return open_


def async_opener(ssl_context: ssl.SSLContext) -> Callable[[str | None], httpx.AsyncBaseTransport]:
    """Opens transports for coroutines, which a cancel scope holds to the deadline."""

    def open_(proxy: str | None) -> httpx.AsyncBaseTransport:
        transport = httpx.AsyncHTTPTransport(verify=ssl_context, proxy=proxy, limits=LIMITS)
        pool = transport._pool  # noqa: SLF001
        pool._network_backend = TidyBackend(pool._network_backend)  # noqa: SLF001
        return transport

    return open_


def given(transport: Transport) -> Callable[[str | None], Transport]:
    """Opens nothing: all routes are the one transport."""
    return lambda _proxy: transport


# All may be kept: httpcore counts the busy connections among those it keeps, so that a lower number
# would close every one of them after each call once more than that are in use.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=5.0)


class DeadlineBackend(httpcore.NetworkBackend):
    """A network whose every operation ends at the deadline of the call under way."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(  # As in httpcore.
        self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any
    ) -> httpcore.NetworkStream:
        timeout = _bounded(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._backend.connect_tcp(host, port, timeout, *args, **kwargs))


class DeadlineStream(httpcore.NetworkStream):
    """A connection of such a network."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _bounded(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _bounded(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _bounded(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class TidyBackend(httpcore.AsyncNetworkBackend):
    """A network that closes a connection whose TLS handshake is cancelled.

    httpcore closes it after an error, but a cancellation, by a timeout or the caller, is none.
    """

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        return TidyStream(await self._backend.connect_tcp(*args, **kwargs))


class TidyStream(httpcore.AsyncNetworkStream):
    """A connection of such a network."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        try:
            return TidyStream(await self._stream.start_tls(*args, **kwargs))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _bounded(timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
    left = current.get().left()
    if left <= 0:
        raise late("the deadline has passed")
    return left if timeout is None else min(timeout, left)
