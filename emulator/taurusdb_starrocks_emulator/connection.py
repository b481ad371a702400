"""The connection of a call, as needed for faults."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Send

__all__ = ["Connection", "Delivery", "OnePacket"]


class OnePacket(asyncio.Transport):
    """A transport that combines all writes of one iteration of the event loop.

    The server writes head and body separately. Sending them in one packet costs half as much.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._written: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]

    def write(self, data: Any) -> None:
        """Send data together with other writes of this iteration."""
        if not self._written:
            self._call_soon(self._flush)
        self._written.append(data)

    def close(self) -> None:
        """Close the connection after everything is sent."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection immediately. The writes of this iteration are lost."""
        self._transport.abort()

    def _flush(self) -> None:
        if self._written and not self.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()


@dataclass
class Connection:
    """One connection, and the number of calls on it so far."""

    transport: asyncio.Transport
    calls: int = 0

    def reset(self) -> None:
        """Reset the connection, even if there is unsent data."""
        # A linger time of zero turns the close into a reset.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def write_below(self, data: bytes) -> None:
        """Write directly to the socket, without TLS. The data must fit into the socket buffer."""
        with self._socket.dup() as below:
            below.send(data)

    @property
    def _socket(self) -> socket.socket:
        own: socket.socket = self.transport.get_extra_info("socket")
        return own


@dataclass(frozen=True)
class Delivery:
    """The connection of a response, and its server."""

    connection: Connection
    receive: Receive
    send: Send

    async def disconnected(self) -> None:
        """Return when the connection has been closed by either side."""
        while (await self.receive())["type"] != "http.disconnect":
            pass
