"""Who asks: each identity is an ``httpx.Auth`` that serves both clients.

A login is an extra request of the same flow, so it is retried, bounded and timed like any other.
"""

from __future__ import annotations

import copy
import os
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from datetime import UTC, datetime

import anyio
import httpx

from taurusdb_starrocks import _hosts, _rules, _signature
from taurusdb_starrocks._call import current
from taurusdb_starrocks._errors import (
    AuthenticationError,
    ConfigurationError,
    NotSentError,
    ServiceError,
)
from taurusdb_starrocks._reply import LOGIN, judge

# Statuses by which IAM refuses a login for good; after any other it may succeed next time.
REFUSALS = frozenset({400, 401, 403, 404})


class TokenAuth(httpx.Auth):
    """An IAM token that somebody else obtained.

    Args:
        token: The token, or a callable that returns the one to use now. A callable is asked for
            every request, and once more after a 401; it must be quick, and safe for threads. What
            it raises reaches the caller as it is; nothing was sent then.

    Raises:
        ConfigurationError: The token is empty, not ASCII or holds a line break. It is not shown.
    """

    @_rules.discreet
    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token if callable(token) else _rules.secret("token", token)

    def __repr__(self) -> str:
        return "TokenAuth(…)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the token; after a 401, send another if the callable has one."""
        request.headers["X-Auth-Token"] = self._now()
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED and callable(self._token):
            renewed = self._now()
            if renewed != request.headers["X-Auth-Token"]:
                request.headers["X-Auth-Token"] = renewed
                yield request

    def _now(self) -> str:
        return _rules.secret("token", self._token()) if callable(self._token) else self._token


class AccessKeyAuth(httpx.Auth):
    """A request signature with an access key (SDK-HMAC-SHA256).

    A 401 is never tried again: five wrong signatures in a row lock the key for five minutes.

    Args:
        access_key: Access key (AK).
        secret_key: Secret key (SK). It never leaves this machine.
        security_token: Token that belongs to a temporary access key.
        clock: Seconds since the epoch; the service refuses more than 15 minutes of difference.

    Raises:
        ConfigurationError: One of the three is empty, not ASCII or holds a line break.
    """

    requires_request_body = True

    @_rules.discreet
    def __init__(
        self,
        access_key: str,
        secret_key: str,
        security_token: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access_key = _rules.secret("access_key", access_key)
        self._secret_key = _rules.secret("secret_key", secret_key)
        self._security_token = (
            None if security_token is None else _rules.secret("security_token", security_token)
        )
        self._clock = clock

    def __repr__(self) -> str:
        return "AccessKeyAuth(…)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request as it is sent."""
        date = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        request.headers["X-Sdk-Date"] = date
        names = ["Host", "X-Sdk-Date"]
        if "Content-Type" in request.headers:
            names.append("Content-Type")
        # The official client sends the project as well; the gateway needs it for a subproject.
        project = re.search(r"/v3/([0-9A-Za-z]{32})/", request.url.path)
        if project:
            request.headers["X-Project-Id"] = project[1]
            names.append("X-Project-Id")
        if self._security_token is not None:
            request.headers["X-Security-Token"] = self._security_token
            names.append("X-Security-Token")
        signed, signature = _signature.sign(
            self._secret_key,
            request.method,
            request.url.raw_path,
            [(name, request.headers[name]) for name in names],
            request.content,
            date,
        )
        request.headers["Authorization"] = (
            f"{_signature.ALGORITHM} Access={self._access_key}, SignedHeaders={signed}, "
            f"Signature={signature}"
        )
        yield request


class IamPasswordAuth(httpx.Auth):
    """A token from IAM, obtained on first use with a user's password and kept.

    It is renewed shortly before it expires, and once after a 401. Concurrent calls share one
    login. A login that IAM refuses is an ``AuthenticationError`` on every later call as well,
    without asking IAM again; make a new object to try again. Share it by threads, or by the
    coroutines of one event loop.

    Args:
        user: Name of the IAM user.
        password: Its password.
        account: Name of the account (IAM's word: domain) that the user belongs to.
        project_id: Project the token is for. By ID works on the vendor's IAM and on any Keystone.
        region: Region whose project the token is for, when no project is given; also names the
            IAM host.
        iam_endpoint: IAM host, in place of the region's.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: Neither project nor region is given, or one is malformed.
    """

    @_rules.discreet
    def __init__(
        self,
        user: str,
        password: str,
        account: str,
        *,
        project_id: str | None = None,
        region: str | None = None,
        iam_endpoint: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if project_id is None and region is None:
            raise ConfigurationError(
                "IamPasswordAuth needs project_id or region: a token is for one project."
            )
        self._user = _rules.text("user", user)
        self._password = _rules.text("password", password)
        self._account = _rules.text("account", account)
        self._project_id = None if project_id is None else _rules.project_id(project_id)
        self._region = None if region is None else _rules.text("region", region)
        self._endpoint = (
            _hosts.iam(region)
            if iam_endpoint is None
            else _hosts.endpoint("iam_endpoint", iam_endpoint).removesuffix("/v3")
        )
        self._clock = clock
        self._token = ""
        self._logins = 0
        self._renew_at = 0.0
        self._refusal: AuthenticationError | None = None
        self._locks = (os.getpid(), threading.Lock(), anyio.Lock())

    def __repr__(self) -> str:
        return f"IamPasswordAuth(user={self._user!r}, account={self._account!r}, …)"

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the token, with a login before it where one is due."""
        used = 0
        for _ in range(2):
            lock = self._lock()[1]
            if not lock.acquire(timeout=max(0.0, current.get().left())):
                raise NotSentError("Another call's login took too long. Nothing was sent.")
            try:
                if self._login_due(used):
                    response = yield self._login()
                    self._accept(response)
            finally:
                lock.release()
            used, request.headers["X-Auth-Token"] = self._logins, self._token
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same for coroutines."""
        used = 0
        for _ in range(2):
            async with self._lock()[2]:
                if self._login_due(used):
                    response = yield self._login()
                    self._accept(response)
            used, request.headers["X-Auth-Token"] = self._logins, self._token
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return

    def _lock(self) -> tuple[int, threading.Lock, anyio.Lock]:
        # A lock that another thread held at a fork would stay held in the child.
        if self._locks[0] != os.getpid():
            self._locks = (os.getpid(), threading.Lock(), anyio.Lock())
        return self._locks

    def _login_due(self, used: int) -> bool:
        """Whether there is no good token: none, an old one, or that of the login just refused."""
        if self._refusal is not None:
            raise copy.copy(self._refusal)
        return self._logins == used or self._clock() >= self._renew_at

    def _login(self) -> httpx.Request:
        project: dict[str, object] = {"id": self._project_id}
        if self._project_id is None:
            # The vendor's page shows the name alone. OpenStack's Keystone wants the project's
            # domain beside a name: there, give the ID.
            project = {"name": self._region}
        return httpx.Request(
            "POST",
            f"{self._endpoint}/v3/auth/tokens",
            json={
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {
                            "user": {
                                "name": self._user,
                                "password": self._password,
                                "domain": {"name": self._account},
                            }
                        },
                    },
                    "scope": {"project": project},
                }
            },
            extensions={LOGIN: [self._password]},
        )

    def _accept(self, response: httpx.Response) -> None:
        """Keep the token that a login brought, or raise what it came to instead."""
        host = f"The login at {response.request.url.host}"
        if response.status_code == httpx.codes.CREATED:
            if not self._keep(response):
                raise NotSentError(f"{host} brought no usable token. Nothing else was sent.")
            return
        error = judge(response)
        if isinstance(error, ServiceError) and error.status in REFUSALS:
            self._refusal = AuthenticationError(
                f"{host} was refused: {error.message}. Nothing else was sent.",
                status=error.status,
                code=error.code,
                request_id=error.request_id,
            )
            raise copy.copy(self._refusal)
        raise NotSentError(
            f"{host} failed with status {response.status_code}. Nothing else was sent: it is "
            "safe to repeat."
        )

    def _keep(self, response: httpx.Response) -> bool:
        """Whether the reply has a token that can be sent, and says how long it lives."""
        try:
            token = _rules.secret("token", response.headers.get("X-Subject-Token"))
            expires = datetime.fromisoformat(response.json()["token"]["expires_at"])
            end = expires.replace(tzinfo=expires.tzinfo or UTC).timestamp()
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
            return False
        # Shortly before: five minutes, or a tenth of a short life.
        self._renew_at = end - min(300.0, (end - self._clock()) / 10)
        self._token = token
        self._logins += 1
        return True
