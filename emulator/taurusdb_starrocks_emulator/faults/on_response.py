"""Faults that replace the response."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import lru_cache

from taurusdb_starrocks_emulator.response import (
    Response,
    gateway_error,
    json_response,
    service_error,
)

from .fault import Fault
from .kinds import OnResponse

# A large document is a job with a long ID.
_BLOCK = b"0" * (1 << 20)
_HEAD, _TAIL = b'{"job_id":"', b'"}'
_BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
_BLOCKED = b"<html><head><title>Blocked</title></head><body>Request blocked</body></html>"


@OnResponse.declare(
    "drip-body",
    "the correct response, with its body sent byte by byte",
    {"applied": True, "seconds": 0.1},
)
def drip_body(fault: Fault, response: Response, _request_id: str) -> Response:
    """The same response, slowly."""

    async def pieces() -> AsyncIterator[bytes]:
        for byte in response.body:
            yield bytes([byte])
            await asyncio.sleep(fault.seconds or 0)

    slow = replace(response, body=b"", stream=pieces())
    return slow.with_headers({"Content-Length": str(len(response.body))})


@OnResponse.declare("huge-body", "200 and a very large body", {"applied": False, "size": 64 << 20})
def huge_body(fault: Fault, _response: Response, request_id: str) -> Response:
    """A document of the fault's size, generated while it is sent."""

    async def pieces() -> AsyncIterator[bytes]:
        yield _HEAD
        left = (fault.size or 0) - len(_HEAD) - len(_TAIL)
        while left > 0:
            piece = _BLOCK[: min(left, 1 << 16)]
            left -= len(piece)
            yield piece
            await asyncio.sleep(0)

    return _with_id(Response(status=200, body=_TAIL, stream=pieces()), request_id)


@OnResponse.declare(
    "gzip-bomb",
    "200 and a small compressed body that decodes to a large one",
    {"applied": False, "size": 200 << 20},
)
def gzip_bomb(fault: Fault, _response: Response, request_id: str) -> Response:
    """A document of the fault's size, compressed."""
    bomb = Response(status=200, body=_bomb(fault.size or 0), headers={"Content-Encoding": "gzip"})
    return _with_id(bomb, request_id)


@OnResponse.declare(
    "broken-json", "half of the correct body, with a matching length", {"applied": False}
)
def broken_json(_fault: Fault, response: Response, _request_id: str) -> Response:
    """The first half of the body."""
    return replace(response, body=response.body[: len(response.body) // 2])


@OnResponse.declare(
    "wrong-content-type", "the correct body, with the content type `text/html`", {"applied": False}
)
def wrong_content_type(_fault: Fault, response: Response, _request_id: str) -> Response:
    """The correct body with the wrong content type."""
    return replace(response, content_type="text/html")


@OnResponse.declare("html-502", "the HTML page of a proxy, with status 502", {"applied": False})
def html_502(_fault: Fault, _response: Response, _request_id: str) -> Response:
    """A page without a request ID, because the request did not reach the service."""
    return Response(status=502, body=_BAD_GATEWAY, content_type="text/html")


@OnResponse.declare(
    "blocked",
    "a firewall's page and status 403, or another status",
    {"applied": False, "status": 403},
)
def blocked(fault: Fault, _response: Response, _request_id: str) -> Response:
    """A page without an error code: the status alone does not say who sent it."""
    return Response(status=fault.status or 403, body=_BLOCKED, content_type="text/html")


@OnResponse.declare(
    "redirect",
    "a redirect to another origin",
    {"applied": False, "location": "https://elsewhere.invalid/", "status": 307},
)
def redirect(fault: Fault, _response: Response, request_id: str) -> Response:
    """A status and a `Location`."""
    moved = Response(
        status=fault.status or 307, content_type=None, headers={"Location": fault.location or ""}
    )
    return _with_id(moved, request_id)


@OnResponse.declare("throttle", "429 `APIGW.0308`", {"retry_after": None})
def throttle(fault: Fault, _response: Response, request_id: str) -> Response:
    """An error of the gateway, with the time window only in the message."""
    message = (
        "The throttling threshold has been reached: policy user over ratelimit,"
        "limit:60,time:1 minute"
    )
    return _refusal(fault, gateway_error(429, "APIGW.0308", message, request_id), request_id)


@OnResponse.declare("unavailable", "503 `APIGW.0202`", {"applied": False, "retry_after": None})
def unavailable(fault: Fault, _response: Response, request_id: str) -> Response:
    """An error of the gateway."""
    error = gateway_error(503, "APIGW.0202", "Backend unavailable", request_id)
    return _refusal(fault, error, request_id)


@OnResponse.declare(
    "conflict", "409 `DBS.200011`, another operation is running", {"retry_after": None}
)
def conflict(fault: Fault, _response: Response, request_id: str) -> Response:
    """An error of the service."""
    error = service_error(409, "DBS.200011", "Another operation is running on the instance.")
    return _refusal(fault, error, request_id)


@OnResponse.declare(
    "error",
    "any error of the service",
    {
        "applied": False,
        "status": 500,
        "code": "DBS.108000",
        "message": "Server failure.",
        "retry_after": None,
    },
)
def error(fault: Fault, _response: Response, request_id: str) -> Response:
    """An error with the fault's status, code and message."""
    failure = service_error(fault.status or 500, fault.code or "", fault.message or "")
    return _refusal(fault, failure, request_id)


@OnResponse.declare("expired-token", "401 `APIGW.0301`, once by default", {"times": 1})
def expired_token(fault: Fault, _response: Response, request_id: str) -> Response:
    """An error of the gateway."""
    message = "Incorrect IAM authentication information: token expired"
    return _refusal(fault, gateway_error(401, "APIGW.0301", message, request_id), request_id)


@OnResponse.declare(
    "error-in-200",
    "200 with an error in its body",
    {
        "applied": False,
        "code": "DBS.200011",
        "message": "Another operation is running on the instance.",
    },
)
def error_in_200(fault: Fault, _response: Response, request_id: str) -> Response:
    """The body of an error with the status of a success."""
    return _with_id(service_error(200, fault.code or "", fault.message or ""), request_id)


@OnResponse.declare(
    "camel-case",
    "a configuration with `databaseName` and `dbCfgCheckResults`, the spelling that Huawei Cloud's "
    "Terraform provider reads",
    operations=("configuration",),
)
def camel_case(_fault: Fault, response: Response, request_id: str) -> Response:
    """The same document with other names. An error has none of them."""
    if response.status != 200:
        return response
    names = {"database_name": "databaseName", "db_config_check_results": "dbCfgCheckResults"}
    database = {names[name]: value for name, value in response.document["database_info"].items()}
    document = {**response.document, "database_info": database}
    return _with_id(json_response(document), request_id)


@OnResponse.declare("empty", "200 without a body", {"applied": False})
def empty(_fault: Fault, _response: Response, request_id: str) -> Response:
    """Nothing."""
    return _with_id(Response(status=200), request_id)


@OnResponse.declare("list", "200 and `[]`", {"applied": False})
def empty_list(_fault: Fault, _response: Response, request_id: str) -> Response:
    """Another JSON type."""
    return _with_id(Response(status=200, body=b"[]"), request_id)


@OnResponse.declare("no-job", "200 and `{}`", {"applied": False})
def no_job(_fault: Fault, _response: Response, request_id: str) -> Response:
    """An empty object."""
    return _with_id(Response(status=200, body=b"{}"), request_id)


def _with_id(response: Response, request_id: str) -> Response:
    return response.with_headers({"X-Request-Id": request_id})


def _refusal(fault: Fault, response: Response, request_id: str) -> Response:
    """An error, with the fault's `Retry-After` if it is set."""
    return _with_id(response, request_id).with_headers(fault.retry_after_headers())


@lru_cache(4)
def _bomb(size: int) -> bytes:
    """A small gzip stream for a document of this size.

    The same compressed block is repeated, so only the checksum takes time.
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
