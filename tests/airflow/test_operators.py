"""Each operator and the sensor, run by Airflow on an emulator."""

from __future__ import annotations

import threading
import time

import pytest
from airflow.sdk import DAG
from taurusdb_starrocks import RetryPolicy
from taurusdb_starrocks.airflow import ReplicationStageSensor, ReplicationTrigger
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.airflow.runs import run

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
Dags = dict[str, DAG]


def sent(emulator: Emulator) -> list[str | None]:
    return [call.operation for call in emulator.journal() if call.operation != "list"]


def test_one_task(emulator: Emulator, dags: Dags) -> None:
    """Its name is a template; the IDs of the job and of its request are in XCom."""
    ran = run(dags["one_task"], name="orders_sync")
    assert ran.state == "success"
    paused = ran.returned["pause"]
    assert (paused["task_name"], paused["stage"]) == ("orders_sync", "paused")
    assert ran.returned["told"] == [paused["job_id"], paused["request_id"]]
    assert paused["request_id"] == emulator.journal()[1].request_id
    assert ran.returned["resume"]["stage"] == "incremental"
    assert sent(emulator) == ["pause", "resume"]


def test_several_deferred(emulator: Emulator, dags: Dags) -> None:
    """Operators and sensors do the same in the triggerer, in the order of the names."""
    ran = run(dags["several_deferred"])
    assert ran.state == "success"
    for task_id, stage in [("pause", "paused"), ("sense", "paused"), ("resume", "incremental")]:
        assert [(one["task_name"], one["stage"]) for one in ran.returned[task_id]] == [
            ("orders_sync", stage),
            ("billing_sync", stage),
        ]
    assert all(one["job_id"] and one["request_id"] for one in ran.returned["pause"])
    assert ran.returned["sense_running"]["stage"] == "incremental"


def test_only_requested(emulator: Emulator, dags: Dags) -> None:
    """Without waiting, each request's IDs are told; sensors wait instead."""
    ran = run(dags["only_requested"])
    assert ran.state == "success"
    assert [one["stage"] for one in ran.returned["pause"]] == [None, None]
    assert all(one["job_id"] and one["request_id"] for one in ran.returned["pause"])
    assert [one["stage"] for one in ran.returned["sense"]] == ["paused", "paused"]
    assert ran.returned["sense_running"]["stage"] == "incremental"


# --- Retries ------------------------------------------------------------------------------------


# Attempts of one call, which are the client's own.
CLIENT = RetryPolicy().attempts
PAUSING = ["pause_twice", "pause_twice_deferred", "request_twice"]


def test_an_unknown_outcome_is_settled_by_looking(emulator: Emulator, dags: Dags) -> None:
    """The first attempt gets no response, the second finds the task paused."""
    emulator.faults.add(Fault("close", operation="pause", applied=True))
    emulator.faults.add(Fault("late-pause", seconds=0.4))
    assert run(dags["request_twice"]).state == "success"
    assert sent(emulator) == ["pause"]


@pytest.mark.parametrize("dag_id", PAUSING)
def test_a_pause_under_way_is_not_sent_again(emulator: Emulator, dags: Dags, dag_id: str) -> None:
    """An attempt after a first one looks for ``settle`` seconds before it requests anything."""
    emulator.faults.add(Fault("conflict", operation="pause", times=CLIENT))
    thread = threading.Thread(target=pause_after_first_attempt, args=(emulator,))
    thread.start()
    ran = run(dags[dag_id])
    thread.join()
    assert (ran.state, ran.returned["pause"]["job_id"]) == ("success", None)
    assert sent(emulator) == ["pause"] * CLIENT


def pause_after_first_attempt(emulator: Emulator) -> None:
    for _ in range(500):
        if sent(emulator).count("pause") == CLIENT:
            break
        time.sleep(0.02)
    time.sleep(0.2)
    emulator.set_stage(INSTANCE, "orders_sync", "Paused")


@pytest.mark.parametrize("dag_id", PAUSING)
def test_what_had_no_effect_is_sent_again(emulator: Emulator, dags: Dags, dag_id: str) -> None:
    """Once looking has shown that nothing happened."""
    emulator.faults.add(Fault("conflict", operation="pause", times=CLIENT))
    assert run(dags[dag_id]).state == "success"
    assert sent(emulator) == ["pause"] * (CLIENT + 1)
    assert emulator.task(INSTANCE, "orders_sync").stage == "Paused"


def test_a_resume_is_sent_again(emulator: Emulator, dags: Dags) -> None:
    """It harms nothing, and that a task runs proves nothing."""
    emulator.faults.add(Fault("error", status=500, operation="resume", times=1))
    assert run(dags["resume_twice"]).state == "success"
    assert sent(emulator) == ["resume", "resume"]


@pytest.mark.parametrize("dag_id", ["pause_twice", "pause_twice_deferred", "sense_deferred"])
def test_no_other_attempt_where_it_is_useless(
    emulator: Emulator, dags: Dags, dag_id: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A wrong token stays wrong: the task fails at once, with what the service said."""
    emulator.faults.add(Fault("expired-token"))
    assert run(dags[dag_id]).state == "failed"
    assert len(emulator.journal()) == 1
    assert "APIGW.0301" in capfd.readouterr().out


# --- The sensor ---------------------------------------------------------------------------------


def test_a_sensor_survives_what_passes(
    emulator: Emulator, dags: Dags, capfd: pytest.CaptureFixture[str]
) -> None:
    """A look that fails is logged, and the next one counts."""
    emulator.faults.add(Fault("close", operation="list", times=3))
    threading.Timer(0.5, emulator.set_stage, (INSTANCE, "orders_sync", "Paused")).start()
    assert run(dags["sense"]).state == "success"
    assert "This poll failed, and the next one may succeed" in capfd.readouterr().out


@pytest.mark.parametrize("fault", [Fault("abnormal", task="orders_sync"), Fault("expired-token")])
def test_a_sensor_fails_for_good(emulator: Emulator, dags: Dags, fault: Fault) -> None:
    """When the task is abnormal, or nobody is let in: without another attempt."""
    emulator.faults.add(fault)
    assert run(dags["sense"]).state == "failed"
    assert len(emulator.journal()) == 1


def test_stages_that_a_sensor_knows() -> None:
    """Another one is refused when the DAG is read."""
    with pytest.raises(ValueError, match="stage must be 'paused' or 'running', not 'stopped'"):
        ReplicationStageSensor(task_id="a", instance_id=INSTANCE, task_name="b", stage="stopped")  # type: ignore[arg-type]


def test_a_trigger_is_built_again_from_what_it_says() -> None:
    """As a triggerer does it."""
    wait = {
        "instance_id": INSTANCE,
        "task_names": ["orders_sync"],
        "goal": "paused",
        "change": True,
        "timeout": 1.0,
        "poll_interval": 1.0,
        "settle": 1.0,
        "again": True,
        "twice": True,
        "window": "taurusdb_starrocks.window:1",
        "opened": "2026-01-01T00:00:00+00:00",
    }
    name, arguments = ReplicationTrigger("conn", **wait).serialize()
    assert name == "taurusdb_starrocks.airflow.trigger.ReplicationTrigger"
    assert arguments == {"conn_id": "conn", **wait}
    assert ReplicationTrigger(**arguments).serialize() == (name, arguments)
