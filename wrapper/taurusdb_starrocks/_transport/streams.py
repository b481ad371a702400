"""Requests over asyncio streams."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._transport.failures import UNRESOLVED, Fault, Progress
from taurusdb_starrocks._transport.link import Link, Steps, Trust
from taurusdb_starrocks._transport.pool import Place, Pool
from taurusdb_starrocks._transport.proxies import Proxies, Route

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")


class AsyncNetwork:
    """Sends requests and reads their responses, for coroutines.

    Each event loop and each process has separate connections. A cancelled exchange closes its
    connection.

    Args:
        connect_timeout: Seconds for each address of a host, and again for proxy and TLS.
        read_timeout: Seconds without a byte of the response.
        max_connections: Maximum number of open connections. Further exchanges wait in order.
        ssl_context: For origins and https:// proxies. The default trusts certifi's authorities.
        proxies: The proxies for each origin.
    """

    def __init__(
        self,
        *,
        connect_timeout: float,
        read_timeout: float,
        max_connections: int = 100,
        ssl_context: ssl.SSLContext | None = None,
        proxies: Proxies,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._max_connections = max_connections
        self._trust = Trust(ssl_context)
        self._proxies = proxies
        self._pools: dict[asyncio.AbstractEventLoop, Pool[_Connection]] = {}

    async def exchange(self, request: Request, deadline: float) -> Reply:
        """The response to a request.

        Args:
            request: What to send.
            deadline: When to give up, as a reading of `time.monotonic`.

        Raises:
            Unanswered: There was no complete response.
            ConfigurationError: The proxy that leads there cannot be used. Nothing was sent.
        """
        route = self._proxies.to(request.origin)
        progress = Progress(
            route,
            deadline,
            connect_timeout=self._connect_timeout,
            read_timeout=self._read_timeout,
        )
        loop = asyncio.get_running_loop()
        pool = self._pool(loop)
        turn = _Turn()
        place: Place[_Connection] = Place(progress, turn.come)
        try:
            if not pool.enter(place):
                await turn.wait(loop, deadline)
            connection = pool.take(place, route, time.monotonic()) or await self._open(
                place, route, progress, deadline
            )
            steps = connection.link.exchange(request)
            out = next(steps)
            progress.sending()
            return await connection.perform(out, steps, self._read_timeout, deadline)
        except (OSError, Fault) as error:
            failure = progress.explain(error)
        finally:
            pool.leave(place, time.monotonic())
        raise failure  # Raised here, so that its traceback has no frame that contains the headers.

    async def aclose(self) -> None:
        """Close this loop's connections; those in use are closed after their exchange."""
        for connection in self._pool(asyncio.get_running_loop()).close():
            await connection.lost

    def _pool(self, loop: asyncio.AbstractEventLoop) -> Pool[_Connection]:
        pool = self._pools.get(loop)
        if pool is None:
            for ended in [other for other in [*self._pools] if other.is_closed()]:
                self._pools.pop(ended).close()
            pool = self._pools[loop] = Pool(self._max_connections)
        return pool

    async def _open(
        self, place: Place[_Connection], route: Route, progress: Progress, deadline: float
    ) -> _Connection:
        progress.connecting(route.first_name)
        loop = asyncio.get_running_loop()
        sock = await _connect(loop, route, self._connect_timeout, deadline)
        connection = place.connection = _Connection(loop, sock, Link(route, self._trust))
        await loop.create_connection(lambda: connection, sock=sock)
        steps = connection.link.opening(progress)
        out = next(steps, None)
        if out is not None:
            soon = min(deadline, time.monotonic() + self._connect_timeout)
            await connection.perform(out, steps, math.inf, soon)
        return connection


async def _connect(
    loop: asyncio.AbstractEventLoop, route: Route, within: float, deadline: float
) -> socket.socket:
    failure: OSError | Fault = Fault(UNRESOLVED)
    try:
        async with asyncio.timeout(min(within, deadline - time.monotonic())):
            addresses = await _resolve(loop, route.first.host, route.first.port)
    except (socket.gaierror, ValueError) as error:
        raise Fault(UNRESOLVED) from error  # A ValueError: it is not a valid name.
    for family, kind, protocol, _, address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            async with asyncio.timeout(min(within, left)):
                await loop.sock_connect(sock, address)
        except BaseException as error:
            if sock is not None:
                sock.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return sock
    raise failure


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[Any]:
    try:
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except RuntimeError:
        # No thread can be started: the main thread has ended, or there are too many threads. Block
        # the event loop instead, because the request may resume a task.
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class _Connection(asyncio.Protocol):
    """An asyncio transport and its protocol state.

    Attributes:
        lost: A future that is done when the socket is closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, link: Link) -> None:
        self._loop = loop
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._steps: Steps[Any] | None = None  # The steps in progress.
        self._over: asyncio.Future[None] = loop.create_future()  # Done when the steps are.
        self._result: Any = None
        self._failure: Exception | None = None
        self._alarm: asyncio.TimerHandle
        self._heard = 0.0  # Time of the last received bytes.
        self.lost: asyncio.Future[None] = loop.create_future()
        self.link = link
        self.idle_since = 0.0

    async def perform(self, out: bytes, steps: Steps[T], within: float, deadline: float) -> T:
        """Send and receive until the steps are finished."""
        assert self._transport is not None
        self._steps = steps
        self._over = self._loop.create_future()
        self._heard = self._loop.time()
        self._wake(within, self._heard + deadline - time.monotonic())
        try:
            self._transport.write(out)
            await self._over
        finally:
            self._steps = None
            self._alarm.cancel()
        if self._failure:
            raise self._failure
        result: T = self._result
        return result

    def _wake(self, within: float, last: float) -> None:
        until = min(self._heard + within, last)
        self._alarm = self._loop.call_at(until, self._check, within, last)

    def _check(self, within: float, last: float) -> None:
        if min(self._heard + within, last) > self._loop.time():
            self._wake(within, last)  # Bytes have arrived since.
        else:
            self._end(failure=TimeoutError())

    def _end(self, result: object = None, failure: Exception | None = None) -> None:
        self._steps = None
        self._result = result
        self._failure = failure
        if not self._over.done():
            self._over.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(
            "asyncio.Transport", transport
        )  # The transport of uvloop behaves the same but has another class.

    def data_received(self, data: bytes) -> None:
        steps = self._steps
        if steps is None:
            self.close()  # No request is in progress.
            return
        self._heard = self._loop.time()
        try:
            out = steps.send(data)
        except StopIteration as stop:
            self._end(stop.value)
        except Fault as fault:
            self._end(failure=fault)
        else:
            if out and self._transport:
                self._transport.write(out)

    def eof_received(self) -> None:
        self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._steps is not None:
            self._end(failure=exc or ConnectionResetError())
        self.lost.set_result(None)

    def fileno(self) -> int:
        """The file descriptor of the socket; negative after the connection is lost."""
        closing = self._transport is None or self._transport.is_closing()
        return -1 if closing else self._sock.fileno()

    def close(self) -> None:
        """Close the connection immediately, without a TLS shutdown."""
        if self._transport is None or self._loop.is_closed():
            self._sock.close()
        else:
            self._transport.abort()


class _Turn:
    """The event that an exchange waits for when all places are taken."""

    def __init__(self) -> None:
        self._come: asyncio.Future[None] | None = None

    async def wait(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        """Wait for the event."""
        self._come = loop.create_future()
        async with asyncio.timeout(deadline - time.monotonic()):
            await self._come

    def come(self) -> None:
        """Set the event."""
        if self._come and not self._come.done():
            self._come.set_result(None)
