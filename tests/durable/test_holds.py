"""Pauses without a block: recorded, with a limit or explicitly without one."""

from __future__ import annotations

import os
import signal
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
    Journal,
    JournalError,
    TaskBusyError,
    _records,
    forget,
    overview,
    pause,
    recover,
    resume,
    window,
)
from taurusdb_starrocks_emulator import Fault


def test_a_hold_until_its_limit(around: Surroundings, journal: Journal) -> None:
    """A guardian outlives the program and resumes the tasks. `recover` leaves them to it."""
    program = around.program(
        "say([t.stage.value for t in pause(client, INSTANCE, NAMES, journal=journal, lease=1.5)])"
    )
    assert program.hear() == [["paused", "paused"]]
    assert program.wait() == 0
    first, second = overview(journal)
    assert (first.kind, first.state, first.guarded) == ("hold", "held", True)
    assert first.window == second.window
    done = recover(journal, connect=around.connect)
    assert {(one.outcome, one.why) for one in done} == {("left", "it is on hold")}
    assert around.paused()
    until(around.running)
    until(lambda: not around.guardians())
    assert overview(journal) == []


def test_warning_about_the_token_of_a_hold(
    around: Surroundings, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """It is about the pause, and says what happens after the token has expired."""
    with around.client(auth=TokenAuth(around.emulator.token)) as client:
        pause(client, around.instance_id, ORDERS, journal=journal, lease=60)
        resume(client, around.instance_id, ORDERS, journal=journal)
    warning = caplog.messages[0]
    assert warning.startswith(f"pause on instance={around.instance_id} over orders_sync: ")
    assert "they stay paused until recover runs with new credentials" in warning


def test_a_hold_whose_guardian_was_killed(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """`recover` resumes the task after the limit, and not before."""
    pause(client, around.instance_id, BOTH, journal=journal, lease=1.5)
    for pid in around.guardians():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not around.guardians())
    until(lambda: {entry.state for entry in overview(journal)} == {"expired"})
    assert around.paused()
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert around.running()


def test_a_hold_without_limit(around: Surroundings, client: Client, journal: Journal) -> None:
    """It must be requested, has no guardian, and ends with `resume`."""
    (task,) = pause(
        client, around.instance_id, ORDERS, journal=journal, lease=None, reason="rebuild"
    )
    assert task.stage.value == "paused"
    assert around.guardians() == []
    (entry,) = overview(journal)
    assert (entry.until, entry.state, entry.reason) == (None, "held", "rebuild")
    with pytest.raises(TaskBusyError, match=r"on hold by .* \(rebuild\), since .*, without limit"):
        with window(client, around.instance_id, ORDERS, journal=journal, lease=60):
            pytest.fail("it opened")
    with pytest.raises(TaskBusyError):
        pause(client, around.instance_id, BOTH, journal=journal, lease=None)
    assert around.running([BILLING])
    (task,) = resume(client, around.instance_id, ORDERS, journal=journal)
    assert task.stage.running
    assert overview(journal) == []


def test_what_was_found_paused_is_no_part_of_a_hold(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """It stays paused at the end."""
    around.emulator.set_stage(around.instance_id, BILLING, "Paused")
    pause(client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False)
    assert [entry.task_name for entry in overview(journal)] == [ORDERS]
    forget(journal, around.instance_id, ORDERS, "wanted")
    around.emulator.set_stage(around.instance_id, ORDERS, "Paused")
    pause(client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False)
    assert overview(journal) == []
    assert around.paused()


def test_a_hold_that_fails_holds_nothing(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """What was paused before is resumed."""
    around.emulator.faults.add(Fault("error", operation="pause", status=403, at=[2]))
    with pytest.raises(PermissionDeniedError):
        pause(client, around.instance_id, BOTH, journal=journal, lease=60)
    assert around.running()
    assert overview(journal) == []
    until(lambda: not around.guardians())


def test_resume_ends_a_guarded_hold(around: Surroundings, client: Client, journal: Journal) -> None:
    """Its guardian has nothing left to do, and exits."""
    pause(client, around.instance_id, BOTH, journal=journal, lease=60)
    assert len(around.guardians()) == 1
    resume(client, around.instance_id, BOTH, journal=journal)
    assert around.running()
    until(lambda: not around.guardians())


def test_resume_of_what_the_journal_does_not_know(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """It is resumed too."""
    around.emulator.set_stage(around.instance_id, ORDERS, "Paused")
    resume(client, around.instance_id, ORDERS, journal=journal)
    assert around.running([ORDERS])
    assert overview(journal) == []


def test_resume_of_a_block_is_refused(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """Its program resumes it."""
    with window(client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False):
        with pytest.raises(TaskBusyError):
            resume(client, around.instance_id, ORDERS, journal=journal)
        assert around.paused([ORDERS])


def test_a_resume_that_fails_stays_in_the_journal(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """For `recover`, because somebody wants the task to run."""
    pause(client, around.instance_id, BOTH, journal=journal, lease=None)
    around.emulator.faults.add(Fault("error", operation="resume", status=403, times=1))
    with pytest.raises(NotResumedError):
        resume(client, around.instance_id, BOTH, journal=journal)
    (entry,) = overview(journal)
    assert (entry.kind, entry.state) == ("window", "abandoned")
    assert "403" in entry.trouble
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert around.running()


def test_a_refused_resume_of_a_task_that_the_journal_does_not_list(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """It leaves no entry. One that may have arrived does, and a refused one then keeps it."""
    faults = around.emulator.faults
    faults.add(Fault("error", operation="resume", status=403, times=3))
    for names in (ORDERS, BOTH):
        with pytest.raises(NotResumedError):
            resume(client, around.instance_id, names, journal=journal)
        assert overview(journal) == []
    around.emulator.set_stage(around.instance_id, ORDERS, "Paused")
    faults.clear()
    faults.add(Fault("close", operation="resume", applied=False))
    with pytest.raises(NotResumedError):
        resume(client, around.instance_id, ORDERS, journal=journal, settle=0.05, timeout=0.3)
    faults.clear()
    faults.add(Fault("error", operation="resume", status=403))
    for _ in range(2):
        assert [entry.task_name for entry in overview(journal)] == [ORDERS]
        with pytest.raises(NotResumedError):
            resume(client, around.instance_id, ORDERS, journal=journal, settle=0.05, timeout=0.3)
    assert [entry.task_name for entry in overview(journal)] == [ORDERS]


def test_a_refused_resume_with_a_journal_that_cannot_be_read(
    around: Surroundings, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the journal cannot be read at the end, the task stays in it."""
    around.emulator.faults.add(Fault("error", operation="resume", status=403))

    def unreadable(*_arguments: object) -> None:
        raise JournalError("unreadable")

    monkeypatch.setattr(_records, "effective", unreadable)
    with pytest.raises(NotResumedError):
        resume(client, around.instance_id, ORDERS, journal=journal)
    assert [entry.task_name for entry in overview(journal)] == [ORDERS]


def test_a_hold_takes_a_client_of_threads(around: Surroundings, journal: Journal) -> None:
    """A coroutine calls it in a thread."""
    client: Any = around.async_client()
    for verb, options in ((pause, {"lease": 1}), (resume, {})):
        act: Any = verb
        with pytest.raises(ConfigurationError, match="thread"):
            act(client, around.instance_id, ORDERS, journal=journal, **options)
