"""A token from IAM, with a user's password."""

from __future__ import annotations

import time
from collections.abc import Callable

from taurusdb_starrocks import _rules
from taurusdb_starrocks._credentials.iam_token import IamToken
from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._rebuild import Rebuild


class IamPasswordAuth(IamToken):
    """Logs in at IAM with a user's password on first use, and caches the token.

    The token is renewed shortly before it expires, and once after a 401. If it cannot be renewed,
    it is used until it expires. Concurrent calls share one login. If IAM rejects the login, all
    calls without a valid token raise the ``AuthenticationError`` again without another request to
    IAM; create a new object to try again. Threads and event loops can share the object.

    Args:
        user: Name of the IAM user.
        password: Password of the user.
        account: Name of the account of the user. IAM calls it "domain".
        project_id: ID of the project that the token is for. It works with IAM and with any
            Keystone. A ``Client`` without a project uses this one.
        region: Region of the IAM endpoint. Without ``project_id``, the token is for the project of
            this region.
        iam_endpoint: IAM endpoint to use instead of the region's.
        clock: Returns seconds since the epoch.

    Raises:
        ConfigurationError: Project and region are both missing, or one is malformed.
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
        """Use the password. The other process gets its own token."""
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
