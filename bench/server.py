"""A server that costs next to nothing, so that what is measured is the client.

    python server.py plain | large | bomb | tls CERTIFICATE

Writes its port, and answers every request until its standard input ends. `plain` accepts a change
of a task, `tls` does so inside of TLS, `large` responds with 64 MB, `bomb` with a gzip of 200 MB.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import sys
import threading
import zlib

MEGABYTE = 1024 * 1024
JOB = b'{"job_id": "9ac58f9b-8874-4a8f-8789-3d22f6ef9a28"}'
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def response(body_length: int, *headers: bytes) -> bytes:
    """The head of a response."""
    return b"\r\n".join(
        [
            b"HTTP/1.1 200 OK",
            b"Content-Type: application/json",
            b"X-Request-Id: 0123456789abcdef0123456789abcdef",
            b"Date: Wed, 25 Nov 2026 12:00:00 GMT",
            b"Content-Length: %d" % body_length,
            *headers,
            b"\r\n",
        ]
    )


def complete(request: bytes) -> bool:
    """Whether a request has come to its end."""
    head = request.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = LENGTH.search(request, 0, head)
    return len(request) >= head + 4 + (int(length[1]) if length else 0)


def serve_plain(listener: socket.socket) -> None:
    """Answer on every connection from one loop."""
    reply = response(len(JOB)) + JOB
    sockets: dict[int, socket.socket] = {}
    begun: dict[int, bytes] = {}
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    while True:
        for number, _ in poll.poll():
            connection = sockets.get(number)
            if connection is None:
                if number != listener.fileno():
                    return
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets[connection.fileno()] = connection
                begun[connection.fileno()] = b""
                poll.register(connection.fileno(), select.EPOLLIN)
                continue
            try:
                data = connection.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                del sockets[number]
                connection.close()
                continue
            data = begun[number] + data
            if complete(data):
                data = b""
                connection.send(reply)
            begun[number] = data


def bomb() -> bytes:
    """A gzip that unpacks to 200 MB."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    blanks = bytes(MEGABYTE).replace(b"\0", b" ")
    return b"".join(packer.compress(blanks) for _ in range(200)) + packer.flush()


def serve_slowly(listener: socket.socket, kind: str, context: ssl.SSLContext | None) -> None:
    """Answer one connection after the other."""
    if kind == "large":
        pieces = [response(64 * MEGABYTE), *[b" " * MEGABYTE] * 64]
    elif kind == "bomb":
        packed = bomb()
        pieces = [response(len(packed), b"Content-Encoding: gzip"), packed]
    else:
        pieces = [response(len(JOB)) + JOB]
    while True:
        connection, _ = listener.accept()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            data = b""
            while piece := connection.recv(65536):
                data += piece
                if complete(data):
                    data = b""
                    for part in pieces:
                        connection.sendall(part)
        except OSError:
            pass  # The client has gone, as it may.
        finally:
            connection.close()


def main() -> None:
    """Serve until standard input ends."""
    kind, *certificate = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[0])
    print(listener.getsockname()[1], flush=True)
    if kind == "plain":
        serve_plain(listener)
    else:
        threading.Thread(target=serve_slowly, args=(listener, kind, context), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
