"""Requests over blocking sockets."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._transport.failures import UNRESOLVED, Fault, Progress
from taurusdb_starrocks._transport.link import Link, Steps, Trust
from taurusdb_starrocks._transport.pool import Place, Pool, ready
from taurusdb_starrocks._transport.proxies import Proxies, Route

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")
PIECE = 64 * 1024  # Bytes per read.
LONGEST = 1_000_000.0  # Seconds. Neither poll nor locks accept a longer wait.


class Network:
    """Sends requests and reads their responses. Threads can share it.

    After a fork the child opens new connections and does not touch those of the parent.

    Args:
        connect_timeout: Seconds for each address of a host, and again for proxy and TLS.
        read_timeout: Seconds without receiving or sending a byte.
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
        self._processes: dict[int, _Process] = {}

    def exchange(self, request: Request, deadline: float) -> Reply:
        """The response to a request.

        The system's name resolution cannot be interrupted; everything else ends at the deadline.

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
        process = self._process()
        gate = threading.Lock()
        place: Place[_Connection] = Place(progress, gate.release)
        try:
            process.enter(place, gate, deadline)
            connection = process.take(place, route) or self._open(place, route, progress, deadline)
            steps = connection.link.exchange(request)
            out = next(steps)
            progress.sending()
            return connection.perform(out, steps, self._read_timeout, deadline)
        except (OSError, Fault) as error:
            failure = progress.explain(error)
        finally:
            process.leave(place)
        raise failure  # Raised here, so that its traceback has no frame that contains the headers.

    def close(self) -> None:
        """Close this process's connections; those in use are closed after their exchange."""
        self._process().close()

    def _process(self) -> _Process:
        number = os.getpid()
        process = self._processes.get(number)
        return process or self._processes.setdefault(number, _Process(self._max_connections))

    def _open(
        self, place: Place[_Connection], route: Route, progress: Progress, deadline: float
    ) -> _Connection:
        progress.connecting(route.first_name)
        # Assign the connection to the place before it has a socket: a signal cannot leak it.
        connection = place.connection = _Connection(Link(route, self._trust))
        connection.open(self._connect_timeout, deadline)
        steps = connection.link.opening(progress)
        out = next(steps, None)
        if out is not None:
            soon = min(deadline, time.monotonic() + self._connect_timeout)
            connection.perform(out, steps, LONGEST, soon)
        return connection


class _Connection:
    """A socket and its protocol state."""

    def __init__(self, link: Link) -> None:
        self._sock: socket.socket | None = None
        self.link = link
        self.idle_since = 0.0

    def open(self, within: float, deadline: float) -> None:
        """Connect to the first address that accepts."""
        failure: OSError | Fault = Fault(UNRESOLVED)
        first = self.link.route.first
        try:
            addresses = socket.getaddrinfo(first.host, first.port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise Fault(UNRESOLVED) from error  # A ValueError: it is not a valid name.
        for family, kind, protocol, _, address in addresses:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                sock = self._sock = socket.socket(family, kind, protocol)
                sock.settimeout(min(within, left, LONGEST))
                sock.connect(address)
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                self.close()
                failure = error
            else:
                return
        raise failure

    def perform(self, out: bytes, steps: Steps[T], within: float, deadline: float) -> T:
        """Send and receive until the steps are finished."""
        sock = self._sock
        assert sock is not None
        try:
            while True:
                until = min(time.monotonic() + within, deadline)
                if out:
                    _send(sock, out, until)
                out = steps.send(_receive(sock, until))
        except StopIteration as stop:
            result: T = stop.value
            return result

    def fileno(self) -> int:
        """The file descriptor of the socket; negative after it is closed."""
        return self._sock.fileno() if self._sock else -1

    def close(self) -> None:
        """Close the connection immediately, without a TLS shutdown."""
        if self._sock:
            self._sock.close()


def _send(sock: socket.socket, out: bytes, until: float) -> None:
    rest = memoryview(out)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            _wait(sock, until, write=True)


def _receive(sock: socket.socket, until: float) -> bytes:
    while True:
        _wait(sock, until)
        try:
            return sock.recv(PIECE)
        except BlockingIOError:  # It was reported ready but was not.
            continue


def _wait(sock: socket.socket, until: float, *, write: bool = False) -> None:
    left = min(until - time.monotonic(), LONGEST)
    if left <= 0 or not ready(sock.fileno(), left, write=write):
        raise TimeoutError


class _Process:
    """The pool of one process, shared by its threads."""

    def __init__(self, limit: int) -> None:
        self._pool: Pool[_Connection] = Pool(limit)
        # Reentrant, because a signal handler may also send requests.
        self._lock = threading.RLock()

    def enter(self, place: Place[_Connection], gate: threading.Lock, deadline: float) -> None:
        with self._lock:
            if self._pool.enter(place):
                return
            gate.acquire()
        left = min(deadline - time.monotonic(), LONGEST)
        if left <= 0 or not gate.acquire(timeout=left):
            raise TimeoutError

    def take(self, place: Place[_Connection], route: Route) -> _Connection | None:
        with self._lock:
            return self._pool.take(place, route, time.monotonic())

    def leave(self, place: Place[_Connection]) -> None:
        with self._lock:
            self._pool.leave(place, time.monotonic())

    def close(self) -> None:
        with self._lock:
            self._pool.close()
