"""Windows in this process, with a real guardian beside it, of both kinds of clients."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from programs import BILLING, BOTH, ORDERS, Surroundings, until
from taurusdb_starrocks import (
    Client,
    ConfigurationError,
    NotResumedError,
    PermissionDeniedError,
    TokenAuth,
)
from taurusdb_starrocks.durable import (
    AsyncDurableWindow,
    DurableWindow,
    Journal,
    LeaseExpiredError,
    TaskBusyError,
    overview,
    window,
)
from taurusdb_starrocks_emulator import Fault


def test_a_window(around: Surroundings, client: Client, journal: Journal) -> None:
    """Tasks are paused in the block, requests are recorded, and nothing is left afterwards."""
    before = datetime.now(UTC)
    with window(
        client, around.instance_id, BOTH, journal=journal, lease=600, reason="schema change"
    ) as opened:
        assert type(opened) is DurableWindow
        assert around.paused()
        assert 500 < opened.remaining <= 600
        assert 500 < (opened.expires - before).total_seconds() < 700
        assert (opened.found_paused, opened.taken_over) == ((), ())
        assert [task.name for task in opened.tasks] == BOTH
        opened.check()
        first, second = overview(journal)
        assert [first.task_name, second.task_name] == BOTH
        assert (first.state, first.kind, first.reason) == ("live", "window", "schema change")
        assert first.guarded
        assert first.until == second.until
        assert len(around.guardians()) == 1
    assert around.running()
    assert overview(journal) == []
    requests = around.rows("SELECT verb, state, job_id IS NULL FROM request ORDER BY id")
    assert requests == [("pause", "confirmed", 0)] * 2 + [("resume", "confirmed", 0)] * 2
    assert around.rows("SELECT outcome FROM window") == [("closed",)]
    until(lambda: not around.guardians())
    assert list(journal.path.with_name("journal.db.owners").iterdir()) == []


def test_a_window_of_coroutines(around: Surroundings, journal: Journal) -> None:
    """The same with `async with`; the journal is written outside the event loop."""

    async def main() -> None:
        async with around.async_client() as client:
            async with window(
                client, around.instance_id, ORDERS, journal=journal, lease=60
            ) as opened:
                assert type(opened) is AsyncDurableWindow
                assert around.paused([ORDERS])
                await opened.extend(120)
                assert opened.remaining > 119

    asyncio.run(main())
    assert around.running()
    assert overview(journal) == []


def test_what_was_found_paused_stays_so(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """It is not recorded in this journal."""
    around.emulator.set_stage(around.instance_id, BILLING, "Paused")
    with window(client, around.instance_id, BOTH, journal=journal, lease=60) as opened:
        assert opened.found_paused == (BILLING,)
        assert opened.taken_over == ()
    assert around.stages() == ["Incremental", "Paused"]
    assert overview(journal) == []


def test_a_task_has_one_owner(around: Surroundings, client: Client, journal: Journal) -> None:
    """A second window on it names the owner and sends nothing. Other tasks stay free."""
    with window(
        client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False, reason="why"
    ) as opened:
        sent = len(around.emulator.journal())
        with pytest.raises(
            TaskBusyError, match=r"orders_sync .* of .*process \d+ on .* \(why\)"
        ) as e:
            with window(client, around.instance_id, BOTH, journal=journal, lease=60):
                pytest.fail("it opened")
        assert len(around.emulator.journal()) == sent
        assert (e.value.instance_id, e.value.task_name) == (around.instance_id, ORDERS)
        assert e.value.until is not None
        assert abs((e.value.until - opened.expires).total_seconds()) < 1
        assert e.value.since < e.value.until
        with window(client, around.instance_id, BILLING, journal=journal, lease=60, guardian=False):
            assert around.paused()
    assert around.running()


@pytest.mark.parametrize("lease", [0, -1, True, float("nan"), float("inf"), 1e7, "60", None])
def test_a_lease_is_a_number_of_seconds(
    lease: Any, around: Surroundings, client: Client, journal: Journal
) -> None:
    """Other values are refused before anything is done."""
    with pytest.raises(ConfigurationError, match="lease must be"):
        window(client, around.instance_id, ORDERS, journal=journal, lease=lease)


def test_the_lease_ends(
    around: Surroundings, client: Client, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """The guardian resumes the tasks. The block gets an error from `check` and at its end."""
    with pytest.raises(LeaseExpiredError, match="ended before the block") as ended:
        with window(client, around.instance_id, BOTH, journal=journal, lease=1.0) as opened:
            until(around.running)
            assert opened.remaining == 0
            with pytest.raises(LeaseExpiredError, match="has expired"):
                opened.check()
            with pytest.raises(LeaseExpiredError, match="has expired"):
                opened.extend(60)
    assert around.running()
    assert ended.value.expired.tzinfo is UTC
    assert ended.value.instance_id == around.instance_id
    assert "s of the lease are left" in caplog.text
    assert around.sent("resume") == 2
    assert overview(journal) == []


def test_the_lease_ends_without_a_guardian(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The program resumes the tasks at the end of its block, and raises the error."""
    with pytest.raises(LeaseExpiredError, match="ended before the block"):
        with window(client, around.instance_id, BOTH, journal=journal, lease=1.0, guardian=False):
            time.sleep(1.1)
            assert around.paused()
    assert around.running()


def test_an_extended_lease(around: Surroundings, client: Client, journal: Journal) -> None:
    """It ends later, and never earlier than before."""
    with window(client, around.instance_id, BOTH, journal=journal, lease=1.0) as opened:
        opened.extend(60)
        assert 30 < opened.remaining <= 60
        opened.extend(5)
        assert 30 < opened.remaining <= 60
        time.sleep(1.3)
        assert around.paused()
    assert around.running()
    with pytest.raises(ConfigurationError, match="not open"):
        opened.extend(60)


def test_a_block_does_not_begin_with_little_left(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """Less than half of the lease is too little: the tasks are resumed."""
    around.emulator.faults.add(Fault("hang", operation="pause", seconds=1.4, times=1))
    with pytest.raises(LeaseExpiredError, match="less than half"):
        with window(client, around.instance_id, BOTH, journal=journal, lease=2.4, guardian=False):
            pytest.fail("it began")
    assert around.running()
    assert overview(journal) == []


def test_an_error_of_the_block_stays(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """It gets a note that the lease ended before."""
    with pytest.raises(ZeroDivisionError) as raised:
        with window(client, around.instance_id, BOTH, journal=journal, lease=1.0, guardian=False):
            time.sleep(1.1)
            _ = 1 / 0
    assert "ended before the block" in raised.value.__notes__[0]
    assert around.running()


def test_a_lease_longer_than_the_binary_log(
    around: Surroundings, client: Client, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning is logged before the first pause."""
    said: list[int] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "keeps its binary log (86400 s)" in record.getMessage():
                said.append(around.sent("pause"))

    handler = Handler()
    logging.getLogger("taurusdb_starrocks").addHandler(handler)
    try:
        with window(
            client, around.instance_id, ORDERS, journal=journal, lease=86401, guardian=False
        ):
            pass
        with window(
            client, around.instance_id, ORDERS, journal=journal, lease=86400, guardian=False
        ):
            pass
    finally:
        logging.getLogger("taurusdb_starrocks").removeHandler(handler)
    assert said == [0]


def test_what_cannot_travel_is_refused(around: Surroundings, journal: Journal) -> None:
    """They are refused before anything is sent, unless there is no guardian."""
    with around.client(auth=TokenAuth(lambda: around.emulator.token)) as client:
        with pytest.raises(ConfigurationError, match="guardian=False"):
            window(client, around.instance_id, ORDERS, journal=journal, lease=60)
        assert around.emulator.journal() == []
        with window(client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False):
            assert around.paused([ORDERS])
    assert around.running()


def test_a_bare_token_travels_with_a_warning(
    around: Surroundings, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning is logged, without the token."""
    with around.client(auth=TokenAuth(around.emulator.token)) as client:
        with window(client, around.instance_id, ORDERS, journal=journal, lease=60):
            pass
    assert caplog.text.count("which expires within 24 hours") == 1
    assert around.emulator.token not in caplog.text
    for path in journal.path.parent.rglob("*"):
        assert path.is_dir() or around.emulator.token.encode() not in path.read_bytes()


def test_a_failed_resume_is_left_to_the_guardian(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The program gets an error, and the guardian keeps trying until the tasks run."""
    with pytest.raises(NotResumedError) as raised:
        with window(client, around.instance_id, BOTH, journal=journal, lease=60):
            around.emulator.faults.add(Fault("error", operation="resume", status=403, times=2))
    assert isinstance(raised.value.__cause__, PermissionDeniedError)
    until(around.running)
    until(lambda: not overview(journal))


def test_a_window_is_for_one_block(around: Surroundings, client: Client, journal: Journal) -> None:
    """As a decorator, it works for one call."""

    @window(client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False)
    def work() -> bool:
        return around.paused([ORDERS])

    assert work()
    with pytest.raises(ConfigurationError, match="one block"):
        work()
    assert around.running()
