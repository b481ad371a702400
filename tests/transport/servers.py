"""Proxies and hostile servers on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable

from tests.wrapper.loopback import Server, read_request

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
Said = Callable[[bytes], bytes]


class Proxy(Server):
    """A forward proxy that notes what it is asked, and tunnels when asked to CONNECT.

    Tunnels are made with the system's own sockets, which a TLS proxy has to wrap and unwrap.
    """

    def __init__(
        self, answer: bytes = ESTABLISHED, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(self._carry, ssl_context)
        self._answer = answer
        self.asked: list[bytes] = []

    def _carry(self, sock: socket.socket) -> None:
        while request := read_request(sock):
            self.asked.append(request)
            if not request.startswith(b"CONNECT"):
                sock.sendall(self._forwarded(request))
                continue
            sock.sendall(self._answer)
            if self._answer == ESTABLISHED:
                self._tunnel(sock, request.split()[1].decode())
            return

    def _forwarded(self, request: bytes) -> bytes:
        if self._answer != ESTABLISHED:
            return self._answer
        return b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nby proxy"

    def _tunnel(self, sock: socket.socket, target: str) -> None:
        host, _, port = target.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as far:
            self._open.add(far)
            back = threading.Thread(target=_pump, args=(far, sock), daemon=True)
            back.start()
            _pump(sock, far)
            back.join(5)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
