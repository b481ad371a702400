"""What is tested, and how carefully: read from the environment before anything is sent."""

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
    """Nothing can be said about the target; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server, the token to use, and the one task that may be paused and resumed.

    Attributes:
        url: Where the server is.
        token: What goes in `X-Auth-Token`.
        task_name: The task that is paused and resumed, again and again.
        other_instance_id: An instance whose tasks must stay as they are. Only its list is read.
        source_instance_id: The TaurusDB instance that the instance replicates from. Without it,
            the call that lists its instances is not tested.
        rate: Requests a second at the most; None for no bound.
        slowest: Seconds after which a response counts as slow.
        settle: Seconds in which a pause or a resume must have taken effect.
        hold: Seconds for which a pause and a resume are watched, to see that they last.
        all_operations: Whether a target that lacks an operation is at fault. The list came to the
            contract with version 1.1, configuration and instances with 1.2: a server of an earlier
            version follows its contract without them.
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
        """The instance that an operation is about."""
        return (self.source_instance_id or "") if operation.of_source else self.instance_id

    @property
    def base(self) -> str:
        """The path that all paths of the contract follow."""
        return urlsplit(self.url).path.rstrip("/")


def read_target(url: str, environment: Mapping[str, str]) -> Target:
    """The target at a URL.

    Raises:
        CannotRunError: A setting is missing or cannot be used, or nobody has confirmed that a
            service which is not on this machine may be tested.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CannotRunError(f"TARGET is no http:// or https:// address: {url!r}")
    if parts.username is not None:
        raise CannotRunError("TARGET must not hold credentials")
    values: dict[str, Any] = {
        name: environment.get(PREFIX + name.upper(), "")
        for name in ("token", "project_id", "instance_id", "task_name")
    }
    if missing := [PREFIX + name.upper() for name, value in values.items() if not value]:
        verb = "is" if len(missing) == 1 else "are"
        raise CannotRunError(f"{', '.join(missing)} {verb} not set")
    if not values["token"].isascii() or not values["token"].isprintable():
        raise CannotRunError(f"{PREFIX}TOKEN cannot stand in a header")
    for name, rule in (*IDENTIFIERS.items(), ("task_name", TASK_NAME)):
        if not rule.fullmatch(values[name]):
            raise CannotRunError(f"{PREFIX}{name.upper()} does not fit the contract")
    local = is_loopback(parts.hostname)
    if not local and environment.get("CONFIRM") != "yes":
        raise CannotRunError(
            f"{parts.hostname} is not this machine: the suite pauses and resumes task "
            f"{values['task_name']} there; say CONFIRM=yes if that is what you want"
        )
    rate = environment.get("RATE") or (None if local else "2/s")
    return Target(
        url=url.rstrip("/"),
        other_instance_id=environment.get(PREFIX + "OTHER_INSTANCE_ID") or None,
        source_instance_id=environment.get(PREFIX + "SOURCE_INSTANCE_ID") or None,
        rate=None if rate is None else _rate(rate),
        # A service across a network is given more time, and a real one up to half an hour to
        # pause a task: that is how long the vendor's own Terraform provider waits.
        slowest=_seconds(environment, "MAX_RESPONSE_SECONDS", 2.0 if local else 5.0),
        settle=_seconds(environment, "SETTLE_SECONDS", 30.0 if local else 1800.0),
        hold=_seconds(environment, "HOLD_SECONDS", 1.5 if local else 60.0),
        **values,
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name: nothing is looked up."""
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
        raise CannotRunError(f"RATE is {text!r}; it is written like 2/s, 30/m or 100/h")
    return int(match[1]) / {"s": 1, "m": 60, "h": 3600}[match[2]]


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        seconds = float(environment.get(name) or default)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < 86_400:
        raise CannotRunError(f"{name} is no number of seconds")
    return seconds
