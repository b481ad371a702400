"""A token that somebody else obtained."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from taurusdb_starrocks import _rules
from taurusdb_starrocks._credentials.credentials import Credentials
from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._rebuild import Rebuild


class TokenAuth(Credentials):
    """An IAM token that somebody else obtained.

    Args:
        token: The token, or a callable that returns the one to use now. A callable is called for
            each attempt, and once more after a 401; it must be quick, and safe for threads. What
            it raises becomes a ``NotSentError`` with the original as its ``__cause__``.

    Raises:
        ConfigurationError: The token is empty, not ASCII or holds a line break. It is not shown.
    """

    @_rules.discreet
    def __init__(self, token: str | Callable[[], str]) -> None:
        self._token = token if callable(token) else _rules.secret("token", token)
        self.renewable = callable(token)

    def __repr__(self) -> str:
        return "TokenAuth(…)"

    @_rules.discreet
    def replace(self, token: str) -> None:
        """Use another token from the next attempt on, as when the first one ends.

        Raises:
            ConfigurationError: The token is malformed, or a callable gives the tokens.
        """
        if callable(self._token):
            raise ConfigurationError("These credentials call a function for each token.")
        self._token = _rules.secret("token", token)

    def rebuild(self) -> Rebuild | None:
        """With the token itself; a function cannot be had in another process."""
        if callable(self._token) or type(self) is not TokenAuth:
            return None
        return Rebuild("taurusdb_starrocks:TokenAuth", {"token": self._token}, lasting=False)

    def headers(self, _request: Request, /) -> Mapping[str, str]:
        """The token's header."""
        given = self._token
        return {"X-Auth-Token": _rules.secret("token", given()) if callable(given) else given}
