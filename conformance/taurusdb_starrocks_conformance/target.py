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
    def base(self) -> str:
        """The path prefix of all paths of the contract."""
        return urlsplit(self.url).path.rstrip("/")


def read_target(url: str, environment: Mapping[str, str]) -> Target:
    """The target with a URL and settings from the environment.

    Raises:
        CannotRunError: A setting is missing or invalid, or the server is on another machine and
            the test is not confirmed.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CannotRunError(f"TARGET is not an http:// or https:// URL: {url!r}")
    if parts.username is not None:
        raise CannotRunError("TARGET must not contain credentials")
    values: dict[str, Any] = {
        name: environment.get(PREFIX + name.upper(), "")
        for name in ("token", "project_id", "instance_id", "task_name")
    }
    if missing := [PREFIX + name.upper() for name, value in values.items() if not value]:
        verb = "is" if len(missing) == 1 else "are"
        raise CannotRunError(f"{', '.join(missing)} {verb} not set")
    if not values["token"].isascii() or not values["token"].isprintable():
        raise CannotRunError(f"{PREFIX}TOKEN is not a valid header value")
    for name, rule in (*IDENTIFIERS.items(), ("task_name", TASK_NAME)):
        if not rule.fullmatch(values[name]):
            raise CannotRunError(f"{PREFIX}{name.upper()} does not match the contract")
    local = is_loopback(parts.hostname)
    if not local and environment.get("CONFIRM") != "yes":
        raise CannotRunError(
            f"{parts.hostname} is not this machine: the suite pauses and resumes task "
            f"{values['task_name']} there. Set CONFIRM=yes if you want that"
        )
    rate = environment.get("RATE") or (None if local else "2/s")
    return Target(
        url=url.rstrip("/"),
        other_instance_id=environment.get(PREFIX + "OTHER_INSTANCE_ID") or None,
        source_instance_id=environment.get(PREFIX + "SOURCE_INSTANCE_ID") or None,
        rate=None if rate is None else _rate(rate),
        # A server in the network gets more time, and up to half an hour to pause a task, like in
        # the vendor's Terraform provider.
        slowest=_seconds(environment, "MAX_RESPONSE_SECONDS", 2.0 if local else 5.0),
        settle=_seconds(environment, "SETTLE_SECONDS", 30.0 if local else 1800.0),
        hold=_seconds(environment, "HOLD_SECONDS", 1.5 if local else 60.0),
        **values,
    )


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


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        seconds = float(environment.get(name) or default)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < 86_400:
        raise CannotRunError(f"{name} is not a number of seconds")
    return seconds
