"""Where an identity is found when none is given, in a fixed order and never on the network."""

from __future__ import annotations

import configparser
import os
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path

import attrs
import httpx

from taurusdb_starrocks import _rules
from taurusdb_starrocks._auth import AccessKeyAuth, IamPasswordAuth, TokenAuth
from taurusdb_starrocks._errors import ConfigurationError

TOKEN = "TAURUSDB_STARROCKS_AUTH_TOKEN"  # noqa: S105  # The name of a variable.
PROJECT = "HUAWEICLOUD_SDK_PROJECT_ID"
PROFILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
PROFILE_SECTION = "basic"


@attrs.frozen
class Found:
    """An identity from the surroundings, and the project that stands beside it."""

    auth: httpx.Auth | None
    project_id: str | None


def find(
    environ: Mapping[str, str], region: str | None = None, project_id: str | None = None
) -> Found:
    """The first identity there is: our token, the official client's, OpenStack's, the profile's.

    Args:
        environ: Environment variables.
        region: Region of the client, for the scope of a login that names no project.
        project_id: Project of the client, if it is given.

    Raises:
        ConfigurationError: What was found is incomplete or malformed.
    """
    project_id = project_id or environ.get(PROJECT) or None
    auth = _token(environ) or _access_key(environ) or _openstack(environ, project_id, region)
    if auth is not None:
        return Found(auth, project_id or environ.get("OS_PROJECT_ID") or None)
    profile = _profile(environ)
    return Found(
        _pair("ak", profile.get("ak"), "sk", profile.get("sk"), profile.get("security_token")),
        project_id or profile.get("project_id") or None,
    )


def nothing_found(environ: Mapping[str, str]) -> ConfigurationError:
    """The error that lists where an identity was looked for."""
    return ConfigurationError(
        "No identity. Pass auth=, for example TokenAuth(…), or set one of these, looked for in "
        f"this order: {TOKEN}; HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK; OS_AUTH_URL, "
        "OS_USERNAME, OS_PASSWORD and OS_USER_DOMAIN_NAME; ak and sk under "
        f"[{PROFILE_SECTION}] in {_profile_path(environ)} (or where {PROFILE} points)."
    )


def _token(environ: Mapping[str, str]) -> httpx.Auth | None:
    token = environ.get(TOKEN)
    return TokenAuth(_rules.secret(TOKEN, token)) if token else None


def _access_key(environ: Mapping[str, str]) -> httpx.Auth | None:
    return _pair(
        "HUAWEICLOUD_SDK_AK",
        environ.get("HUAWEICLOUD_SDK_AK"),
        "HUAWEICLOUD_SDK_SK",
        environ.get("HUAWEICLOUD_SDK_SK"),
        environ.get("HUAWEICLOUD_SDK_SECURITY_TOKEN"),
    )


def _pair(
    access_name: str,
    access_key: str | None,
    secret_name: str,
    secret_key: str | None,
    security_token: str | None,
) -> httpx.Auth | None:
    if not access_key and not secret_key:
        return None
    if not access_key or not secret_key:
        missing = secret_name if access_key else access_name
        raise ConfigurationError(f"Half an access key: {missing} is missing.")
    return AccessKeyAuth(access_key, secret_key, security_token or None)


def _openstack(
    environ: Mapping[str, str], project_id: str | None, region: str | None
) -> httpx.Auth | None:
    names = ("OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_NAME")
    if not environ.get("OS_AUTH_URL") or not environ.get("OS_PASSWORD"):
        return None  # OpenStack's tools use other kinds of login as well; those are not ours.
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise ConfigurationError(f"Half an OpenStack login: {', '.join(missing)} is missing.")
    return IamPasswordAuth(
        environ["OS_USERNAME"],
        environ["OS_PASSWORD"],
        environ["OS_USER_DOMAIN_NAME"],
        project_id=environ.get("OS_PROJECT_ID") or project_id,
        region=environ.get("OS_PROJECT_NAME") or environ.get("OS_REGION_NAME") or region,
        iam_endpoint=environ["OS_AUTH_URL"],
    )


def _profile_path(environ: Mapping[str, str]) -> Path:
    given = environ.get(PROFILE)
    if given:
        return Path(given)
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # Path's may raise.
    return Path(home) / ".huaweicloud" / "credentials"


def _profile(environ: Mapping[str, str]) -> Mapping[str, str]:
    path = _profile_path(environ)
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}.") from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(f"{path} holds keys and others can read it: chmod 600 it.", stacklevel=5)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # Its own text quotes the line, which may hold a key.
        raise ConfigurationError(f"{path} is not an INI file: {type(error).__name__}.") from None
    return parser[PROFILE_SECTION] if parser.has_section(PROFILE_SECTION) else {}
