"""The file itself: where it may lie, who may read it, and when it cannot be written."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from programs import BILLING, BOTH, ORDERS, START, Surroundings, until
from taurusdb_starrocks import Client, ConfigurationError
from taurusdb_starrocks.durable import (
    Journal,
    JournalError,
    _journal,
    _locks,
    _place,
    overview,
    recover,
    window,
)

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:40 / /srv/with\\040blank rw - nfs4 server:/export rw
24 22 0:41 / /home rw - fuse.sshfs host:/ rw
25 24 0:42 / /home/local rw - xfs /dev/vdb rw
26 22 0:43 / /hidden rw - nfs server:/a rw
27 22 0:44 / /hidden rw - tmpfs tmpfs rw
28 22 0:45 / /bucket rw - fuse bucket rw
29 22 0:46 / /usb rw - fuseblk /dev/vdc rw
broken line
"""


# --- Where it may lie ---------------------------------------------------------------------------


def test_only_the_owner_can_read_it(folder: Path) -> None:
    """The umask has no effect. The folder is created."""
    before = os.umask(0)
    try:
        with Journal(folder / "made" / "deep" / "journal.db") as journal:
            files = [path for path in folder.rglob("*") if path.is_file()]
            assert len(files) == 3  # With those of the write-ahead log.
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
            assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write(mode: int, folder: Path) -> None:
    """They could replace the journal."""
    folder.chmod(mode)
    with pytest.raises(ConfigurationError, match="Others can write to the folder"):
        Journal(folder / "journal.db")
    assert list(folder.iterdir()) == []


def test_a_file_that_others_can_write(folder: Path) -> None:
    """It is refused and not changed."""
    path = folder / "journal.db"
    path.touch()
    path.chmod(0o620)
    with pytest.raises(ConfigurationError, match="Others can write to the journal"):
        Journal(path)


def test_a_folder_of_somebody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root and the user of the process may own it."""
    (folder / "theirs").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    os.chown(folder / "theirs", 4712, -1) if os.getuid() == 0 else None
    with pytest.raises(ConfigurationError, match="belongs to user"):
        Journal(folder / "theirs" / "journal.db")


def test_what_is_not_a_file(folder: Path) -> None:
    """For example a folder."""
    (folder / "journal.db").mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="is not a file"):
        Journal(folder / "journal.db")


def test_what_cannot_be_made(folder: Path) -> None:
    """The error says why."""
    (folder / "file").touch()
    with pytest.raises(JournalError, match="cannot be opened: File exists"):
        Journal(folder / "file" / "journal.db")


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/", None),
        ("/srv/with blank/journals", "nfs4"),
        ("/home/user", "fuse.sshfs"),
        ("/home/local/user", None),
        ("/hidden", None),
        ("/bucket", "fuse"),
        ("/usb", None),
    ],
)
def test_network_file_systems(place: str, kind: str | None, tmp_path: Path) -> None:
    """Their locks do not work reliably; the innermost and latest mount counts."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    if kind is None:
        _place.check_system(Path(place), str(mounts))
    else:
        with pytest.raises(ConfigurationError, match=f"on a {kind} file system"):
            _place.check_system(Path(place), str(mounts))


def test_a_system_that_does_not_tell(folder: Path) -> None:
    """Where the system does not list mounts, no file system is refused."""
    _place.check_system(folder, str(folder / "missing"))


def test_another_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without POSIX locks there is no journal."""
    monkeypatch.setattr(_place, "os", type("os", (), {"name": "nt"}))
    with pytest.raises(ConfigurationError, match="POSIX"):
        Journal(folder / "journal.db")


def test_made_by_two_processes_at_once(folder: Path) -> None:
    """Each uses the file that was created first."""
    _place.create(folder / "journal.db")
    _place.create(folder / "journal.db")
    code = (
        "import sys; from taurusdb_starrocks.durable import Journal; sys.stdin.read(1); "
        "Journal(sys.argv[1]).close()"
    )
    path = folder / "fresh.db"
    many = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE)
        for _ in range(4)
    ]
    time.sleep(0.5)
    for process in many:
        process.communicate(b"x", timeout=30)
    assert [process.returncode for process in many] == [0] * 4


def test_a_journal_that_does_not_exist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `create=False`, the error names the absolute path."""
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigurationError) as raised:
        Journal("state/pauses.db", create=False)
    assert f"no journal at {folder}/state/pauses.db" in str(raised.value)
    assert "absolute path" in str(raised.value)
    assert list(folder.iterdir()) == []


# --- What it is ---------------------------------------------------------------------------------


def test_another_programs_database(folder: Path) -> None:
    """It is refused and not changed, not even its mode."""
    path = folder / "journal.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="database of another program"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_newer_version(folder: Path) -> None:
    """It is refused and not changed."""
    path = folder / "journal.db"
    Journal(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ConfigurationError, match="version 99, which is newer"):
        Journal(path)


def test_no_database_at_all(folder: Path) -> None:
    """For example a text file."""
    path = folder / "journal.db"
    path.write_text("hello " * 1000)
    with pytest.raises(ConfigurationError, match="is not a journal"):
        Journal(path)


def test_how_it_is_kept(journal: Journal) -> None:
    """Each commit is synced to the disk, and readers do not wait for writers."""

    def ask(c: sqlite3.Connection) -> list[Any]:
        pragmas = ("journal_mode", "synchronous", "application_id", "user_version")
        return [c.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]

    assert journal.read(ask) == ["wal", 2, _journal.APPLICATION, 1]


# --- One thread that commits --------------------------------------------------------------------


def test_what_comes_together_is_committed_together(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs that arrive during a commit share the next one."""
    commits: list[int] = []
    real = _journal._carry_out

    def counted(c: sqlite3.Connection, batch: list[Any], mode: str) -> None:
        if batch:
            commits.append(len(batch))
            time.sleep(0.05)
        real(c, batch, mode)

    monkeypatch.setattr(_journal, "_carry_out", counted)
    threads = [
        threading.Thread(target=journal.write, args=(lambda c: c.execute("DELETE FROM note"),))
        for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(commits) == 32
    assert len(commits) < 8


def test_one_that_fails_does_not_fail_the_others(journal: Journal) -> None:
    """Only its own changes are rolled back."""
    first = threading.Event()
    outcomes: list[Any] = []

    def slow(c: sqlite3.Connection) -> None:
        first.wait(5)

    def failing(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO note (wall, what, text) VALUES (0, 'bad', '')")
        raise LookupError("no")

    def good(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO note (wall, what, text) VALUES (0, 'good', '')")

    def run(act: Any) -> None:
        try:
            outcomes.append(journal.write(act))
        except LookupError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in (slow, failing, good)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    first.set()
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in outcomes].count(LookupError) == 1
    notes = journal.read(lambda c: c.execute("SELECT what FROM note").fetchall())
    assert [row[0] for row in notes] == ["good"]


def test_an_sql_error_is_a_journal_error(journal: Journal) -> None:
    """The transaction is rolled back."""
    with pytest.raises(JournalError, match="no such table"):
        journal.write(lambda c: c.execute("SELECT * FROM nowhere"))
    with pytest.raises(JournalError, match="no such table"):
        journal.read(lambda c: c.execute("SELECT * FROM nowhere"))
    assert overview(journal) == []


def test_it_can_be_used_after_it_was_closed(journal: Journal) -> None:
    """It opens the file again."""
    journal.close()
    journal.close()
    assert overview(journal) == []


@pytest.mark.parametrize("another", [True, False])
def test_a_journal_that_is_moved_while_it_is_open(
    around: Surroundings, client: Client, journal: Journal, another: bool
) -> None:
    """Nothing more is paused: nobody would see it. What was paused is resumed."""
    with window(client, around.instance_id, ORDERS, journal=journal, lease=60) as opened:
        for file in journal.path.parent.glob("journal.db*"):
            if file.is_file():
                file.rename(file.with_name(f"former-{file.name}"))
        if another:
            Journal(around.journal).close()
        with pytest.raises(JournalError, match="moved, deleted or replaced while it was open"):
            opened.extend(3600)
        with pytest.raises(JournalError, match="Nothing was written"):
            with window(client, around.instance_id, BILLING, journal=journal, lease=60):
                pytest.fail("it opened")
    assert around.running()
    assert around.sent("pause") == 1
    journal.close()
    if not another:
        Journal(around.journal).close()
    with window(client, around.instance_id, BILLING, journal=journal, lease=60):
        assert len(overview(journal)) == 1


def test_a_forked_child_has_a_connection_of_its_own(around: Surroundings) -> None:
    """Its parent keeps its own connection."""
    program = around.program(
        """
        def note(what):
            insert = "INSERT INTO note (wall, what, text) VALUES (0, ?, '')"
            journal.write(lambda c: c.execute(insert, what))
        note("a")
        if os.fork() == 0:
            note("b")
            sys.exit(0)
        os.wait()
        note("c")
        rows = journal.read(lambda c: c.execute("SELECT what FROM note").fetchall())
        say([row[0] for row in rows])
        """
    )
    assert program.hear() == [["a", "b", "c"]]
    assert program.wait() == 0


# --- When it cannot be written ------------------------------------------------------------------


def test_a_disk_that_is_full_at_first(folder: Path) -> None:
    """The journal is refused before anything is sent."""
    code = """
import resource, signal, sys
from taurusdb_starrocks.durable import Journal, JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    Journal(sys.argv[1])
except JournalError as error:
    print(error)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code, str(folder / "journal.db")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "failed" in shown
    assert "disk" in shown


LEAVE = """
with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
    say("in")
    listen()
"""
RECOVER = """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
sys.stderr = open("/dev/null", "w")
try:
    Journal(given["journal"])
except JournalError as error:
    say(str(error))
journal = Journal(given["journal"], create=False)
say([entry.state for entry in overview(journal)])
say([[done.outcome, done.why] for done in recover(journal, connect=lambda *_: client)])
try:
    forget(journal, INSTANCE, NAMES[0], "wanted")
except JournalError as error:
    say(str(error))
"""


@pytest.mark.parametrize("killed", [True, False])
def test_a_disk_that_is_full_after_a_crash(killed: bool, around: Surroundings) -> None:
    """The journal is read, and its tasks are resumed. That is recorded by a later run."""
    program = around.program(LEAVE)
    assert program.hear() == ["in"]
    program.kill()
    if not killed:  # The last that closed it left no log, so that none is there to be read.
        with Journal(around.journal) as journal:
            assert len(overview(journal)) == 2
    program = around.program(
        RECOVER, start=START.replace('journal = Journal(given["journal"])', "")
    )
    assert "create=False" in program.hear()[0]
    assert program.hear() == [["abandoned"] * 2]
    (said,) = program.hear()
    assert [outcome for outcome, _ in said] == ["resumed"] * 2
    assert all("cannot be written" in why for _, why in said)
    assert around.running()
    assert "failed" in program.hear()[0]
    program.wait()
    with Journal(around.journal) as journal:
        assert len(overview(journal)) == 2
        assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
        assert overview(journal) == []


def test_a_disk_that_is_read_only(
    around: Surroundings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a lock file can be created."""
    program = around.program(LEAVE)
    assert program.hear() == ["in"]
    program.kill()

    def connect(_path: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    def lock(_path: Path) -> None:
        raise JournalError("It cannot be created.")

    monkeypatch.setattr(_journal, "_connect", connect)
    monkeypatch.setattr(_locks, "Lock", lock)
    journal.close()
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert around.running()
    assert {entry.state for entry in overview(journal)} == {"abandoned"}


def test_a_journal_that_a_stopped_program_is_writing(around: Surroundings) -> None:
    """The journal can be read all the same."""
    program = around.program(
        """
        def stuck(c):
            say("stuck")
            os.kill(os.getpid(), signal.SIGSTOP)
        journal.write(stuck)
        """
    )
    assert program.hear() == ["stuck"]
    with Journal(around.journal, create=False) as journal:
        assert overview(journal) == []


def test_a_window_that_is_closed_at_exit(around: Surroundings) -> None:
    """A handler of atexit that runs after all others can close it."""
    program = around.program(
        """
        stack.enter_context(
            window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False)
        )
        say("in")
        """,
        start="import atexit, contextlib\n"
        "stack = contextlib.ExitStack()\n"
        "atexit.register(stack.close)\n" + START,
    )
    assert program.hear() == ["in"]
    assert program.wait() == 0
    assert around.running()


def test_a_disk_that_fills_in_the_middle(around: Surroundings) -> None:
    """Paused tasks are resumed all the same, and nothing more is paused."""
    program = around.program(
        """
        import logging, resource
        class Handler(logging.Handler):
            def emit(self, record):
                said.append(record.getMessage())
        said = []
        logging.getLogger("taurusdb_starrocks").addHandler(Handler())
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
            # Whatever is written to a file from here on fails, as on a disk that is full.
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            sys.stderr = open("/dev/null", "w")
        say([line for line in said if "resuming orders_sync without the journal" in line])
        try:
            with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
                say("opened")
        except JournalError as error:
            say(str(error))
        """
    )
    assert len(program.hear()[0]) == 1
    (refused,) = program.hear()
    assert "journal" in refused
    assert program.wait() == 0
    assert around.running()
    assert around.sent("pause") == 2
    assert around.sent("resume") == 2


def test_a_disk_that_fills_while_it_pauses(
    around: Surroundings, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first task was paused, the second is not, and the first is resumed."""
    real = Journal.write
    state = {"full": False}

    def write(self: Journal, act: Any) -> Any:
        if state["full"]:
            raise JournalError("database or disk is full")
        result = real(self, act)
        state["full"] = around.sent("pause") == 1
        return result

    monkeypatch.setattr(Journal, "write", write)
    with pytest.raises(JournalError, match="full"):
        with window(client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False):
            pytest.fail("it began")
    assert around.sent("pause") == 1
    assert around.running()


def test_a_guardian_resumes_without_the_journal(around: Surroundings) -> None:
    """A program that was stopped in a transaction keeps all others from writing."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=1.0):
            say("in")
            def stuck(c):
                say("stuck")
                os.kill(os.getpid(), signal.SIGSTOP)
            threading.Thread(target=journal.write, args=(stuck,)).start()
            listen()
        """
    )
    assert program.hear() == ["in"]
    assert program.hear() == ["stuck"]
    took = until(around.running, 20)
    assert took < 15
    program.kill()
    until(lambda: not around.guardians())


def test_no_lock_can_be_had(around: Surroundings, client: Client, journal: Journal) -> None:
    """Nothing is sent then."""
    journal.lock_path("x").parent.write_text("in the way")
    with pytest.raises(JournalError, match=r"lock file .* cannot be created"):
        with window(client, around.instance_id, ORDERS, journal=journal, lease=60):
            pytest.fail("it opened")
    assert around.emulator.journal() == []


def test_wal_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself does not wait while another connection prevents the switch."""
    path = folder / "journal.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    mine = sqlite3.connect(path, isolation_level=None, timeout=0.01)
    release = threading.Timer(0.2, lambda: None)
    release.start()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        monkeypatch.setattr(_journal, "BUSY", 0.05)
        _journal._wal(mine)
    release.join()
    other.execute("COMMIT")
    _journal._wal(mine)
    assert mine.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    mine.close()
    other.close()


def test_the_journal_ends_in_its_own_thread(journal: Journal) -> None:
    """The last reference may be dropped in that thread, which must not wait for itself."""
    ended: list[bool] = []

    def act(_c: sqlite3.Connection) -> None:
        queue: Any = journal._queue
        _journal._end(queue, threading.current_thread())
        ended.append(True)

    journal.write(act)
    assert ended == [True]
    journal.close()
    assert overview(journal) == []


def test_a_journal_that_never_opened(folder: Path) -> None:
    """Its thread ends without a file to close."""
    path = folder / "journal.db"
    path.write_text("hello " * 1000)
    before = set(threading.enumerate())
    with pytest.raises(ConfigurationError):
        Journal(path)
    until(lambda: set(threading.enumerate()) <= before)


def test_threads_begin_it_together(journal: Journal) -> None:
    """After it was closed there is one new connection for all of them."""
    journal.close()
    before = set(threading.enumerate())
    gate = threading.Barrier(8)

    def use() -> None:
        gate.wait()
        overview(journal)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(threading.enumerate()) - before) == 1


def test_an_sql_error_that_ended_the_transaction(journal: Journal) -> None:
    """A full disk can do that: there is nothing left to roll back."""

    def act(c: sqlite3.Connection) -> None:
        c.execute("ROLLBACK")
        c.execute("SELECT * FROM nowhere")

    with pytest.raises(JournalError, match="no such table"):
        journal.write(act)
    assert overview(journal) == []


def test_it_ends_with_what_came_before(journal: Journal) -> None:
    """Jobs that were waiting when it was closed are run."""
    gate = threading.Event()
    insert = "INSERT INTO note (wall, what, text) VALUES (0, 'last', '')"
    slow = threading.Thread(target=journal.write, args=(lambda _c: gate.wait(5),))
    slow.start()
    time.sleep(0.1)
    last = threading.Thread(target=journal.write, args=(lambda c: c.execute(insert),))
    last.start()
    time.sleep(0.1)
    end = threading.Thread(target=journal.close)
    end.start()
    time.sleep(0.1)
    gate.set()
    for thread in (slow, last, end):
        thread.join()
    rows = journal.read(lambda c: c.execute("SELECT what FROM note").fetchall())
    assert [row[0] for row in rows] == ["last"]


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_file_that_another_process_keeps_locked(
    lock: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be written, but it can be read."""
    path = folder / "journal.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"BEGIN {lock}")
    monkeypatch.setattr(_journal, "BUSY", 0.05)
    path.chmod(0o600)
    with pytest.raises(JournalError, match="locked"):
        Journal(path)
    with Journal(path, create=False) as journal:
        assert journal.read(_journal._version) == 0
    other.close()


def test_a_file_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example because the disk is broken."""
    path = folder / "journal.db"
    Journal(path).close()

    def broken(*_what: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(_journal, "_opened", broken)
    with pytest.raises(JournalError, match=r"journal\.db failed: disk I/O error\.$"):
        Journal(path, create=False)


def test_another_process_makes_the_tables(folder: Path) -> None:
    """The tables are created once."""
    Journal(folder / "journal.db").close()
    connection = _journal._connect(folder / "journal.db")
    _journal._create_tables(connection)
    assert connection.execute("SELECT * FROM window").fetchall() == []
    connection.close()


def test_what_fails_for_a_coroutine(journal: Journal) -> None:
    """It is the same error, also when the database refuses."""

    async def main() -> None:
        await journal.awrite(lambda c: c.execute("SELECT 1 FROM absent"))

    with pytest.raises(JournalError, match=r"journal\.db failed: no such table: absent"):
        asyncio.run(main())
