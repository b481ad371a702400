"""A token that a login returns: cached, shared by all calls, and renewed before it expires."""

from __future__ import annotations

import copy
import logging
import os
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import Any

import attrs

from taurusdb_starrocks._credentials.credentials import Credentials, Login
from taurusdb_starrocks._decisions.steps import Wait
from taurusdb_starrocks._decisions.verdict import explained
from taurusdb_starrocks._errors import (
    AuthenticationError,
    NotSentError,
    ReplicationError,
    ServiceError,
)
from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import Document

logger = logging.getLogger("taurusdb_starrocks")

# Statuses with which IAM rejects a login permanently. After any other response the next login may
# succeed, also after one of a server in front of IAM.
REFUSALS = frozenset({400, 401, 403})
# Seconds until the next attempt to renew a token that is still valid.
RENEW_AGAIN = 30.0


@attrs.frozen
class Token:
    """A token and its lifetime in seconds; None if unknown."""

    value: str = attrs.field(repr=False)
    life: float | None


class Latch:
    """An event that is set once. Threads wait for it; coroutines get a callback.

    Its lock is reentrant, because a signal handler may use it in the middle of these methods.
    """

    def __init__(self) -> None:
        self._owner = threading.get_ident()
        self._is_open = False
        self._callbacks: list[Callable[[], object]] = []
        self._changed = threading.Condition(threading.RLock())

    def open(self) -> None:
        """Wake all waiting threads and coroutines."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def wait(self, seconds: float) -> bool:
        """Block until it is open; return False after a timeout.

        Return at once in the thread that created it, as in a signal handler: no one else opens it.
        """
        with self._changed:
            if self._owner != threading.get_ident():
                self._changed.wait_for(lambda: self._is_open, seconds)
            return self._is_open

    def then(self, callback: Callable[[], object]) -> None:
        """Call a function when it is open, in the thread that opens it."""
        with self._changed:
            if not self._is_open:
                self._callbacks.append(callback)
                return
        callback()


class BoughtToken(Credentials):
    """Credentials that get a token with a login and cache it.

    A subclass defines ``order``, the login request, and ``receive``, which reads the token from the
    response. The token is renewed shortly before it expires, and once after a 401. If it cannot be
    renewed, it is used until it expires. Concurrent calls of threads and event loops share one
    login. If a login is rejected permanently, all calls without a valid token raise the
    ``AuthenticationError`` again without another request, because too many failed logins lock the
    user.

    Args:
        clock: Returns seconds since the epoch.
    """

    renewable = True

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0
        self._ends_at = 0.0
        self._refusal: AuthenticationError | None = None
        self._begin()

    def _begin(self) -> None:
        # In the child after a fork, another thread's lock or login would never end.
        self._lock = threading.RLock()  # A signal handler may send requests as well.
        self._login: Latch | None = None  # The login in progress.
        self._process = os.getpid()  # Last, because other threads of the child check it.

    @abstractmethod
    def order(self) -> tuple[Request, list[str]]:
        """The login request, and the secrets in its body."""

    @abstractmethod
    def receive(self, reply: Reply, document: Document, now: float) -> Token:
        """Read the token from the response to a login.

        Raises:
            ReplicationError: The response has no usable token.
        """

    def headers(self, _request: Request, /) -> Mapping[str, str]:
        """The header with the current token."""
        return {"X-Auth-Token": self._token}

    def authenticate(
        self, request: Request, rejected: Mapping[str, str] | None, login: Login, /
    ) -> Generator[Any, Any, Mapping[str, str] | None]:
        """The header with the token, after a login if one is needed."""
        if self._process != os.getpid():
            self._begin()
        mine = Latch()
        try:
            while True:
                with self._lock:
                    headers, now, other = self.headers(request), self._clock(), self._login
                    valid = bool(self._token) and headers != rejected and now < self._ends_at
                    renews = other is not None or self._refusal is not None
                    if valid and (renews or now < self._renew_at):
                        return headers
                    if self._refusal is not None:
                        raise copy.copy(self._refusal)
                    if other is None:
                        self._login = mine
                if other is None:
                    break
                if not (yield Wait(other)):  # It does not end. This call does without it.
                    self._login = mine
                    break
            yield from self._renewed(login, valid=valid)
            headers = self.headers(request)
            return None if headers == rejected else headers
        finally:
            with self._lock:
                if self._login is mine:
                    self._login = None
            mine.open()

    def _renewed(self, login: Login, *, valid: bool) -> Generator[Any, Any, None]:
        """Get a token. Raise the error only if the present token is not valid any more."""
        try:
            yield from self._buy(login)
        except ReplicationError as error:
            if isinstance(error, AuthenticationError):
                self._refusal = copy.copy(error)
            if not valid:
                raise
            self._renew_at = self._clock() + RENEW_AGAIN
            logger.warning("the token could not be renewed and is used until it expires: %s", error)

    def _buy(self, login: Login) -> Generator[Any, Any, None]:
        began = self._clock()  # The lifetime starts before the response arrives.
        reply, document = yield from _explained(login, *self.order())
        token = self.receive(reply, document, self._clock())
        # Renew five minutes before it expires, or after 90 % of a short lifetime. A token without a
        # usable expiry time is used until it is rejected.
        life = token.life if token.life is not None and token.life > 0 else float("inf")
        self._ends_at = began + life
        self._renew_at = self._ends_at - min(300.0, life / 10)
        self._token = token.value


def _explained(
    login: Login, request: Request, hidden: list[str]
) -> Generator[Any, Any, tuple[Reply, Document]]:
    """Log in. Errors say that the login failed."""
    host = f"The login at {request.origin.authority}"
    try:
        return (yield from login(request, hidden))
    except ServiceError as error:
        if error.status in REFUSALS and explained(error):
            raise AuthenticationError(
                f"{host} was rejected: {error.message.rstrip('.')}. Nothing else was sent.",
                status=error.status,
                code=error.code,
                request_id=error.request_id,
            ) from error
        raise NotSentError(
            f"{host} failed: {error.status} {error.message.rstrip('.')}. Nothing else was sent. "
            "The call is safe to repeat."
        ) from error
    except ReplicationError as error:
        raise NotSentError(
            f"{host} failed: {error.message.rstrip('.')}. Nothing else was sent.",
            lasting=getattr(error, "lasting", False),
        ) from error
