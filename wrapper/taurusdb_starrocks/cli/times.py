"""Durations and times as users write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
LONGEST = 1_000_000  # Seconds; what the client takes.


def duration(value: str) -> float:
    """The seconds of a duration like ``2h``, ``1h30m`` or ``45s``."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([dhms])", value)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != value or seconds <= 0:
        raise click.BadParameter(f"{value!r} is not a duration like 2h, 1h30m or 45s.")
    if seconds > LONGEST:
        raise click.BadParameter(f"{value!r} is longer than the maximum, {spoken(LONGEST)}.")
    return seconds


def time(value: str, now: datetime | None = None) -> datetime:
    """The next ``06:00`` or other time of day, or a date and time in ISO 8601."""
    now = now or datetime.now().astimezone()
    try:
        if re.fullmatch(r"[0-9]{2}:[0-9]{2}", value):
            moment = datetime.fromisoformat(f"{now:%Y-%m-%d}T{value}")
            if moment.astimezone() <= now:
                moment += timedelta(days=1)
        else:
            moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a time like 06:00 or 2026-11-25T06:00."
        ) from None
    moment = moment.astimezone()  # Of the local zone, if it has none.
    if moment <= now:
        raise click.BadParameter(f"{value!r} has passed.")
    return moment


def spoken(seconds: float) -> str:
    """A duration in its two largest units: ``1 h 30 min``."""
    left = max(0, round(seconds))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def local(moment: datetime) -> str:
    """A time in the local time zone, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def soon(moment: datetime) -> str:
    """The same, without the date if it is less than a day away."""
    if moment - datetime.now(UTC) < timedelta(days=1):
        return f"{moment.astimezone():%H:%M:%S}"
    return local(moment)
