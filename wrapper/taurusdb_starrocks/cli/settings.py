"""The settings of a client: from options, a profile, a prompt, or the environment."""

from __future__ import annotations

import configparser
import os
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taurusdb_starrocks import ConfigurationError

if TYPE_CHECKING:
    from taurusdb_starrocks import AsyncClient, Client

CREDENTIALS_FILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
STATE_HOME = "XDG_STATE_HOME"
# The client's messages name its arguments. These are the options in their place.
WORDS = {
    "Pass region= or endpoint=, or set": "Give --region or --endpoint, or set",
    "Give region or endpoint, not both.": "Give --region or --endpoint, not both.",
    "give endpoint='https://…' in place of region": "give --endpoint https://… instead",
    "Pass project_id= or set": "Give --project-id or set",
    "; find_project_id() looks it up": "",
    "Pass auth=, for example TokenAuth(…), or set": "Give --profile or --prompt, or set",
    "region=": "--region",
    "endpoint=": "--endpoint",
    "project_id=": "--project-id",
}


class Settings:
    """Endpoint, project and credentials, from the options of a command.

    A profile is read, and a prompt answered, once in a run of the command.

    Args:
        region: Value of ``--region``.
        endpoint: Value of ``--endpoint``.
        project_id: Value of ``--project-id``.
        profile: Value of ``--profile``: a section of the credentials file.
        prompt: Whether ``--prompt`` is given.
    """

    def __init__(
        self,
        region: str | None = None,
        endpoint: str | None = None,
        project_id: str | None = None,
        profile: str | None = None,
        prompt: bool = False,
    ) -> None:
        self._region = region
        self._endpoint = endpoint
        self._project_id = project_id
        self._profile = profile
        self._prompt = prompt

    @contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        """A client with these settings; the environment provides what no option gives.

        Raises:
            ConfigurationError: A setting is missing or malformed. The message names options.
        """
        try:
            made = _made(**self._arguments, **options)
        except ConfigurationError as error:
            raise ConfigurationError(in_options(str(error))) from None
        with made as client:
            yield client

    def options(self) -> list[str]:
        """The same settings as options, for another process.

        Raises:
            ConfigurationError: ``--prompt`` is given: no option can carry a secret.
        """
        if self._prompt:
            raise ConfigurationError("--prompt and --no-wait cannot be used together.")
        named = {
            "--region": self._region,
            "--endpoint": self._endpoint,
            "--project-id": self._project_id,
            "--profile": self._profile,
        }
        return [text for name, value in named.items() if value for text in (name, value)]

    def connect(self, endpoint: str, project_id: str) -> Client:
        """A client with these credentials, for an endpoint and a project of the journal."""
        auth = self._arguments.get("auth")
        return _made(endpoint=endpoint, project_id=project_id, auth=auth)

    def fleet_connect(self) -> Callable[[str | None, str | None], AsyncClient]:
        """A function that makes the clients of a fleet.

        These settings are used where a target has none.
        """
        given = self._arguments

        def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
            from taurusdb_starrocks import fleet  # noqa: PLC0415  # As above.

            own = {name: value for name, value in given.items() if name in {"auth", "region"}}
            if endpoint is not None:
                own.pop("region", None)
            try:
                return fleet.connect(
                    endpoint or given.get("endpoint"), project_id or given.get("project_id"), **own
                )
            except ConfigurationError as error:
                raise ConfigurationError(in_options(str(error))) from None

        return connect

    def source(self, found: str) -> str:
        """The source of a setting in the words of the command: an option, a profile, a file."""
        if found == "auth=":
            return "--prompt" if self._prompt else f"profile {self._profile}"
        given = {
            "endpoint=": self._endpoint,
            "region=": self._region,
            "project_id=": self._project_id,
        }
        if found in given and not given[found]:
            return f"profile {self._profile}"
        return in_options(found)

    @cached_property
    def _arguments(self) -> Mapping[str, Any]:
        arguments: dict[str, Any] = {
            "region": self._region,
            "endpoint": self._endpoint,
            "project_id": self._project_id,
        }
        if self._profile is not None:
            section = read_profile(self._profile, os.environ)
            if not self._region and not self._endpoint:
                arguments["region"] = section.get("region")
                arguments["endpoint"] = section.get("endpoint")
            arguments["project_id"] = self._project_id or section.get("project_id")
            arguments["auth"] = _signing(
                section.get("ak", ""), section.get("sk", ""), section.get("security_token")
            )
        if self._prompt:
            access_key = click.prompt("Access key (AK)", err=True)
            secret_key = click.prompt("Secret key (SK)", hide_input=True, err=True)
            arguments["auth"] = _signing(access_key, secret_key, None)
        return {name: value for name, value in arguments.items() if value}


def _made(**arguments: Any) -> Client:
    """A client."""
    from taurusdb_starrocks import Client  # noqa: PLC0415  # Completion and help need none.

    return Client(**arguments)


def _signing(access_key: str, secret_key: str, security_token: str | None) -> Any:
    from taurusdb_starrocks import AccessKeyAuth  # noqa: PLC0415  # Completion and help need none.

    return AccessKeyAuth(access_key, secret_key, security_token or None)


def in_options(text: str) -> str:
    """A message of the client, with options in place of its arguments."""
    for theirs, ours in WORDS.items():
        text = text.replace(theirs, ours)
    return text


def read_profile(name: str, environ: Mapping[str, str]) -> Mapping[str, str]:
    """A section of the official client's credentials file.

    Raises:
        ConfigurationError: The file cannot be read, or has no such section. The message does not
            quote it.
    """
    path = Path(environ.get(CREDENTIALS_FILE) or home() / ".huaweicloud" / "credentials")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, configparser.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}.") from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(
            f"{path} contains keys and other users can read it. Run: chmod 600 {path}", stacklevel=2
        )
    if not parser.has_section(name):
        known = ", ".join(parser.sections()) or "none"
        raise ConfigurationError(f"{path} has no profile [{name}]. It has: {known}.")
    section = parser[name]
    missing = [key for key in ("ak", "sk") if not section.get(key)]
    if missing:
        raise ConfigurationError(f"Profile [{name}] in {path} lacks {' and '.join(missing)}.")
    return section


def home() -> Path:
    """The user's home folder.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigurationError("This user has no home folder: set HOME.") from None


def journal_path(given: str | None, environ: Mapping[str, str]) -> Path:
    """The path of the journal: the given one, or the one in the user's state folder."""
    if given:
        return Path(given)
    state = environ.get(STATE_HOME) or home() / ".local" / "state"
    return Path(state) / "taurusdb-starrocks" / "journal.sqlite"
