"""How many targets may fail until no further one is paused."""

from __future__ import annotations

from pathlib import Path

import pytest
from taurusdb_starrocks import (
    BadRequestError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
)
from taurusdb_starrocks.fleet._budget import FIRST, Budget, kind_of, most_errors
from taurusdb_starrocks.fleet._verbs import CONCURRENCY, RATE, SETTLE, TIMEOUT

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "fleets.md"


def refused(code: str = "DBS.200086") -> BadRequestError:
    return BadRequestError("Refused.", status=400, code=code)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused(), "refused"),
        (NotSentError("Refused."), "unreachable"),
        (OutcomeUnknownError("Lost."), "unknown"),
        (OutcomeUnknownError("Lost.", harmless=True), "unreachable"),
        (ServerError("Broke.", status=500, code=None, harmless=False), "unknown"),
        (ServerError("Later.", status=503, code=None), "throttled"),
        (RateLimitError("Slower.", status=429, code=None), "throttled"),
    ],
)
def test_kinds(error: ReplicationError, kind: str) -> None:
    """Refused, unreachable and unknown are told apart; throttled is no failure."""
    assert kind_of(error) == kind


def test_ten_alike_from_the_beginning_stop_it() -> None:
    """Not nine, and not ten that differ."""
    budget = Budget(None)
    for _ in range(9):
        budget.failed("refused", refused())
    assert not budget.stopped
    budget.failed("refused", refused())
    assert "the first 10 all failed in the same way: 400 DBS.200086" in budget.stopped
    differing = Budget(None)
    for number in range(100):
        differing.failed("refused", refused(f"DBS.{number}"))
    assert not differing.stopped
    assert differing.counts == {"refused": 100, "unreachable": 0, "unknown": 0}


def test_one_success_before_the_tenth_keeps_it_going() -> None:
    """However many fail afterwards, without a limit."""
    budget = Budget(None)
    for _ in range(9):
        budget.failed("refused", refused())
    budget.accepted()
    for _ in range(100):
        budget.failed("refused", refused())
    assert not budget.stopped


def test_a_limit_is_for_all_kinds_together() -> None:
    """One more than may fail stops it, and the reason counts them apart."""
    budget = Budget(3)
    budget.accepted()
    budget.failed("refused", refused())
    budget.failed("unreachable", NotSentError("x"))
    budget.failed("unknown", OutcomeUnknownError("x"))
    assert not budget.stopped
    budget.failed("refused", refused())
    assert budget.stopped == "more than 3 failed: 2 refused, 1 unreachable, 1 unknown"


def test_an_unknown_outcome_that_was_settled_is_no_failure() -> None:
    """The task was seen paused."""
    budget = Budget(1)
    budget.accepted()
    for _ in range(5):
        budget.failed("unknown", OutcomeUnknownError("x"))
        budget.settled()
    assert not budget.stopped
    assert budget.counts["unknown"] == 0


def test_resuming_has_no_budget() -> None:
    """It only counts."""
    budget = Budget(None, endless=True)
    for _ in range(100):
        budget.failed("refused", refused())
    assert not budget.stopped
    assert budget.counts["refused"] == 100


def test_the_first_reason_is_kept() -> None:
    """What comes later is a consequence."""
    budget = Budget(0)
    budget.stop("The disk is full.")
    budget.failed("refused", refused())
    assert budget.stopped == "The disk is full."


@pytest.mark.parametrize(
    ("given", "most"),
    [(None, None), (0, 0), (20, 20), ("20", 20), ("2%", 20), ("0.5%", 5), ("100%", 1000)],
)
def test_limits(given: int | str | None, most: int | None) -> None:
    """A number, or a share of all targets, here of a thousand."""
    assert most_errors(given, 1000) == most


@pytest.mark.parametrize("given", [-1, True, 1.5, "", "x", "101%", "-1", "2 %"])
def test_what_is_no_limit(given: object) -> None:
    """It is refused, with what is right."""
    with pytest.raises(ConfigurationError, match="max_errors must be"):
        most_errors(given, 1000)  # type: ignore[arg-type]  # That is the point.


def test_guide_has_the_numbers() -> None:
    """test_three_hundred_that_all_fail tests what the guide says about requests in flight."""
    guide = " ".join(GUIDE.read_text(encoding="utf-8").split())
    most = CONCURRENCY - 1
    for text in (
        f"at most `concurrency - 1` more requests are in flight**, {most} by default",
        f"Pausing stops after {FIRST} failures",
        f"at least {FIRST} and at most {FIRST + most} requests are sent",
        f"at most `concurrency` requests ({CONCURRENCY}) are in flight",
        f"at most `rate` requests per second ({RATE:g})",
        f"no effect for `settle` seconds ({SETTLE:g})",
        f"`timeout` seconds ({TIMEOUT:g})",
    ):
        assert text in guide
