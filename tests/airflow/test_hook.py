"""Connections: their form, what a client is made of them, and that no secret of theirs is shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import jsonschema_rs
import pytest
from airflow.models.connection import Connection
from airflow.providers_manager import ProvidersManager
from taurusdb_starrocks import AsyncClient, Client, ConfigurationError
from taurusdb_starrocks import airflow as ours
from taurusdb_starrocks.airflow import StarRocksReplicationHook
from taurusdb_starrocks.airflow.provider import get_provider_info
from taurusdb_starrocks_emulator import Emulator, Fault

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
Connect = Callable[..., None]


def said_by_test() -> tuple[bool, str]:
    """What the button says: Airflow finds the hook by the type of the connection."""
    connection = Connection.get_connection_from_secrets("taurusdb_starrocks_default")
    found: tuple[bool, str] = connection.test_connection()  # type: ignore[no-untyped-call]  # Airflow's.
    return found


@pytest.mark.parametrize("file", ["provider_info.schema.json", "provider.yaml.schema.json"])
def test_provider_info(file: str) -> None:
    """The entry point leads to what fits Airflow's own schemas."""
    (entry,) = [
        entry
        for entry in entry_points(group="apache_airflow_provider")
        if entry.value.startswith("taurusdb_starrocks")
    ]
    info = entry.load()()
    assert info == get_provider_info()
    schema = json.loads((Path(airflow.__path__[0]) / file).read_text(encoding="utf-8"))
    if file == "provider.yaml.schema.json":  # It is for the files in Airflow's own repository.
        info, schema = info["connection-types"], schema["properties"]["connection-types"]
    jsonschema_rs.validator_for(schema).validate(info)


def test_form() -> None:
    """Airflow shows the fields without importing the hook; the password is the only secret."""
    manager = ProvidersManager()  # type: ignore[no-untyped-call]  # Airflow's.
    hook = manager.hooks["taurusdb_starrocks"]
    assert hook is not None
    assert hook.hook_name == "TaurusDB StarRocks replication"
    fields = [
        name.rpartition("__")[2]
        for name in manager.connection_form_widgets
        if "taurusdb_starrocks" in name
    ]
    assert fields == [
        *("auth", "region", "project_id", "account", "endpoint", "iam_endpoint", "instance_id")
    ]
    shown = manager.field_behaviours["taurusdb_starrocks"]
    assert shown["hidden_fields"] == ["host", "port", "schema", "extra"]
    assert "password" in shown["relabeling"]


def test_modules_that_are_named_are_there() -> None:
    """Each operator, sensor, hook and trigger, and each public name."""
    info = get_provider_info()
    for kind in ("operators", "sensors", "hooks", "triggers"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                assert __import__(module)
    assert all(getattr(ours, name) for name in ours.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ours.nothing


# --- Test connection ----------------------------------------------------------------------------


def test_connection_with_an_instance(emulator: Emulator, connected: Connect) -> None:
    """It lists its tasks."""
    connected(extra={"instance_id": INSTANCE})
    assert said_by_test() == (True, "Synchronization tasks of the instance: 4.")


def test_connection_without_an_instance(emulator: Emulator) -> None:
    """That the service knows no such instance shows that it knows the caller."""
    assert said_by_test() == (True, "The service accepts the credentials.")


def test_connection_to_an_instance_that_is_not_there(connected: Connect) -> None:
    """An instance that was named must exist."""
    connected(extra={"instance_id": "1" * 32 + "in17"})
    good, said = said_by_test()
    assert not good
    assert "not found" in said.lower() or "not exist" in said.lower()


def test_connection_that_is_refused(emulator: Emulator, connected: Connect) -> None:
    """It says what the service said, without the token."""
    connected(password="not the token, and long enough")
    good, said = said_by_test()
    assert not good
    assert "401" in said
    assert "not the token" not in said


def test_connection_that_may_be_forbidden(emulator: Emulator) -> None:
    """A 403 can also mean that the instance is absent: it says how to find out."""
    emulator.faults.add(Fault("error", status=403, code="DBS.200001", message="No."))
    good, said = said_by_test()
    assert not good
    assert "Add an instance to the connection" in said


# --- What a client is made of -------------------------------------------------------------------


def made() -> Client:
    return StarRocksReplicationHook().get_conn()


def test_access_key(emulator: Emulator, connected: Connect) -> None:
    """The default: each request is signed."""
    connected(login=emulator.access_key, password=emulator.secret_key, extra={"auth": "access_key"})
    with made() as client:
        assert client.task(INSTANCE, "orders_sync").name == "orders_sync"


def test_password(emulator: Emulator, connected: Connect) -> None:
    """It logs in at IAM."""
    extra = {"auth": "password", "account": emulator.account, "iam_endpoint": emulator.url}
    connected(login=emulator.user, password=emulator.password, extra=extra)
    with made() as client:
        assert client.task(INSTANCE, "orders_sync").name == "orders_sync"


def test_environment(
    emulator: Emulator, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's own credentials are used."""
    connected(password=None, extra={"auth": "environment"})
    monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", emulator.token)
    with made() as client:
        assert client.sources["auth"] == "TAURUSDB_STARROCKS_AUTH_TOKEN"


def test_coroutines(emulator: Emulator) -> None:
    """The trigger's client is made of the same."""

    async def name() -> str:
        async with await StarRocksReplicationHook().get_async_conn() as client:
            assert isinstance(client, AsyncClient)
            return (await client.task(INSTANCE, "orders_sync")).name

    assert asyncio.run(name()) == "orders_sync"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"extra": {"auth": "kerberos"}}, "auth 'kerberos', which must be access_key"),
        ({"extra": {"auth": None}, "password": None}, "access_key"),
        ({"extra": {"endpoint": None}}, "No region"),
        ({"extra": {"endpoint": "http://example.com"}}, "https"),
    ],
)
def test_connection_that_lacks_something(
    connected: Connect, fields: dict[str, Any], said: str
) -> None:
    """Nothing is sent, and the text says what is missing."""
    connected(**fields)
    with pytest.raises(ConfigurationError, match=said):
        made()
    good, text = said_by_test()
    assert not good
    assert said in text
