"""StarRocks instances, and the configuration of a synchronization task, parsed leniently.

Any field can be missing, null, or of another type than documented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from taurusdb_starrocks._tasks import flag, text

# MySQL's parameter for the retention of the binary log, and its largest value.
RETENTION = "binlog_expire_logs_seconds"
LONGEST_RETENTION = 4_294_967_295
# Longest message of the service that is kept.
LONGEST_MESSAGE = 2000


@attrs.frozen
class Instance:
    """A StarRocks or ClickHouse instance that replicates from a TaurusDB instance.

    Attributes:
        id: ID of the instance. For a StarRocks instance it ends in ``in17``; pass it as
            ``instance_id`` to all other calls.
        name: Name of the instance, if given.
        engine_name: ``star-rocks`` for StarRocks, if given.
        engine_version: Version of the engine, if given.
        status: ``normal`` if the instance can be used; empty if not given.
        frozen: True if the instance is frozen. None if the service does not report it.
    """

    id: str
    name: str | None
    engine_name: str | None
    engine_version: str | None
    status: str
    frozen: bool | None

    @property
    def is_starrocks(self) -> bool:
        """True for a StarRocks instance, whose tasks can be paused and resumed."""
        return self.id.endswith("in17")


@attrs.frozen
class Configuration:
    """The configuration of a synchronization task, and its last schema error.

    Attributes:
        source_instance_id: ID of the source TaurusDB instance, if given. The task reads its
            binlog.
        source_database: Source database, in the TaurusDB instance, if given.
        target_database: Target database, in the StarRocks instance, if given.
        binlog_retention_seconds: Retention period of the binary log (binlog) of the source, in
            seconds. A task that stays paused longer cannot catch up. None if the service does not
            report it, or reports 0. MySQL does not purge the binlog automatically if the value is
            0; whether TaurusDB does the same is not documented. Do not assume a default. The value
            may be outdated: the service lists it among the parameters that it checked when the task
            was created.
        tables_changed: True if the tables of the task have changed. None if the service does not
            report it.
        last_error_of_alter_table: Why the last ``ALTER TABLE`` of the source could not be
            replicated; empty if the service reports no such error.
    """

    source_instance_id: str | None
    source_database: str | None
    target_database: str | None
    binlog_retention_seconds: int | None
    tables_changed: bool | None
    last_error_of_alter_table: str


def read_instances(document: Mapping[str, Any]) -> list[Instance]:
    """Parse the instances in a response. Duplicates and instances without an ID are left out."""
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
    """Parse the configuration in a response."""
    database = document.get("database_info")
    database = database if isinstance(database, dict) else {}
    error = document.get("last_error_of_alter_table")
    # Two official sources disagree about the spelling, see the contract.
    checks = [
        *_list(database.get("db_config_check_results")),
        *_list(database.get("dbCfgCheckResults")),
    ]
    return Configuration(
        source_instance_id=text(document.get("source_instance_id")),
        source_database=text(database.get("database_name", database.get("databaseName"))),
        target_database=text(document.get("target_database_name")),
        binlog_retention_seconds=_retention(checks),
        tables_changed=flag(document.get("is_tables_change")),
        last_error_of_alter_table=text(error, LONGEST_MESSAGE) or "",
    )


def _retention(parameters: Sequence[Any]) -> int | None:
    """Retention of the binary log in seconds; None if it is missing or contradictory."""
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
    """A hint for an instance that was not found; empty if its ID can be right."""
    if not instance_id.endswith("in07"):
        return ""
    return (
        " An ID that ends in in07 belongs to a TaurusDB instance: "
        f"client.instances({instance_id!r}) lists its StarRocks instances."
    )
