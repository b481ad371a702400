"""A token of IAM for one project, whatever it is bought with."""

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
    """A token of IAM for one project. A subclass gives the identity to log in with.

    Args:
        project_id: Project the token is for.
        region: Region whose project the token is for, when no project is given; also names the
            IAM host.
        iam_endpoint: IAM host, in place of the region's.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: Neither project nor region is given, or one is malformed.
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
        """The login with an identity, for one project."""
        project: dict[str, object] = {"id": self.project_id}
        if self.project_id is None:
            # The vendor's page shows the name alone. OpenStack's Keystone wants the project's
            # domain beside a name: there, give the ID.
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
