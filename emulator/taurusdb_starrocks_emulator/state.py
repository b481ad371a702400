"""What the service remembers: one SQLite database, and every query of it.

Every change is a transaction that is over before a response goes out. With SQLite's write-ahead
log and `synchronous=NORMAL` it then survives the death of the process (`kill -9`), though not
that of the machine.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from .records import Call, Key, Row
from .seed import Seed, Task

__all__ = ["PAUSED", "State", "digest"]

PAUSED = "Paused"
_VERSION = 1
_TABLES = """
CREATE TABLE project (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE user (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, account TEXT NOT NULL, password TEXT NOT NULL,
    projects TEXT NOT NULL, UNIQUE (account, name));
CREATE TABLE access_key (
    access_key TEXT PRIMARY KEY, secret_key TEXT NOT NULL, security_token TEXT,
    projects TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0,
    locked_until REAL NOT NULL DEFAULT 0);
CREATE TABLE token (
    digest TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES user, project_id TEXT,
    expires_at REAL NOT NULL);
CREATE TABLE instance (id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES project);
CREATE TABLE task (
    id INTEGER PRIMARY KEY, instance_id TEXT NOT NULL REFERENCES instance, name TEXT NOT NULL,
    source_database TEXT NOT NULL, target_database TEXT NOT NULL, status TEXT NOT NULL,
    progress TEXT NOT NULL, resumes_to TEXT NOT NULL, stage TEXT NOT NULL, target TEXT NOT NULL,
    due REAL NOT NULL DEFAULT 0, changes INTEGER NOT NULL DEFAULT 0, UNIQUE (instance_id, name));
CREATE TABLE job (
    id TEXT PRIMARY KEY, time REAL NOT NULL, operation TEXT NOT NULL,
    task_id INTEGER NOT NULL REFERENCES task);
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, query TEXT NOT NULL, operation TEXT, instance_id TEXT, task_name TEXT,
    status INTEGER, request_id TEXT NOT NULL, caller TEXT, fault TEXT, job_id TEXT);
"""
# In an order that respects the references between them.
_ALL = ("journal", "job", "task", "instance", "token", "access_key", "user", "project")


def digest(secret: str) -> str:
    """What is kept of a token or password: enough to know it again."""
    return sha256(secret.encode()).hexdigest()


class State:
    """The database. Its methods may be called from any thread."""

    def __init__(self, path: str | Path | None, seed: Seed) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, check_same_thread=False, isolation_level=None
        )
        # Closes it even when nobody does; a connection that is dropped while open warns.
        self.close = weakref.finalize(self, self._db.close)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise ValueError(f"{path}: a database of another version of the emulator ({version})")
        if version == 0:
            with self.transaction():
                for statement in _TABLES.split(";\n"):
                    self._db.execute(statement)
                self._plant(seed)
                self._db.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes made inside are kept together, or none."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def mark(self) -> None:
        """Inside a transaction: remember this point for `undo`."""
        self._db.execute("SAVEPOINT mark")

    def undo(self) -> None:
        """Inside a transaction: take back all changes since `mark`."""
        self._db.execute("ROLLBACK TO mark")

    def replace(self, seed: Seed) -> None:
        """Forget everything and hold the seed."""
        with self.transaction():
            for table in _ALL:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the tuple above
            self._db.execute("DELETE FROM sqlite_sequence")
            self._plant(seed)

    def _plant(self, seed: Seed) -> None:
        everything = [project.id for project in seed.projects]
        for project in seed.projects:
            self._db.execute("INSERT INTO project VALUES (?, ?)", (project.id, project.name))
            for instance in project.instances:
                self._db.execute("INSERT INTO instance VALUES (?, ?)", (instance.id, project.id))
                for task in instance.tasks:
                    self.add_task(instance.id, task)
        for user in seed.users:
            self._db.execute(
                "INSERT INTO user (name, account, password, projects) VALUES (?, ?, ?, ?)",
                (
                    user.name,
                    user.account,
                    digest(user.password),
                    json.dumps(user.projects or everything),
                ),
            )
        for key in seed.access_keys:
            self._db.execute(
                "INSERT INTO access_key (access_key, secret_key, security_token, projects)"
                " VALUES (?, ?, ?, ?)",
                (
                    key.access_key,
                    key.secret_key,
                    key.security_token,
                    json.dumps(key.projects or everything),
                ),
            )

    def _one(self, query: str, *values: Any) -> Any:
        with self._lock:
            return self._db.execute(query, values).fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def _do(self, statement: str, *values: Any) -> int:
        with self._lock:
            return self._db.execute(statement, values).rowcount

    # Projects and users

    def projects(self) -> dict[str, str]:
        """Names of the projects by their IDs."""
        return {row["id"]: row["name"] for row in self._all("SELECT * FROM project ORDER BY rowid")}

    def user_id(self, account: str, name: str, password: str) -> int | None:
        """The user who has this password."""
        row = self._one(
            "SELECT id FROM user WHERE account = ? AND name = ? AND password = ?",
            account,
            name,
            digest(password),
        )
        return None if row is None else row["id"]

    def user(self, user_id: int) -> tuple[str, frozenset[str]]:
        """Name of a user and the projects they may use."""
        row = self._one("SELECT name, projects FROM user WHERE id = ?", user_id)
        return row["name"], frozenset(json.loads(row["projects"]))

    # Authentication

    def add_token(
        self, token: str, user_id: int, project_id: str | None, expires_at: float
    ) -> None:
        """Remember an issued token by its digest."""
        self._do(
            "INSERT INTO token VALUES (?, ?, ?, ?)", digest(token), user_id, project_id, expires_at
        )

    def token(self, token: str) -> tuple[int, str | None, float] | None:
        """User, project and time of expiry of an issued token."""
        row = self._one("SELECT * FROM token WHERE digest = ?", digest(token))
        return None if row is None else (row["user_id"], row["project_id"], row["expires_at"])

    def key(self, access_key: str) -> Key | None:
        """An access key, and how it fared lately."""
        row = self._one("SELECT * FROM access_key WHERE access_key = ?", access_key)
        if row is None:
            return None
        return Key(**{**dict(row), "projects": frozenset(json.loads(row["projects"]))})

    def note_key(self, access_key: str, failures: int, locked_until: float) -> None:
        """Remember failures in a row of an access key, and until when it is locked."""
        self._do(
            "UPDATE access_key SET failures = ?, locked_until = ? WHERE access_key = ?",
            failures,
            locked_until,
            access_key,
        )

    # Instances and tasks

    def project_of(self, instance_id: str) -> str | None:
        """The project that an instance belongs to."""
        row = self._one("SELECT project_id FROM instance WHERE id = ?", instance_id)
        return None if row is None else row["project_id"]

    def tasks(self, instance_id: str | None = None) -> list[Row]:
        """Tasks of an instance, or all, in the order in which they were added."""
        where = "" if instance_id is None else " WHERE instance_id = ?"
        values = () if instance_id is None else (instance_id,)
        return [_row(row) for row in self._all(f"SELECT * FROM task{where} ORDER BY id", *values)]  # noqa: S608 - constant texts

    def task(self, instance_id: str, name: str) -> Row | None:
        """One task."""
        row = self._one("SELECT * FROM task WHERE instance_id = ? AND name = ?", instance_id, name)
        return None if row is None else _row(row)

    def add_task(self, instance_id: str, task: Task) -> None:
        """Add a task to an instance that is there."""
        progress = {
            "percentage": task.percentage,
            "catchup_stage": task.catchup_stage,
            "catchup_percentage": task.catchup_percentage,
        }
        self._do(
            "INSERT INTO task (instance_id, name, source_database, target_database, status,"
            " progress, resumes_to, stage, target) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            instance_id,
            task.name,
            task.source_database,
            task.target_database or task.source_database,
            task.status,
            json.dumps(progress),
            task.resumes_to,
            task.stage,
            task.stage,
        )

    def set_stage(self, instance_id: str, name: str, stage: str) -> bool:
        """Put a task into a stage at once; False if there is no such task."""
        statement = (
            "UPDATE task SET stage = ?, target = ?, due = 0 WHERE instance_id = ? AND name = ?"
        )
        return self._do(statement, stage, stage, instance_id, name) == 1

    def change(self, task: Row, *, operation: str, job_id: str, now: float, delay: float) -> None:
        """Carry out a pause or a resume: a job, and a stage that comes after `delay` seconds."""
        self._do(
            "UPDATE task SET stage = ?, target = ?, due = ?, changes = changes + 1 WHERE id = ?",
            task.stage_at(now),
            PAUSED if operation == "pause" else task.resumes_to,
            now + delay,
            task.id,
        )
        self._do("INSERT INTO job VALUES (?, ?, ?, ?)", job_id, now, operation, task.id)

    # Journal

    def record(self, call: Call) -> None:
        """Write a call into the journal, which numbers it itself."""
        self._do(
            "INSERT INTO journal (time, method, path, query, operation, instance_id, task_name,"
            " status, request_id, caller, fault, job_id) VALUES"
            " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *astuple(call)[1:],
        )

    def journal(self) -> list[Call]:
        """Every call so far."""
        return [Call(**dict(row)) for row in self._all("SELECT * FROM journal ORDER BY seq")]


def _row(row: sqlite3.Row) -> Row:
    values = {field.name: row[field.name] for field in fields(Row)}
    return Row(**{**values, "progress": json.loads(row["progress"])})
