"""Responses about instances and the configuration of a task."""

from __future__ import annotations

import json
from typing import Any

from .records import InstanceRow, Row

__all__ = ["configuration", "instances"]

_RETENTION = "binlog_expire_logs_seconds"


def instances(rows: list[InstanceRow]) -> dict[str, Any]:
    """The instances that replicate from a TaurusDB instance."""
    return {
        "total": len(rows),
        "instances": [
            {
                "id": row.id,
                "name": row.name,
                "engine_name": row.engine_name,
                "engine_version": row.engine_version,
                "project_id": row.project_id,
                "instance_state": {"instance_status": row.status},
                "is_frozen": False,
                "current_actions": [],
            }
            for row in rows
        ],
    }


def configuration(row: Row, source_instance_id: str | None) -> dict[str, Any]:
    """The configuration of a task."""
    known = json.loads(row.configuration)
    retention = known.pop(_RETENTION)
    checks = [{"param_name": _RETENTION, "value": retention, "check_result": "success"}]
    return {
        "source_instance_id": source_instance_id,
        "source_node_id": None,
        "target_database_name": row.target_database,
        "database_info": {
            "database_name": row.source_database,
            "db_config_check_results": [] if retention is None else checks,
        },
        "table_infos": [],
        "table_repl_config": {"repl_type": "exclude_tables", "repl_scope": "all", "tables": []},
        "new_table_repl_config": None,
        **known,
    }
