"""The road below the generated client: here the deadline and the judge, above auth.

httpx asks the auth between this layer and the one of ``_attempts``, so a login is retried and
bounded like any request, and a 401 reaches the auth before it is judged.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import httpx

from taurusdb_starrocks import _rules
from taurusdb_starrocks._attempts import (
    AsyncRetryingTransport,
    Attempts,
    RetryingTransport,
    unanswered,
)
from taurusdb_starrocks._call import Call, calling, current
from taurusdb_starrocks._connections import Routes, async_opener, given, opener
from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._reply import judge
from taurusdb_starrocks._retry import RetryPolicy
from taurusdb_starrocks._version import __version__


@attrs.frozen
class Plan:
    """What the road is built from. Times are in seconds."""

    endpoint: str
    auth: httpx.Auth
    user_agent: str
    total: float
    connect: float
    read: float
    retry: RetryPolicy
    ssl_context: ssl.SSLContext | None
    trust_env: bool
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None

    def settings(self) -> dict[str, Any]:
        """What httpx is told: nothing of the environment, no redirects, no packed answers."""
        return {
            "base_url": self.endpoint,
            "auth": self.auth,
            "headers": {"User-Agent": self.user_agent, "Accept-Encoding": "identity"},
            "follow_redirects": False,
            "trust_env": False,
        }

    def attempts(self) -> Attempts:
        """What decides on further attempts, for one client."""
        return Attempts(self.retry, random.random, connect=self.connect, read=self.read)

    def tls(self) -> ssl.SSLContext:
        """The TLS settings given, or those that verify against certifi's list."""
        return self.ssl_context or httpx.create_ssl_context(trust_env=False)


def plan(  # The arguments are those of the clients, and described there.
    endpoint: str,
    auth: httpx.Auth,
    *,
    timeout: float = 60.0,
    connect_timeout: float = 5.0,
    read_timeout: float = 30.0,
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # Frozen.
    ssl_context: ssl.SSLContext | None = None,
    trust_env: bool = True,
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
) -> Plan:
    """The plan for an endpoint that is known to be good, with everything else checked here."""
    if not isinstance(auth, httpx.Auth):
        raise ConfigurationError("auth must be an identity like TokenAuth(…), not a bare value.")
    if not isinstance(retry, RetryPolicy):
        raise ConfigurationError("retry must be a RetryPolicy.")
    if not isinstance(ssl_context, ssl.SSLContext | None):
        raise ConfigurationError("ssl_context must be an ssl.SSLContext.")
    return Plan(
        endpoint=endpoint,
        auth=auth,
        user_agent=f"taurusdb-starrocks/{__version__}",
        total=_rules.seconds("timeout", timeout),
        connect=_rules.seconds("connect_timeout", connect_timeout),
        read=_rules.seconds("read_timeout", read_timeout),
        retry=retry,
        ssl_context=ssl_context,
        trust_env=trust_env,
        transport=transport,
    )


class HTTPClient(httpx.Client):
    """An httpx client whose calls have one deadline and end in a good reply or a typed error."""

    def __init__(self, plan: Plan) -> None:
        if plan.transport is None:
            routes = Routes(opener(plan.tls()), trust_env=plan.trust_env, traced=True)
        elif isinstance(plan.transport, httpx.BaseTransport):
            routes = Routes(given(plan.transport), trust_env=False, traced=False)
        else:
            raise ConfigurationError("transport must be an httpx.BaseTransport.")
        transport = RetryingTransport(routes, plan.attempts(), time.sleep)
        super().__init__(transport=transport, **plan.settings())
        logging.getLogger("httpcore.http11").addFilter(_without_headers)
        self._total = plan.total

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The reply, if it is a good one."""
        _open(self)
        with calling(request, self._total) as call:
            return _good(super().send(request, **options), call)


class AsyncHTTPClient(httpx.AsyncClient):
    """The same for coroutines."""

    def __init__(self, plan: Plan) -> None:
        if plan.transport is None:
            routes = Routes(async_opener(plan.tls()), trust_env=plan.trust_env, traced=True)
        elif isinstance(plan.transport, httpx.AsyncBaseTransport):
            routes = Routes(given(plan.transport), trust_env=False, traced=False)
        else:
            raise ConfigurationError("transport must be an httpx.AsyncBaseTransport.")
        transport = AsyncRetryingTransport(routes, plan.attempts(), anyio.sleep)
        super().__init__(transport=transport, **plan.settings())
        logging.getLogger("httpcore.http11").addFilter(_without_headers)
        self._total = plan.total
        self._loop: object = None

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The reply, if it is a good one."""
        _open(self)
        loop = anyio.lowlevel.current_token()
        self._loop = self._loop or loop
        if self._loop != loop:
            raise ConfigurationError(
                "An AsyncClient belongs to the event loop of its first call, and this is another: "
                "make one for each. Nothing was sent."
            )
        with calling(request, self._total) as call:
            # The scope holds against whatever takes long: a drip, a pool, another's login.
            with anyio.move_on_after(self._total):
                return _good(await super().send(request, **options), call)
            raise unanswered(call, f"No answer within {self._total:g} s")


def _open(client: httpx.Client | httpx.AsyncClient) -> None:
    if client.is_closed:
        raise ConfigurationError("The client is closed. Nothing was sent.")


def _good(response: httpx.Response, call: Call) -> httpx.Response:
    error = judge(response)
    if error is not None:
        raise error
    call.reply = response
    return response


def _without_headers(record: logging.LogRecord) -> bool:
    """Cut what httpcore says at DEBUG, in a call of ours, down to the event.

    It shows the headers of every reply, the one with a new token included.
    """
    if current.get(None) is not None:
        record.msg, record.args = record.getMessage().partition(" ")[0], ()
    return True
