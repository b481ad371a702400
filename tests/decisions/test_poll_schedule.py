"""When to poll, how long to wait, and what is refused as neither."""

from __future__ import annotations

import math
from typing import Any

import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    Poll,
    RateLimitError,
    ReplicationError,
)
from taurusdb_starrocks._decisions.polling import Patience


def throttled(retry_after: float | None = None) -> RateLimitError:
    return RateLimitError("no", status=429, retry_after=retry_after)


def test_defaults() -> None:
    """As the vendor's Terraform provider does it: 5 s, then every 10 s, up to half an hour."""
    assert Poll() == Poll(first=5.0, interval=10.0, longest=60.0)
    assert Patience() == Patience(timeout=1800.0, poll=Poll(), settle=60.0, progress=None)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)])
@pytest.mark.parametrize("error", [None, OutcomeUnknownError("no", harmless=True)])
def test_the_interval_is_spread_by_a_tenth(
    chance: float, seconds: float, error: ReplicationError | None
) -> None:
    """Whether the last poll failed or not, and however long the pause before it was."""
    for pause in (0.0, 5.0, 60.0):
        assert Poll().after(error, pause, chance) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("pause", "seconds"), [(0.0, 20.0), (9.5, 20.0), (20.0, 40.0), (40.0, 60.0), (60.0, 60.0)]
)
def test_throttling_doubles_the_pause(pause: float, seconds: float) -> None:
    """From the interval, whatever was before it, up to the longest; chance plays no part."""
    for chance in (0.0, 1.0):
        assert Poll().after(throttled(), pause, chance) == seconds
        assert Poll().after(AuthenticationError("no", status=401), pause, chance) == seconds


@pytest.mark.parametrize(
    ("retry_after", "seconds"), [(0.0, 20.0), (19.0, 20.0), (21.0, 21.0), (3600.0, 60.0)]
)
def test_retry_after_is_the_least(retry_after: float, seconds: float) -> None:
    """Up to the longest pause: a wait must not end without another poll."""
    assert Poll().after(throttled(retry_after), 10.0, 0.5) == seconds
    assert Poll(interval=0.1, longest=0.3).after(throttled(), 0.1, 0.5) == 0.2


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1_000_001, "1", True, None])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Poll, "first"),
        (Poll, "interval"),
        (Poll, "longest"),
        (Patience, "timeout"),
        (Patience, "settle"),
    ],
)
def test_times_that_cannot_be(kind: Any, name: str, value: object) -> None:
    """The error names them."""
    shown = f"Poll.{name}" if kind is Poll else name
    with pytest.raises(ConfigurationError, match=f"^{shown} must be a number of seconds"):
        kind(**{name: value})


def test_zero() -> None:
    """Only the first poll may come at once."""
    assert Poll(first=0).first == 0
    for name in ("interval", "longest"):
        with pytest.raises(ConfigurationError, match=f"^Poll.{name} must be .* more than 0"):
            Poll(**{name: 0})
    for name in ("timeout", "settle"):
        with pytest.raises(ConfigurationError, match=f"^{name} must be .* more than 0"):
            Patience(**{name: 0})


def test_the_interval_is_at_most_the_longest_pause() -> None:
    """It may be as long."""
    assert Poll(interval=7.0, longest=7.0).longest == 7.0
    with pytest.raises(ConfigurationError, match=r"^Poll.interval must not be longer than"):
        Poll(interval=7.1, longest=7.0)


def test_what_is_no_poll_and_not_callable() -> None:
    """The error says what would be."""
    with pytest.raises(ConfigurationError, match=r"^poll must be a Poll"):
        Patience(poll=10.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"^progress must be callable with a Task"):
        Patience(progress="print")  # type: ignore[arg-type]
    assert Patience(progress=print).progress is print
    with pytest.raises(ConfigurationError, match=r"^accepted must be callable with a name"):
        Patience(accepted="print")  # type: ignore[arg-type]
    assert Patience(accepted=print).accepted is print
