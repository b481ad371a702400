"""The state of the service, and all database queries.

Each change is a transaction that ends before the response is sent.
"""

from __future__ import annotations

import json
from dataclasses import fields
from functools import partial
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any

from .database import Database
from .records import Call, Change, InstanceRow, Key, Row
from .seed import Seed, Task

__all__ = ["State", "digest"]


def digest(secret: str) -> str:
    """The digest of a token or password, which is stored instead of it."""
    return sha256(secret.encode()).hexdigest()


class State(Database):
    """The state of the service."""

    def __init__(self, path: str | Path | None, seed: Seed) -> None:
        super().__init__(path, partial(_plant, seed))

    # Projects and users

    def projects(self) -> dict[str, str]:
        """Names of the projects by their IDs."""
        return {row["id"]: row["name"] for row in self.all("SELECT * FROM project ORDER BY rowid")}

    def has_project(self, project_id: object) -> bool:
        """Whether the project exists."""
        return self.one("SELECT 1 FROM project WHERE id = ?", project_id) is not None

    def user_id(self, account: str, name: str, password: str) -> int | None:
        """The user with this account, name and password."""
        row = self.one(
            "SELECT id FROM user WHERE account = ? AND name = ? AND password = ?",
            account,
            name,
            digest(password),
        )
        return None if row is None else row["id"]

    def user(self, user_id: int) -> tuple[str, frozenset[str]]:
        """Name and projects of a user."""
        row = self.one("SELECT name, projects FROM user WHERE id = ?", user_id)
        return row["name"], frozenset(json.loads(row["projects"]))

    # Authentication

    def add_token(
        self, token: str, user_id: int, project_id: str | None, expires_at: float
    ) -> None:
        """Store the digest of an issued token."""
        self.do(
            "INSERT INTO token VALUES (?, ?, ?, ?)", digest(token), user_id, project_id, expires_at
        )

    def token(self, token: str) -> tuple[int, str | None, float] | None:
        """User, project and time of expiry of an issued token."""
        row = self.one("SELECT * FROM token WHERE digest = ?", digest(token))
        return None if row is None else (row["user_id"], row["project_id"], row["expires_at"])

    def key(self, access_key: str) -> Key | None:
        """An access key, and its recent failures."""
        row = self.one("SELECT * FROM access_key WHERE access_key = ?", access_key)
        if row is None:
            return None
        return Key(**{**dict(row), "projects": frozenset(json.loads(row["projects"]))})

    def note_key(self, access_key: str, failures: int, locked_until: float) -> None:
        """Store consecutive failures of an access key, and until when it is locked."""
        self.do(
            "UPDATE access_key SET failures = ?, locked_until = ? WHERE access_key = ?",
            failures,
            locked_until,
            access_key,
        )

    # Instances and tasks

    def project_of(self, instance_id: str) -> str | None:
        """The project that an instance belongs to."""
        row = self.one("SELECT project_id FROM instance WHERE id = ?", instance_id)
        return None if row is None else row["project_id"]

    def instances(self, source_instance_id: str, project_id: str) -> list[InstanceRow]:
        """The instances of a project that replicate from a TaurusDB instance."""
        rows = self.all(
            "SELECT * FROM instance WHERE source_instance_id = ? AND project_id = ? ORDER BY rowid",
            source_instance_id,
            project_id,
        )
        return [InstanceRow(**dict(row)) for row in rows]

    def source_of(self, instance_id: str) -> str | None:
        """The TaurusDB instance that an instance replicates from, if known."""
        row = self.one("SELECT source_instance_id FROM instance WHERE id = ?", instance_id)
        return None if row is None else row["source_instance_id"]

    def tasks(self, instance_id: str | None = None) -> list[Row]:
        """Tasks of an instance, or all tasks, in the order in which they were added."""
        where = "" if instance_id is None else " WHERE instance_id = ?"
        query = f"SELECT * FROM task{where} ORDER BY id"  # noqa: S608 - constant texts
        values = () if instance_id is None else (instance_id,)
        return [Row._make(row) for row in self.all(query, *values)]

    def task(self, instance_id: str, name: str) -> Row | None:
        """One task."""
        row = self.one("SELECT * FROM task WHERE instance_id = ? AND name = ?", instance_id, name)
        return None if row is None else Row._make(row)

    def add_task(self, instance_id: str, task: Task) -> None:
        """Add a task to an existing instance."""
        self.do(_ADD_TASK, *_stored(instance_id, task))

    def set_stage(self, instance_id: str, name: str, stage: str) -> bool:
        """Set the stage of a task immediately; return False if the task does not exist."""
        statement = (
            "UPDATE task SET stage = ?, target = ?, due = 0 WHERE instance_id = ? AND name = ?"
        )
        return self.do(statement, stage, stage, instance_id, name) == 1

    def change(self, task: Row, change: Change, *, now: float) -> None:
        """Apply a pause or a resume, if it has an effect."""
        if change.target is None:
            return
        due = now + change.delay
        if change.target == task.target and now < task.due:
            due = min(due, task.due)  # A repeated change does not postpone the pending one.
        self.do(
            "UPDATE task SET stage = ?, target = ?, due = ?, meanwhile = ?, changes = changes + 1"
            " WHERE id = ?",
            task.stage_at(now),
            change.target,
            due,
            change.meanwhile,
            task.id,
        )

    # Journal

    def record(self, call: Call) -> None:
        """Add a call to the journal, which assigns its number."""
        self.do(_RECORD, *_recorded(call))

    def journal(self) -> list[Call]:
        """Every call so far."""
        return [Call(**dict(row)) for row in self.all("SELECT * FROM journal ORDER BY seq")]


_COLUMNS = [field.name for field in fields(Call) if field.name != "seq"]
_RECORD = (
    f"INSERT INTO journal ({', '.join(_COLUMNS)})"  # noqa: S608 - names of columns
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_recorded = attrgetter(*_COLUMNS)
_ADD_TASK = (
    "INSERT INTO task (instance_id, name, source_database, target_database, status, progress,"
    " configuration, resumes_to, stage, target) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def _stored(instance_id: str, task: Task) -> tuple[Any, ...]:
    """A task of the seed, as stored."""
    progress = {
        "percentage": task.percentage,
        "catchup_stage": task.catchup_stage,
        "catchup_percentage": task.catchup_percentage,
        "is_need_repair": task.is_need_repair,
        "is_main_task": task.is_main_task,
    }
    configuration = {
        "is_tables_change": task.is_tables_change,
        "last_error_of_alter_table": task.last_error_of_alter_table,
        "binlog_expire_logs_seconds": task.binlog_expire_logs_seconds,
    }
    return (
        instance_id,
        task.name,
        task.source_database,
        task.source_database if task.target_database is None else task.target_database,
        task.status,
        json.dumps(progress),
        json.dumps(configuration),
        task.resumes_to,
        task.stage,
        task.stage,
    )


def _plant(seed: Seed, db: Database) -> None:
    """Fill a new database from a seed."""
    everything = tuple(project.id for project in seed.projects)
    instances = [(each, project) for project in seed.projects for each in project.instances]
    db.do_all(
        "INSERT INTO project VALUES (?, ?)",
        ((project.id, project.name) for project in seed.projects),
    )
    db.do_all(
        "INSERT INTO instance VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (
                instance.id,
                project.id,
                instance.source_instance_id,
                instance.name,
                instance.engine_name,
                instance.engine_version,
                instance.status,
            )
            for instance, project in instances
        ),
    )
    db.do_all(
        _ADD_TASK,
        (_stored(instance.id, task) for instance, _ in instances for task in instance.tasks),
    )
    db.do_all(
        "INSERT INTO user (name, account, password, projects) VALUES (?, ?, ?, ?)",
        (
            (
                user.name,
                user.account,
                digest(user.password),
                json.dumps(everything if user.projects is None else user.projects),
            )
            for user in seed.users
        ),
    )
    db.do_all(
        "INSERT INTO access_key (access_key, secret_key, security_token, projects)"
        " VALUES (?, ?, ?, ?)",
        (
            (
                key.access_key,
                key.secret_key,
                key.security_token,
                json.dumps(everything if key.projects is None else key.projects),
            )
            for key in seed.access_keys
        ),
    )
