"""The connection that calls come in on, as far as faults use it."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive, Send

__all__ = ["Connection", "Delivery", "OnePacket"]


class OnePacket(asyncio.Transport):
    """A transport that sends in one piece what is written in one turn of the event loop.

    The server writes head and body apart; in one packet they cost half as much.
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
        """Send this, with what else is written in this turn."""
        if not self._written:
            self._call_soon(self._flush)
        self._written.append(data)

    def close(self) -> None:
        """Close the connection, once everything is sent."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once; what was written in this turn is lost."""
        self._transport.abort()

    def _flush(self) -> None:
        if self._written and not self.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()


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
