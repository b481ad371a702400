"""Serve an ASGI or WSGI app from this process on a local port, for a test."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from werkzeug.serving import WSGIRequestHandler, make_server

STARTS_WITHIN = 10.0
# Seconds that requests in progress get when the server stops.
ENDS_WITHIN = 2


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an app; return its URL.

    Raises:
        RuntimeError: The app does not start.
    """
    with _asgi(app) if is_asgi(app) else _wsgi(app) as url:
        yield url


def is_asgi(app: Any) -> bool:
    """Whether an app is an ASGI app: an async callable with `scope`, `receive` and `send`."""
    call = app if inspect.isroutine(app) else getattr(app, "__call__", app)  # noqa: B004 - the method
    return inspect.iscoroutinefunction(call)


@contextmanager
def _asgi(app: Any) -> Iterator[str]:
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=ENDS_WITHIN,
    )
    server = uvicorn.Server(config)

    def run() -> None:
        with suppress(SystemExit):  # uvicorn raises this if the app does not start.
            server.run()

    # A daemon, because an app may refuse to be canceled.
    thread = threading.Thread(target=run, name="app under test", daemon=True)
    thread.start()
    until = time.monotonic() + STARTS_WITHIN
    try:
        while not server.started:
            if not thread.is_alive() or time.monotonic() > until:
                raise RuntimeError("the app does not start")
            time.sleep(0.01)
        (listening,) = server.servers[0].sockets
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(ENDS_WITHIN + 1)
        server.force_exit = True
        thread.join(ENDS_WITHIN + 1)


class _Quiet(WSGIRequestHandler):
    """Logs nothing, because the reports have all requests."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name in werkzeug
        """Log nothing."""


@contextmanager
def _wsgi(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    # Otherwise closing the server waits for requests that hang.
    server.daemon_threads = True  # type: ignore[attr-defined] # of ThreadingMixIn
    server.block_on_close = False  # type: ignore[attr-defined] # as above
    thread = threading.Thread(target=server.serve_forever, name="app under test")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
