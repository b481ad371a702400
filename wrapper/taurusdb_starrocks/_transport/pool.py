"""The connection pool: a free list that neither waits nor locks."""

from __future__ import annotations

import select
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from taurusdb_starrocks._transport.link import Link
from taurusdb_starrocks._transport.proxies import Route

KEPT_FOR = 5.0  # Seconds. Many servers close connections that have been idle for longer.


class Connection(Protocol):
    """A connection that is kept between exchanges."""

    link: Link
    idle_since: float

    def fileno(self) -> int:
        """The file descriptor of the socket; negative after it is closed."""

    def close(self) -> None:
        """Close the connection immediately, without a TLS shutdown."""


C = TypeVar("C", bound=Connection)


class Place(Generic[C]):
    """The place of one exchange in the pool: it has a connection or waits for one.

    Attributes:
        connection: The connection of the exchange.
        wake: Called when a waiting exchange gets its place.
    """

    def __init__(self, owner: object, wake: Callable[[], object]) -> None:
        """Create a place for an exchange. It is freed when ``owner`` is."""
        self.connection: C | None = None
        self.wake = wake
        self._owner = weakref.ref(owner)

    @property
    def forsaken(self) -> bool:
        """Whether a signal ended the exchange before it could give back its place."""
        return self._owner() is None


class Pool(Generic[C]):
    """The connections of one process: a limited number, last in, first out, with a queue.

    A signal handler can raise at any function call, so steps that must happen together contain no
    call. `__del__` is avoided, because an exception of a handler in it is lost.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[Place[C], None] = {}
        self._waiting: OrderedDict[Place[C], None] = OrderedDict()
        self._idle: dict[C, None] = {}  # Ordered by time.
        self._closed = False

    def enter(self, place: Place[C]) -> bool:
        """Take a free place, or start to wait for one."""
        if len(self._held) >= self._limit:
            for other in [other for other in self._held if other.forsaken]:
                self.leave(other, now=0)  # Its connection is too old to be used.
        if len(self._held) < self._limit:
            self._held[place] = None
            return True
        self._waiting[place] = None
        return False

    def leave(self, place: Place[C], now: float) -> None:
        """Give back a place, or stop waiting, and wake the first waiting exchange."""
        connection = place.connection
        if connection is not None:
            if connection.link.reusable and not self._closed:
                connection.idle_since = now
                self._idle[connection] = None
            else:
                connection.close()
            place.connection = None
        if place not in self._held:
            self._waiting.pop(place, None)
            return
        heir = next(iter(self._waiting), None)
        if heir is None:
            del self._held[place]
        else:
            del self._waiting[heir]
            self._held[heir] = None
            del self._held[place]
            heir.wake()

    def take(self, place: Place[C], route: Route, now: float) -> C | None:
        """Take an idle connection without unexpected data; close idle ones that have some."""
        for connection in [*self._idle]:
            if now - connection.idle_since <= KEPT_FOR:
                break
            self._drop(connection)
        for connection in [*reversed(self._idle)]:
            if connection.link.route is route:
                if connection.fileno() >= 0 and not ready(connection.fileno(), 0):
                    place.connection = connection
                    del self._idle[connection]
                    return connection
                self._drop(connection)
        if self._idle and len(self._idle) + len(self._held) > self._limit:
            self._drop(next(iter(self._idle)))  # Open a new connection instead.
        return None

    def close(self) -> list[C]:
        """Close and return the idle connections. No more connections are kept from now on."""
        self._closed = True
        closed = [*self._idle]
        for connection in closed:
            self._drop(connection)
        return closed

    def _drop(self, connection: C) -> None:
        connection.close()
        del self._idle[connection]


def ready(descriptor: int, seconds: float, *, write: bool = False) -> bool:
    """Wait until a socket is readable or writable; return whether it became so in time."""
    if hasattr(select, "poll"):  # `select` does not support file descriptors above 1,024.
        watch = select.poll()
        watch.register(descriptor, select.POLLOUT if write else select.POLLIN)
        return bool(watch.poll(seconds * 1000))
    watched = [descriptor]
    return any(select.select([] if write else watched, watched if write else [], [], seconds))
