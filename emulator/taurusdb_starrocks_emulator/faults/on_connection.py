"""Faults of the connection itself."""

from __future__ import annotations

import asyncio

from taurusdb_starrocks_emulator.connection import Connection, Delivery
from taurusdb_starrocks_emulator.response import Response

from .fault import Fault
from .kinds import OnConnect, OnConnection


@OnConnect.declare(
    "refuse", "the new connection is reset before anything is read; counts connections, not calls"
)
def refuse(connection: Connection) -> None:
    """Reset the new connection."""
    connection.reset()


@OnConnection.declare(
    "reset-before-read",
    "a reset after the headers are read; the body is not read, nothing changes",
    before_body=True,
    silent=True,
)
async def reset_before_read(_fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Reset the connection."""
    delivery.connection.reset()


@OnConnection.declare(
    "stale",
    "an idle connection is closed when its next call arrives; counts only such calls",
    before_body=True,
    reused_only=True,
    silent=True,
)
async def stale(_fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Close the connection."""
    delivery.connection.transport.close()


@OnConnection.declare(
    "reset-after-read", "a reset instead of a response", {"applied": False}, silent=True
)
async def reset_after_read(_fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Reset the connection."""
    delivery.connection.reset()


@OnConnection.declare(
    "close", "a normal close instead of a response", {"applied": False}, silent=True
)
async def close(_fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Close the connection."""
    delivery.connection.transport.close()


@OnConnection.declare(
    "hang",
    "nothing for some seconds, then a close",
    {"applied": False, "seconds": 3600.0},
    silent=True,
)
async def hang(fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Send nothing, and close at the end unless the caller closes first."""
    try:
        await asyncio.wait_for(delivery.disconnected(), fault.seconds)
    except TimeoutError:
        delivery.connection.transport.close()


@OnConnection.declare("garbage", "bytes that are not HTTP", {"applied": False}, silent=True)
async def garbage(_fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Send bytes that no client can parse."""
    delivery.connection.transport.write(b"\x00\x15\x03\x01 this is not HTTP \xff\xfe\r\n\r\n")
    delivery.connection.transport.close()


@OnConnection.declare(
    "drip-headers",
    "the correct response, with its head sent byte by byte",
    {"applied": True, "seconds": 0.1},
)
async def drip_headers(fault: Fault, response: Response, delivery: Delivery) -> None:
    """Send the head slowly, then the body in one piece."""
    head, body = _parts(response)
    for byte in head:
        if delivery.connection.transport.is_closing():
            break
        delivery.connection.transport.write(bytes([byte]))
        await asyncio.sleep(fault.seconds or 0)
    delivery.connection.transport.write(body)
    delivery.connection.transport.close()


@OnConnection.declare(
    "truncate", "the correct head, half of the body, then a close", {"applied": False}
)
async def truncate(_fault: Fault, response: Response, delivery: Delivery) -> None:
    """Announce the whole body and send half of it."""
    head, body = _parts(response)
    delivery.connection.transport.write(head + body[: len(body) // 2])
    delivery.connection.transport.close()


@OnConnection.declare(
    "second-reply",
    "the correct response twice, in one packet",
    {"applied": True},
    keeps_connection=True,
)
async def second_reply(_fault: Fault, response: Response, delivery: Delivery) -> None:
    """Respond through the server, and write a copy after the response."""
    await response.send(delivery.send)
    delivery.connection.transport.write(response.to_bytes(close=False))


@OnConnection.declare(
    "tls-plain-text",
    "the correct response without encryption, on an encrypted connection; needs HTTPS",
    {"applied": False},
    silent=True,
    needs_tls=True,
)
async def tls_plain_text(_fault: Fault, response: Response, delivery: Delivery) -> None:
    """Write directly to the socket, without TLS."""
    delivery.connection.write_below(response.to_bytes())
    delivery.connection.transport.abort()


@OnConnection.declare(
    "tls-bad-record",
    "a TLS record that cannot be decrypted; needs HTTPS",
    {"applied": False},
    silent=True,
    needs_tls=True,
)
async def tls_bad_record(_fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Write a record of application data that was not encrypted with the key."""
    delivery.connection.write_below(b"\x17\x03\x03\x00\x40" + bytes(64))
    delivery.connection.transport.abort()


@OnConnection.declare(
    "tls-alert",
    "a TLS alert without encryption; needs HTTPS",
    {"applied": False},
    silent=True,
    needs_tls=True,
)
async def tls_alert(_fault: Fault, _response: Response, delivery: Delivery) -> None:
    """Write a fatal alert: internal_error."""
    delivery.connection.write_below(b"\x15\x03\x03\x00\x02\x02\x50")
    delivery.connection.transport.abort()


def _parts(response: Response) -> tuple[bytes, bytes]:
    """Head and body, as sent."""
    whole = response.to_bytes()
    end = len(whole) - len(response.body)
    return whole[:end], whole[end:]
