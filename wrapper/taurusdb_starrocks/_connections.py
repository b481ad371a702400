"""Where a request goes: the connections, each held to the deadline of the call under way."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from urllib.request import getproxies, proxy_bypass

import anyio
import httpcore
import httpx

from taurusdb_starrocks._call import current
from taurusdb_starrocks._errors import ConfigurationError

# All may be kept: httpcore counts the busy connections among those it keeps, so that a lower number
# would close every one of them after each call once more than that are in use.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=5.0)

Transport = TypeVar("Transport", httpx.BaseTransport, httpx.AsyncBaseTransport)


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
        if proxy:
            url = httpx.URL(proxy)
            url.host.encode(
                "idna"
            )  # What the resolver does with it; a UnicodeError is a ValueError.
            if not 0 < (url.port or 1) < 2**16:
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
        # As above: no argument for the network backend.
        pool = transport._pool  # noqa: SLF001
        pool._network_backend = TidyBackend(pool._network_backend)  # noqa: SLF001
        return transport

    return open_


def given(transport: Transport) -> Callable[[str | None], Transport]:
    """Opens nothing: all routes are the one transport."""
    return lambda _proxy: transport


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

    # The timeouts are httpcore's interface, which this only passes on.

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
