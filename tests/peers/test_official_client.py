"""The vendor's own client, pointed at the emulator and at a service that misbehaves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from official_peer import Official
from recording_service import RecordingService, Reply
from taurusdb_starrocks import AccessKeyAuth, AuthenticationError, OutcomeUnknownError, Stage
from taurusdb_starrocks_emulator import Emulator


class Clock:
    """The time of day, and as much later as a test likes."""

    later = 0.0

    def __call__(self) -> float:
        return time.time() + self.later


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    running = Emulator(clock=clock)
    with running:
        yield running
    running.close()


def target(emulator: Emulator, **other: str) -> dict[str, str]:
    """Whom the official client asks for what; always with keys."""
    known = {
        "endpoint": emulator.url,
        "access_key": emulator.access_key,
        "secret_key": emulator.secret_key,
        "project_id": emulator.project_id,
        "instance_id": emulator.instance_id,
        "task_name": emulator.task_name,
    }
    return {**known, **other}


def ours(emulator: Emulator, open_client: Any, secret_key: str | None = None) -> Any:
    return open_client(
        endpoint=emulator.url,
        project_id=emulator.project_id,
        auth=AccessKeyAuth(emulator.access_key, secret_key or emulator.secret_key),
        trust_env=False,
        environ={},
    )


def stage(emulator: Emulator) -> str:
    return emulator.task(emulator.instance_id, emulator.task_name).stage


def test_pause_and_resume(official: Official, emulator: Emulator) -> None:
    """The official client's signature and calls are good at the emulator, and change the task."""
    assert stage(emulator) == "Incremental"
    paused = official.call("pause", **target(emulator))
    assert stage(emulator) == "Paused"
    resumed = official.call("resume", **target(emulator))
    assert stage(emulator) == "Incremental"
    jobs = [call.job_id for call in emulator.journal()]
    assert jobs == [paused["job_id"], resumed["job_id"]]
    assert None not in jobs
    assert {call.caller for call in emulator.journal()} == {emulator.access_key}


def test_list(official: Official, emulator: Emulator) -> None:
    """It reads a page of the emulator's list by the names that it knows."""
    page = official.call("list", **target(emulator))
    assert page["total_count"] == 4
    assert [task["task_name"] for task in page["replications"]] == ["billing_sync", "events_sync"]
    assert [task["stage"] for task in page["replications"]] == ["Incremental", "Full"]


def test_configuration(official: Official, emulator: Emulator) -> None:
    """So it does the configuration of a task, with the retention of the binary log."""
    read = official.call("configuration", **target(emulator))
    assert read["source_instance_id"] == emulator.source_instance_id
    assert read["target_database_name"] == "orders"
    (check,) = read["database_info"]["db_config_check_results"]
    assert (check["param_name"], check["value"]) == ("binlog_expire_logs_seconds", "86400")
    assert read["is_tables_change"] is False
    assert read["last_error_of_alter_table"] == ""


def test_instances(official: Official, emulator: Emulator) -> None:
    """And the instances of a TaurusDB instance."""
    read = official.call("instances", **target(emulator, instance_id=emulator.source_instance_id))
    assert read["total"] == 2
    assert read["instances"][0]["id"] == emulator.instance_id
    assert read["instances"][0]["instance_state"]["instance_status"] == "normal"


@pytest.mark.parametrize("verb", ["configuration", "instances"])
def test_what_an_older_contract_lacks(official: Official, verb: str) -> None:
    """Is an error of the gateway to it."""
    with Emulator(contract="1.1") as emulator:
        said = official.call(verb, **target(emulator))
    assert (said["status"], said["code"]) == (404, "APIGW.0101")


def test_temporary_key(official: Official, emulator: Emulator) -> None:
    """So is its signature with a temporary key, and only with the token that belongs to it."""
    key = {"access_key": "AKIDTEMPORARY", "secret_key": "SKTEMPORARY"}
    asked = target(emulator, **key, security_token="temporary-security-token")
    assert official.call("pause", **asked)["job_id"]
    refused = official.call("resume", **target(emulator, **key))
    assert refused["status"] == 401
    assert stage(emulator) == "Paused"


def test_each_undoes_the_other(official: Official, emulator: Emulator, open_client: Any) -> None:
    """Ours and the official client see and change the same task with the same key."""
    with ours(emulator, open_client) as client:
        assert official.call("pause", **target(emulator))["job_id"]
        task = client.task(emulator.instance_id, emulator.task_name)
        assert task.stage is Stage.PAUSED
        client.resume(emulator.instance_id, emulator.task_name)
        assert stage(emulator) == "Incremental"
        client.pause(emulator.instance_id, emulator.task_name)
    assert official.call("resume", **target(emulator))["job_id"]
    assert stage(emulator) == "Incremental"


def test_wrong_secret_locks_the_key(official: Official, emulator: Emulator, clock: Clock) -> None:
    """Six wrong signatures lock the key for five minutes; then a right one fails as well."""
    wrong = target(emulator, secret_key="WRONG")
    refused = {"error": "ClientRequestException", "status": 401, "code": "APIGW.0301"}
    for _ in range(5):
        assert official.call("pause", **wrong) == refused
    assert official.call("pause", **target(emulator))["job_id"]  # One that is right starts anew.
    for _ in range(6):
        assert official.call("resume", **wrong) == refused
    assert official.call("resume", **target(emulator)) == refused
    assert stage(emulator) == "Paused"
    clock.later = 301
    assert official.call("resume", **target(emulator))["job_id"]
    assert stage(emulator) == "Incremental"


def test_ours_never_repeats_a_wrong_signature(
    official: Official, emulator: Emulator, open_client: Any
) -> None:
    """A wrong secret costs our client one of the five, so the official one is not locked out."""
    with ours(emulator, open_client, secret_key="WRONG") as client:
        for _ in range(4):
            with pytest.raises(AuthenticationError) as caught:
                client.pause(emulator.instance_id, emulator.task_name)
            assert caught.value.attempts == 1
    assert len(emulator.journal()) == 4
    assert official.call("pause", **target(emulator))["job_id"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "[]"),
        Reply(200, ""),
        Reply(200, "{}"),
        Reply(200, '{"job_id": "1"'),
        Reply(200, "<html>Sign in</html>", content_type="text/html"),
        Reply(302, "", location="https://elsewhere.example.com/"),
    ],
    ids=["list", "empty", "no job", "cut off", "HTML", "redirect"],
)
def test_answers_that_are_none(official: Official, open_client: Any, reply: Reply) -> None:
    """What the official client takes for a success without a job is an error of ours."""
    emulator = Emulator()
    emulator.close()
    with RecordingService(lambda _: reply) as service:
        asked = {
            "access_key": "AKIDEXAMPLE",
            "secret_key": "SKEXAMPLE",
            "project_id": emulator.project_id,
            "instance_id": emulator.instance_id,
            "task_name": emulator.task_name,
        }
        said = official.call("pause", endpoint=service.url, **asked)
        assert said == {"job_id": None}
        with open_client(
            endpoint=service.url,
            project_id=emulator.project_id,
            auth=AccessKeyAuth("AKIDEXAMPLE", "SKEXAMPLE"),
            trust_env=False,
            environ={},
        ) as client:
            with pytest.raises(OutcomeUnknownError):
                client.pause(emulator.instance_id, emulator.task_name)
    assert len(service.received) == 2


def test_home_of_its_own(official: Official, emulator: Emulator) -> None:
    """What the official client writes into the home folder stays in the one it was given."""
    official.call("pause", **target(emulator))
    assert (official.home / ".huaweicloud" / "application_id").exists()
