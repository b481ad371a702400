"""The connection that calls come in on, as far as faults use it."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass

from starlette.types import Receive

__all__ = ["Connection", "disconnected"]


@dataclass
class Connection:
    """One connection, and how many calls came on it so far."""

    transport: asyncio.Transport
    calls: int = 0

    def reset(self) -> None:
        """End it with a reset, whatever is still to be sent."""
        # Linger for no time at all: what turns a close into a reset.
        linger = struct.pack("ii", 1, 0)
        own = self.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()


async def disconnected(receive: Receive) -> None:
    """Return once the caller has hung up, or been hung up on."""
    while (await receive())["type"] != "http.disconnect":
        pass
