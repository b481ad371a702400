"""Instances, configurations, and the versions of the contract."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from emulator_calls import ask, open_client, path_of
from taurusdb_starrocks_emulator import Emulator, Fault

REFUSALS = [400, 401, 404, 405]


def instances_path(emulator: Emulator, instance_id: str | None = None) -> str:
    instance = emulator.source_instance_id if instance_id is None else instance_id
    return f"/v3/{emulator.project_id}/instances/{instance}/htap"


def configuration_of(emulator: Emulator, client: httpx.Client, task_name: str) -> Any:
    path = path_of(emulator, "configuration")
    return client.get(path, params={"task_name": task_name})


def test_instances_are_those_that_replicate_from_the_instance(
    emulator: Emulator, client: httpx.Client
) -> None:
    """With the fields that the contract names."""
    document = client.get(instances_path(emulator)).raise_for_status().json()
    assert document["total"] == 2
    first, second = document["instances"]
    assert first == {
        "id": emulator.instance_id,
        "name": "starrocks-orders",
        "engine_name": "star-rocks",
        "engine_version": "3.1.6.0",
        "project_id": emulator.project_id,
        "instance_state": {"instance_status": "normal"},
        "is_frozen": False,
        "current_actions": [],
    }
    assert second["id"].endswith("in17")


@pytest.mark.parametrize(
    "instance_id", ["9ac58f9b88744f8a87893d22f6ef9a28in17", "2f4c1b7e9d8a4c3f8e6d5a4b3c2d1e0fin07"]
)
def test_instances_of_another_kind_or_project_are_not_found(
    emulator: Emulator, client: httpx.Client, instance_id: str
) -> None:
    """A StarRocks instance has none, and somebody else's are not shown."""
    refused = client.get(instances_path(emulator, instance_id))
    assert (refused.status_code, refused.json()["error_code"]) == (400, "DBS.200022")


def test_an_instance_without_a_source_is_in_no_list() -> None:
    """A seed need not say what an instance replicates from."""
    seed = {
        "projects": [
            {
                "id": "0483b6b16e954cb88930a360d2c4e663",
                "name": "r",
                "instances": [
                    {
                        "id": "9ac58f9b88744f8a87893d22f6ef9a28in17",
                        "tasks": [{"name": "one", "source_database": "d"}],
                    }
                ],
            }
        ]
    }
    with Emulator(seed=seed) as emulator, open_client(emulator) as client:
        assert emulator.source_instance_id == ""
        assert configuration_of(emulator, client, "one").json()["source_instance_id"] is None


def test_a_configuration_has_the_retention_of_the_source(
    emulator: Emulator, client: httpx.Client
) -> None:
    """And what became of the task; the journal has the name from the query."""
    document = configuration_of(emulator, client, "orders_sync").raise_for_status().json()
    assert document["source_instance_id"] == emulator.source_instance_id
    assert document["database_info"] == {
        "database_name": "orders",
        "db_config_check_results": [
            {
                "param_name": "binlog_expire_logs_seconds",
                "value": "86400",
                "check_result": "success",
            }
        ],
    }
    assert (document["is_tables_change"], document["last_error_of_alter_table"]) == (False, "")
    assert emulator.journal()[-1].operation == "configuration"
    assert emulator.journal()[-1].task_name == "orders_sync"


def test_a_configuration_may_lack_the_retention(emulator: Emulator, client: httpx.Client) -> None:
    """As the seed says; 0 is no expiry."""
    archive = configuration_of(emulator, client, "archive_sync").json()
    assert archive["database_info"]["db_config_check_results"] == []
    assert archive["is_tables_change"] is True
    assert archive["last_error_of_alter_table"]
    events = configuration_of(emulator, client, "events_sync").json()
    (check,) = events["database_info"]["db_config_check_results"]
    assert check["value"] == 0


def test_a_configuration_may_have_the_other_spelling(
    emulator: Emulator, client: httpx.Client
) -> None:
    """That of the Terraform provider, with the same values; the rest stays as it is."""
    usual = configuration_of(emulator, client, "orders_sync").json()
    emulator.faults.add(Fault("camel-case"))
    response = configuration_of(emulator, client, "orders_sync")
    assert response.headers["X-Request-Id"] == emulator.journal()[-1].request_id
    database = usual.pop("database_info")
    assert response.json() == {
        **usual,
        "database_info": {
            "databaseName": database["database_name"],
            "dbCfgCheckResults": database["db_config_check_results"],
        },
    }
    assert client.get(path_of(emulator)).status_code == 200


@pytest.mark.parametrize("body", [b"{}", b'{"task_name":"billing_sync"}', b"[]", b"no JSON"])
def test_the_body_of_a_get_names_no_task(
    emulator: Emulator, client: httpx.Client, body: bytes
) -> None:
    """The name is read from the query. Some clients send an empty object with every request."""
    path = path_of(emulator, "configuration") + "?task_name=orders_sync"
    response = client.request("GET", path, content=body)
    assert response.raise_for_status().json()["target_database_name"] == "orders"
    assert emulator.journal()[-1].task_name == "orders_sync"


def test_a_configuration_of_no_task_is_not_found(emulator: Emulator, client: httpx.Client) -> None:
    """As a pause of no task."""
    refused = configuration_of(emulator, client, "no_such_task")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "DBS.05000091")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "task_name=",
        "task_name=ab",
        "task_name=orders-sync",
        f"task_name={quote(chr(10))}orders_sync",
        f"task_name=orders_sync{quote(chr(10))}",
        "task_name=orders_sync&task_name=orders_sync",
        "TASK_NAME=orders_sync",
    ],
)
def test_a_malformed_name_in_the_query_is_refused(
    emulator: Emulator, client: httpx.Client, query: str
) -> None:
    """With 400, and a reason."""
    refused = client.get(f"{path_of(emulator, 'configuration')}?{query}")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "DBS.280001")


@pytest.mark.parametrize("verb", ["configuration", "instances"])
def test_both_need_a_token_of_the_project(emulator: Emulator, verb: str) -> None:
    """Nobody learns anything without one."""
    path = instances_path(emulator)
    if verb == "configuration":
        path = path_of(emulator, verb) + "?task_name=orders_sync"
    refused = httpx.get(emulator.url + path)
    assert (refused.status_code, refused.json()["error_code"]) == (401, "APIGW.0301")
    assert httpx.get(emulator.url + path, headers={"X-Auth-Token": emulator.token}).is_success


@pytest.mark.parametrize(
    ("contract", "statuses"),
    [("1.0", [404, 404, 404]), ("1.1", [200, 404, 404]), ("1.2", [200, 200, 200])],
)
def test_an_earlier_contract_lacks_operations(contract: str, statuses: list[int]) -> None:
    """What it lacks is answered like any unknown path; pause and resume are always there."""
    with Emulator(contract=contract) as emulator, open_client(emulator) as client:
        unknown = client.get(path_of(emulator, "unknown"))
        answers = [
            client.get(path_of(emulator)),
            configuration_of(emulator, client, "orders_sync"),
            client.get(instances_path(emulator)),
        ]
        assert [answer.status_code for answer in answers] == statuses
        for answer in answers:
            if answer.status_code == 404:
                assert answer.json().keys() == unknown.json().keys()
                assert answer.json()["error_code"] == unknown.json()["error_code"]
        assert ask(emulator, client).status_code == 200


def test_an_unknown_contract_is_refused() -> None:
    """Before anything is started; the error names those that there are."""
    with pytest.raises(ValueError, match=r"contract must be one of 1\.0, 1\.1, 1\.2"):
        Emulator(contract="2.0")


def test_every_refusal_has_a_code_and_a_text(emulator: Emulator, client: httpx.Client) -> None:
    """The contract requires both of every error."""
    path = path_of(emulator)
    refusals = [
        client.get(path.replace("in17", "in18")),
        client.get(f"{path}?limit=0"),
        httpx.get(emulator.url + path),
        client.get("/nowhere"),
        client.put(path),
        client.post(f"{path}/pause", json={}),
    ]
    assert sorted({answer.status_code for answer in refusals}) == REFUSALS
    for answer in refusals:
        assert answer.json()["error_code"]
        assert answer.json()["error_msg"]
