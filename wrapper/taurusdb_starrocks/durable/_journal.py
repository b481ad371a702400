"""The journal: an SQLite file that one thread of the process reads and writes.

It has its own thread for two reasons. An interrupt of the program must not end a transaction in the
middle. And what arrives during a commit is committed together, with one sync of the disk.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from taurusdb_starrocks import ConfigurationError
from taurusdb_starrocks.durable import _place
from taurusdb_starrocks.durable._errors import JournalError

T = TypeVar("T")
APPLICATION = 0x54535232  # Marks the file as a journal of this package.
VERSION = 1
BUSY = 5.0  # Seconds to wait for another process that is writing.
BUSY_AGAIN = 0.2  # The same after such a wait was in vain: that process may be stopped.
SCHEMA = """
CREATE TABLE window (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,             -- window or hold
    batch TEXT NOT NULL DEFAULT '', -- ID of the batch whose lock its program holds, if any
    endpoint TEXT NOT NULL,
    project_id TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    program TEXT NOT NULL,
    process INTEGER NOT NULL,
    host TEXT NOT NULL,
    machine TEXT NOT NULL,
    boot TEXT NOT NULL,
    actor TEXT NOT NULL,            -- the lock of the process that may send requests
    guardian TEXT NOT NULL DEFAULT '',
    began_wall REAL NOT NULL,
    lease REAL,                     -- seconds; NULL is no limit
    ends_clock REAL,
    ends_wall REAL,
    call_timeout REAL NOT NULL,
    settle REAL NOT NULL,
    process_group INTEGER,
    group_born TEXT NOT NULL DEFAULT '',
    grace REAL NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT '',
    closed_wall REAL,
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX window_batch ON window (batch);
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    project_id TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    name TEXT NOT NULL,
    window TEXT REFERENCES window,  -- its owner
    epoch INTEGER NOT NULL,         -- incremented for each new owner
    base INTEGER NOT NULL,          -- the outcome of requests up to this one is known
    UNIQUE (endpoint, project_id, instance_id, name)
);
CREATE INDEX task_window ON task (window);
CREATE TABLE request (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task INTEGER NOT NULL REFERENCES task,
    window TEXT NOT NULL REFERENCES window,
    epoch INTEGER NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    state TEXT NOT NULL,            -- planned, sent, accepted, refused, unsent, unknown, confirmed,
                                    -- or found: the task needed no request
    job_id TEXT,
    request_id TEXT,
    error TEXT,
    sent_clock REAL NOT NULL,
    sent_wall REAL NOT NULL,
    boot TEXT NOT NULL,
    answered_wall REAL
);
CREATE INDEX request_task ON request (task, id);
CREATE TABLE note (
    id INTEGER PRIMARY KEY,
    wall REAL NOT NULL,
    window TEXT REFERENCES window,
    what TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE TABLE opened (wall REAL NOT NULL);
INSERT INTO opened VALUES (0);
"""


class _Job(NamedTuple):
    act: Callable[[sqlite3.Connection], Any]
    future: Future[Any]
    writes: bool


class Journal:
    """The record of what is paused, in one file for many windows, processes, and instances.

    A request is recorded before it is sent and again after its response. The file contains no
    secret. Threads can share a journal; a forked child opens the file again.

    You do not have to close a journal: each write is on the disk when the call returns. A ``with``
    statement closes the journal at its end.

    Args:
        path: The file, on a local disk, in a folder that only you can write to. Use an absolute
            path: a relative path refers to a different file if the program starts in a different
            folder.
        create: Whether to create the file and its folder if they do not exist, and to test that
            the file can be written. Pass ``create=False`` for ``recover``, ``overview``, and
            ``forget``: a missing file is then an error. ``recover`` and ``overview`` then also work
            if the disk is full or read-only. ``forget`` must write to the file.

    Attributes:
        path: The file, without symbolic links.

    Raises:
        ConfigurationError: The path is on a network file system or a FUSE file system; other users
            can write to the file or its folder, or own one of them; the file was written by another
            program or by a newer version of this package; or the file does not exist and ``create``
            is false.
        JournalError: The file cannot be read or, unless ``create`` is false, written.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = True) -> None:
        self.path = _place.prepared(path, make=create)
        self._process = 0
        self._lock = threading.Lock()
        try:
            if create:
                self.write(_touch)
            else:
                self.read(_version)
        except JournalError as error:
            self.close()
            if not create:
                raise
            raise JournalError(
                f"{error} Nothing was sent. Journal(path, create=False) still reads it: recover() "
                "then resumes what is due. Client.ensure_running() needs no journal."
            ) from error
        except BaseException:
            self.close()
            raise

    def lock_path(self, owner: str) -> Path:
        """Path of the lock file of an owner."""
        return self.path.with_name(f"{self.path.name}.owners") / owner

    def write(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a transaction, and return its result once it is on the disk.

        Raises:
            JournalError: The transaction was rolled back.
        """
        return self._run(act, writes=True)

    def read(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function that only reads. It does not wait for processes that write.

        Raises:
            JournalError: The journal cannot be read.
        """
        return self._run(act, writes=False)

    async def awrite(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Like ``write``, for coroutines. A cancellation does not stop the transaction."""
        return await self._arun(act, writes=True)

    async def aread(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Like ``read``, for coroutines."""
        return await self._arun(act, writes=False)

    async def _arun(self, act: Callable[[sqlite3.Connection], T], *, writes: bool) -> T:
        import asyncio  # noqa: PLC0415  # Only coroutines come here, and it takes long to load.

        future: Future[T] = Future()
        self._jobs().put(_Job(act, future, writes))
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        except sqlite3.Error as error:
            raise JournalError(f"The journal {self.path} failed: {error}.") from error

    def _run(self, act: Callable[[sqlite3.Connection], T], *, writes: bool) -> T:
        future: Future[T] = Future()
        self._jobs().put(_Job(act, future, writes))
        try:
            return future.result()
        except sqlite3.Error as error:
            raise JournalError(f"The journal {self.path} failed: {error}.") from error

    def _jobs(self) -> queue.SimpleQueue[_Job | None]:
        if self._process != os.getpid():  # On first use, and after a fork, which copies no threads.
            with self._lock if self._process == 0 else threading.Lock():
                if self._process != os.getpid():
                    self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
                    thread = threading.Thread(
                        target=_serve,
                        args=(self.path, self._queue),
                        name="taurusdb-starrocks-journal",
                        daemon=True,
                    )
                    thread.start()
                    self._lock = threading.Lock()
                    self._finalizer = weakref.finalize(self, _end, self._queue, thread)
                    # A handler of atexit may still close a window: the thread serves it, too.
                    self._finalizer.atexit = False
                    self._process = os.getpid()
        return self._queue

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        if self._process == os.getpid():
            self._process = 0
            self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _end(jobs: queue.SimpleQueue[_Job | None], thread: threading.Thread) -> None:
    jobs.put(None)
    if thread is not threading.current_thread():
        thread.join(timeout=BUSY)


def _serve(path: Path, jobs: queue.SimpleQueue[_Job | None]) -> None:
    """Run jobs until None arrives; all that are waiting run in one transaction."""
    file = _File(path)
    patience = BUSY
    job = jobs.get()
    while job is not None:
        batch = [job]
        with suppress(queue.Empty):
            while (job := jobs.get_nowait()) is not None:
                batch.append(job)
        for writes in sorted({one.writes for one in batch}):
            jobs_now = [one for one in batch if one.writes is writes]
            try:
                connection = file.connected(writes=writes)
                connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
                _carry_out(connection, jobs_now, "IMMEDIATE" if writes else "DEFERRED")
                patience = BUSY if writes else patience
            except Exception as error:  # noqa: BLE001  # It is raised where the jobs come from.
                patience = BUSY_AGAIN
                for failed in jobs_now:
                    failed.future.set_exception(error)
            file.close(unless_lasting=True)
        if job is not None:
            job = jobs.get()
    file.close()


class _File:
    """The file, and a connection to it while there is one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lasting = False  # Whether the connection is kept for the next jobs.
        self._opened: tuple[int, int] | None = None

    def connected(self, *, writes: bool) -> sqlite3.Connection:
        """A connection; one that only reads, where that is enough.

        Raises:
            JournalError: It is for writing, and the path leads to another file by now. What is
                written would be seen by nobody who opens the path later, such as ``recover``.
        """
        if self._connection is None:
            self._connection, self._lasting = _connected(self._path, writes=writes)
            self._opened = _identity(self._path)
        if writes and _identity(self._path) != self._opened:
            raise JournalError(
                f"The journal {self._path} was moved, deleted or replaced while it was open. "
                "Nothing was written. Restart the program when none of its windows is open."
            )
        return self._connection

    def close(self, *, unless_lasting: bool = False) -> None:
        """Close the connection."""
        if self._connection is not None and not (unless_lasting and self._lasting):
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one at the same path; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _connected(path: Path, *, writes: bool) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether it can be kept; one that only reads, where that is enough."""
    try:
        return _connect(path), True
    except sqlite3.OperationalError:
        if writes:
            raise
        return _connect_to_read(path), False


def _carry_out(connection: sqlite3.Connection, batch: list[_Job], mode: str) -> None:
    results: list[tuple[_Job, Any, BaseException | None]] = []
    connection.execute(f"BEGIN {mode}")
    try:
        for job in batch:
            connection.execute("SAVEPOINT job")
            try:
                results.append((job, job.act(connection), None))
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001  # The other jobs must not fail because of it.
                connection.execute("ROLLBACK TO job")
                results.append((job, None, error))
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    for job, value, failure in results:
        if failure is None:
            job.future.set_result(value)
        else:
            job.future.set_exception(failure)


def _connect(path: Path) -> sqlite3.Connection:
    connection = _opened(path, "mode=rw")
    try:
        _wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        if not _version(connection):
            _create_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if not _version(connection):  # Otherwise another process was faster.
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection for a disk that is full or read-only.

    SQLite then keeps the index of the write-ahead log in memory. Without such a log it needs no
    index, but only ``immutable`` makes it read the file all the same. Such a connection does not
    notice what others write later, so it is used once.
    """
    log = path.with_name(f"{path.name}-wal")
    unlogged = not log.exists() or log.stat().st_size == 0
    return _opened(path, f"mode=ro&{'immutable' if unlogged else 'readonly_shm'}=1")


def _opened(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY * 1000)}")
        _check(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL, and wait if another process is doing so, which SQLite itself does not."""
    limit = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.01)
        else:
            return


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _check(path: Path, connection: sqlite3.Connection) -> None:
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise ConfigurationError(f"{path} is not a journal: {error}. Nothing was sent.") from error
    if application != APPLICATION and not (empty and application == 0):
        raise ConfigurationError(
            f"{path} is the database of another program. It was not changed, and nothing was sent."
        )
    if (version := _version(connection)) > VERSION:
        raise ConfigurationError(
            f"The journal {path} has version {version}, which is newer than this package knows "
            f"({VERSION}). Update the package. The journal was not changed, and nothing was sent."
        )


def _touch(connection: sqlite3.Connection) -> None:
    """Write something, so that a full or read-only disk is noticed before a pause."""
    connection.execute("UPDATE opened SET wall = ?", (time.time(),))
