"""The SQLite database: recognizing the emulator's files, transactions, and resetting.

With SQLite's write-ahead log and `synchronous=NORMAL`, a finished transaction survives `kill -9` of
the process, but not a crash of the machine. Several processes can share a file.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Database"]

# These distinguish the emulator's files from files of other programs and other versions.
_APPLICATION_ID = 0x54535245
_VERSION = 4
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
CREATE TABLE instance (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES project, source_instance_id TEXT,
    name TEXT NOT NULL, engine_name TEXT NOT NULL, engine_version TEXT NOT NULL,
    status TEXT NOT NULL);
CREATE TABLE task (
    id INTEGER PRIMARY KEY, instance_id TEXT NOT NULL REFERENCES instance, name TEXT NOT NULL,
    source_database TEXT NOT NULL, target_database TEXT NOT NULL, status TEXT NOT NULL,
    progress TEXT NOT NULL, configuration TEXT NOT NULL, resumes_to TEXT NOT NULL,
    stage TEXT NOT NULL, target TEXT NOT NULL, due REAL NOT NULL DEFAULT 0,
    meanwhile TEXT NOT NULL DEFAULT '',
    changes INTEGER NOT NULL DEFAULT 0, UNIQUE (instance_id, name));
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, query TEXT NOT NULL, operation TEXT, instance_id TEXT, task_name TEXT,
    status INTEGER, request_id TEXT NOT NULL, caller TEXT, fault TEXT, job_id TEXT);
"""
# Maximum time to wait for another process that locks the file, in seconds.
_BUSY = 2.0


class Database:
    """One database. All threads can call its methods.

    Args:
        path: The file; None for a database in memory.
        plant: Fills a new database.

    Raises:
        ValueError: The file belongs to another program or version. It was not changed.
        sqlite3.Error: The file is not a database or cannot be opened.
    """

    def __init__(self, path: str | Path | None, plant: Callable[[Database], None]) -> None:
        self._lock = threading.RLock()
        self._plant = plant
        self._pristine: sqlite3.Connection | None = None
        try:
            self._connection = _connect(path)
            self._open(path)
        except sqlite3.Error as error:
            raise type(error)(f"{path}: {error}") from error

    def _open(self, path: str | Path | None) -> None:
        # Close it automatically: an open connection that is garbage-collected causes a warning.
        self.close = weakref.finalize(self, self._connection.close)
        try:
            # The first of several processes creates the tables, and the others find them.
            with self.transaction():
                new = self._is_new(path)
                if new:
                    self._create()
        except BaseException:
            self.close()
            raise
        if new:
            self._keep(self._connection)
        _log_ahead(self._connection)

    def _is_new(self, path: str | Path | None) -> bool:
        """Whether the database is still empty."""
        found = (
            self.one("PRAGMA application_id")[0],
            self.one("PRAGMA user_version")[0],
            self.one("SELECT count(*) FROM sqlite_master")[0],
        )
        if found == (0, 0, 0):
            return True
        if found[0] != _APPLICATION_ID:
            raise ValueError(f"{path}: a database of another program; it was not changed")
        if found[1] != _VERSION:
            raise ValueError(f"{path}: a database of another version of the emulator ({found[1]})")
        return False

    def _create(self) -> None:
        for statement in _TABLES.split(";\n"):
            self.do(statement)
        self._plant(self)
        self.do(f"PRAGMA application_id = {_APPLICATION_ID}")
        self.do(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: either all changes in the block are stored, or none."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def undo(self) -> None:
        """Inside a transaction: roll back all changes since it started."""
        self._connection.execute("ROLLBACK")
        self._connection.execute("BEGIN IMMEDIATE")

    def reset(self) -> None:
        """Reset to the content of a new database."""
        with self._lock:
            if self._pristine is None:  # The file existed before.
                new = Database(None, self._plant)
                self._keep(new._connection)
            assert self._pristine is not None
            self._pristine.backup(self._connection)

    def _keep(self, planted: sqlite3.Connection) -> None:
        """Keep a copy of the new database for resets: copying is faster than filling it again."""
        self._pristine = _connect(None)
        weakref.finalize(self, self._pristine.close)
        planted.backup(self._pristine)

    def one(self, query: str, *values: Any) -> Any:
        """The first row, or None."""
        with self._lock:
            return self._connection.execute(query, values).fetchone()

    def all(self, query: str, *values: Any) -> list[Any]:
        """All rows."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def do(self, statement: str, *values: Any) -> int:
        """Execute a statement; return the number of changed rows."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def do_all(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Execute a statement for many rows."""
        with self._lock:
            self._connection.executemany(statement, rows)


def _connect(path: str | Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if path is None else path,
        timeout=_BUSY,
        check_same_thread=False,
        isolation_level=None,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Enable the write-ahead log. SQLite does not wait if another process does the same."""
    connection.execute("PRAGMA synchronous = NORMAL")
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
