"""A rate that everybody shares who sends to the same project, in virtual time."""

from __future__ import annotations

import pytest
from taurusdb_starrocks.fleet._pace import SLOWEST, Pace


def sent(pace: Pace, seconds: float, now: float = 0.0) -> int:
    """How many requests leave within so many seconds, if as many as possible do."""
    end, count = now + seconds, 0
    while (now := now + pace.delay(now)) < end:
        count += 1
    return count


def test_rate_is_kept() -> None:
    """Twenty a second, whoever sends them."""
    assert sent(Pace(20.0), 10.0) == pytest.approx(200, abs=1)


def test_an_idle_project_saves_nothing_up() -> None:
    """After a minute without requests it is as slow as before."""
    pace = Pace(10.0)
    sent(pace, 1.0)
    assert sent(pace, 10.0, now=60.0) == pytest.approx(100, abs=1)


def test_everybody_slows_down_when_one_is_throttled() -> None:
    """The rate is halved, for whoever comes next."""
    pace = Pace(20.0)
    pace.throttled(0.0, None)
    assert sent(pace, 10.0) == pytest.approx(100, abs=1)


def test_those_throttled_together_count_once() -> None:
    """Sixteen were under way when the service had enough."""
    pace = Pace(20.0)
    for number in range(16):
        pace.throttled(number / 100, None)
    assert pace.rate == 10.0


def test_everybody_waits_as_long_as_the_service_says() -> None:
    """Nothing leaves before."""
    pace = Pace(20.0)
    pace.throttled(0.0, 7.0)
    assert pace.delay(0.1) == pytest.approx(6.9)


def test_it_never_stops_altogether_and_recovers() -> None:
    """However often it was throttled; success by success it is as fast as before."""
    pace = Pace(20.0)
    for second in range(100):
        pace.throttled(float(second), None)
    assert pace.rate == SLOWEST
    for _ in range(50):
        pace.succeeded()
    assert pace.rate == 20.0
    slow = Pace(0.1)
    slow.throttled(0.0, None)
    assert slow.rate == 0.1
