"""The connection that calls come in on, as far as faults use it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Receive, Send

__all__ = ["Connection", "Delivery"]

# Where a system has neither, what is written together may be sent apart.
_CORK = getattr(socket, "TCP_CORK", getattr(socket, "TCP_NOPUSH", None))


@dataclass
class Connection:
    """One connection, and how many calls came on it so far."""

    transport: asyncio.Transport
    calls: int = 0

    def reset(self) -> None:
        """End it with a reset, whatever is still to be sent."""
        # Linger for no time at all: what turns a close into a reset.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def write_below(self, data: bytes) -> None:
        """Write past TLS. It must be little, so that it fits into the system's buffer."""
        with self._socket.dup() as below:
            below.send(data)

    @contextmanager
    def one_packet(self) -> Iterator[None]:
        """Send what is written inside together."""
        if _CORK is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
        yield
        if _CORK is not None and not self.transport.is_closing():
            self._socket.setsockopt(socket.IPPROTO_TCP, _CORK, 0)

    @property
    def _socket(self) -> socket.socket:
        own: socket.socket = self.transport.get_extra_info("socket")
        return own


@dataclass(frozen=True)
class Delivery:
    """What a response is delivered by: a connection, and the server on it."""

    connection: Connection
    receive: Receive
    send: Send

    async def disconnected(self) -> None:
        """Return once the caller has hung up, or been hung up on."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
