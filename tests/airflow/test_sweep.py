"""The sweep: what it resumes, what it leaves, and what it says when it cannot."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.variable import Variable
from airflow.sdk import DAG
from taurusdb_starrocks.airflow import records, sweep, sweep_dag
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.airflow import held
from tests.airflow.held import INSTANCE
from tests.airflow.runs import run, when

SWEEP = "quick_sweep"
Dags = dict[str, DAG]


@pytest.fixture(autouse=True)
def _paused(emulator: Emulator) -> None:
    emulator.set_stage(INSTANCE, "orders_sync", "Paused")


def stage(emulator: Emulator) -> str:
    return emulator.task(INSTANCE, "orders_sync").stage


def sent(emulator: Emulator, operation: str) -> bool:
    return operation in [call.operation for call in emulator.journal()]


def test_window_whose_run_has_ended(
    emulator: Emulator, dags: Dags, caplog: pytest.LogCaptureFixture
) -> None:
    """It is resumed and forgotten, and it is logged whose it was."""
    held.hold()
    ran = run(dags[SWEEP])
    assert ran.state == "success"
    assert stage(emulator) == "Incremental"
    assert held.keys() == []
    said = "resumed orders_sync of the window of gone.pause_replication, run manual__1"
    assert ran.returned["resume_window", 0] == f"{said}: its run has ended"
    assert said in caplog.text


def test_window_that_was_never_seen_paused(emulator: Emulator, dags: Dags) -> None:
    """Its pause may come late: it is resumed a second time."""
    held.hold(paused=False)
    emulator.set_stage(INSTANCE, "orders_sync", "Incremental")
    began = time.monotonic()
    assert run(dags[SWEEP]).state == "success"
    assert time.monotonic() - began > 0.5
    resumes = [call for call in emulator.journal() if call.operation == "resume"]
    assert len(resumes) == 2
    assert held.keys() == []


def alive() -> tuple[dict[str, str], datetime]:
    """Whose a window of a run that goes on is: of the sweep's next run, at this time."""
    at = datetime.now(UTC)
    return {"dag_id": SWEEP, "run_id": f"manual__{at.isoformat()}"}, at


def test_window_whose_setup_was_ended(emulator: Emulator, dags: Dags) -> None:
    """Its teardown does not run. Its tasks do not stay paused until its run ends."""
    emulator.faults.add(Fault("no-effect", operation="pause"))
    emulator.set_stage(INSTANCE, "orders_sync", "Incremental")
    ran = run(dags["window_timed_out"])
    assert (ran.states["resume_replication"], ran.state) == ("upstream_failed", "failed")
    (said,) = ran.returned["sweep_now"]
    assert said.startswith("resumed orders_sync of the window of window_timed_out")
    assert said.endswith("its teardown has failed")
    assert sent(emulator, "resume")
    assert held.keys() == []


def test_window_with_a_lease_that_a_person_has_changed(emulator: Emulator, dags: Dags) -> None:
    """A time without an offset is in UTC; it does not keep the sweep from other windows."""
    whose, at = alive()
    held.hold(**whose, until=datetime(2026, 1, 1))  # noqa: DTZ001  # As that person wrote it.
    ran = run(dags[SWEEP], at=at)
    assert ran.state == "success"
    assert str(ran.returned["resume_window", 0]).endswith("its lease has ended")
    assert stage(emulator) == "Incremental"


def test_window_that_closes_meanwhile(emulator: Emulator, dags: Dags) -> None:
    """It stays closed. Its record would make a later sweep resume a task that is not its own."""
    whose, at = alive()
    held.hold(**whose, until=records.now(), paused=False)
    thread = when(lambda: sent(emulator, "resume"), held.forget_all)
    ran = run(dags[SWEEP], at=at)
    thread.join()
    assert ran.state == "success"
    assert held.keys() == []


def test_window_that_paused_nothing(emulator: Emulator, dags: Dags) -> None:
    """It is only forgotten: what it found paused stays so."""
    held.hold(resumes=[])
    assert run(dags[SWEEP]).state == "success"
    assert (stage(emulator), held.keys()) == ("Paused", [])


def test_nothing_to_do(emulator: Emulator, dags: Dags) -> None:
    """It is noted that it ran; nothing is sent."""
    ran = run(dags[SWEEP])
    assert (ran.state, ran.returned["find_windows"]) == ("success", [])
    assert emulator.journal() == []
    assert Variable.get(records.SWEPT)


def test_service_that_cannot(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """The sweep fails, so that somebody sees it, and the next one goes on."""
    left = held.hold()
    emulator.faults.add(Fault("expired-token"))
    assert run(dags[SWEEP]).state == "failed"
    assert held.fields(left.key)["closing"] is True
    said = " ".join(capfd.readouterr().out.split())
    assert "Not resumed yet: the window of gone.pause_replication, run manual__1." in said
    emulator.faults.clear()
    assert run(dags[SWEEP]).state == "success"
    assert (stage(emulator), held.keys()) == ("Incremental", [])


def test_variable_that_is_no_record(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is named by a task that fails, and is in no other window's way."""
    Variable.set(f"{records.PREFIX}{INSTANCE}:1", '{"task_names": ["orders_sync"]}')
    held.hold()
    ran = run(dags[SWEEP])
    assert ran.state == "failed"
    assert sorted(state for key, state in ran.states.items() if key[0] == "resume_window") == [
        "failed",
        "success",
    ]
    assert stage(emulator) == "Incremental"
    assert "is not the record of a window" in capfd.readouterr().out


def test_most_at_once(
    emulator: Emulator,
    dags: Dags,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Airflow maps so many and no more: the others are for the next sweep."""
    monkeypatch.setattr(sweep, "_MOST", 1)
    held.hold(run_id="1")
    held.hold(run_id="2")
    assert run(dags[SWEEP]).state == "success"
    assert len(held.keys()) == 1
    assert "windows left to the next sweep: 1" in caplog.text


def test_opened_again_meanwhile(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever cleared its run in this instant is told to check its tasks; the record stays."""
    left = held.hold(paused=False)
    opened = records.now() + timedelta(seconds=5)

    def open_again() -> None:
        while not [call for call in emulator.journal() if call.operation == "resume"]:
            time.sleep(0.02)
        held.hold(opened=opened)

    thread = threading.Thread(target=open_again)
    thread.start()
    ran = run(dags[SWEEP])
    thread.join()
    assert ran.state == "failed"
    assert held.fields(left.key)["opened"] == opened.isoformat()
    assert "was opened again while it was being resumed" in capfd.readouterr().out


def test_dag_is_on_from_the_start() -> None:
    """Two lines install it; arguments reach its operators."""
    dag = sweep_dag("mine", every=timedelta(minutes=5), queue="short")
    assert dag.is_paused_upon_creation is False
    assert dag.max_active_runs > 1
    assert {one.queue for one in dag.tasks} == {"short"}
