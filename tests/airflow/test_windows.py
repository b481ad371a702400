"""Windows in a DAG: what runs in them, who resumes, and what is kept of them meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.models.variable import Variable
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select
from taurusdb_starrocks.airflow import paused, records
from taurusdb_starrocks.airflow.waits import Wait
from taurusdb_starrocks.airflow.windows import OpenWindowOperator
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.airflow import held
from tests.airflow.held import INSTANCE
from tests.airflow.runs import run, when

BOTH = ["orders_sync", "billing_sync"]
Dags = dict[str, DAG]


def stages(emulator: Emulator, *names: str) -> list[str]:
    return [emulator.task(INSTANCE, name).stage for name in names or BOTH]


def logged(capfd: pytest.CaptureFixture[str]) -> str:
    """What the tasks have logged, on one line."""
    out, err = capfd.readouterr()
    return " ".join((out + err).split())


def sent(emulator: Emulator) -> list[str | None]:
    return [call.operation for call in emulator.journal() if call.operation != "list"]


@pytest.mark.parametrize("dag_id", ["window", "window_deferred"])
def test_work_runs_while_paused(
    emulator: Emulator, dags: Dags, dag_id: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both run again afterwards, no record is left, and it was warned that no sweep runs here."""
    ran = run(dags[dag_id])
    assert ran.state == "success"
    assert ran.returned["work"] == ["paused", "paused"]
    assert stages(emulator) == ["Incremental", "Incremental"]
    assert held.keys() == []
    opened = ran.returned["pause_replication"]
    assert opened["resumes"] == BOTH
    assert all(one["job_id"] and one["request_id"] for one in opened["tasks"])
    assert all(one["job_id"] for one in ran.returned["resume_replication"])
    assert "No sweep has ever run here" in logged(capfd)


def test_window_of_one_task(emulator: Emulator, dags: Dags) -> None:
    """The other one runs on."""
    ran = run(dags["window_of_one"])
    assert (ran.state, ran.returned["work"]) == ("success", ["paused", "incremental"])


def test_everything_in_the_block_runs_while_paused(emulator: Emulator, dags: Dags) -> None:
    """Also mapped tasks, and several that have an input from outside, which Airflow forgets."""
    dag = dags["window_of_many"]
    inside = {"first_with_input", "second_with_input", "mapped", "mapped_over_input"}
    inside |= {"see_in_group.see"}
    after_setup = dag.get_task("pause_replication").get_flat_relative_ids(upstream=False)
    before_teardown = dag.get_task("resume_replication").get_flat_relative_ids(upstream=True)
    assert inside == (after_setup & before_teardown)
    ran = run(dag)
    assert ran.state == "success"
    seen = {key: stage for key, stage in ran.returned.items() if isinstance(stage, str)}
    assert seen == {
        "first_with_input": "paused",
        "second_with_input": "paused",
        ("mapped", 0): "paused",
        ("mapped", 1): "paused",
        ("mapped_over_input", 0): "paused",
        ("mapped_over_input", 1): "paused",
        ("see_in_group.see", 0): "paused",
        ("see_in_group.see", 1): "paused",
        "after": "incremental",
    }


def test_teardown_comes_before_setups(dags: Dags) -> None:
    """In a pool that both wait for: each setup makes tasks stay paused longer."""
    run(dags["window"])
    with create_session() as session:
        found = session.scalars(select(TaskInstance).where(TaskInstance.dag_id == "window")).all()
    weights = {one.task_id: one.priority_weight or 0 for one in found}
    assert weights["resume_replication"] > weights["pause_replication"]


def test_work_that_fails(emulator: Emulator, dags: Dags) -> None:
    """The teardown resumes, and the run fails all the same."""
    ran = run(dags["window"], fail=True)
    assert (ran.state, ran.states["resume_replication"]) == ("failed", "success")
    assert stages(emulator) == ["Incremental", "Incremental"]
    assert held.keys() == []


def test_no_warning_after_a_sweep(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only one that is long ago is warned of."""
    assert run(dags["quick_sweep"]).state == "success"
    run(dags["window_of_one"])
    assert "No sweep" not in logged(capfd)
    Variable.set(records.SWEPT, '{"at": "2026-01-01T00:00:00+00:00", "every": 120.0}')
    run(dags["window_of_one"])
    assert "No sweep has run since 2026-01-01" in logged(capfd)


# --- What is found paused -----------------------------------------------------------------------


def test_found_paused_is_left_so(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is warned of, and only the other is resumed."""
    ran = run(dags["window_kept"])
    assert ran.returned["pause_replication"]["resumes"] == ["orders_sync"]
    assert stages(emulator, "orders_sync", "archive_sync") == ["Incremental", "Paused"]
    assert "left paused afterwards: archive_sync" in logged(capfd)


def test_all_found_paused(emulator: Emulator, dags: Dags) -> None:
    """Nothing is changed, before or after the work."""
    ran = run(dags["window_of_paused"])
    assert (ran.state, ran.returned["resume_replication"]) == ("success", [])
    assert sent(emulator) == []
    assert held.keys() == []


def test_found_paused_is_resumed(emulator: Emulator, dags: Dags) -> None:
    """With the others, if that was requested."""
    run(dags["window_resumed"])
    assert stages(emulator, "orders_sync", "archive_sync") == ["Incremental", "Incremental"]


def test_found_paused_is_an_error(emulator: Emulator, dags: Dags) -> None:
    """The window does not open, and nothing was changed."""
    ran = run(dags["window_refused"])
    assert ran.states["pause_replication"] == "failed"
    assert ran.states["work"] == ran.states["resume_replication"] == "upstream_failed"
    assert sent(emulator) == []
    assert held.keys() == []


def test_found_paused_is_an_error_in_a_later_attempt(emulator: Emulator, dags: Dags) -> None:
    """What an earlier attempt has paused is resumed, and its record stays for the sweep."""
    emulator.set_stage(INSTANCE, "orders_sync", "Paused")
    left, at = earlier_attempt("window_refused", task_names=["orders_sync", "archive_sync"])
    assert run(dags["window_refused"], at=at).states["pause_replication"] == "failed"
    assert stages(emulator, "orders_sync", "archive_sync") == ["Incremental", "Paused"]
    assert held.keys() == [left.key]


# --- Records ------------------------------------------------------------------------------------


def test_another_window_has_the_task(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two windows are never about one task at once; the text says whose it is."""
    other = held.hold(dag_id="other", map_index=3)
    assert run(dags["window"]).states["pause_replication"] == "failed"
    assert sent(emulator) == []
    assert "the window of other.pause_replication[3], run manual__1" in logged(capfd)
    assert held.keys() == [other.key]


def test_windows_that_are_not_in_the_way(emulator: Emulator, dags: Dags) -> None:
    """Those about other tasks or instances, and those that the sweep has resumed."""
    others = [
        held.hold(task_names=["events_sync"], run_id="1"),
        held.hold(instance_id="b6280c323ce449f2ad02af74e21f3dc5in17"),
        held.hold(resumed=records.now(), run_id="2"),
    ]
    assert run(dags["window"]).state == "success"
    assert held.keys() == sorted(other.key for other in others)


def earlier_attempt(dag_id: str, **fields: object) -> tuple[records.Record, datetime]:
    """What a killed attempt has left of a run that is yet to come, and the time of that run."""
    at = datetime.now(UTC)
    return held.hold(dag_id=dag_id, run_id=f"manual__{at.isoformat()}", **fields), at


def test_a_killed_attempt_is_gone_on_with(emulator: Emulator, dags: Dags) -> None:
    """What it paused is ours: it is not paused again, and it is resumed."""
    emulator.set_stage(INSTANCE, "orders_sync", "Paused")
    _, at = earlier_attempt("window", paused=False)
    ran = run(dags["window"], at=at)
    assert (ran.state, ran.returned["work"]) == ("success", ["paused", "paused"])
    assert ran.returned["pause_replication"]["resumes"] == BOTH
    assert sent(emulator).count("pause") == 1
    assert stages(emulator) == ["Incremental", "Incremental"]


def test_a_pause_under_way_is_not_sent_again(dags: Dags, emulator: Emulator) -> None:
    """It is looked for first, and found."""
    _, at = earlier_attempt("window_of_one", paused=False)
    later = threading.Timer(0.5, emulator.set_stage, (INSTANCE, "orders_sync", "Paused"))
    later.start()
    assert run(dags["window_of_one"], at=at).state == "success"
    later.join()
    assert "pause" not in sent(emulator)


def test_a_window_that_is_being_swept_does_not_open(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """It could be resumed in the middle of its work."""
    left, at = earlier_attempt("window_of_one", closing=True)
    assert run(dags["window_of_one"], at=at).state == "failed"
    assert "The sweep is resuming this window" in logged(capfd)
    assert held.keys() == [left.key]


def test_a_claim_of_a_later_attempt_keeps_what_it_is_to_resume(
    emulator: Emulator, dags: Dags
) -> None:
    """Also when another window is in the way by then."""
    left, at = earlier_attempt("window_of_one")
    other = held.hold(dag_id="other")
    assert run(dags["window_of_one"], at=at).state == "failed"
    assert held.keys() == sorted([left.key, other.key])
    assert held.fields(left.key)["resumes"] == ["orders_sync"]


def test_no_record(emulator: Emulator, dags: Dags) -> None:
    """The teardown resumes what the setup returned."""
    assert run(dags["window"], forget=True).state == "success"
    assert stages(emulator) == ["Incremental", "Incremental"]


def test_nothing_is_known(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """Then the teardown says what to do, and the run fails."""
    assert run(dags["window_silent"], forget=True).state == "failed"
    assert "Read the stages of orders_sync, billing_sync" in logged(capfd)


def test_lease_that_ends(emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]) -> None:
    """The sweep resumes in the middle of the work; the teardown fails so that somebody sees it."""
    ran = run(dags["window_short"], overrun=True)
    assert (ran.states["work"], ran.states["resume_replication"]) == ("success", "failed")
    assert ran.state == "failed"
    assert "Work after that ran with replication on." in logged(capfd)
    assert stages(emulator) == ["Incremental", "Incremental"]
    assert held.keys() == []


def test_a_sweep_leaves_an_open_window_alone(emulator: Emulator, dags: Dags) -> None:
    """Its run goes on and its lease lasts."""
    ran = run(dags["window"], sweep="now")
    assert (ran.state, ran.returned["work"]) == ("success", [None])
    assert sent(emulator) == ["pause", "pause", "resume", "resume"]


def test_a_sweep_that_was_killed_is_gone_on_with(emulator: Emulator, dags: Dags) -> None:
    """Half resumed is worse than resumed, so the next sweep does it, and the teardown tells."""
    ran = run(dags["window"], sweep="half done")
    assert ran.states["resume_replication"] == "failed"
    assert str(ran.returned["work"][1]).endswith("an earlier sweep has begun")
    assert held.keys() == []


def test_a_record_that_cannot_be_kept(
    emulator: Emulator,
    dags: Dags,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing is paused then: nobody would find it."""
    left, at = earlier_attempt("window_of_one")
    monkeypatch.setenv(f"AIRFLOW_VAR_{left.key.upper()}", Variable.get(left.key))
    held.forget_all()
    assert run(dags["window_of_one"], at=at).state == "failed"
    assert sent(emulator) == []
    assert "is it in a secrets backend as well?" in logged(capfd)


def test_swept_while_it_opens(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """The work does not run: its tasks may be running."""
    emulator.faults.add(Fault("late-pause", seconds=1.0))
    thread = when(lambda: "pause" in sent(emulator), held.forget_all)
    ran = run(dags["window_of_one"])
    thread.join()
    assert ran.states["work"] == "upstream_failed"
    assert "The sweep has closed this window" in logged(capfd)


@pytest.mark.parametrize(
    "changed",
    [{"resumed": "2026-11-26T00:00:00+00:00"}, {"until": "2026-11-26T00:00:00+00:00"}],
    ids=["resumed", "lease over"],
)
@pytest.mark.parametrize("dag_id", ["window", "window_deferred"])
def test_paused_after_the_lease(
    emulator: Emulator,
    dags: Dags,
    dag_id: str,
    changed: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The work does not run, the tasks do, and the sweep looks for them once more."""
    emulator.faults.add(Fault("late-pause", seconds=0.5))
    thread = when(lambda: "pause" in sent(emulator), lambda: held.change(**changed))
    ran = run(dags[dag_id])
    thread.join()
    assert ran.states["work"] == "upstream_failed"
    assert "before its tasks were paused, so nothing runs in it." in logged(capfd)
    assert stages(emulator) == ["Incremental", "Incremental"]
    (key,) = held.keys()
    left = held.fields(key)
    assert (left["until"], left["resumed"]) == (left["opened"], None)


def test_paused_after_the_lease_with_another_attempt(emulator: Emulator, dags: Dags) -> None:
    """That one has a lease of its own."""
    emulator.faults.add(Fault("late-pause", seconds=0.5))
    over = "2026-11-26T00:00:00+00:00"
    thread = when(lambda: "pause" in sent(emulator), lambda: held.change(resumed=over))
    ran = run(dags["window_retried"])
    thread.join()
    assert (ran.state, ran.returned["work"]) == ("success", ["paused", "paused"])
    assert held.keys() == []


@pytest.mark.parametrize("dag_id", ["window_of_one", "window_of_one_deferred"])
@pytest.mark.parametrize(
    "changed", [{"opened": "2026-11-26T23:00:00+00:00"}, {"closing": True}, None]
)
def test_setup_of_a_worker_that_was_cut_off(
    emulator: Emulator,
    dags: Dags,
    dag_id: str,
    changed: dict[str, object] | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It sends no pause when another attempt or the sweep has its window: nobody would resume."""
    _, at = earlier_attempt(dag_id, paused=False)

    def lose() -> None:
        if changed is None:
            held.forget_all()
        else:
            held.change(**changed)

    began = len(emulator.journal()) + 2
    thread = when(lambda: len(emulator.journal()) > began, lose)
    assert run(dags[dag_id], at=at).state == "failed"
    thread.join()
    assert "pause" not in sent(emulator)
    assert "The pause of orders_sync was not sent" in logged(capfd)


def test_last_attempt_of_a_worker_that_was_cut_off(emulator: Emulator, dags: Dags) -> None:
    """It does not resume the tasks of the attempt that has opened the window since."""
    _, at = earlier_attempt("window_of_one", paused=False)
    later = {"opened": "2026-11-26T23:00:00+00:00", "until": "2026-11-26T23:59:00+00:00"}
    thread = when(lambda: len(emulator.journal()) > 2, lambda: held.change(**later))
    run(dags["window_of_one"], at=at)
    thread.join()
    assert sent(emulator) == []
    (key,) = held.keys()
    assert held.fields(key)["until"] == later["until"]


def test_triggerer_that_was_killed(
    emulator: Emulator, dags: Dags, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one does not request the pause again that is in progress."""
    original = OpenWindowOperator.wait_elsewhere

    def take_over(operator: OpenWindowOperator, wait: Wait) -> NoReturn:
        held.change(requested=True)
        original(operator, wait)

    monkeypatch.setattr(OpenWindowOperator, "wait_elsewhere", take_over)
    arrives = when(
        lambda: len(emulator.journal()) > 2,
        lambda: emulator.set_stage(INSTANCE, "orders_sync", "Paused"),
    )
    assert run(dags["window_of_one_deferred"]).state == "success"
    arrives.join()
    assert sent(emulator) == ["resume"]


@pytest.mark.parametrize("dag_id", ["window_of_one", "window_deferred"])
def test_setup_that_was_marked_successful(emulator: Emulator, dags: Dags, dag_id: str) -> None:
    """Its pause can take effect after the teardown has resumed: it resumes once more."""
    ran = run(dags[dag_id], too_early=True)
    assert ran.state == "success"
    each = [call.operation for call in emulator.journal() if call.task_name == "orders_sync"]
    assert each == ["pause", "resume", "resume"]


# --- Tasks that another window has paused meanwhile -----------------------------------------------


def test_teardown_leaves_another_window_alone(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """Which opened after the sweep had resumed this one; the other task is resumed."""
    ran = run(dags["window"], overtaken=True)
    assert ran.states["resume_replication"] == "failed"
    assert stages(emulator) == ["Paused", "Incremental"]
    said = logged(capfd)
    assert "because the window of other.pause_replication" in said
    assert "has paused it meanwhile: orders_sync" in said
    (key,) = held.keys()
    assert held.fields(key)["dag_id"] == "other"


def test_teardown_without_a_record_leaves_another_window_alone(
    emulator: Emulator, dags: Dags
) -> None:
    """The sweep deletes the record of a run that had ended, and then the run is cleared."""
    ran = run(dags["window"], overtaken="without a record")
    assert ran.state == "success"
    assert stages(emulator) == ["Paused", "Incremental"]


def test_sweep_leaves_another_window_alone(emulator: Emulator, dags: Dags) -> None:
    """A window that was resumed in the middle, and whose run has ended, is only forgotten."""
    held.hold(resumed=records.now())
    ran = run(dags["window"], sweep_others=True)
    assert ran.state == "success"
    assert str(ran.returned["work"][2]).startswith("resumed nothing of the window of gone")
    assert sent(emulator) == ["pause", "pause", "resume", "resume"]
    assert held.keys() == []


# --- When pausing fails -------------------------------------------------------------------------


@pytest.mark.parametrize("dag_id", ["window", "window_deferred"])
def test_not_paused_in_time(emulator: Emulator, dags: Dags, dag_id: str) -> None:
    """What was paused is resumed at once, and left to the sweep for a pause that comes late."""
    emulator.faults.add(Fault("no-effect", operation="pause", at=(2,)))
    ran = run(dags[dag_id])
    assert ran.states["pause_replication"] == "failed"
    assert ran.states["work"] == "upstream_failed"
    assert stages(emulator) == ["Incremental", "Incremental"]
    (key,) = held.keys()
    left = held.fields(key)
    assert left["until"] == left["opened"]
    assert run(dags["quick_sweep"]).state == "success"
    assert held.keys() == []


def test_another_attempt_is_left_its_record(emulator: Emulator, dags: Dags) -> None:
    """Only the last one gives up."""
    emulator.faults.add(Fault("error", status=500, operation="pause", times=1))
    ran = run(dags["window_retried"])
    assert (ran.state, ran.returned["work"]) == ("success", ["paused", "paused"])


def test_neither_paused_nor_resumed(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """The sweep is left to resume it, and does."""
    emulator.faults.add(Fault("no-effect", operation="pause"))
    emulator.faults.add(Fault("error", status=500, operation="resume"))
    assert run(dags["window_of_one"]).state == "failed"
    assert "Not resumed. The sweep tries again" in logged(capfd)
    emulator.faults.clear()
    emulator.set_stage(INSTANCE, "orders_sync", "Paused")
    run(dags["quick_sweep"])
    assert stages(emulator, "orders_sync") == ["Incremental"]


def test_connection_that_was_broken(
    emulator: Emulator,
    dags: Dags,
    connected: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What an earlier attempt has paused is left to the sweep, which fails until it can."""
    left, at = earlier_attempt("window_of_one")
    connected(extra={"endpoint": None})
    assert run(dags["window_of_one"], at=at).state == "failed"
    assert "Not resumed. The sweep tries again: No region." in logged(capfd)
    assert run(dags["quick_sweep"]).state == "failed"
    assert held.keys() == [left.key]


def test_connection_that_breaks(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """The teardown says why, and the record stays for the sweep."""
    assert run(dags["window"], disconnect=True).state == "failed"
    assert "access_key must be" in logged(capfd)
    assert len(held.keys()) == 1


def test_no_such_task(emulator: Emulator, dags: Dags) -> None:
    """Nothing was to be resumed, and nothing is left."""
    emulator.faults.add(Fault("error", status=404, operation="list"))
    assert run(dags["window"]).states["pause_replication"] == "failed"
    assert sent(emulator) == []
    assert held.keys() == []


@pytest.mark.parametrize("dag_id", ["window", "window_deferred", "window_of_any_rule"])
def test_teardown_that_fails(emulator: Emulator, dags: Dags, dag_id: str) -> None:
    """The run fails with it, the record stays, and the next sweep resumes."""
    emulator.faults.add(Fault("error", status=500, operation="resume"))
    ran = run(dags[dag_id])
    assert (ran.state, ran.states["resume_replication"]) == ("failed", "failed")
    assert len(held.keys()) == 1
    emulator.faults.clear()
    run(dags["quick_sweep"])
    assert stages(emulator) == ["Incremental", "Incremental"]
    assert held.keys() == []


# --- Arguments ----------------------------------------------------------------------------------


def test_arguments_that_cannot_be() -> None:
    """They are refused when the DAG is read."""
    with pytest.raises(ValueError, match="already_paused must be one of"):
        paused(instance_id=INSTANCE, task_name="a", lease=timedelta(1), already_paused="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lease must be"):
        paused(instance_id=INSTANCE, task_name="a", lease=timedelta(0))


def test_teardown_does_not_depend_on_the_past() -> None:
    """For what became of earlier runs."""
    with DAG("d", schedule=None, default_args={"depends_on_past": True}) as dag:
        paused(instance_id=INSTANCE, task_name="a", lease=timedelta(1), name="a")
    setup, teardown, last = map(dag.get_task, ["pause_a", "resume_a", "resumed_a"])
    assert setup.depends_on_past
    assert not any(task.depends_on_past or task.wait_for_downstream for task in (teardown, last))


def test_short_circuit() -> None:
    """One that would hide a failed teardown is refused when the DAG is read."""

    def add(**circuit: bool) -> None:
        with (
            DAG("short", schedule=None),
            paused(instance_id=INSTANCE, task_name="a", lease=timedelta(1)),
        ):
            ShortCircuitOperator(task_id="any_news", python_callable=bool, **circuit)

    with pytest.raises(ValueError, match="The task any_news also skips"):
        add()
    add(ignore_downstream_trigger_rules=False)


def test_a_record_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error of its own: Airflow answers as if there were none."""

    class Failing:
        """As the API of Airflow while its server cannot be reached for a moment."""

        @staticmethod
        def get(_key: str, default: object) -> object:
            return default

        @staticmethod
        def keys(prefix: str) -> list[str]:
            return [prefix]

    monkeypatch.setattr(records, "Variable", Failing)
    with pytest.raises(ConnectionError, match="could not be read"):
        records.read(f"{records.PREFIX}{INSTANCE}:1")
