"""IAM: the login, and the projects of a caller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from .auth import Authenticator, UnauthenticatedError
from .exchange import Exchange
from .response import Refused, Response, iam_error, json_response
from .state import State
from .strict_json import Malformed, check_content_type, strict_json

__all__ = ["Iam"]


class Iam:
    """The calls of IAM that a client needs."""

    def __init__(self, state: State, authenticator: Authenticator) -> None:
        self._state = state
        self._authenticator = authenticator

    def login(self, exchange: Exchange) -> Response:
        """Issue a token for a username and password, for a project if the login has one."""
        try:
            check_content_type(exchange.headers.getlist("content-type"))
            document = strict_json(exchange.read_body())
            account, name, password, wanted = _read_login(document)
        except Malformed as error:
            raise Refused(iam_error(400, f"Malformed request: {error}.")) from error
        user_id = self._state.user_id(account, name, password)
        if user_id is None:
            raise Refused(iam_error(401, "The username or password is wrong."))
        exchange.caller, theirs = self._state.user(user_id)
        domain = {"id": _made_id(account), "name": account}
        project = None if wanted is None else self._project(wanted, domain, theirs)
        scope = None if project is None else project["id"]
        token, issued_at, expires_at = self._authenticator.issue(user_id, scope)
        body: dict[str, Any] = {
            "expires_at": _moment(expires_at),
            "issued_at": _moment(issued_at),
            "methods": ["password"],
            "catalog": [],
            "roles": [],
            "user": {"id": _made_id(f"{account}/{name}"), "name": name, "domain": domain},
        }
        if project is not None:
            body["project"] = {**project, "domain": domain}
        return json_response({"token": body}, status=201).with_headers({"X-Subject-Token": token})

    def projects(self, exchange: Exchange) -> Response:
        """The caller's projects, or those with the requested name."""
        try:
            caller = self._authenticator.caller(exchange.signed())
        except UnauthenticatedError as error:
            raise Refused(iam_error(401, f"Authentication is needed: {error}.")) from error
        exchange.caller = caller.name
        names = parse_qs(exchange.query).get("name")
        projects = [
            {"id": project_id, "name": name, "enabled": True, "description": "", "links": {}}
            for project_id, name in self._state.projects().items()
            if project_id in caller.projects and (names is None or name in names)
        ]
        return json_response({"projects": projects, "links": {}})

    def _project(
        self, wanted: Mapping[str, Any], domain: dict[str, str], theirs: frozenset[str]
    ) -> dict[str, str]:
        """The project of a login, by ID or by name."""
        account = wanted.get("domain")
        if account in (None, {"name": domain["name"]}, {"id": domain["id"]}):
            for project_id, name in self._state.projects().items():
                meant = wanted.get("id") == project_id or wanted.get("name") == name
                if meant and project_id in theirs:
                    return {"id": project_id, "name": name}
        raise Refused(iam_error(401, "The project is not one of the user's."))


def _read_login(document: Any) -> tuple[str, str, str, Mapping[str, Any] | None]:
    """Account, user, password and requested project of a login."""
    if _at(document, list, "auth", "identity", "methods") != ["password"]:
        raise Malformed("the only method is password")
    user = _at(document, dict, "auth", "identity", "password", "user")
    account, name = _at(user, str, "domain", "name"), _at(user, str, "name")
    scope = document["auth"].get("scope")
    wanted = scope.get("project") if isinstance(scope, Mapping) else None
    if not isinstance(wanted, Mapping | None):
        raise Malformed("auth.scope.project is of the wrong type")
    return account, name, _at(user, str, "password"), wanted


def _at(document: Any, kind: type, *keys: str) -> Any:
    """The value under a path of keys in nested objects."""
    for key in keys:
        if not isinstance(document, dict) or key not in document:
            raise Malformed(f"{'.'.join(keys)} is missing")
        document = document[key]
    if not isinstance(document, kind):
        raise Malformed(f"{'.'.join(keys)} is of the wrong type")
    return document


def _moment(time: float) -> str:
    """A time in the format of IAM."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _made_id(name: str) -> str:
    """An ID for something that has only a name in the seed. Equal names get equal IDs."""
    return sha256(name.encode()).hexdigest()[:32]
