"""The Variables of open windows, as the tests read and write them: in Airflow's own database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import attrs
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from sqlalchemy import select
from taurusdb_starrocks.airflow import records
from taurusdb_starrocks.airflow.records import Record

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"


def keys() -> list[str]:
    with create_session() as session:
        found = session.scalars(select(Variable.key)).all()
    return sorted(key for key in found if key.startswith(records.PREFIX))


def fields(key: str) -> dict[str, Any]:
    with create_session() as session:
        row = session.scalars(select(Variable).where(Variable.key == key)).one()
        found: dict[str, Any] = json.loads(row.val)
    return found


def _write(key: str, plain: dict[str, Any]) -> None:
    """Write a Variable, without the connection of a task that runs in this process meanwhile."""
    with create_session() as session:
        row = session.scalars(select(Variable).where(Variable.key == key)).one_or_none()
        if row is None:
            row = Variable(key=key)  # type: ignore[no-untyped-call]  # Airflow's is not typed.
            session.add(row)
        row.set_val(json.dumps(plain))  # type: ignore[no-untyped-call]  # As above.


def hold(**changed: Any) -> Record:
    """Write a record, as a task of another run has left it."""
    now = records.now()
    left: dict[str, Any] = {
        "conn_id": "taurusdb_starrocks_default",
        "instance_id": INSTANCE,
        "task_names": ["orders_sync"],
        "resumes": ["orders_sync"],
        "dag_id": "gone",
        "run_id": "manual__1",
        "task_id": "pause_replication",
        "map_index": -1,
        "opened": now,
        "until": now + timedelta(hours=1),
        "paused": True,
    }
    record = Record(**(left | changed))
    plain = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in attrs.asdict(record).items()
    }
    _write(record.key, plain)
    return record


def change(**changed: Any) -> None:
    """Change the records of all windows that are open."""
    for key in keys():
        _write(key, fields(key) | changed)


def forget_all() -> None:
    with create_session() as session:
        for one in session.scalars(select(Variable)).all():
            session.delete(one)
