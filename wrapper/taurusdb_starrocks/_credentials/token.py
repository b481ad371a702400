"""A token that you provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from taurusdb_starrocks import _rules
from taurusdb_starrocks._credentials.credentials import Credentials
from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._rebuild import Rebuild


class TokenAuth(Credentials):
    """An IAM token that you provide.

    Args:
        token: The token, or a function that returns the current token. The function is called for
            each attempt, and once more after a 401. It runs in the thread of the call, which with
            an ``AsyncClient`` is the thread of the event loop. So it must be fast and thread-safe,
            and it cannot be a coroutine function. If it raises, the call raises ``NotSentError``
            with the original exception as its ``__cause__``.

    Raises:
        ConfigurationError: The token is empty, not ASCII, or contains a line break. The error
            does not show it.
    """

    @_rules.discreet
    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token if callable(token) else _rules.secret("token", token)
        self.renewable = callable(token)

    def __repr__(self) -> str:
        return "TokenAuth(…)"

    @_rules.discreet
    def replace(self, token: str) -> None:
        """Use another token from the next attempt on, for example before the first one expires.

        Raises:
            ConfigurationError: The token is malformed, or a function provides the tokens.
        """
        if callable(self._token):
            raise ConfigurationError("The token comes from a function and cannot be replaced.")
        self._token = _rules.secret("token", token)

    def rebuild(self) -> Rebuild | None:
        """Use the token itself. A function is not available in another process."""
        if callable(self._token) or type(self) is not TokenAuth:
            return None
        return Rebuild("taurusdb_starrocks:TokenAuth", {"token": self._token}, lasting=False)

    def headers(self, _request: Request, /) -> Mapping[str, str]:
        """The header with the token."""
        given = self._token
        return {"X-Auth-Token": _rules.secret("token", given()) if callable(given) else given}
