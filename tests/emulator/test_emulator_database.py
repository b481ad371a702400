"""The SQLite file: what goes on in it, and what is not ours."""

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from emulator_calls import Clock, ask, open_client, path_of, stages
from taurusdb_starrocks_emulator import Emulator

COMMAND = str(Path(sys.executable).with_name("taurusdb-starrocks-emulator"))


def test_the_state_goes_on_in_a_file(tmp_path: Path, clock: Clock) -> None:
    """A second emulator on the same file goes on where the first ended, in time too."""
    db = tmp_path / "state.sqlite"
    first = Emulator(db=db, delay=60, clock=clock)
    with first, open_client(first) as client:
        ask(first, client, "pause")
    first.close()
    clock.now += 60
    second = Emulator(db=db, seed={"projects": []}, clock=clock)
    assert second.task(first.instance_id, first.task_name).stage == "Paused"
    assert second.journal() != []
    second.close()


def test_resetting_a_file_that_was_there_plants_this_seed(tmp_path: Path) -> None:
    """Once and again; what the file held is gone."""
    db = tmp_path / "state.sqlite"
    Emulator(db=db, seed={"projects": []}).close()
    emulator = Emulator(db=db)
    assert emulator.tasks() == []
    for _ in range(2):
        emulator.reset()
        assert len(emulator.tasks()) == 7
        emulator.set_stage(emulator.instance_id, emulator.task_name, "Full")
    emulator.close()
    again = Emulator(db=db)
    assert again.task(again.instance_id, again.task_name).stage == "Full"
    again.close()


def create(folder: Path, barrier: Any, rounds: int, failed: Any) -> None:
    """Open files that are not there yet, each at the same moment as the other processes."""
    for number in range(rounds):
        barrier.wait(30)
        try:
            emulator = Emulator(db=folder / f"{number}.sqlite")
            assert len(emulator.tasks()) == 7
            emulator.close()
        except Exception as error:  # noqa: BLE001 # Told to the test.
            failed.put(f"{number}: {error!r}")
    failed.put(None)


def test_processes_that_create_a_file_at_once_share_it(tmp_path: Path) -> None:
    """One of them plants the seed, all of them find it."""
    context = multiprocessing.get_context("spawn")
    barrier, failed = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=create, args=(tmp_path, barrier, 25, failed)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    told = [failed.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(30)
    assert told == [None] * 4


def test_two_emulators_serve_one_file(tmp_path: Path) -> None:
    """What one of them changes the other lists."""
    db = tmp_path / "state.sqlite"
    with Emulator(db=db) as one, Emulator(db=db) as other:
        with open_client(one) as client:
            ask(one, client, "pause")
        with open_client(other) as client:
            assert stages(other, client)["orders_sync"] == "Paused"
        assert len(one.journal()) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE theirs (a)",
        "CREATE TABLE project (id TEXT PRIMARY KEY, name TEXT NOT NULL)",
        "PRAGMA user_version = 99",
        "PRAGMA user_version = 2",
        "PRAGMA application_id = 99",
    ],
)
def test_a_file_of_another_program_is_left_alone(tmp_path: Path, statement: str) -> None:
    """Refused, and byte for byte as it was, with no other file beside it."""
    db = tmp_path / "theirs.sqlite"
    with sqlite3.connect(db) as connection:
        connection.execute(statement)
    connection.close()
    before = db.read_bytes()
    with pytest.raises(ValueError, match=r"theirs\.sqlite: a database of another program"):
        Emulator(db=db)
    assert db.read_bytes() == before
    assert list(tmp_path.iterdir()) == [db]


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """Neither changed nor misread."""
    db = tmp_path / "old.sqlite"
    Emulator(db=db).close()
    with sqlite3.connect(db) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(ValueError, match=r"old\.sqlite: a database of another version"):
        Emulator(db=db)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """So is one in a folder that is not there."""
    (tmp_path / "text").write_text("this is no database, but it is long enough to be one" * 50)
    with pytest.raises(sqlite3.DatabaseError, match="text: file is not a database"):
        Emulator(db=tmp_path / "text")
    with pytest.raises(sqlite3.OperationalError, match="nowhere/x: unable to open"):
        Emulator(db=tmp_path / "nowhere" / "x")


def test_a_locked_file_ends_the_command(tmp_path: Path) -> None:
    """Status 2 and the file's name, after a short wait."""
    db = tmp_path / "state.sqlite"
    Emulator(db=db).close()
    with sqlite3.connect(db) as holder:
        holder.execute("BEGIN IMMEDIATE")
        done = subprocess.run(
            [COMMAND, "--db", str(db)], capture_output=True, text=True, timeout=20, check=False
        )
    holder.close()
    assert (done.returncode, done.stdout) == (2, "")
    assert "state.sqlite: database is locked" in done.stderr


def test_a_file_that_is_locked_meanwhile_is_an_error_of_the_service(tmp_path: Path) -> None:
    """500 in the service's shape, nothing has changed, and it works again once it is free."""
    db = tmp_path / "state.sqlite"
    with Emulator(db=db) as emulator, open_client(emulator) as client:
        with sqlite3.connect(db) as holder:
            holder.execute("BEGIN IMMEDIATE")
            response = ask(emulator, client)
        holder.close()
        assert (response.status_code, response.json()["error_code"]) == (500, "DBS.108000")
        assert "database is locked" in response.json()["error_msg"]
        assert response.headers["X-Request-Id"]
        assert emulator.journal() == []
        assert ask(emulator, client).status_code == 200


def test_a_short_lock_is_waited_for(tmp_path: Path) -> None:
    """Another process that writes for a moment disturbs no call."""
    db = tmp_path / "state.sqlite"
    with Emulator(db=db) as emulator, open_client(emulator) as client:
        holder = sqlite3.connect(db, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, holder.rollback)
        timer.start()
        assert client.get(path_of(emulator)).status_code == httpx.codes.OK
        timer.join()
        holder.close()
