"""The HTTP server: uvicorn on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .connection import Connection
from .faults import Faults
from .response import service_error

__all__ = ["Server"]

_BACKLOG = 2048

# What uvicorn logs about calls that were broken on purpose is noise.
_quiet = logging.getLogger("taurusdb_starrocks_emulator.connection")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class _Protocol(H11Protocol):
    """One connection, which the application can get hold of."""

    faults: Faults

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.logger = _quiet
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        super().connection_made(transport)
        connection = Connection(transport)
        self.app_state = {**self.app_state, "connection": connection}
        self.faults.connect(connection)

    def send_400_response(self, msg: str) -> None:
        """Respond to what is not HTTP at all, in the shape of all other errors."""
        error = service_error(400, "DBS.280001", f"Parameter error: {msg}")
        self.transport.write(error.with_headers({"X-Request-Id": uuid4().hex}).to_bytes())
        self.transport.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn, which tells when it is ready and ends without waiting for calls that hang."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.hang_up()
        await super().shutdown(sockets)

    def hang_up(self) -> None:
        """End every call and every connection now."""
        for task in self.server_state.tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def deafen(self) -> None:
        """Stop listening, and hang up."""
        for server in self.servers:
            server.close()
        self.hang_up()


class Server:
    """A server that accepts connections from when it is made until it is stopped.

    Raises:
        OSError: The address cannot be had.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        faults: Faults,
        ssl_certfile: str | None,
        ssl_keyfile: str | None,
    ) -> None:
        self._socket = _bound(host, port)
        # Calls that come before the server is ready wait for it.
        self._socket.listen(_BACKLOG)
        self._host, self._port = host, self._socket.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if ssl_certfile else 'http'}://{name}:{self._port}"
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=type("Protocol", (_Protocol,), {"faults": faults}),
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=1,
                backlog=_BACKLOG,
                ssl_certfile=ssl_certfile,
                ssl_keyfile=ssl_keyfile,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="emulator", daemon=True
        )
        self._thread.start()
        self._server.ready.wait()

    def stop(self) -> None:
        """End every call, close everything, and return once it is closed."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Meanwhile nobody listens: the system itself refuses connections."""
        loop = self._server.loop
        asyncio.run_coroutine_threadsafe(self._server.deafen(), loop).result()
        # Bound and not listening, so that nobody else takes the port.
        self._socket = _bound(self._host, self._port)
        try:
            yield
        finally:
            again = self._server.startup([self._socket])
            asyncio.run_coroutine_threadsafe(again, loop).result()


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the address, and has it again right after a restart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio sends small answers at once.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
