"""StarRocks instances, and the configuration of a synchronization task, read leniently.

Any field may be missing, null or of another type than the vendor's table says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from taurusdb_starrocks._tasks import flag, text

# MySQL's parameter for how long the binary log is kept, and the largest value it can have.
RETENTION = "binlog_expire_logs_seconds"
LONGEST_RETENTION = 4_294_967_295
# What is kept of a message of the service.
LONGEST_MESSAGE = 2000


@attrs.frozen
class Instance:
    """A StarRocks or ClickHouse instance that replicates from a TaurusDB instance.

    Attributes:
        id: ID of the instance. That of a StarRocks instance ends in ``in17``: it is the
            ``instance_id`` of every other call.
        name: Name of the instance, if given.
        engine_name: ``star-rocks`` for StarRocks, if given.
        engine_version: Version of the engine, if given.
        status: ``normal`` when the instance can be used; empty if not given.
        frozen: Whether the instance is frozen, or None if the service does not say.
    """

    id: str
    name: str | None
    engine_name: str | None
    engine_version: str | None
    status: str
    frozen: bool | None

    @property
    def is_starrocks(self) -> bool:
        """Whether its tasks can be paused and resumed: it is a StarRocks instance."""
        return self.id.endswith("in17")


@attrs.frozen
class Configuration:
    """How a synchronization task is configured, and what became of it.

    Attributes:
        source_instance_id: TaurusDB instance that is replicated, if given. Its binary log feeds
            the task.
        source_database: Database of the TaurusDB instance that is copied, if given.
        target_database: Database of the StarRocks instance that holds the copy, if given.
        binlog_retention_seconds: How long the source keeps its binary log, in seconds: a task that
            stays paused longer cannot catch up. None if the service does not say, or says 0, by
            which no expiry is known. Do not assume a default in its place.
        tables_changed: Whether the tables of the task have changed, or None if the service does not
            say.
        last_error_of_alter_table: Why the last ``ALTER TABLE`` of the source could not be
            synchronized; empty if there is no such error.
    """

    source_instance_id: str | None
    source_database: str | None
    target_database: str | None
    binlog_retention_seconds: int | None
    tables_changed: bool | None
    last_error_of_alter_table: str


def read_instances(document: Mapping[str, Any]) -> list[Instance]:
    """The instances in a response, each once, without those that have no ID."""
    found: dict[str, Instance] = {}
    for entry in _list(document.get("instances")):
        own = entry if isinstance(entry, dict) else {}
        instance_id = text(own.get("id"))
        state = own.get("instance_state")
        if instance_id:
            found[instance_id] = Instance(
                id=instance_id,
                name=text(own.get("name")),
                engine_name=text(own.get("engine_name")),
                engine_version=text(own.get("engine_version")),
                status=text(state.get("instance_status") if isinstance(state, dict) else None)
                or "",
                frozen=flag(own.get("is_frozen")),
            )
    return list(found.values())


def read_configuration(document: Mapping[str, Any]) -> Configuration:
    """The configuration in a response."""
    database = document.get("database_info")
    database = database if isinstance(database, dict) else {}
    error = document.get("last_error_of_alter_table")
    return Configuration(
        source_instance_id=text(document.get("source_instance_id")),
        source_database=text(database.get("database_name")),
        target_database=text(document.get("target_database_name")),
        binlog_retention_seconds=_retention(_list(database.get("db_config_check_results"))),
        tables_changed=flag(document.get("is_tables_change")),
        last_error_of_alter_table=text(error, LONGEST_MESSAGE) or "",
    )


def _retention(parameters: Sequence[Any]) -> int | None:
    """How long the binary log is kept; None where it is not said, or said in two ways."""
    said = {
        _seconds(parameter.get("value"))
        for parameter in parameters
        if isinstance(parameter, dict) and parameter.get("param_name") == RETENTION
    }
    return said.pop() if len(said) == 1 else None


def _seconds(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r" *[0-9]{1,10} *", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= LONGEST_RETENTION else None


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def advice(instance_id: str) -> str:
    """What to do about an instance that was not found: nothing, if its ID may be right."""
    if not instance_id.endswith("in07"):
        return ""
    return (
        " An ID that ends in in07 is that of a TaurusDB instance: "
        f"client.instances({instance_id!r}) lists its StarRocks instances."
    )
