"""Instances of a TaurusDB instance, and the configuration of a task."""

from __future__ import annotations

import json
import pickle
import warnings
from typing import Any

import httpx
import pytest
from clients import INSTANCE, TASK, TOKEN, Maker, Wire
from taurusdb_starrocks import (
    BadRequestError,
    Configuration,
    ConfigurationError,
    Instance,
    NotFoundError,
    OutcomeUnknownError,
    ServiceError,
    Task,
    TokenAuth,
    UnsupportedOperationError,
)
from taurusdb_starrocks_emulator import Emulator

SOURCE = "61a4ea66210545909d74a05c27a7179ein07"
CALLS = {
    "tasks": lambda client: client.tasks(),
    "task": lambda client: client.do("task", INSTANCE, TASK),
    "instances": lambda client: client.do("instances", SOURCE),
    "configuration": lambda client: client.do("configuration", INSTANCE, TASK),
}


def ok(document: Any) -> httpx.Response:
    return httpx.Response(200, json=document, headers={"X-Request-Id": "r-1"})


def open_emulated(make: Maker, emulator: Emulator) -> Any:
    return make(
        endpoint=emulator.url, project_id=emulator.project_id, auth=TokenAuth(emulator.token)
    )


def test_instances_of_a_taurusdb_instance(make: Maker) -> None:
    """Each with what a user needs to choose one; one request is sent and no other."""
    with Emulator() as emulator:
        found = open_emulated(make, emulator).do("instances", emulator.source_instance_id)
        assert found == [
            Instance(
                id=emulator.instance_id,
                name="starrocks-orders",
                engine_name="star-rocks",
                engine_version="3.1.6.0",
                status="normal",
                frozen=False,
            ),
            Instance(
                id="b6280c323ce449f2ad02af74e21f3dc5in17",
                name="starrocks-stock",
                engine_name="star-rocks",
                engine_version="3.1.6.0",
                status="normal",
                frozen=False,
            ),
        ]
        assert [call.operation for call in emulator.journal()] == ["instances"]
    assert found[0].is_starrocks
    assert not Instance("a" * 32 + "in16", None, None, None, "", None).is_starrocks


def test_configuration_of_a_task(make: Maker) -> None:
    """With the retention of the source's binary log; one request is sent and no other."""
    with Emulator() as emulator:
        client = open_emulated(make, emulator)
        assert client.do("configuration", emulator.instance_id, "orders_sync") == Configuration(
            source_instance_id=emulator.source_instance_id,
            source_database="orders",
            target_database="orders",
            binlog_retention_seconds=86400,
            tables_changed=False,
            last_error_of_alter_table="",
        )
        (call,) = emulator.journal()
        assert (call.operation, call.task_name) == ("configuration", "orders_sync")
        archive = client.do("configuration", emulator.instance_id, "archive_sync")
        assert archive.binlog_retention_seconds is None
        assert archive.tables_changed is True
        assert archive.last_error_of_alter_table.startswith("ALTER TABLE archive.items")
        events = client.do("configuration", emulator.instance_id, "events_sync")
        assert events.binlog_retention_seconds is None


@pytest.mark.parametrize("verb", ["instances", "configuration"])
def test_what_is_not_there_is_not_found(make: Maker, verb: str) -> None:
    """In the words of the service."""
    arguments = {"instances": ["0" * 32 + "in07"], "configuration": [INSTANCE, "no_such_task"]}
    with Emulator() as emulator:
        with pytest.raises(NotFoundError, match="not found"):
            open_emulated(make, emulator).do(verb, *arguments[verb])


@pytest.mark.parametrize(
    ("contract", "lacking"),
    [
        ("1.0", {"tasks", "task", "instances", "configuration"}),
        ("1.1", {"instances", "configuration"}),
        ("1.2", set()),
    ],
)
def test_service_of_an_older_contract(make: Maker, contract: str, lacking: set[str]) -> None:
    """What it lacks is said, with the contract that has it; everything else works."""
    with Emulator(contract=contract) as emulator:
        client = open_emulated(make, emulator)
        for name, call in CALLS.items():
            if name not in lacking:
                assert call(client)
                continue
            with pytest.raises(
                UnsupportedOperationError, match="implements an API version older than"
            ) as e:
                call(client)
            assert (e.value.status, e.value.code, e.value.attempts) == (404, "APIGW.0101", 1)
            assert e.value.request_id
            since = "1.1" if name in ("tasks", "task") else "1.2"
            assert f"than {since}" in str(e.value)
            assert not isinstance(e.value, BadRequestError)
            assert type(pickle.loads(pickle.dumps(e.value))) is UnsupportedOperationError
        assert client.pause(emulator.instance_id).id
        assert client.resume(emulator.instance_id).id


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""),
        (404, b"<html>"),
        (405, b""),
        (501, b""),
        (404, b'{"error_code": "APIG.0101", "error_msg": "No."}'),
        (405, b'{"error_code": "APIGW.0101"}'),
    ],
)
def test_unknown_path_is_an_unsupported_operation(
    make: Maker, name: str, status: int, body: bytes
) -> None:
    """Whoever says that the path is not known, in whatever form, at the first attempt."""
    wire = Wire(httpx.Response(status, content=body))
    with pytest.raises(UnsupportedOperationError):
        CALLS[name](make(transport=wire))
    assert len(wire.sent) == 1


@pytest.mark.parametrize("name", CALLS)
def test_services_own_404_is_not_found(make: Maker, name: str) -> None:
    """A code of the service's own means that the path is known and the thing is not."""
    answer = httpx.Response(404, json={"error_code": "DBS.290013", "error_msg": "No."})
    with pytest.raises(NotFoundError):
        CALLS[name](make(transport=Wire(answer)))


@pytest.mark.parametrize("status", [404, 405])
def test_change_at_an_unknown_path_is_a_refusal(make: Maker, status: int) -> None:
    """Every contract has pause: a host without it is the wrong one."""
    answer = httpx.Response(status, json={"error_code": "APIGW.0101"})
    with pytest.raises(ServiceError) as caught:
        make(transport=Wire(answer)).pause()
    assert not isinstance(caught.value, UnsupportedOperationError)


@pytest.mark.parametrize("verb", ["pause", "resume", "task", "configuration", "tasks"])
def test_id_of_a_taurusdb_instance_names_the_call_that_helps(make: Maker, verb: str) -> None:
    """The warning does, and so does what is then not found. Nothing else is sent."""
    with Emulator() as emulator:
        client = open_emulated(make, emulator)
        arguments = [SOURCE] if verb == "tasks" else [SOURCE, TASK]
        with pytest.warns(UserWarning, match=rf"client\.instances\('{SOURCE}'\)"):
            with pytest.raises(NotFoundError, match=rf"client\.instances\('{SOURCE}'\)") as caught:
                client.tasks(SOURCE) if verb == "tasks" else client.do(verb, *arguments)
        assert len(emulator.journal()) == 1
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)


def test_task_that_a_taurusdb_instance_lacks_names_the_call_too(make: Maker) -> None:
    """Also where a service answers with a list of tasks."""
    wire = Wire(ok({"total_count": 0, "replications": []}))
    with pytest.warns(UserWarning, match=r"client\.instances"):
        with pytest.raises(NotFoundError, match=rf"client\.instances\('{SOURCE}'\)"):
            make(transport=wire).do("task", SOURCE, TASK)


def test_right_id_gets_no_advice(make: Maker) -> None:
    """What is not found under a StarRocks ID says nothing of another call."""
    answer = httpx.Response(400, json={"error_code": "DBS.200022", "error_msg": "Not found."})
    with pytest.raises(NotFoundError) as caught:
        make(transport=Wire(answer)).pause()
    assert str(caught.value) == "400 DBS.200022 Not found. (pause orders_sync)"


def test_instances_warns_of_a_starrocks_id(make: Maker) -> None:
    """It is the call for the other ID; the request goes out, and the warning shows the caller."""
    wire = Wire(ok({"instances": []}))
    client = make(transport=wire)
    with pytest.warns(UserWarning, match="does not end in in07") as caught:
        assert client.do("instances", INSTANCE) == []
    assert len(wire.sent) == 1
    assert caught[0].filename.endswith(("clients.py", "test_instances.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.do("instances", SOURCE)


@pytest.mark.parametrize("bad", ["", "..", SOURCE + "\n", None, 7], ids=repr)
def test_malformed_arguments_are_refused(make: Maker, bad: Any) -> None:
    """Before anything is sent."""
    wire = Wire(ok({}))
    client = make(transport=wire)
    with pytest.raises(ConfigurationError, match="instance_id must be 36 characters"):
        client.do("instances", bad)
    with pytest.raises(ConfigurationError, match="instance_id must be 36 characters"):
        client.do("configuration", bad, TASK)
    with pytest.raises(ConfigurationError, match="task_name must be 3 to 128"):
        client.do("configuration", INSTANCE, bad)
    assert wire.sent == []


INSTANCES: list[tuple[Any, dict[str, Any]]] = [
    ({"name": None}, {"name": None}),
    ({"name": 7}, {"name": None}),
    ({"name": "n" * 1000}, {"name": "n" * 256}),
    ({"instance_state": None}, {"status": ""}),
    ({"instance_state": "normal"}, {"status": ""}),
    ({"instance_state": {}}, {"status": ""}),
    ({"instance_state": {"instance_status": "creating"}}, {"status": "creating"}),
    ({"is_frozen": "true"}, {"frozen": True}),
    ({"is_frozen": " False "}, {"frozen": False}),
    ({"is_frozen": True}, {"frozen": True}),
    ({"is_frozen": 1}, {"frozen": None}),
    ({"is_frozen": "maybe"}, {"frozen": None}),
    ({"engine_name": "click-house"}, {"engine_name": "click-house"}),
    ({"current_actions": "none"}, {}),
]


@pytest.mark.parametrize(("wire", "read"), INSTANCES, ids=str)
def test_instances_are_read_leniently(make: Maker, wire: Any, read: dict[str, Any]) -> None:
    """Fields that are missing, null or of another type are unknown."""
    answer = ok({"total": "1", "instances": [{"id": INSTANCE, **wire}]})
    (found,) = make(transport=Wire(answer)).do("instances", SOURCE)
    assert found.id == INSTANCE
    assert {name: getattr(found, name) for name in read} == read


@pytest.mark.parametrize(
    "document",
    [
        {"instances": []},
        {"instances": None},
        {"instances": [{}, {"id": None}, {"id": ""}, {"id": 7}]},
    ],
    ids=str,
)
def test_no_instances(make: Maker, document: Any) -> None:
    """An empty list, none, and entries without an ID."""
    assert make(transport=Wire(ok(document))).do("instances", SOURCE) == []


def test_an_instance_is_listed_once(make: Maker) -> None:
    """However often the service shows it."""
    answer = ok({"instances": [{"id": INSTANCE, "name": "a"}, {"id": INSTANCE, "name": "b"}]})
    assert len(make(transport=Wire(answer)).do("instances", SOURCE)) == 1


def retention(*values: Any, name: str = "db_config_check_results") -> dict[str, Any]:
    checks = [{"param_name": "binlog_expire_logs_seconds", "value": value} for value in values]
    return {"database_info": {name: checks}}


def both(one: str, other: str) -> dict[str, Any]:
    camel = retention(other, name="dbCfgCheckResults")["database_info"]
    return {"database_info": retention(one)["database_info"] | camel}


CONFIGURATIONS: list[tuple[Any, dict[str, Any]]] = [
    (retention("3600"), {"binlog_retention_seconds": 3600}),
    (retention(3600), {"binlog_retention_seconds": 3600}),
    (retention("3600", name="dbCfgCheckResults"), {"binlog_retention_seconds": 3600}),
    (both("3600", "3600"), {"binlog_retention_seconds": 3600}),
    (both("3600", "7200"), {"binlog_retention_seconds": None}),
    ({"database_info": {"databaseName": "orders"}}, {"source_database": "orders"}),
    (retention(" 604800 "), {"binlog_retention_seconds": 604800}),
    (retention("1"), {"binlog_retention_seconds": 1}),
    (retention("4294967295"), {"binlog_retention_seconds": 4294967295}),
    (retention("4294967296"), {"binlog_retention_seconds": None}),
    (retention("0"), {"binlog_retention_seconds": None}),
    (retention(0), {"binlog_retention_seconds": None}),
    (retention(-1), {"binlog_retention_seconds": None}),
    (retention("-1"), {"binlog_retention_seconds": None}),
    (retention(""), {"binlog_retention_seconds": None}),
    (retention("a day"), {"binlog_retention_seconds": None}),
    (retention("9" * 5000), {"binlog_retention_seconds": None}),
    (retention("\u0663600"), {"binlog_retention_seconds": None}),
    (retention(True), {"binlog_retention_seconds": None}),
    (retention(3600.5), {"binlog_retention_seconds": None}),
    (retention(None), {"binlog_retention_seconds": None}),
    (retention({}), {"binlog_retention_seconds": None}),
    (retention(), {"binlog_retention_seconds": None}),
    (retention("3600", "3600"), {"binlog_retention_seconds": 3600}),
    (retention("3600", "7200"), {"binlog_retention_seconds": None}),
    (retention("3600", "0"), {"binlog_retention_seconds": None}),
    ({"database_info": None}, {"binlog_retention_seconds": None, "source_database": None}),
    ({"database_info": []}, {"binlog_retention_seconds": None}),
    ({"database_info": {"db_config_check_results": {}}}, {"binlog_retention_seconds": None}),
    ({"database_info": {"db_config_check_results": [7]}}, {"binlog_retention_seconds": None}),
    ({"database_info": {"database_name": "orders"}}, {"source_database": "orders"}),
    (
        {"database_info": {"db_config_check_results": [{"param_name": "other", "value": "5"}]}},
        {"binlog_retention_seconds": None},
    ),
    ({"is_tables_change": True}, {"tables_changed": True}),
    ({"is_tables_change": "false"}, {"tables_changed": False}),
    ({"is_tables_change": None}, {"tables_changed": None}),
    ({}, {"tables_changed": None, "last_error_of_alter_table": "", "source_instance_id": None}),
    ({"last_error_of_alter_table": None}, {"last_error_of_alter_table": ""}),
    ({"last_error_of_alter_table": "no"}, {"last_error_of_alter_table": "no"}),
    ({"last_error_of_alter_table": "n" * 5000}, {"last_error_of_alter_table": "n" * 2000}),
    ({"last_error_of_alter_table": ["no"]}, {"last_error_of_alter_table": ""}),
    ({"source_instance_id": SOURCE}, {"source_instance_id": SOURCE}),
    ({"target_database_name": "ALL"}, {"target_database": "ALL"}),
    ({"table_infos": "none", "table_repl_config": []}, {}),
]


@pytest.mark.parametrize(("wire", "read"), CONFIGURATIONS, ids=lambda value: str(value)[:60])
def test_configurations_are_read_leniently(make: Maker, wire: Any, read: dict[str, Any]) -> None:
    """A retention is a positive number of seconds that is said in one way, or it is not known."""
    found = make(transport=Wire(ok(wire))).do("configuration", INSTANCE, TASK)
    assert isinstance(found, Configuration)
    assert {name: getattr(found, name) for name in read} == read


ERROR = {"error_code": "DBS.200011", "error_msg": "Another operation is running."}
UNUSABLE: list[tuple[str, Any]] = [
    ("instances", {}),
    ("instances", {"total": 0, **ERROR}),
    ("instances", {"instances": None, **ERROR}),
    ("instances", {"instances": [], **ERROR}),
    ("instances", {"instances": {}}),
    ("instances", {"instances": [1]}),
    ("instances", {"instances": [{}] * 1001}),
    ("instances", []),
    ("configuration", ERROR),
    ("configuration", {"errorCode": "DBS.200011"}),
    ("configuration", {"error": {"message": "No."}}),
    ("configuration", {"table_infos": [{}] * 10_001}),
    ("configuration", {"database_info": {"db_config_check_results": [{}] * 1001}}),
    ("configuration", "text"),
    ("tasks", ERROR),
    ("tasks", {"replications": None, **ERROR}),
    ("tasks", {"total_count": 0, **ERROR}),
    ("tasks", {"replications": [{}] * 1001}),
    ("tasks", {}),
    ("tasks", {"total_count": 3}),
]


@pytest.mark.parametrize(("name", "document"), UNUSABLE, ids=lambda value: str(value)[:60])
def test_200_that_does_not_hold_what_was_asked_for(make: Maker, name: str, document: Any) -> None:
    """An error, nothing, or more than can be, under status 200: unknown, harmless, and retried."""
    wire = Wire(ok(document))
    with pytest.raises(OutcomeUnknownError, match="safe to repeat") as caught:
        CALLS[name](make(transport=wire))
    assert caught.value.harmless
    assert len(wire.sent) == 3
    if "DBS.200011" in json.dumps(document):
        assert caught.value.code == "DBS.200011"


@pytest.mark.parametrize(
    "document",
    [
        {"total_count": 0, "replications": None},
        {"total_count": 0},
        {"total_count": "0"},
        {"replications": []},
    ],
    ids=str,
)
def test_lists_that_are_empty(make: Maker, document: Any) -> None:
    """A list that is there, null, or counted as none, is one without tasks."""
    assert make(transport=Wire(ok(document))).tasks() == []


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("true", True),
        ("false", False),
        ("TRUE", True),
        (True, True),
        (False, False),
        (None, None),
        ("", None),
        ("yes", None),
        (1, None),
        ([], None),
    ],
    ids=repr,
)
def test_flags_of_a_task(make: Maker, said: Any, read: bool | None) -> None:
    """Booleans, the words for them that are seen on the wire, or unknown."""
    entry = {"task_name": TASK, "is_need_repair": said, "is_main_task": said}
    (task,) = make(transport=Wire(ok({"total_count": 1, "replications": [entry]}))).tasks()
    assert isinstance(task, Task)
    assert (task.needs_repair, task.main_task) == (read, read)


def test_flags_that_are_missing(make: Maker) -> None:
    """An older revision of the service does not have them."""
    answer = ok({"total_count": 1, "replications": [{"task_name": TASK}]})
    (task,) = make(transport=Wire(answer)).tasks()
    assert (task.needs_repair, task.main_task) == (None, None)


def test_texts_of_a_task_are_bounded(make: Maker) -> None:
    """However long what the service sends is."""
    entry = {"task_name": TASK, "stage": "s" * 10_000, "status": "t" * 10_000}
    (task,) = make(transport=Wire(ok({"total_count": 1, "replications": [entry]}))).tasks()
    assert (len(task.stage_text), len(task.status)) == (256, 256)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"error_code": "DBS.1"}', b'{"error_msg": "No."}', b'{"error_code": null}']
)
@pytest.mark.parametrize("verb", ["configuration", "instances"])
def test_errors_without_code_or_text_are_read_leniently(
    make: Maker, verb: str, body: bytes
) -> None:
    """The contract requires both; the client does without."""
    client = make(transport=Wire(httpx.Response(400, content=body)))
    with pytest.raises(BadRequestError):
        CALLS[verb](client)


def test_secrets_stay_hidden(make: Maker) -> None:
    """The words of a service that lacks a call are cleaned like all others."""
    answer = httpx.Response(404, json={"error_code": "APIGW.0101", "error_msg": f"No {TOKEN}"})
    with pytest.raises(UnsupportedOperationError) as caught:
        make(transport=Wire(answer)).do("instances", SOURCE)
    assert TOKEN not in str(caught.value)
