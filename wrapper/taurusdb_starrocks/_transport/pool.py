"""Which connection an exchange gets, and when: a free list that neither waits nor locks."""

from __future__ import annotations

import select
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from taurusdb_starrocks._transport.link import Link
from taurusdb_starrocks._transport.proxies import Route

KEPT_FOR = 5.0  # Seconds; many servers close what has been idle for longer.


class Connection(Protocol):
    """What is kept between exchanges."""

    link: Link
    idle_since: float

    def fileno(self) -> int:
        """The descriptor of its socket; negative once it is closed."""

    def close(self) -> None:
        """Close it at once, and tell the other side nothing."""


C = TypeVar("C", bound=Connection)


class Place(Generic[C]):
    """One exchange's right to a connection, or its wait for that right.

    Attributes:
        connection: What the exchange uses.
        wake: Called when the place is given to an exchange that waits.
    """

    def __init__(self, owner: object, wake: Callable[[], object]) -> None:
        """Make a place for an exchange, which lasts no longer than ``owner``."""
        self.connection: C | None = None
        self.wake = wake
        self._owner = weakref.ref(owner)

    @property
    def forsaken(self) -> bool:
        """Whether a signal has torn the exchange away before it could leave."""
        return self._owner() is None


class Pool(Generic[C]):
    """The connections of one process: at most so many, last in, first out, waiting in order.

    A signal handler may raise wherever something is called. What must not come apart is done
    here without a call, and `__del__` is avoided: what a handler raises there is lost.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[Place[C], None] = {}
        self._waiting: OrderedDict[Place[C], None] = OrderedDict()
        self._idle: dict[C, None] = {}  # In the order of their times.
        self._closed = False

    def enter(self, place: Place[C]) -> bool:
        """Give a place if one is free; otherwise it waits from now on."""
        if len(self._held) >= self._limit:
            for other in [other for other in self._held if other.forsaken]:
                self.leave(other, now=0)  # With a connection too old to be used.
        if len(self._held) < self._limit:
            self._held[place] = None
            return True
        self._waiting[place] = None
        return False

    def leave(self, place: Place[C], now: float) -> None:
        """Take back a place, held or waited for, and give it to the first that waits."""
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
        """Give a kept connection on which nothing has come; others of its kind are closed."""
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
            self._drop(next(iter(self._idle)))  # A new one is opened instead.
        return None

    def close(self) -> list[C]:
        """Close what is idle, and return it; from now on nothing is kept."""
        self._closed = True
        closed = [*self._idle]
        for connection in closed:
            self._drop(connection)
        return closed

    def _drop(self, connection: C) -> None:
        connection.close()
        del self._idle[connection]


def ready(descriptor: int, seconds: float, *, write: bool = False) -> bool:
    """Whether a socket can be read, or written, within so many seconds."""
    if hasattr(select, "poll"):  # `select` cannot watch descriptors above 1,024.
        watch = select.poll()
        watch.register(descriptor, select.POLLOUT if write else select.POLLIN)
        return bool(watch.poll(seconds * 1000))
    watched = [descriptor]
    return any(select.select([] if write else watched, watched if write else [], [], seconds))
