"""The HTTP server: uvicorn on a thread of its own."""

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
        transport = OnePacket(transport)
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
    """uvicorn, which starts and stops on events and not on timers.

    Its own loop and shutdown sleep, and never wake up in a test that freezes the clock.
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
            await self.on_tick(0)  # It keeps the `Date` header right.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.hang_up()
        for own in sockets or []:
            own.close()

    async def hang_up(self) -> None:
        """Stop listening, and end every call and every connection now."""
        for server in self.servers:
            server.close()
        calls = list(self.server_state.tasks)
        for call in calls:
            call.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*calls, return_exceptions=True)

    def stop(self) -> None:
        """End it, from another thread."""
        self.should_exit = True  # Before the loop is read: it may only be about to start.
        if self.loop is not None:
            with suppress(RuntimeError):  # The loop has ended already.
                self.loop.call_soon_threadsafe(self._stopping.set)

    def run_to_the_end(self, own: socket.socket) -> None:
        """Serve until it is stopped; whoever waits for it to be ready is told if it never is."""
        try:
            self.run([own])
        except Exception as error:  # noqa: BLE001 - raised again, where the server is started
            self._fail(error)
        except SystemExit as error:
            self._fail(RuntimeError(f"the server could not start ({error})"))

    def _fail(self, error: Exception) -> None:
        if self.ready.done():
            raise error
        self.ready.set_exception(error)


class Server:
    """A server that accepts connections from when it is made until it is stopped.

    Raises:
        OSError: It cannot have the address, or cannot read the certificate.
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
        check_certificate(ssl_certfile, ssl_keyfile)  # It may be gone since the last time.
        self._socket = _bound(host, port)
        try:
            # Calls that come before the server is ready wait for it.
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
                    ssl_ciphers="DEFAULT",  # Older uvicorns speak no TLS 1.2 with keys of today.
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
        except BaseException:  # Also an interrupt: nothing may be left behind.
            self.stop()
            raise
        if not ip_address(self._socket.getsockname()[0]).is_loopback:
            _log.warning(
                "%s can be reached from other machines. The emulator is for tests: whoever "
                "reaches it can read and change what it holds.",
                self.url,
            )

    def stop(self) -> None:
        """End every call, close everything, and return once it is closed."""
        self._uvicorn.stop()
        self._thread.join()
        self._socket.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Meanwhile nobody listens: the system itself refuses connections."""
        loop = self._uvicorn.loop
        assert loop is not None
        asyncio.run_coroutine_threadsafe(self._uvicorn.hang_up(), loop).result()
        # Bound and not listening, so that nobody else takes the port.
        self._socket = _bound(self._host, self._port)
        try:
            yield
        finally:
            again = self._uvicorn.startup([self._socket])
            asyncio.run_coroutine_threadsafe(again, loop).result()


def check_certificate(certfile: str | None, keyfile: str | None) -> None:
    """Nothing, if a server can use these, or needs none.

    Raises:
        ValueError: There is a key, and no certificate.
        OSError: They cannot be read, or do not belong together; the text names the files.
    """
    if certfile is None:
        if keyfile is not None:
            raise ValueError("ssl_keyfile: a certificate is needed too (ssl_certfile)")
        return
    try:
        # Without a password OpenSSL asks the terminal for that of an encrypted key, and waits.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password="")
    except OSError as error:
        files = certfile if keyfile is None else f"{certfile} with {keyfile}"
        raise OSError(error.errno, f"cannot use {files}: {error.strerror}") from error


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has the address, and has it again right after a restart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named asyncio sends small responses at once.
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
