"""One connection, without I/O: proxy, TLS, requests and responses."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._transport.failures import Fault, Progress
from taurusdb_starrocks._transport.http1 import Conversation
from taurusdb_starrocks._transport.proxies import Proxy, Route

if TYPE_CHECKING:
    import ssl

    from taurusdb_starrocks._transport.tls import Tls

T = TypeVar("T")
# Yields bytes to send, receives bytes (empty: the peer has closed), and returns a result.
Steps: TypeAlias = Generator[bytes, bytes, T]


class Trust:
    """The TLS context of a client. The default context is created for the first connection."""

    def __init__(self, given: ssl.SSLContext | None) -> None:
        self._context = given

    def session(self, host: str) -> Tls:
        """Start a TLS session with a host."""
        # Programs that do not use TLS need not load it.
        from taurusdb_starrocks._transport.tls import Tls, default_context  # noqa: PLC0415

        if self._context is None:
            self._context = default_context()
        return Tls(self._context, host)


class Link:
    """The protocol layers of one connection, and the order of the bytes in them."""

    def __init__(self, route: Route, trust: Trust) -> None:
        self.route = route
        self._trust = trust
        self._layers: list[Tls] = []
        self._http = Conversation()

    @property
    def reusable(self) -> bool:
        """Whether the last response was read completely and another request can follow."""
        return self._http.reusable and all(layer.clean for layer in self._layers)

    def opening(self, progress: Progress) -> Steps[None]:
        """The steps before the first request. They send nothing from a request."""
        route = self.route
        if route.proxy and route.first.scheme == "https":
            yield from self._secure(route.first.host)
        if route.proxy:
            yield from self._carried(self._tunnel(route.proxy))
            progress.connecting(route.name)
        if route.origin.scheme == "https":
            yield from self._secure(route.origin.host)

    def exchange(self, request: Request) -> Steps[Reply]:
        """Send a request and return its response."""
        return self._carried(self._ask(request))

    def _ask(self, request: Request) -> Steps[Reply]:
        headers = [("Host", self.route.authority), *request.headers.items()]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("Content-Length", str(len(request.body))))
        return (
            yield from _converse(
                self._http, self._http.ask(request.method, request.target, headers, request.body)
            )
        )

    def _tunnel(self, proxy: Proxy) -> Steps[None]:
        http, netloc = Conversation(), self.route.origin.netloc
        reply = yield from _converse(
            http, http.ask("CONNECT", netloc, [("Host", netloc), *proxy.headers])
        )
        if not 200 <= reply.status < 300:
            raise _refused(self.route, reply)
        if not http.silent:
            raise Fault("{peer} sent more than the response to CONNECT")

    def _secure(self, host: str) -> Steps[None]:
        tls = self._trust.session(host)
        yield from self._carried(tls.handshake())
        self._layers.append(tls)

    def _carried(self, steps: Steps[T]) -> Steps[T]:
        for layer in reversed(self._layers):
            steps = layer.carry(steps)
        return steps


def _converse(http: Conversation, out: bytes) -> Steps[Reply]:
    reply = http.hear((yield out))
    while reply is None:
        reply = http.hear((yield b""))
    return reply


def _refused(route: Route, reply: Reply) -> Fault:
    # Do not show the proxy's message: it may repeat the credentials.
    what = f"refused to connect to {route.authority}: status {reply.status}"
    return Fault(f"T{route.first_name[1:]} {what}", sent=False)
