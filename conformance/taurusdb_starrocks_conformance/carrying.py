"""Send the requests of schemathesis over the same wire as all other requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from .exchange import Exchange, Reply, Request
from .wire import Wire


@contextmanager
def carrying(wire: Wire, source: Callable[[], str]) -> Iterator[None]:
    """In this context, all requests of the library `requests` are sent over a wire.

    Schemathesis sends cases, wrong credentials and probes of the server in three different ways,
    none of which has a hook. All of them call this method.
    """
    original = HTTPAdapter.send

    def send(adapter: HTTPAdapter, prepared: Any, **settings: Any) -> requests.Response:
        body = prepared.body or b""
        request = Request(
            prepared.method,
            _path_of(prepared.url),
            tuple((_text(key), _text(value)) for key, value in prepared.headers.items()),
            body.encode() if isinstance(body, str) else bytes(body),
        )
        # One connection per request: a server with a single thread may serve no other connection
        # before this one is closed, and the suite sends changes in between.
        prepared.headers["Connection"] = "close"
        received: list[requests.Response] = []

        def once(_: Request) -> Reply:
            response = original(adapter, prepared, **{**settings, "proxies": {}})
            content = response.content
            adapter.close()
            received[:] = [response]
            return Reply(response.status_code, tuple(response.headers.items()), content)

        with wire.lock:
            wire.before(request, as_is=False)
            began = wire.clock()
            try:
                reply, began = wire.patiently(request, source(), once(request), began, once)
            except requests.RequestException as problem:
                error = f"{type(problem).__name__}: {problem}"
                wire.after(_exchange(wire, source(), request, None, error, began))
                raise
            wire.after(_exchange(wire, source(), request, reply, None, began))
            return received[0]

    HTTPAdapter.send = send  # type: ignore[method-assign, assignment] # that is the purpose
    try:
        yield
    finally:
        HTTPAdapter.send = original  # type: ignore[method-assign] # as above


def _exchange(
    wire: Wire, source: str, request: Request, reply: Reply | None, error: str | None, began: float
) -> Exchange:
    seconds = wire.clock() - began
    return Exchange(0, source, request, reply, error, seconds, time.time() - seconds)


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
