"""Faults of the connection itself."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

from taurusdb_starrocks_emulator.connection import Connection, disconnected
from taurusdb_starrocks_emulator.response import Response

from .fault import Fault
from .kinds import OnConnect, OnConnection


@OnConnect.declare(
    "refuse", "its new connection is reset before anything is read; counts connections, not calls"
)
def refuse(connection: Connection) -> None:
    """Reset the new connection."""
    connection.reset()


@OnConnection.declare(
    "reset-before-read",
    "a reset once the headers are in; the body is not read, nothing changes",
    before_body=True,
    silent=True,
)
async def reset_before_read(
    _fault: Fault, _response: Response, _receive: Receive, connection: Connection
) -> None:
    """Reset the connection."""
    connection.reset()


@OnConnection.declare(
    "stale",
    "an idle connection that closes as its next call arrives; counts only such calls",
    before_body=True,
    reused_only=True,
    silent=True,
)
async def stale(
    _fault: Fault, _response: Response, _receive: Receive, connection: Connection
) -> None:
    """Close the connection."""
    connection.transport.close()


@OnConnection.declare(
    "reset-after-read", "a reset in place of a response", {"applied": False}, silent=True
)
async def reset_after_read(
    _fault: Fault, _response: Response, _receive: Receive, connection: Connection
) -> None:
    """Reset the connection."""
    connection.reset()


@OnConnection.declare(
    "close", "an orderly close in place of a response", {"applied": False}, silent=True
)
async def close(
    _fault: Fault, _response: Response, _receive: Receive, connection: Connection
) -> None:
    """Close the connection."""
    connection.transport.close()


@OnConnection.declare(
    "hang",
    "nothing for some seconds, then a close",
    {"applied": False, "seconds": 3600.0},
    silent=True,
)
async def hang(fault: Fault, _response: Response, receive: Receive, connection: Connection) -> None:
    """Send nothing, and close in the end unless the caller does first."""
    try:
        await asyncio.wait_for(disconnected(receive), fault.seconds)
    except TimeoutError:
        connection.transport.close()


@OnConnection.declare("garbage", "bytes that are not HTTP", {"applied": False}, silent=True)
async def garbage(
    _fault: Fault, _response: Response, _receive: Receive, connection: Connection
) -> None:
    """Send what no client can read."""
    connection.transport.write(b"\x00\x15\x03\x01 this is not HTTP \xff\xfe\r\n\r\n")
    connection.transport.close()


@OnConnection.declare(
    "drip-headers",
    "the right response, its head byte by byte",
    {"applied": True, "seconds": 0.1},
)
async def drip_headers(
    fault: Fault, response: Response, _receive: Receive, connection: Connection
) -> None:
    """Send the head slowly, then the body at once."""
    head, body = _parts(response)
    for byte in head:
        if connection.transport.is_closing():
            break
        connection.transport.write(bytes([byte]))
        await asyncio.sleep(fault.seconds or 0)
    connection.transport.write(body)
    connection.transport.close()


@OnConnection.declare("truncate", "the right head, half of the body, a close", {"applied": False})
async def truncate(
    _fault: Fault, response: Response, _receive: Receive, connection: Connection
) -> None:
    """Announce the whole body and send half of it."""
    head, body = _parts(response)
    connection.transport.write(head + body[: len(body) // 2])
    connection.transport.close()


def _parts(response: Response) -> tuple[bytes, bytes]:
    """Head and body as they are sent."""
    whole = response.to_bytes()
    end = len(whole) - len(response.body)
    return whole[:end], whole[end:]
