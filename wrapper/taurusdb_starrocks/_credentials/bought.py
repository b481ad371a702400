"""A token that a login buys: kept, shared by all calls, and renewed before it ends."""

from __future__ import annotations

import copy
import os
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import Any

import attrs

from taurusdb_starrocks._credentials.credentials import Credentials, Login
from taurusdb_starrocks._decisions.steps import Wait
from taurusdb_starrocks._errors import (
    AuthenticationError,
    NotSentError,
    ReplicationError,
    ServiceError,
)
from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import Document

# Statuses by which a login is refused for good; after any other it may succeed next time.
REFUSALS = frozenset({400, 401, 403, 404})


@attrs.frozen
class Token:
    """A token, and how long it lives in seconds; None when nothing tells."""

    value: str = attrs.field(repr=False)
    life: float | None


class Latch:
    """Opened once; threads wait for it, and coroutines are called back."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def open(self) -> None:
        """Let everybody go on."""
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def wait(self, seconds: float) -> bool:
        """Block until it is open; False when the time passed first."""
        return self._event.wait(seconds)

    def then(self, callback: Callable[[], object]) -> None:
        """Have a callback called once it is open, in whichever thread opens it."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return
        callback()


class BoughtToken(Credentials):
    """Credentials that buy a token with a login and keep it.

    A subclass says how: ``order`` is the login, ``receive`` reads the token from its response. The
    token is renewed shortly before it ends, and once after a 401. Concurrent calls share one login,
    be they of threads or of event loops. A login that is refused for good is an
    ``AuthenticationError`` on every later call as well, without another request: too many of them
    lock the user out.

    Args:
        clock: Seconds since the epoch.
    """

    renewable = True

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0
        self._refusal: AuthenticationError | None = None
        self._begin()

    def _begin(self) -> None:
        # After a fork, a lock or a login of another thread would never end in the child.
        self._lock = threading.Lock()
        self._login: Latch | None = None  # The one under way.
        self._process = os.getpid()  # Last: other threads of the child go by it.

    @abstractmethod
    def order(self) -> tuple[Request, list[str]]:
        """The login, and the secrets in its body."""

    @abstractmethod
    def receive(self, reply: Reply, document: Document, now: float) -> Token:
        """The token that a login brought.

        Raises:
            ReplicationError: There is none that can be used.
        """

    def headers(self, _request: Request, /) -> Mapping[str, str]:
        """The header of the token that there is."""
        return {"X-Auth-Token": self._token}

    def authenticate(
        self, request: Request, rejected: Mapping[str, str] | None, login: Login, /
    ) -> Generator[Any, Any, Mapping[str, str] | None]:
        """The token's header, with a login before it where one is due."""
        if self._process != os.getpid():
            self._begin()
        while True:
            with self._lock:
                if self._refusal is not None:
                    raise copy.copy(self._refusal)
                headers = self.headers(request)
                if self._token and headers != rejected and self._clock() < self._renew_at:
                    return headers
                latch = self._login
                if latch is None:
                    mine = self._login = Latch()
            if latch is None:
                yield from self._buy(login, mine)
                headers = self.headers(request)
                return None if headers == rejected else headers
            if not (yield Wait(latch)):
                raise NotSentError("Another call's login took too long. Nothing was sent.")

    def _buy(self, login: Login, mine: Latch) -> Generator[Any, Any, None]:
        try:
            began = self._clock()  # Its life begins before its response arrives.
            reply, document = yield from _explained(login, *self.order())
            token = self.receive(reply, document, self._clock())
            # Shortly before it ends: five minutes, or a tenth of a short life. A token that says
            # nothing usable of its end is good until it is refused.
            life = token.life if token.life is not None and token.life > 0 else float("inf")
            self._renew_at = began + life - min(300.0, life / 10)
            self._token = token.value
        except AuthenticationError as error:
            self._refusal = copy.copy(error)
            raise
        finally:
            with self._lock:
                self._login = None
            mine.open()


def _explained(
    login: Login, request: Request, hidden: list[str]
) -> Generator[Any, Any, tuple[Reply, Document]]:
    """Log in; what that fails with says that it was the login."""
    host = f"The login at {request.origin.authority}"
    try:
        return (yield from login(request, hidden))
    except ServiceError as error:
        if error.status in REFUSALS:
            raise AuthenticationError(
                f"{host} was refused: {error.message.rstrip('.')}. Nothing else was sent.",
                status=error.status,
                code=error.code,
                request_id=error.request_id,
            ) from error
        raise NotSentError(
            f"{host} failed: {error.status} {error.message.rstrip('.')}. Nothing else was sent: "
            "it is safe to repeat."
        ) from error
    except ReplicationError as error:
        raise NotSentError(
            f"{host} failed: {error.message.rstrip('.')}. Nothing else was sent.",
            lasting=getattr(error, "lasting", False),
        ) from error
