"""The HTTP server: uvicorn in a separate thread."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .connection import Connection, OnePacket
from .faults import Faults
from .response import service_error

__all__ = ["Server", "check_certificate"]

_BACKLOG = 2048

_log = logging.getLogger("taurusdb_starrocks_emulator")
# Messages of uvicorn about intentionally broken calls are noise.
_quiet = logging.getLogger("taurusdb_starrocks_emulator.connection")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class _Protocol(H11Protocol):
    """One connection, which the application can access."""

    faults: Faults

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.logger = _quiet
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        transport = OnePacket(transport)
        super().connection_made(transport)
        connection = Connection(transport)
        self.app_state = {**self.app_state, "connection": connection}
        self.faults.connect(connection)

    def send_400_response(self, msg: str) -> None:
        """Respond to invalid HTTP, in the format of all other errors."""
        error = service_error(400, "DBS.280001", f"Parameter error: {msg}")
        self.transport.write(error.with_headers({"X-Request-Id": uuid4().hex}).to_bytes())
        self.transport.close()


class _Uvicorn(uvicorn.Server):
    """A uvicorn server that starts and stops on events instead of timers.

    The original main loop and shutdown sleep. In a test that freezes the clock, they never wake up.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready: Future[None] = Future()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.loop is None:
            self._stopping = asyncio.Event()
            self.loop = asyncio.get_running_loop()
            self.ready.set_result(None)

    async def main_loop(self) -> None:
        while not self.should_exit:
            await self.on_tick(0)  # It keeps the `Date` header current.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.hang_up()
        for own in sockets or []:
            own.close()

    async def hang_up(self) -> None:
        """Stop listening, and end all calls and connections immediately."""
        for server in self.servers:
            server.close()
        calls = list(self.server_state.tasks)
        for call in calls:
            call.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*calls, return_exceptions=True)

    def stop(self) -> None:
        """Stop the server, from another thread."""
        self.should_exit = (
            True  # Set this before reading the loop, because the loop may be about to start.
        )
        if self.loop is not None:
            with suppress(RuntimeError):  # The loop has already ended.
                self.loop.call_soon_threadsafe(self._stopping.set)

    def run_to_the_end(self, own: socket.socket) -> None:
        """Serve until stopped. If the server cannot start, the waiting thread gets the error."""
        try:
            self.run([own])
        except Exception as error:  # noqa: BLE001 - raised again in the thread that starts the server
            self._fail(error)
        except SystemExit as error:
            self._fail(RuntimeError(f"the server could not start ({error})"))

    def _fail(self, error: Exception) -> None:
        if self.ready.done():
            raise error
        self.ready.set_exception(error)


class Server:
    """A server that accepts connections from its creation until it is stopped.

    Raises:
        OSError: The address cannot be used, or the certificate cannot be read.
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
        check_certificate(
            ssl_certfile, ssl_keyfile
        )  # It may have been deleted since the last start.
        self._socket = _bound(host, port)
        try:
            # Calls that arrive before the server is ready wait for it.
            self._socket.listen(_BACKLOG)
            self._host, self._port = host, self._socket.getsockname()[1]
            name = f"[{host}]" if ":" in host else host
            self.url = f"{'https' if ssl_certfile else 'http'}://{name}:{self._port}"
            self._uvicorn = _Uvicorn(
                uvicorn.Config(
                    app,
                    http=type("Protocol", (_Protocol,), {"faults": faults}),
                    ws="none",
                    loop="asyncio",
                    lifespan="off",
                    log_config=None,
                    server_header=False,
                    proxy_headers=False,
                    timeout_keep_alive=75,
                    backlog=_BACKLOG,
                    ssl_certfile=ssl_certfile,
                    ssl_keyfile=ssl_keyfile,
                    ssl_ciphers="DEFAULT",  # Older versions fail with modern TLS 1.2 keys.
                )
            )
            self._thread = threading.Thread(
                target=self._uvicorn.run_to_the_end,
                args=[self._socket],
                name="emulator",
                daemon=True,
            )
            self._thread.start()
        except BaseException:
            self._socket.close()
            raise
        try:
            self._uvicorn.ready.result()
        except BaseException:  # Also for an interrupt: nothing may be left open.
            self.stop()
            raise
        if not ip_address(self._socket.getsockname()[0]).is_loopback:
            _log.warning(
                "Other machines can reach %s. The emulator is for tests: anyone who can reach it "
                "can read and change its data.",
                self.url,
            )

    def stop(self) -> None:
        """End all calls, close everything, and return when it is closed."""
        self._uvicorn.stop()
        self._thread.join()
        self._socket.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """A context in which the server does not listen, so the system refuses connections."""
        loop = self._uvicorn.loop
        assert loop is not None
        asyncio.run_coroutine_threadsafe(self._uvicorn.hang_up(), loop).result()
        # Bound but not listening, so that no other program takes the port.
        self._socket = _bound(self._host, self._port)
        try:
            yield
        finally:
            again = self._uvicorn.startup([self._socket])
            asyncio.run_coroutine_threadsafe(again, loop).result()


def check_certificate(certfile: str | None, keyfile: str | None) -> None:
    """Check the certificate and the key, if there are any.

    Raises:
        ValueError: There is a key but no certificate.
        OSError: They cannot be read or do not match. The message names the files.
    """
    if certfile is None:
        if keyfile is not None:
            raise ValueError("ssl_keyfile requires a certificate (ssl_certfile)")
        return
    try:
        # Without a password, OpenSSL would prompt for that of an encrypted key and wait.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password="")
    except OSError as error:
        files = certfile if keyfile is None else f"{certfile} with {keyfile}"
        raise OSError(error.errno, f"cannot use {files}: {error.strerror}") from error


def _bound(host: str, port: int) -> socket.socket:
    """A socket bound to the address, which can be bound again right after a restart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol, asyncio sends small responses immediately.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(
            error.errno, f"cannot listen on {host}, port {port}: {error.strerror}"
        ) from error
    return bound
