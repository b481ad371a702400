"""Find credentials when none are passed: in a fixed order, and never on the network."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from taurusdb_starrocks import _rules
from taurusdb_starrocks._credentials.access_key import AccessKeyAuth
from taurusdb_starrocks._credentials.credentials import Credentials
from taurusdb_starrocks._credentials.iam import IamPasswordAuth
from taurusdb_starrocks._credentials.token import TokenAuth
from taurusdb_starrocks._errors import ConfigurationError

# All environment variables with credentials or the project.
TOKEN = "TAURUSDB_STARROCKS_AUTH_TOKEN"  # noqa: S105  # The name of a variable.
ACCESS_KEY = "HUAWEICLOUD_SDK_AK"
SECRET_KEY = "HUAWEICLOUD_SDK_SK"  # noqa: S105  # As above.
SECURITY_TOKEN = "HUAWEICLOUD_SDK_SECURITY_TOKEN"  # noqa: S105  # As above.
PROJECT = "HUAWEICLOUD_SDK_PROJECT_ID"
PROFILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
OS_URL = "OS_AUTH_URL"
OS_USER = "OS_USERNAME"
OS_PASSWORD = "OS_PASSWORD"  # noqa: S105  # As above.
OS_ACCOUNT = "OS_USER_DOMAIN_NAME"
OS_PROJECT = "OS_PROJECT_ID"
OS_PROJECT_NAME = "OS_PROJECT_NAME"
OS_REGION = "OS_REGION_NAME"
PROFILE_SECTION = "basic"


class Found(NamedTuple):
    """Credentials that were found, and the project from the same source.

    Attributes:
        auth: The credentials, or None.
        source: Where they were found: names of variables, or a file.
        project_id: The project, if one was passed or found.
        project_source: Where the project was found.
    """

    auth: Credentials | None
    source: str
    project_id: str | None
    project_source: str


def find(
    environ: Mapping[str, str], region: str | None = None, project_id: str | None = None
) -> Found:
    """Find credentials: this package's token, the official client's keys, OpenStack's, the profile.

    Args:
        environ: Environment variables.
        region: Region of the client, for the scope of a login without a project.
        project_id: Project of the client, if it was passed.

    Raises:
        ConfigurationError: The first credentials found are incomplete or malformed.
    """
    found, found_source = project(environ, project_id)
    for auth, source in (
        (_token(environ), TOKEN),
        (_access_key(environ), f"{ACCESS_KEY} and {SECRET_KEY}"),
        (_openstack(environ, found, region), f"{OS_URL} and {OS_USER}"),
    ):
        if auth is not None:
            if found is None and environ.get(OS_PROJECT):
                found, found_source = environ[OS_PROJECT], OS_PROJECT
            return Found(auth, source, found, found_source)
    path = _profile_path(environ)
    profile = _profile(path, environ)
    if found is None and profile.get("project_id"):
        found, found_source = profile["project_id"], str(path)
    auth = _pair("ak", profile.get("ak"), "sk", profile.get("sk"), profile.get("security_token"))
    return Found(auth, str(path), found, found_source)


def project(environ: Mapping[str, str], project_id: str | None) -> tuple[str | None, str]:
    """The project that was passed or set, and where."""
    if project_id:
        return project_id, "project_id="
    return environ.get(PROJECT) or None, PROJECT


def nothing_found(environ: Mapping[str, str]) -> ConfigurationError:
    """The error that lists where the client looked for credentials."""
    return ConfigurationError(
        "No credentials. Pass auth=, for example TokenAuth(…), or set one of these (checked in "
        f"this order): {TOKEN}; {ACCESS_KEY} and {SECRET_KEY}; {OS_URL}, {OS_USER}, {OS_PASSWORD} "
        f"and {OS_ACCOUNT}; ak and sk under [{PROFILE_SECTION}] in {_profile_path(environ)} (or "
        f"in the file that {PROFILE} names)."
    )


def _token(environ: Mapping[str, str]) -> Credentials | None:
    token = environ.get(TOKEN)
    return TokenAuth(_rules.secret(TOKEN, token)) if token else None


def _access_key(environ: Mapping[str, str]) -> Credentials | None:
    return _pair(
        ACCESS_KEY,
        environ.get(ACCESS_KEY),
        SECRET_KEY,
        environ.get(SECRET_KEY),
        environ.get(SECURITY_TOKEN),
    )


def _pair(
    access_name: str,
    access_key: str | None,
    secret_name: str,
    secret_key: str | None,
    security_token: str | None,
) -> Credentials | None:
    if not access_key and not secret_key:
        return None
    if not access_key or not secret_key:
        missing = secret_name if access_key else access_name
        raise ConfigurationError(f"The access key is incomplete: {missing} is missing.")
    return AccessKeyAuth(access_key, secret_key, security_token or None)


def _openstack(
    environ: Mapping[str, str], project_id: str | None, region: str | None
) -> Credentials | None:
    if not environ.get(OS_URL) or not environ.get(OS_PASSWORD):
        return None  # OpenStack's tools use other kinds of login as well; those are not ours.
    missing = [name for name in (OS_USER, OS_ACCOUNT) if not environ.get(name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigurationError(
            f"Half an OpenStack login: {' and '.join(missing)} {verb} missing."
        )
    return IamPasswordAuth(
        environ[OS_USER],
        environ[OS_PASSWORD],
        environ[OS_ACCOUNT],
        project_id=environ.get(OS_PROJECT) or project_id,
        region=environ.get(OS_PROJECT_NAME) or environ.get(OS_REGION) or region,
        iam_endpoint=environ[OS_URL],
    )


def _profile_path(environ: Mapping[str, str]) -> Path:
    given = environ.get(PROFILE)
    if given:
        return Path(given)
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # Path's may raise.
    return Path(home) / ".huaweicloud" / "credentials"


def _profile(path: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        if environ.get(PROFILE):
            raise ConfigurationError(f"{PROFILE} names {path}, which does not exist.") from None
        return {}
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}.") from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        _rules.warn(f"{path} contains keys and other users can read it. Run: chmod 600 {path}")
    import configparser  # noqa: PLC0415  # Only a profile needs it.

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # The parser's message shows the line, which may contain a key.
        raise ConfigurationError(f"{path} is not an INI file: {type(error).__name__}.") from None
    return parser[PROFILE_SECTION] if parser.has_section(PROFILE_SECTION) else {}
