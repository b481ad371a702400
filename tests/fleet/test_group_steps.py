"""What is done about the targets of one instance, in virtual time."""

from __future__ import annotations

import itertools

import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
)
from taurusdb_starrocks.durable import SupersededError
from taurusdb_starrocks.fleet._group import Mark

from tests.fleet.instance_in_virtual_time import SETTLE, Instance


def lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("No response")


def refused() -> BadRequestError:
    return BadRequestError("The stage does not allow it.", status=400, code="DBS.200086")


def throttled(seconds: float | None = None) -> RateLimitError:
    return RateLimitError("Slower.", status=429, code="APIGW.0308", retry_after=seconds)


def unsent() -> NotSentError:
    return NotSentError("The connection was refused.")


# --- Pausing ------------------------------------------------------------------------------------


def test_pausing_reads_one_list_for_all_tasks() -> None:
    """Fifty tasks take two lists: one before, one after."""
    instance = Instance(**{f"task_{n}": "incremental" for n in range(50)})
    instance.pause()
    assert set(instance.states.values()) == {"confirmed"}
    assert (len(instance.sent), instance.looks) == (50, 2)


def test_a_task_that_is_paused_is_found_so() -> None:
    """It is not requested."""
    instance = Instance(orders="paused", billing="full")
    instance.pause()
    assert instance.states == {"orders": "found", "billing": "confirmed"}
    assert [name for _, name in instance.sent] == ["billing"]


def test_an_accepted_pause_is_never_repeated() -> None:
    """Not even when it shows no effect for half an hour; then it is named."""
    instance = Instance(orders="incremental")
    instance.takes = 5000.0
    instance.pause()
    assert instance.states == {"orders": "accepted"}
    assert len(instance.sent) == 1
    assert "not paused after 1800 s" in instance.error("orders")


def test_what_an_earlier_run_knows_to_be_accepted_is_waited_for() -> None:
    """A restarted program requests it no second time."""
    instance = Instance(orders="incremental")
    instance.becomes(30.0, "orders", "paused")
    instance.pause([Mark("orders", state="accepted")])
    assert instance.states == {"orders": "confirmed"}
    assert instance.sent == []


def test_an_unknown_pause_is_settled_by_the_list() -> None:
    """The effect shows: nothing is repeated."""
    instance = Instance(orders="incremental")
    instance.answers["orders"] = [(30.0, lost())]
    instance.pause()
    assert instance.states == {"orders": "confirmed"}
    assert len(instance.sent) == 1


@pytest.mark.parametrize(
    "error", [lost(), ServerError("It broke.", status=500, code=None, harmless=False)]
)
def test_an_unknown_pause_is_repeated_after_settle_only(error: ReplicationError) -> None:
    """No effect within settle seconds: once more."""
    instance = Instance(orders="incremental")
    instance.answers["orders"] = [error]
    instance.pause()
    assert instance.states == {"orders": "confirmed"}
    first, second = (when for when, _ in instance.sent)
    assert SETTLE <= second - first <= SETTLE + 11


def test_an_unknown_pause_of_an_earlier_run_is_quiet_for_as_long_as_that_says() -> None:
    """What the journal knows counts from when it was sent."""
    instance = Instance(orders="incremental")
    instance.pause([Mark("orders", state="unknown", quiet=instance.now + 40.0)])
    assert 40.0 <= instance.sent[0][0] <= 51.0


def test_a_confirmed_pause_that_somebody_undid_is_made_again() -> None:
    """The same command again means that they be paused."""
    instance = Instance(orders="incremental", billing="paused")
    instance.pause([Mark("orders", state="confirmed"), Mark("billing", state="confirmed")])
    assert instance.states == {"orders": "confirmed", "billing": "confirmed"}
    assert [name for _, name in instance.sent] == ["orders"]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (refused(), "refused"),
        (AuthenticationError("No.", status=401, code=None), "refused"),
        (unsent(), "unreachable"),
        (SupersededError("Somebody else's."), "refused"),
    ],
)
def test_what_fails_is_left_for_another_run(error: ReplicationError, state: str) -> None:
    """The others go on."""
    instance = Instance(orders="incremental", billing="incremental")
    instance.answers["orders"] = [error]
    instance.pause()
    assert instance.states == {"orders": state, "billing": "confirmed"}
    assert instance.told["orders"][1] is error


def test_what_was_throttled_is_sent_again_later() -> None:
    """Nothing was done, so it is no failure: after what the service says, or growing intervals."""
    instance = Instance(orders="incremental", billing="incremental")
    instance.answers["orders"] = [throttled(), throttled(), throttled()]
    instance.answers["billing"] = [throttled(35.0)]
    instance.pause()
    assert set(instance.states.values()) == {"confirmed"}
    orders = [when for when, name in instance.sent if name == "orders"]
    gaps = [b - a for a, b in itertools.pairwise(orders)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 10.0
    assert [when for when, name in instance.sent if name == "billing"][1] >= 35.0


def test_throttled_to_the_end_it_was_not_reached() -> None:
    """It is left for another run, with what it failed with."""
    instance = Instance(orders="incremental")
    instance.answers["orders"] = [throttled() for _ in range(100)]
    instance.pause(timeout=100.0)
    assert instance.states == {"orders": "unreachable"}
    assert "Slower" in instance.error("orders")


def test_a_repeat_that_is_refused_is_believed_after_settle() -> None:
    """The first may still have its effect, which is what the refusal may say."""
    late = Instance(orders="incremental")
    late.answers["orders"] = [(SETTLE + 25.0, lost()), refused()]
    late.pause()
    assert late.states == {"orders": "confirmed"}
    never = Instance(orders="incremental")
    never.answers["orders"] = [lost(), refused()]
    never.pause()
    assert never.states == {"orders": "refused"}
    assert never.told["orders"][2] >= 2 * SETTLE
    assert len(never.sent) == 2


@pytest.mark.parametrize("stage", ["cancelled", "incremental"])
def test_a_task_that_cannot_be_paused_is_refused_before_anything_is_sent(stage: str) -> None:
    """Cancelled, or abnormal."""
    instance = Instance(orders=stage)
    instance.status["orders"] = "No"
    instance.pause()
    assert instance.states == {"orders": "refused"}
    assert instance.sent == []
    assert stage in instance.error("orders")


def test_a_task_that_is_absent_twice_is_refused() -> None:
    """Once may be a list that changed while it was read."""
    instance = Instance(orders="incremental")
    instance.pause([Mark("orders"), Mark("nobody")])
    assert instance.states == {"orders": "confirmed", "nobody": "refused"}
    assert "lists no such task" in instance.error("nobody")
    error = instance.told["nobody"][1]
    assert error is not None
    assert error.task_name == "nobody"


def test_a_list_that_cannot_be_read_for_a_while_is_read_again() -> None:
    """What may pass is waited for, for settle seconds."""
    instance = Instance(orders="incremental")
    instance.lists = [unsent(), throttled(15.0)]
    instance.pause()
    assert instance.states == {"orders": "confirmed"}
    broken = Instance(orders="incremental")
    broken.lists = [unsent() for _ in range(100)]
    broken.pause()
    assert broken.states == {"orders": "unreachable"}
    assert SETTLE <= broken.told["orders"][2] <= SETTLE + 11
    lost_lists = Instance(orders="incremental")
    lost_lists.lists = [OutcomeUnknownError("Lost.", harmless=True) for _ in range(100)]
    lost_lists.pause()
    assert lost_lists.states == {"orders": "unreachable"}
    slow = Instance(orders="incremental")
    slow.lists = [throttled() for _ in range(100)]
    slow.pause()
    assert slow.states == {"orders": "unreachable"}
    assert slow.told["orders"][2] >= 1800.0


def test_a_list_that_fails_now_and_then_is_read_again() -> None:
    """What counts is since when it has failed in a row, not since when it is tried."""
    instance = Instance(orders="incremental")
    instance.lists = [throttled(90.0), unsent(), unsent()]
    instance.pause()
    assert instance.states == {"orders": "confirmed"}


def test_a_list_that_is_refused_fails_what_was_not_sent() -> None:
    """What was sent is left as it is: accepted, or unknown."""
    instance = Instance(orders="incremental")
    denied = AuthenticationError("No.", status=401, code=None)
    instance.lists = [denied]
    instance.pause(
        [Mark("orders"), Mark("billing", state="accepted"), Mark("stock", state="unknown")]
    )
    assert instance.states == {"orders": "refused", "billing": "accepted", "stock": "unknown"}
    assert instance.sent == []


def test_requests_under_way_are_followed_while_the_list_cannot_be_read() -> None:
    """Longer than settle: until the deadline."""
    instance = Instance(orders="incremental")
    instance.lists = [None, *(unsent() for _ in range(20))]
    instance.pause()
    assert instance.states == {"orders": "confirmed"}
    assert instance.told["orders"][2] > 2 * SETTLE


def test_what_is_unknown_at_the_deadline_stays_unknown() -> None:
    """It is told with its error."""
    instance = Instance(orders="incremental")
    instance.answers["orders"] = [lost() for _ in range(50)]
    instance.pause(timeout=300.0)
    assert instance.states == {"orders": "unknown"}
    assert "No response" in instance.error("orders")
    assert len(instance.sent) in {4, 5}


def test_stopped_it_sends_nothing_more_and_follows_what_was_sent() -> None:
    """Accepted ones are waited for, unknown ones not repeated, the others were not tried."""
    instance = Instance(orders="incremental", billing="incremental", stock="incremental")
    instance.answers["billing"] = [lost()]
    instance.takes = 100.0
    instance.stop_after = 2
    instance.pause()
    assert instance.states == {"orders": "confirmed", "billing": "unknown", "stock": "planned"}
    assert len(instance.sent) == 2
    assert instance.told["stock"][2] == 0.0


# --- Resuming -----------------------------------------------------------------------------------


def test_resuming_sends_and_waits_until_it_runs() -> None:
    """One list before, one after."""
    instance = Instance(orders="paused", billing="paused")
    instance.resume()
    assert instance.states == {"orders": "confirmed", "billing": "confirmed"}
    assert instance.looks == 2


def test_a_task_that_runs_is_found_so() -> None:
    """Its pause was seen, and somebody resumed it."""
    instance = Instance(orders="incremental", billing="full")
    instance.resume()
    assert instance.states == {"orders": "found", "billing": "found"}
    assert instance.sent == []


def test_a_pause_that_was_never_seen_may_come_late() -> None:
    """That the task runs proves nothing until then."""
    instance = Instance(orders="incremental")
    instance.becomes(45.0, "orders", "paused")
    instance.resume([Mark("orders", late=instance.now + SETTLE)])
    assert instance.states == {"orders": "confirmed"}
    assert instance.sent[0][0] >= 45.0
    never = Instance(orders="incremental")
    never.resume([Mark("orders", late=never.now + SETTLE)])
    assert never.states == {"orders": "found"}
    assert never.told["orders"][2] >= SETTLE


def test_a_second_pause_may_come_after_the_first_was_seen() -> None:
    """The task is resumed when that can no longer be."""
    instance = Instance(orders="paused")
    instance.resume([Mark("orders", late=instance.now + SETTLE, twice=True)])
    assert instance.states == {"orders": "confirmed"}
    assert instance.sent[0][0] >= SETTLE


@pytest.mark.parametrize(
    "error",
    [refused(), unsent(), throttled(), AuthenticationError("No.", status=401, code=None)],
)
def test_resuming_never_gives_up(error: ReplicationError) -> None:
    """What failed is tried again, at growing intervals, and the others go on."""
    instance = Instance(orders="paused", billing="paused")
    instance.answers["orders"] = [error] * 6
    instance.resume()
    assert instance.states == {"orders": "confirmed", "billing": "confirmed"}
    assert instance.told["billing"][2] < instance.told["orders"][2]
    times = [when for when, name in instance.sent if name == "orders"]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps[0] < gaps[-1] <= 75.0


@pytest.mark.parametrize(
    ("error", "state"),
    [(refused(), "refused"), (unsent(), "unreachable"), (throttled(), "unreachable")],
)
def test_resuming_names_what_does_not_run_at_the_deadline(
    error: ReplicationError, state: str
) -> None:
    """With the last error."""
    instance = Instance(orders="paused")
    instance.answers["orders"] = [error] * 1000
    instance.resume(timeout=300.0)
    assert instance.states == {"orders": state}
    assert instance.told["orders"][1] is error
    assert instance.told["orders"][2] == 300.0


def test_every_target_is_visited_even_when_the_time_is_over() -> None:
    """The last of many instances may have its turn after the deadline."""
    instance = Instance(orders="paused")
    instance.resume(timeout=-5.0)
    assert instance.states == {"orders": "accepted"}
    assert len(instance.sent) == 1
    assert "not running" in instance.error("orders")


def test_a_list_that_cannot_be_read_at_the_deadline_ends_it() -> None:
    """The targets are named with what it failed with."""
    instance = Instance(orders="paused")
    instance.lists = [unsent() for _ in range(1000)]
    instance.resume(timeout=100.0)
    assert instance.states == {"orders": "unreachable"}
    assert instance.sent == []


def test_a_task_that_the_list_never_shows_is_named() -> None:
    """And looked for until the deadline."""
    instance = Instance()
    instance.resume([Mark("nobody")], timeout=100.0)
    assert instance.states == {"nobody": "refused"}
    assert instance.told["nobody"][2] == 100.0


def test_an_unknown_resume_is_repeated_after_settle_only() -> None:
    """Unless the task runs by then."""
    instance = Instance(orders="paused", billing="paused")
    instance.answers["orders"] = [lost()]
    instance.answers["billing"] = [(20.0, lost())]
    instance.resume()
    assert instance.states == {"orders": "confirmed", "billing": "confirmed"}
    first, second = (when for when, name in instance.sent if name == "orders")
    assert second - first >= SETTLE
    assert len(instance.sent) == 3


def test_an_accepted_resume_is_repeated_if_the_task_stays_paused() -> None:
    """A pause may have come in between; after settle seconds, and then each time again."""
    instance = Instance(orders="paused")
    instance.after(0.0, lambda: None)
    instance.takes = 1e6
    instance.after(90.0, lambda: setattr(instance, "takes", 0.0))
    instance.resume()
    assert instance.states == {"orders": "confirmed"}
    times = [when for when, _ in instance.sent]
    assert all(b - a >= SETTLE for a, b in itertools.pairwise(times))
    assert len(times) >= 2


def test_an_accepted_resume_of_an_earlier_run_is_waited_for() -> None:
    """It is not sent again while it may have its effect."""
    instance = Instance(orders="paused")
    instance.becomes(30.0, "orders", "incremental")
    instance.resume([Mark("orders", state="accepted", since=instance.now)])
    assert instance.states == {"orders": "confirmed"}
    assert instance.sent == []


def test_what_cannot_be_resumed_is_told_at_once() -> None:
    """A cancelled task, and one that somebody else has taken over."""
    instance = Instance(orders="cancelled", billing="paused")
    instance.answers["billing"] = [SupersededError("Somebody else's.")]
    instance.resume()
    assert instance.states == {"orders": "refused", "billing": "refused"}
    assert instance.told["billing"][2] == 0.0


def test_a_task_that_waits_is_resumed_too() -> None:
    """It does not run, so it is not where it should be."""
    instance = Instance(orders="wait")
    instance.resume()
    assert instance.states == {"orders": "confirmed"}
    assert len(instance.sent) == 1


def test_a_pause_that_may_come_after_the_deadline_is_waited_for() -> None:
    """Nothing is known before: so the deadline does not end it."""
    instance = Instance(orders="incremental")
    instance.becomes(40.0, "orders", "paused")
    instance.resume([Mark("orders", late=instance.now + SETTLE)], timeout=10.0)
    assert instance.states == {"orders": "accepted"}
    assert len(instance.sent) == 1
