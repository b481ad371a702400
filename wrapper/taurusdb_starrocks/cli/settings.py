"""What a client is made with: from options, a profile, a prompt, or the environment."""

from __future__ import annotations

import configparser
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from taurusdb_starrocks import ConfigurationError

if TYPE_CHECKING:
    from taurusdb_starrocks import AsyncClient, Client

CREDENTIALS_FILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
STATE_HOME = "XDG_STATE_HOME"
# What the client names by its arguments, as it is called here.
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


class Settings(NamedTuple):
    """The options that say where requests go, and on whose behalf.

    Attributes:
        region: Region, if given.
        endpoint: Endpoint in place of a region, if given.
        project_id: Project, if given.
        profile: Section of the credentials file, if given.
        prompt: Whether to ask for an access key.
    """

    region: str | None = None
    endpoint: str | None = None
    project_id: str | None = None
    profile: str | None = None
    prompt: bool = False

    @contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        """A client made with them; for the rest with the environment.

        Raises:
            ConfigurationError: Something is missing or malformed; the message names options.
        """
        try:
            made = _made(**self._arguments(), **options)
        except ConfigurationError as error:
            raise ConfigurationError(in_options(str(error))) from None
        with made as client:
            yield client

    def options(self) -> list[str]:
        """The same as options, for another process.

        Raises:
            ConfigurationError: What was asked for on the terminal is not given away.
        """
        if self.prompt:
            raise ConfigurationError("--prompt and --no-wait cannot be used together.")
        named = {
            "--region": self.region,
            "--endpoint": self.endpoint,
            "--project-id": self.project_id,
            "--profile": self.profile,
        }
        return [text for name, value in named.items() if value for text in (name, value)]

    def connect(self, endpoint: str, project_id: str) -> Client:
        """A client for what the journal names, with these credentials."""
        auth = self._arguments().get("auth")
        return _made(endpoint=endpoint, project_id=project_id, auth=auth)

    def fleet_connect(self) -> Callable[[str | None, str | None], AsyncClient]:
        """What makes the clients of a fleet: these settings are what a target does not say."""
        given = self._arguments()

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
        """Where a setting was found: an option, the profile, a variable or a file."""
        if found == "auth=":
            return "--prompt" if self.prompt else f"profile {self.profile}"
        given = {"endpoint=": self.endpoint, "region=": self.region, "project_id=": self.project_id}
        if found in given and not given[found]:
            return f"profile {self.profile}"
        return in_options(found)

    def _arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "region": self.region,
            "endpoint": self.endpoint,
            "project_id": self.project_id,
        }
        if self.profile is not None:
            section = read_profile(self.profile, os.environ)
            if not self.region and not self.endpoint:
                arguments["region"] = section.get("region")
                arguments["endpoint"] = section.get("endpoint")
            arguments["project_id"] = self.project_id or section.get("project_id")
            arguments["auth"] = _signing(
                section.get("ak", ""), section.get("sk", ""), section.get("security_token")
            )
        if self.prompt:
            access_key = click.prompt("Access key (AK)", err=True)
            secret_key = click.prompt("Secret key (SK)", hide_input=True, err=True)
            arguments["auth"] = _signing(access_key, secret_key, None)
        return {name: value for name, value in arguments.items() if value}


class _WithoutPygments(MetaPathFinder):
    """Keeps httpx from loading a command line of its own, which needs click, pygments and rich.

    It does so where they are installed, and takes a fifth of what a command takes in all.
    """

    def find_spec(self, fullname: str, *_others: object) -> None:
        """Nothing, or the error that it is not installed."""
        if fullname == "pygments":
            raise ModuleNotFoundError(name=fullname)

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *_exception: object) -> None:
        sys.meta_path.remove(self)


def _made(**arguments: Any) -> Client:
    """A client."""
    from taurusdb_starrocks import Client  # noqa: PLC0415  # Completion and help need none.

    with _WithoutPygments():
        return Client(**arguments)


def _signing(access_key: str, secret_key: str, security_token: str | None) -> Any:
    from taurusdb_starrocks import AccessKeyAuth  # noqa: PLC0415  # Completion and help need none.

    return AccessKeyAuth(access_key, secret_key, security_token or None)


def in_options(text: str) -> str:
    """A message of the client in the words of the command."""
    for theirs, ours in WORDS.items():
        text = text.replace(theirs, ours)
    return text


def read_profile(name: str, environ: Mapping[str, str]) -> Mapping[str, str]:
    """A section of the official client's credentials file.

    Raises:
        ConfigurationError: The file cannot be read, or has no such section. It is not quoted.
    """
    path = Path(environ.get(CREDENTIALS_FILE) or Path.home() / ".huaweicloud" / "credentials")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}.") from None
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        raise ConfigurationError(f"{path} holds keys and others can read it: chmod 600 it.")
    if not parser.has_section(name):
        known = ", ".join(parser.sections()) or "none"
        raise ConfigurationError(f"{path} has no profile [{name}]. It has: {known}.")
    section = parser[name]
    missing = [key for key in ("ak", "sk") if not section.get(key)]
    if missing:
        raise ConfigurationError(f"Profile [{name}] in {path} lacks {' and '.join(missing)}.")
    return section


def journal_path(given: str | None, environ: Mapping[str, str]) -> Path:
    """The journal: the one that is given, or the one in the user's state folder."""
    if given:
        return Path(given)
    state = environ.get(STATE_HOME) or Path.home() / ".local" / "state"
    return Path(state) / "taurusdb-starrocks" / "journal.sqlite"
