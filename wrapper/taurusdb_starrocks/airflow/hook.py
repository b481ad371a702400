"""From a connection of Airflow to a client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseHook, Connection

from taurusdb_starrocks import (
    AccessKeyAuth,
    AsyncClient,
    Client,
    ConfigurationError,
    Credentials,
    IamPasswordAuth,
    NotFoundError,
    PermissionDeniedError,
    ReplicationError,
    TokenAuth,
)

DEFAULT_CONN_ID = "taurusdb_starrocks_default"
# A well-formed ID of no instance: what the service answers tells whether it knows the caller.
_NO_INSTANCE = "0" * 32 + "in17"


class StarRocksReplicationHook(BaseHook):
    """Clients for a connection of the type ``taurusdb_starrocks``.

    Args:
        conn_id: ID of the connection.
    """

    conn_name_attr = "conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "taurusdb_starrocks"
    hook_name = "TaurusDB StarRocks replication"

    def __init__(self, conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self) -> Client:
        """A new client, to be closed by the caller.

        Raises:
            ConfigurationError: The connection lacks something. Nothing was sent.
        """
        connection = self.get_connection(self.conn_id)
        return Client(**_settings(connection, _extra(connection)))

    async def get_async_conn(self) -> AsyncClient:
        """The same for coroutines."""
        connection = await self.aget_connection(self.conn_id)
        return AsyncClient(**_settings(connection, _extra(connection)))

    def test_connection(self) -> tuple[bool, str]:
        """Whether the service lets the connection in, and what it said.

        It lists the tasks of the connection's instance. Without one it requests those of an
        instance that does not exist, and takes it for a success that the service says so.
        """
        try:
            connection = self.get_connection(self.conn_id)
            extra = _extra(connection)
            instance_id = extra.get("instance_id") or _NO_INSTANCE
            with Client(**_settings(connection, extra)) as client:
                try:
                    count = sum(1 for _ in client.tasks(instance_id))
                except NotFoundError:
                    if instance_id != _NO_INSTANCE:
                        raise
                    return True, "The service knows the credentials."
        except PermissionDeniedError as error:
            return False, f"{error} Name an instance in the connection to know which of the two."
        except ReplicationError as error:
            return False, str(error)
        return True, f"The instance has {count} synchronization tasks."


def _extra(connection: Connection) -> dict[str, Any]:
    """The fields of the form, which Airflow keeps as a JSON object.

    Its own reader must not be called by coroutines, and the one for these is not in Airflow 3.3.0.
    """
    fields: dict[str, Any] = json.loads(connection.extra or "{}")
    return fields


def _settings(connection: Connection, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What a client is made with."""
    project_id = extra.get("project_id") or None
    return {
        "region": extra.get("region") or None,
        "endpoint": extra.get("endpoint") or None,
        "project_id": project_id,
        "auth": _auth(connection, extra, project_id),
    }


def _auth(
    connection: Connection, extra: Mapping[str, Any], project_id: str | None
) -> Credentials | None:
    login, password = connection.login or "", connection.password or ""
    kind = extra.get("auth") or "access_key"
    if kind == "environment":
        return None
    if kind == "access_key":
        return AccessKeyAuth(login, password)
    if kind == "token":
        return TokenAuth(password)
    if kind == "password":
        return IamPasswordAuth(
            login,
            password,
            extra.get("account") or "",
            project_id=project_id,
            region=extra.get("region") or None,
            iam_endpoint=extra.get("iam_endpoint") or None,
        )
    raise ConfigurationError(
        f"The connection {connection.conn_id} has auth {kind!r}, which is none of access_key, "
        "password, token and environment."
    )
