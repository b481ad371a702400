"""The HTTP client for generated code. It turns the requests of generated code into calls.

The clients are subclasses of the httpx clients, because generated code requires that. They override
the first of the ``send`` methods: building and merging a second request would double the cost of
a call.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import httpx

from taurusdb_starrocks._decisions.steps import Send, Sleep, Wait, run
from taurusdb_starrocks._errors import ConfigurationError, ReplicationError
from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import Call, Document
from taurusdb_starrocks._redaction import Cleaned
from taurusdb_starrocks._transport.calls import Calls, closed, shown_headers, within
from taurusdb_starrocks._transport.failures import bare
from taurusdb_starrocks._transport.mock import MockNetwork
from taurusdb_starrocks._transport.plan import Plan
from taurusdb_starrocks._transport.proxies import Proxies
from taurusdb_starrocks._transport.sockets import Network

# The transport sets these itself for the request that it sends.
OWN_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}


class Answer(httpx.Response):
    """A response that has been checked, with its parsed document."""

    def __init__(self, call: Call, request: Request, reply: Reply, document: Document) -> None:
        headers = [
            (name.encode(), value.encode()) for name, value in shown_headers(call, reply).items()
        ]
        cleaned = isinstance(document, Cleaned)
        content = json.dumps(document).encode() if cleaned else reply.body
        super().__init__(reply.status, headers=headers, content=content)
        self._document = document
        self._sent = request

    def json(self, **_options: Any) -> Any:
        """The document. It is parsed only once."""
        return self._document

    @property
    def request(self) -> httpx.Request:
        """The request before authentication."""
        return httpx.Request(self._sent.method, f"{self._sent.origin}{self._sent.target}")

    @request.setter
    def request(self, value: httpx.Request) -> None:
        """Part of the httpx interface. The request is already set."""


class Bridge:
    """The shared part of both HTTP clients: it turns httpx arguments into a request."""

    def __init__(self, calls: Calls, headers: Mapping[str, str] | None) -> None:
        self.calls = calls
        self.extra = _titled(headers or {})

    def simple(
        self, method: str, url: Any, options: Mapping[str, Any]
    ) -> tuple[Call, Request] | None:
        """The request for the arguments of generated code; None if httpx must build it first."""
        if not isinstance(url, str) or not PLAIN(url) or not options.keys() <= SIMPLE:
            return None
        return self.calls.request(
            method.upper(),
            url,
            {**self.extra, **_titled(options.get("headers") or {})},
            params=options.get("params"),
            document=options.get("json"),
        )

    def built(self, request: httpx.Request, content: bytes) -> tuple[Call, Request]:
        """The request for one that httpx built."""
        endpoint = self.calls.plan.endpoint
        target = request.url.raw_path.decode("ascii")
        own = httpx.URL(str(endpoint.origin))
        place = (request.url.scheme, request.url.host, request.url.port)
        if place != (own.scheme, own.host, own.port) or not target.startswith(endpoint.path):
            raise ConfigurationError(
                f"The request is not for the client's endpoint {endpoint}, and the credentials "
                "must not be sent anywhere else. Nothing was sent."
            )
        headers = {
            name: value for name, value in request.headers.items() if name not in OWN_HEADERS
        }
        return self.calls.request(
            request.method,
            target.removeprefix(endpoint.path),
            _titled(headers),
            content=content,
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """Arguments for the request that httpx builds, instead of its defaults."""
        return {**self.calls.plan.headers, **self.extra}


SIMPLE = {"headers", "json", "params"}
# A path, and maybe a query, that httpx would not change.
PLAIN = re.compile(r"/[\w!$&'()*+,;=:@/?%~-]*", re.ASCII).fullmatch


def _titled(headers: Mapping[str, str]) -> dict[str, str]:
    """Normalize the case of header names, so that no header is sent twice."""
    return {name.title(): value for name, value in headers.items()}


class Unreached(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A placeholder: the requests of this client never reach an httpx transport."""


class HTTPClient(httpx.Client):
    """An httpx client that turns its requests into calls."""

    def __init__(
        self, calls: Calls, network: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        self._bridge = Bridge(calls, headers)
        self._network = network
        super().__init__(
            base_url=str(calls.plan.endpoint),
            headers=self._bridge.headers,
            transport=Unreached(),
            trust_env=False,
        )

    def extended(self, headers: Mapping[str, str]) -> HTTPClient:
        """A copy with additional headers that uses the same connections."""
        return HTTPClient(self._bridge.calls, self._network, {**self._bridge.extra, **headers})

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """Return the response if it is usable; otherwise raise the typed error."""
        self._check()
        made = self._bridge.simple(method, url, options)
        return super().request(method, url, **options) if made is None else self._call(*made)

    def send(self, request: httpx.Request, **_options: Any) -> httpx.Response:
        """The same for a request that is already built."""
        self._check()
        return self._call(*self._bridge.built(request, request.read()))

    def _check(self) -> None:
        if self._bridge.calls.closed:
            raise closed()

    def _call(self, call: Call, request: Request) -> httpx.Response:
        calls, network, outside = self._bridge.calls, self._network, sys.exception()

        def perform(step: Send | Sleep | Wait) -> Any:
            if isinstance(step, Send):
                return network.exchange(step.request, call.deadline)
            if isinstance(step, Sleep):
                return time.sleep(step.seconds)
            return step.latch.wait(calls.left(call))

        try:
            with calls.report(call, request) as report:
                reply, document = run(calls.steps(call, request), perform)
                report.reply = reply
        except ReplicationError as error:
            raise bare(error, outside) from error.__cause__
        return Answer(call, request, reply, document)

    def close(self) -> None:
        """Close the connections, also for copies of this client."""
        super().close()
        self._bridge.calls.closed = True
        self._network.close()

    def __exit__(self, *_exception: object) -> None:
        self.close()


def connect(
    plan: Plan,
) -> tuple[HTTPClient, Callable[[float | None], AbstractContextManager[None]]]:
    """The HTTP client for a plan, and the context manager for the deadline of a wait."""
    if plan.transport is not None and not isinstance(plan.transport, httpx.BaseTransport):
        raise ConfigurationError("transport must be an httpx.BaseTransport.")
    network: Network | MockNetwork = (
        Network(
            connect_timeout=plan.connect_timeout,
            read_timeout=plan.read_timeout,
            max_connections=plan.max_connections,
            ssl_context=plan.ssl_context,
            proxies=Proxies(plan.proxies),
        )
        if plan.transport is None
        else MockNetwork(plan.transport)
    )
    return HTTPClient(Calls(plan), network), within
