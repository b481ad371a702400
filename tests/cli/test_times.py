"""Durations and times, as people write and read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import tzset

import click
import pytest
from taurusdb_starrocks.cli.times import duration, local, soon, spoken, time


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("2h", 7200), ("1h30m", 5400), ("1d", 86_400), ("0.5s", 0.5)]
)
def test_duration(text: str, seconds: float) -> None:
    """Numbers with their units, in a row."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "2 h", "h", "0s", "-2h", "2h x", "1.h", "٢h"])
def test_what_is_no_duration(text: str) -> None:
    """What could mean several things, or nothing, is refused."""
    with pytest.raises(click.BadParameter, match="is not a duration like 2h, 1h30m or 45s"):
        duration(text)


def test_duration_that_is_too_long() -> None:
    """The limit is named."""
    with pytest.raises(click.BadParameter, match="'12d' is longer than the maximum, 11 d 13 h"):
        duration("12d")


@pytest.mark.parametrize(("text", "day"), [("22:01", 25), ("22:00", 26), ("06:00", 26)])
def test_time_of_day(text: str, day: int) -> None:
    """It is the next one."""
    now = datetime(2026, 11, 25, 22, 0, 30).astimezone()
    assert f"{time(text, now):%d %H:%M}" == f"{day} {text}"


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A zone whose clock changes at night, described without a database of zones."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        tzset()
        yield
    tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("start", "text", "hours"),
    [
        ("2026-03-28T22:00", "06:00", 7),
        ("2026-10-24T22:00", "06:00", 9),
        ("2026-10-25T01:00", "02:30", 1.5),
    ],
    ids=["an hour is skipped", "an hour comes twice", "the time comes twice"],
)
def test_time_of_day_after_the_clock_was_changed(start: str, text: str, hours: float) -> None:
    """It is by the clock on the wall; of two, the first."""
    now = datetime.fromisoformat(start).astimezone()
    assert time(text, now) - now == timedelta(hours=hours)


def test_date_and_time() -> None:
    """In the local zone, unless there is another."""
    later = datetime.now().astimezone().replace(microsecond=0) + timedelta(days=3)
    assert time(f"{later:%Y-%m-%dT%H:%M:%S}") == later
    assert time(later.astimezone(UTC).isoformat()) == later


@pytest.mark.parametrize(
    ("text", "why"), [("6:00", "not a time"), ("25:00", "not a time"), ("2020-01-01", "has passed")]
)
def test_what_is_no_time(text: str, why: str) -> None:
    """A time that is none, or has passed."""
    with pytest.raises(click.BadParameter, match=why):
        time(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.6, "1 s"),
        (60, "1 min"),
        (5399.9, "1 h 30 min"),
        (86_400 + 3600 + 60, "1 d 1 h"),
        (86_405, "1 d 5 s"),
    ],
)
def test_spoken(seconds: float, text: str) -> None:
    """The two largest units."""
    assert spoken(seconds) == text


def test_local() -> None:
    """A moment as the clock on the wall shows it."""
    moment = datetime(2026, 11, 25, 6, 0).astimezone()
    assert local(moment.astimezone(UTC)) == "2026-11-25 06:00:00"


def test_soon() -> None:
    """The date is there where it is needed."""
    moment = datetime.now(UTC) + timedelta(hours=23)
    assert local(moment).endswith(soon(moment))
    assert len(soon(moment)) == len("06:00:00")
    assert soon(moment + timedelta(days=1)) == local(moment + timedelta(days=1))
