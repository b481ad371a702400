"""How an answer gets to the caller, or how a fault keeps it from getting there."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus

from starlette.types import Receive, Send

from .answer import Answer, gateway_refusal, service_refusal
from .faults import Fault

__all__ = ["Connection", "altered", "deliver", "head", "reset", "seen_status"]

_BLOCK = b"0" * (1 << 20)
_HEAD, _TAIL = b'{"job_id":"', b'"}'
_BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"


@dataclass
class Connection:
    """The connection that calls come in on, and how many came so far."""

    transport: asyncio.Transport
    calls: int = 0


def altered(fault: Fault, answer: Answer, request_id: str) -> Answer:
    """What a fault makes of the right answer."""
    make = _ALTERED.get(fault.kind)
    return answer if make is None else make(fault, answer, request_id)


def seen_status(fault: Fault | None, answer: Answer) -> int | None:
    """The status that the caller gets to see; None if there is none."""
    silent = fault is not None and fault.kind in _SILENT
    return None if silent else answer.status


async def deliver(
    answer: Answer,
    fault: Fault | None,
    receive: Receive,
    send: Send,
    connection: Connection | None,
) -> None:
    """Send the answer, as far as the fault lets it get."""
    if fault is not None and fault.needs_connection:
        assert connection is not None
        await _mishandle(fault, answer, receive, connection.transport)
        return
    headers = answer.raw_headers()
    if fault is not None and fault.kind == "huge-body":
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _stream(fault.size or 0, send)
        return
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if fault is not None and fault.kind == "drip-body":
        for byte in answer.body:
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(fault.seconds or 0)
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": answer.body})


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset, whatever is still to be sent."""
    # Linger for no time at all: what turns a close into a reset.
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


async def _mishandle(
    fault: Fault, answer: Answer, receive: Receive, transport: asyncio.Transport
) -> None:
    """Do to the connection what the fault says; return once it is gone."""
    seconds = fault.seconds or 0
    match fault.kind:
        case "reset-before-read" | "reset-after-read":
            reset(transport)
        case "hang":
            try:
                await asyncio.wait_for(_gone(receive), seconds)
            except TimeoutError:
                transport.close()
        case "garbage":
            transport.write(b"\x00\x15\x03\x01 this is not HTTP \xff\xfe\r\n\r\n")
            transport.close()
        case "drip-headers":
            for byte in head(answer):
                if transport.is_closing():
                    break
                transport.write(bytes([byte]))
                await asyncio.sleep(seconds)
            transport.write(answer.body)
            transport.close()
        case "truncate":
            transport.write(head(answer) + answer.body[: len(answer.body) // 2])
            transport.close()
        case _:
            transport.close()
    # Only then does the server know that there is nothing to be answered any more.
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(size: int, send: Send) -> None:
    """A document of this many bytes, made as it is sent."""
    await send({"type": "http.response.body", "body": _HEAD, "more_body": True})
    left = size - len(_HEAD) - len(_TAIL)
    while left > 0:
        chunk = _BLOCK[: min(left, 1 << 16)]
        left -= len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": _TAIL})


def head(answer: Answer) -> bytes:
    """Status line and headers, as bytes, of an answer that ends its connection."""
    headers = [
        *answer.raw_headers(),
        (b"content-length", str(len(answer.body)).encode()),
        (b"connection", b"close"),
    ]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    status = answer.status
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() + lines + b"\r\n"


@lru_cache(4)
def _bomb(size: int) -> bytes:
    """A small gzip stream of a document of this many bytes.

    The same compressed block is repeated, so it costs a checksum and nothing more.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    blocks, rest = divmod(max(0, size - len(_HEAD) - len(_TAIL)), len(_BLOCK))
    head = packer.compress(_HEAD) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(_BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(_BLOCK[:rest] + _TAIL) + packer.flush()
    checksum = zlib.crc32(_HEAD)
    for _ in range(blocks):
        checksum = zlib.crc32(_BLOCK, checksum)
    checksum = zlib.crc32(_BLOCK[:rest] + _TAIL, checksum)
    length = len(_HEAD) + blocks * len(_BLOCK) + rest + len(_TAIL)
    gzip_header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return gzip_header + head + block * blocks + tail + struct.pack("<II", checksum, length)


def _keep_id(answer: Answer, request_id: str) -> Answer:
    return answer.with_headers({"X-Request-Id": request_id})


def _halved(_fault: Fault, answer: Answer, _request_id: str) -> Answer:
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _as_html(_fault: Fault, answer: Answer, _request_id: str) -> Answer:
    return replace(answer, content_type="text/html")


def _proxy_page(_fault: Fault, _answer: Answer, _request_id: str) -> Answer:
    return Answer(status=502, body=_BAD_GATEWAY, content_type="text/html")


def _redirected(fault: Fault, _answer: Answer, request_id: str) -> Answer:
    moved = Answer(status=fault.status or 307, content_type=None)
    return _keep_id(moved, request_id).with_headers({"Location": fault.location or ""})


def _refusing(status: int, code: str, message: str) -> Callable[[Fault, Answer, str], Answer]:
    """A refusal of the gateway, with the fault's `Retry-After` if it has one."""

    def make(fault: Fault, _answer: Answer, request_id: str) -> Answer:
        refusal = gateway_refusal(status, code, message, request_id)
        return _keep_id(refusal, request_id).with_headers(fault.retry_after_headers())

    return make


def _conflicting(fault: Fault, _answer: Answer, request_id: str) -> Answer:
    refusal = service_refusal(409, "DBS.200011", "Another operation is running on the instance.")
    return _keep_id(refusal, request_id).with_headers(fault.retry_after_headers())


def _failing(fault: Fault, _answer: Answer, request_id: str) -> Answer:
    failure = service_refusal(fault.status or 500, fault.code or "", fault.message or "")
    return _keep_id(failure, request_id).with_headers(fault.retry_after_headers())


def _saying(body: bytes) -> Callable[[Fault, Answer, str], Answer]:
    """A success with this body, whatever was asked."""

    def make(_fault: Fault, _answer: Answer, request_id: str) -> Answer:
        return _keep_id(Answer(status=200, body=body), request_id)

    return make


def _bombing(fault: Fault, _answer: Answer, request_id: str) -> Answer:
    bomb = Answer(status=200, body=_bomb(fault.size or 0))
    return _keep_id(bomb, request_id).with_headers({"Content-Encoding": "gzip"})


_SILENT = {"reset-before-read", "stale", "reset-after-read", "close", "hang", "garbage"}
_ALTERED: dict[str, Callable[[Fault, Answer, str], Answer]] = {
    "broken-json": _halved,
    "wrong-content-type": _as_html,
    "html-502": _proxy_page,
    "redirect": _redirected,
    "throttle": _refusing(
        429,
        "APIGW.0308",
        "The throttling threshold has been reached: policy user over ratelimit,"
        "limit:60,time:1 minute",
    ),
    "unavailable": _refusing(503, "APIGW.0202", "Backend unavailable"),
    "conflict": _conflicting,
    "error": _failing,
    "expired-token": _refusing(
        401, "APIGW.0301", "Incorrect IAM authentication information: token expired"
    ),
    "gzip-bomb": _bombing,
    "huge-body": _saying(b""),
    "empty": _saying(b""),
    "list": _saying(b"[]"),
    "no-job": _saying(b"{}"),
}
