"""A token from IAM, bought with a user's password."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from taurusdb_starrocks import _regions, _rules
from taurusdb_starrocks._credentials.bought import BoughtToken, Token
from taurusdb_starrocks._credentials.credentials import Login
from taurusdb_starrocks._errors import (
    AuthenticationError,
    ConfigurationError,
    NotSentError,
    ReplicationError,
    ServiceError,
)
from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import LOGIN, Document

# Statuses by which IAM refuses a login for good; after any other it may succeed next time.
REFUSALS = frozenset({400, 401, 403, 404})


class IamPasswordAuth(BoughtToken):
    """A token from IAM, obtained on first use with a user's password and kept.

    It is renewed shortly before it expires, and once after a 401. Concurrent calls share one
    login. A login that IAM refuses is an ``AuthenticationError`` on every later call as well,
    without another request to IAM; make a new object to try again. Threads and event loops may
    share it.

    Args:
        user: Name of the IAM user.
        password: Its password.
        account: Name of the account (IAM's word: domain) that the user belongs to.
        project_id: Project the token is for. By ID works on the vendor's IAM and on any Keystone.
            A ``Client`` that is given no project takes this one.
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
        super().__init__(clock=clock)
        if project_id is None and region is None:
            raise ConfigurationError(
                "IamPasswordAuth needs project_id or region: a token is for one project."
            )
        self._user = _rules.text("user", user)
        self._password = _rules.text("password", password)
        self._account = _rules.text("account", account)
        self.project_id = None if project_id is None else _rules.project_id(project_id)
        self._region = None if region is None else _rules.text("region", region)
        self._base = (
            _regions.iam(region)
            if iam_endpoint is None
            else _regions.iam_endpoint("iam_endpoint", iam_endpoint)
        )

    def __repr__(self) -> str:
        return f"IamPasswordAuth(user={self._user!r}, account={self._account!r}, …)"

    def order(self) -> tuple[Request, list[str]]:
        """The login with the password, for one project."""
        project: dict[str, object] = {"id": self.project_id}
        if self.project_id is None:
            # The vendor's page shows the name alone. OpenStack's Keystone wants the project's
            # domain beside a name: there, give the ID.
            project = {"name": self._region}
        user = {"name": self._user, "password": self._password, "domain": {"name": self._account}}
        document = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project},
            }
        }
        request = Request(
            LOGIN.method,
            self._base.origin,
            f"{self._base.path}{LOGIN.template}",
            {"Accept": "application/json", "Content-Type": "application/json"},
            json.dumps(document).encode(),
        )
        return request, [self._password]

    def authenticate(
        self, request: Request, rejected: Mapping[str, str] | None, login: Login, /
    ) -> Generator[Any, Any, Mapping[str, str] | None]:
        """The token's header; what a login fails with says that it was the login."""
        return (yield from super().authenticate(request, rejected, self._explained(login)))

    def _explained(self, login: Login) -> Login:
        def explained(
            request: Request, hidden: list[str]
        ) -> Generator[Any, Any, tuple[Reply, Document]]:
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
                    f"{host} failed: {error.status} {error.message.rstrip('.')}. Nothing else was "
                    "sent: it is safe to repeat."
                ) from error
            except ReplicationError as error:
                raise NotSentError(
                    f"{host} failed: {error.message.rstrip('.')}. Nothing else was sent.",
                    lasting=getattr(error, "lasting", False),
                ) from error

        return explained

    def receive(self, reply: Reply, document: Document, now: float) -> Token:
        """The token in a header, and its life by the clock of the IAM."""
        token = _token(reply, document, now)
        if token is None:
            raise NotSentError(
                f"The login at {self._base.origin.authority} brought no usable token. Nothing else "
                "was sent."
            )
        return token


def _token(reply: Reply, document: Document, now: float) -> Token | None:
    try:
        value = _rules.secret("token", reply.headers.get("x-subject-token"))
        described = document["token"]
        life = _seconds(described["expires_at"]) - _issued(reply, described, now)
    except (ValueError, LookupError, TypeError, OverflowError):  # They quote what is wrong.
        return None
    return Token(value, life)


def _issued(reply: Reply, described: Mapping[str, Any], now: float) -> float:
    """When the IAM issued a token by its own clock; ours may be wrong by days."""
    try:
        return _seconds(described["issued_at"])
    except (ValueError, LookupError, TypeError, OverflowError):
        pass
    try:
        return parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (ValueError, LookupError, TypeError, OverflowError):
        return now


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
