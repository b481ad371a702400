"""The server to test and its limits, read from the environment before anything is sent."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .contract import IDENTIFIERS, TASK_NAME, Operation

PREFIX = "TAURUSDB_FUZZ_"
# Settings for a server on another machine. It gets more time, and up to half an hour to pause a
# task, like in the vendor's Terraform provider.
REMOTE = {"rate": 2.0, "slowest": 5.0, "settle": 1800.0, "hold": 60.0}


class CannotRunError(Exception):
    """The target could not be tested. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server, a token, and the only task that the suite pauses and resumes.

    Attributes:
        url: URL of the server.
        token: Value of `X-Auth-Token`.
        task_name: The task that is paused and resumed many times.
        other_instance_id: An instance whose tasks must not change. Only its list is read.
        source_instance_id: The TaurusDB instance that the instance replicates from. Without it,
            the call that lists its instances is not tested.
        rate: Maximum number of requests per second; None for no limit.
        slowest: Seconds after which a response is slow.
        settle: Seconds within which a pause or a resume must take effect.
        hold: Seconds for which a pause and a resume are watched, to check that they last.
        all_operations: Whether a missing operation is a fault. Version 1.1 of the contract added
            the list, and 1.2 the configuration and the instances. A server with an older version
            need not have them.
    """

    url: str
    token: str
    project_id: str
    instance_id: str
    task_name: str
    other_instance_id: str | None = None
    source_instance_id: str | None = None
    rate: float | None = None
    slowest: float = 2.0
    settle: float = 30.0
    hold: float = 1.5
    all_operations: bool = False

    def __repr__(self) -> str:
        return f"Target({self.url!r})"

    def instance(self, operation: Operation) -> str:
        """The instance of an operation."""
        return (self.source_instance_id or "") if operation.of_source else self.instance_id

    @property
    def is_remote(self) -> bool:
        """Whether the server is on another machine."""
        return not is_loopback(urlsplit(self.url).hostname or "")

    @property
    def base(self) -> str:
        """The path prefix of all paths of the contract."""
        return urlsplit(self.url).path.rstrip("/")


def read_target(url: str, environment: Mapping[str, str]) -> Target:
    """The target with a URL and settings from the environment.

    Raises:
        CannotRunError: A setting is missing or invalid, or the server is on another machine and
            the test is not confirmed.
    """
    names = ("token", "project_id", "instance_id", "task_name")
    variables = [PREFIX + name.upper() for name in names]
    missing = [variable for variable in variables if not environment.get(variable)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise CannotRunError(f"{', '.join(missing)} {verb} not set")
    settings: dict[str, Any] = {
        name: environment.get(PREFIX + name.upper()) or None
        for name in (*names, "other_instance_id", "source_instance_id")
    }
    if rate := environment.get("RATE"):
        settings["rate"] = _rate(rate)
    for name, variable in (
        ("slowest", "MAX_RESPONSE_SECONDS"),
        ("settle", "SETTLE_SECONDS"),
        ("hold", "HOLD_SECONDS"),
    ):
        if text := environment.get(variable):
            settings[name] = _seconds(variable, text)
    return checked_target(url, confirm=environment.get("CONFIRM") == "yes", **settings)


def checked_target(url: str, *, confirm: bool = False, **settings: Any) -> Target:
    """The target with a URL. A server on another machine is treated with care.

    Args:
        url: Where the server is.
        confirm: Whether a server on another machine may be tested.
        settings: Attributes of `Target`. The defaults for a server on another machine are in
            `REMOTE`.

    Raises:
        CannotRunError: A setting is invalid, or the server is on another machine and the test is
            not confirmed.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CannotRunError(f"TARGET is not an http:// or https:// URL: {url!r}")
    if parts.username is not None:
        raise CannotRunError("TARGET must not contain credentials")
    token = settings["token"]
    if not token or not token.isascii() or not token.isprintable():
        raise CannotRunError(f"{PREFIX}TOKEN is not a valid header value")
    for name, rule in (*IDENTIFIERS.items(), ("task_name", TASK_NAME)):
        if not rule.fullmatch(settings[name]):
            raise CannotRunError(f"{PREFIX}{name.upper()} does not match the contract")
    target = Target(url=url.rstrip("/"), **settings)
    if target.is_remote:
        if not confirm:
            raise CannotRunError(
                f"{parts.hostname} is not this machine: the suite pauses and resumes task "
                f"{settings['task_name']} there. Set CONFIRM=yes (in Python, confirm=True) to do so"
            )
        return Target(url=target.url, **REMOTE | settings)
    return target


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine, without a lookup."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _rate(text: str) -> float:
    """Requests a second."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})/([smh])", text, re.ASCII)
    if match is None:
        raise CannotRunError(f"RATE is {text!r}, but must be like 2/s, 30/m or 100/h")
    return int(match[1]) / {"s": 1, "m": 60, "h": 3600}[match[2]]


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < 86_400:
        raise CannotRunError(f"{name} is not a number of seconds")
    return seconds
