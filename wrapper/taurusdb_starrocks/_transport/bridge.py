"""The HTTP clients that generated code is given: its requests become calls of ours here.

They are subclasses of httpx's because generated code asks for one, and they answer at the first of
its ``send`` methods: building and merging a second request would double what a call costs.
"""

from __future__ import annotations

import json
import re
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
from taurusdb_starrocks._transport.mock import MockNetwork
from taurusdb_starrocks._transport.plan import Plan
from taurusdb_starrocks._transport.proxies import Proxies
from taurusdb_starrocks._transport.report import bare
from taurusdb_starrocks._transport.sockets import Network

# Set by the transport itself, for the request that really leaves.
OWN_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}


class Answer(httpx.Response):
    """A response that has been judged, with the document that it was judged by."""

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
        """The document, which is parsed once."""
        return self._document

    @property
    def request(self) -> httpx.Request:
        """The request as it was before authentication."""
        return httpx.Request(self._sent.method, f"{self._sent.origin}{self._sent.target}")

    @request.setter
    def request(self, value: httpx.Request) -> None:
        """Part of httpx's interface; the request is known."""


class Bridge:
    """What both HTTP clients do alike: turn what they are asked into a request of ours."""

    def __init__(self, calls: Calls, headers: Mapping[str, str] | None) -> None:
        self.calls = calls
        self.extra = _titled(headers or {})

    def simple(
        self, method: str, url: Any, options: Mapping[str, Any]
    ) -> tuple[Call, Request] | None:
        """A request as generated code makes it; None for one that httpx must build first."""
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
        """A request that httpx built."""
        endpoint = self.calls.plan.endpoint
        target = request.url.raw_path.decode("ascii")
        own = httpx.URL(str(endpoint.origin))
        place = (request.url.scheme, request.url.host, request.url.port)
        if place != (own.scheme, own.host, own.port) or not target.startswith(endpoint.path):
            raise ConfigurationError(
                f"The request does not go to the client's endpoint {endpoint}, and its credentials "
                "are for no other. Nothing was sent."
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
        """What httpx gives to a request that it builds, in place of its own."""
        return {**self.calls.plan.headers, **self.extra}


SIMPLE = {"headers", "json", "params"}
# A path, and maybe a query, that httpx would leave as they are.
PLAIN = re.compile(r"/[\w!$&'()*+,;=:@/?%~-]*", re.ASCII).fullmatch


def _titled(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with their names in one spelling, so that none is sent twice."""
    return {name.title(): value for name, value in headers.items()}


class Unreached(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The transport of an HTTP client whose requests never come that far."""


class HTTPClient(httpx.Client):
    """An httpx client whose requests are calls of ours."""

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
        """One with further headers, on the same connections."""
        return HTTPClient(self._bridge.calls, self._network, {**self._bridge.extra, **headers})

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """The response, if it is usable; otherwise the typed error."""
        self._check()
        made = self._bridge.simple(method, url, options)
        return super().request(method, url, **options) if made is None else self._call(*made)

    def send(self, request: httpx.Request, **_options: Any) -> httpx.Response:
        """The same for a request that is built already."""
        self._check()
        return self._call(*self._bridge.built(request, request.read()))

    def _check(self) -> None:
        if self._bridge.calls.closed:
            raise closed()

    def _call(self, call: Call, request: Request) -> httpx.Response:
        calls, network = self._bridge.calls, self._network

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
            raise bare(error) from error.__cause__
        return Answer(call, request, reply, document)

    def close(self) -> None:
        """Close the connections, for those on the same connections as well."""
        super().close()
        self._bridge.calls.closed = True
        self._network.close()

    def __exit__(self, *_exception: object) -> None:
        self.close()


def connect(
    plan: Plan,
) -> tuple[HTTPClient, Callable[[float | None], AbstractContextManager[None]]]:
    """The HTTP client of a plan, and what holds its calls to the deadline of a wait."""
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
