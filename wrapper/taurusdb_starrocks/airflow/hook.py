"""Makes clients from an Airflow connection."""

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
# No such instance exists. The service answers that only if it accepts the credentials.
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
        """A new client, which the caller must close.

        Raises:
            ConfigurationError: A setting is missing in the connection. Nothing was sent.
        """
        connection = self.get_connection(self.conn_id)
        return Client(**_settings(connection, _extra(connection)))

    async def get_async_conn(self) -> AsyncClient:
        """A new client for coroutines, which the caller must close."""
        connection = await self.aget_connection(self.conn_id)
        return AsyncClient(**_settings(connection, _extra(connection)))

    def test_connection(self) -> tuple[bool, str]:
        """Whether the service accepts the credentials, and a message.

        It lists the tasks of the connection's instance. If the connection has none, it requests an
        instance that does not exist, and succeeds if the service responds "not found".
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
                    return True, "The service accepts the credentials."
        except PermissionDeniedError as error:
            return False, f"{error} Add an instance to the connection to find out which."
        except ReplicationError as error:
            return False, str(error)
        return True, f"Synchronization tasks of the instance: {count}."


def _extra(connection: Connection) -> dict[str, Any]:
    """The fields of the connection form, which Airflow stores as JSON.

    Airflow's own property for this must not be used in coroutines, and Airflow 3.3.0 has none for
    them.
    """
    fields: dict[str, Any] = json.loads(connection.extra or "{}")
    return fields


def _settings(connection: Connection, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a client."""
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
        f"The connection {connection.conn_id} has auth {kind!r}, which must be access_key, "
        "password, token or environment."
    )
