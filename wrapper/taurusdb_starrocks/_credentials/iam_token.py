"""An IAM token for one project, for any kind of login."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from taurusdb_starrocks import _regions, _rules
from taurusdb_starrocks._credentials.bought import BoughtToken, Token
from taurusdb_starrocks._errors import ConfigurationError, NotSentError
from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import LOGIN, Document


class IamToken(BoughtToken):
    """An IAM token for one project. A subclass provides the identity for the login.

    Args:
        project_id: ID of the project that the token is for.
        region: Region of the IAM endpoint. Without ``project_id``, the token is for the project of
            this region.
        iam_endpoint: IAM endpoint to use instead of the region's.
        clock: Returns seconds since the epoch.

    Raises:
        ConfigurationError: Project and region are both missing, or one is malformed.
    """

    def __init__(
        self,
        *,
        project_id: str | None = None,
        region: str | None = None,
        iam_endpoint: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock=clock)
        if project_id is None and region is None:
            raise ConfigurationError(
                f"{type(self).__name__} needs project_id or region: a token is for one project."
            )
        self.project_id = None if project_id is None else _rules.project_id(project_id)
        self._region = None if region is None else _rules.text("region", region)
        self._base = (
            _regions.iam(region)
            if iam_endpoint is None
            else _regions.iam_endpoint("iam_endpoint", iam_endpoint)
        )

    def _login_with(self, method: str, identity: Mapping[str, object]) -> Request:
        """The login request with an identity, for one project."""
        project: dict[str, object] = {"id": self.project_id}
        if self.project_id is None:
            # The vendor's page has only the name. OpenStack's Keystone requires the project's
            # domain with a name: with Keystone, pass the ID.
            project = {"name": self._region}
        document = {
            "auth": {
                "identity": {"methods": [method], method: identity},
                "scope": {"project": project},
            }
        }
        return Request(
            LOGIN.method,
            self._base.origin,
            f"{self._base.path}{LOGIN.template}",
            {"Accept": "application/json", "Content-Type": "application/json"},
            json.dumps(document).encode(),
        )

    def receive(self, reply: Reply, document: Document, now: float) -> Token:
        """The token from the response header, and its lifetime by IAM's clock."""
        token = _token(reply, document, now)
        if token is None:
            raise NotSentError(
                f"The login at {self._base.origin.authority} returned no usable token. Nothing "
                "else was sent."
            )
        return token


def _token(reply: Reply, document: Document, now: float) -> Token | None:
    try:
        value = _rules.secret("token", reply.headers.get("x-subject-token"))
        described = document["token"]
        life = _seconds(described["expires_at"]) - _issued(reply, described, now)
    except (ValueError, LookupError, TypeError, OverflowError):  # Their messages contain the value.
        return None
    return Token(value, life)


def _issued(reply: Reply, described: Mapping[str, Any], now: float) -> float:
    """When IAM issued a token, by IAM's clock. The local clock may be wrong by days."""
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
