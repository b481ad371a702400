"""A token from IAM, bought with a user's password."""

from __future__ import annotations

import time
from collections.abc import Callable

from taurusdb_starrocks import _rules
from taurusdb_starrocks._credentials.iam_token import IamToken
from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._rebuild import Rebuild


class IamPasswordAuth(IamToken):
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
        super().__init__(
            project_id=project_id, region=region, iam_endpoint=iam_endpoint, clock=clock
        )
        self._user = _rules.text("user", user)
        self._password = _rules.text("password", password)
        self._account = _rules.text("account", account)

    def __repr__(self) -> str:
        return f"IamPasswordAuth(user={self._user!r}, account={self._account!r}, …)"

    def rebuild(self) -> Rebuild | None:
        """With the password, which buys another token there."""
        if type(self) is not IamPasswordAuth or self._clock is not time.time:
            return None
        return Rebuild(
            "taurusdb_starrocks:IamPasswordAuth",
            {
                "user": self._user,
                "password": self._password,
                "account": self._account,
                "project_id": self.project_id,
                "region": self._region,
                "iam_endpoint": str(self._base),
            },
        )

    def order(self) -> tuple[Request, list[str]]:
        """The login with the password, for one project."""
        user = {"name": self._user, "password": self._password, "domain": {"name": self._account}}
        return self._login_with("password", {"user": user}), [self._password]
