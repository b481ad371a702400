"""Requests signed with an access key."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from taurusdb_starrocks import _rules
from taurusdb_starrocks._credentials import signature
from taurusdb_starrocks._credentials.credentials import Credentials
from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._rebuild import Rebuild


class AccessKeyAuth(Credentials):
    """A request signature with an access key (SDK-HMAC-SHA256).

    The client does not retry after a 401, because more than five wrong signatures in a row lock the
    key for five minutes.

    Args:
        access_key: Access key (AK).
        secret_key: Secret key (SK). It never leaves this machine.
        security_token: Security token of a temporary access key.
        clock: Returns seconds since the epoch. The service rejects a difference of more than 15
            minutes.

    Raises:
        ConfigurationError: One of the three is empty, not ASCII, or contains a line break.
    """

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

    def rebuild(self) -> Rebuild | None:
        """Use the same key. The token of a temporary key expires."""
        if type(self) is not AccessKeyAuth or self._clock is not time.time:
            return None
        return Rebuild(
            "taurusdb_starrocks:AccessKeyAuth",
            {
                "access_key": self._access_key,
                "secret_key": self._secret_key,
                "security_token": self._security_token,
            },
            lasting=self._security_token is None,
        )

    def headers(self, request: Request, /) -> Mapping[str, str]:
        """The headers of a request signed now."""
        headers = {
            "X-Sdk-Date": datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
        }
        # The official client sends the project as well; the gateway needs it for a subproject.
        project = re.search(r"/v3/([0-9A-Za-z]{32})/", request.path)
        if project:
            headers["X-Project-Id"] = project[1]
        if self._security_token is not None:
            headers["X-Security-Token"] = self._security_token
        signed = [("Host", request.origin.authority), *headers.items()]
        if "Content-Type" in request.headers:
            signed.append(("Content-Type", request.headers["Content-Type"]))
        names, value = signature.sign(
            self._secret_key,
            request.method,
            request.target,
            signed,
            request.body,
            headers["X-Sdk-Date"],
        )
        headers["Authorization"] = (
            f"{signature.ALGORITHM} Access={self._access_key}, SignedHeaders={names}, "
            f"Signature={value}"
        )
        return headers
