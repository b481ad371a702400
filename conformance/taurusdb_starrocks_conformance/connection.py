"""Send requests to the target and read responses.

Requests are written as bytes, because HTTP libraries repair requests that are intentionally broken.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

from .exchange import Reply, Request

TIMEOUT = 10.0
LONGEST_ANSWER = 4 << 20
# How long to wait for unexpected data after a response.
STRAY = 0.02


class Connection:
    """A connection to a target, for one or more requests.

    Args:
        url: The target.
        keep: Whether the connection stays open after a response.
        clock: A monotonic clock.
    """

    def __init__(
        self, url: str, *, keep: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        parts = urlsplit(url)
        self._host, tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if tls else 80)
        self._netloc = parts.netloc
        self._context = ssl.create_default_context() if tls else None
        self._keep = keep
        self._clock = clock
        self._socket: socket.socket | None = None
        self._reader: io.BufferedReader | None = None

    @property
    def is_open(self) -> bool:
        """Whether the next request uses an existing connection."""
        return self._socket is not None

    def exchange(self, request: Request) -> Reply:
        """Send a request and read its response.

        Raises:
            OSError: There is no response, or it does not end.
            http.client.HTTPException: The response is not HTTP.
        """
        deadline = self._clock() + TIMEOUT
        if self._socket is None:
            self._open()
        try:
            reply, close = self._exchange(request, deadline)
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if close or not self._keep:
            self.close()
        return reply

    def stray(self) -> bytes:
        """Unexpected data that the server has sent."""
        if self._socket is None or self._reader is None:
            return b""
        select.select([self._socket], [], [], STRAY)
        # After a timeout of its socket, a reader reads no more; a nonblocking one does.
        self._socket.setblocking(False)
        try:
            return self._reader.peek(1)
        except OSError:
            return b""
        finally:
            self._socket.settimeout(TIMEOUT)

    def close(self) -> None:
        """Close the connection. The next request opens a new one."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
        self._socket = self._reader = None

    def _open(self) -> None:
        raw = socket.create_connection((self._host, self._port), timeout=TIMEOUT)
        if self._context is not None:
            raw = self._context.wrap_socket(raw, server_hostname=self._host)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._reader = raw, raw.makefile("rb")

    def _exchange(self, request: Request, deadline: float) -> tuple[Reply, bool]:
        assert self._socket is not None
        assert self._reader is not None
        # A server may reject a request before it has read the body. The response can then be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(self._bytes(request))
        source = cast("socket.socket", _Source(self._reader))
        response = http.client.HTTPResponse(source, method=request.method)
        response.begin()
        body = io.BytesIO()
        while chunk := response.read1(1 << 16):
            body.write(chunk)
            if self._clock() > deadline:
                raise TimeoutError(f"the response has no end after {TIMEOUT:g} s")
            if body.tell() > LONGEST_ANSWER:
                raise TimeoutError(f"the response is longer than {LONGEST_ANSWER} bytes")
        if response.length:
            raise http.client.IncompleteRead(body.getvalue(), response.length)
        reply = Reply(response.status, tuple(response.getheaders()), body.getvalue())
        return reply, response.will_close

    def _bytes(self, request: Request) -> bytes:
        headers = [
            ("Host", self._netloc),
            ("User-Agent", "taurusdb-starrocks-conformance"),
            *([] if request.header("Accept") else [("Accept", "*/*")]),
            *request.headers,
            *([] if self._keep else [("Connection", "close")]),
        ]
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(request.body))))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"{request.method} {request.path} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("latin-1") + request.body


class _Source:
    """The socket for `http.client`, with one reader for all responses of a connection."""

    def __init__(self, reader: io.BufferedReader) -> None:
        self._reader = reader

    def makefile(self, *_: Any) -> Any:
        """The reader, which outlives the response."""
        return _Borrowed(self._reader)


class _Borrowed(io.RawIOBase):
    """A reader that can be closed without closing the connection."""

    def __init__(self, reader: io.BufferedReader) -> None:
        super().__init__()
        self._borrowed = reader

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._borrowed.read(size)

    def read1(self, size: int = -1) -> bytes:
        return self._borrowed.read1(size)

    def peek(self, size: int = 0) -> bytes:
        return self._borrowed.peek(size)

    def readinto(self, buffer: Any) -> int:
        return self._borrowed.readinto(buffer)

    def readline(self, size: int | None = -1) -> bytes:
        return self._borrowed.readline(-1 if size is None else size)
