"""What is paused, and what resumes what was left."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from taurusdb_starrocks.durable import Journal, _journal, _locks
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.cli.running import Run

ABANDON = """
import os, sys
from taurusdb_starrocks import Client, Poll
from taurusdb_starrocks.durable import Journal, window
with Journal(sys.argv[1]) as journal, Client() as client:
    poll = Poll(first=0.05, interval=0.05)
    with window(client, sys.argv[2], sys.argv[3:], journal=journal, lease=60, poll=poll,
                guardian=False):
        os._exit(0)
"""


@pytest.fixture
def abandoned(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """A window of two tasks whose program and guardian are gone."""
    journal = tmp_path / "state" / "taurusdb-starrocks" / "journal.sqlite"
    journal.parent.mkdir(mode=0o700, parents=True)
    abandon(emulator, journal, "orders_sync", "billing_sync")


def abandon(emulator: Emulator, journal: Path, *names: str) -> None:
    command = [sys.executable, "-c", ABANDON, str(journal), emulator.instance_id, *names]
    subprocess.run(command, check=True)


def test_check_of_what_others_paused(run: Run, emulator: Emulator) -> None:
    """The service knows that a task is paused, and no more."""
    ran = run("check", emulator.instance_id)
    assert ran.status == 6
    assert re.search("archive_sync +unknown +[?] +[?] +not in the journal$", ran.out, re.MULTILINE)


NO_INSTANCE = f"{'0' * 32}in17"
OTHER = "b6280c323ce449f2ad02af74e21f3dc5in17"


def test_check_of_nothing(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """What was read is named, and what was not."""
    journal = tmp_path / "state" / "taurusdb-starrocks" / "journal.sqlite"
    journal.parent.mkdir(mode=0o700, parents=True)
    Journal(journal).close()
    nothing = f"Nothing is paused in the journal {journal}"
    asked = "The service was not queried: pass an INSTANCE."
    assert run("check") == (0, "", f"{nothing}. {asked}\n")
    assert run("check", OTHER) == (0, "", f"{nothing}, on {OTHER}.\n")


def test_check_goes_on_after_a_failure(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each instance that could not be checked is named; the worst is the exit status."""
    ran = run("check", NO_INSTANCE, emulator.instance_id, "0in07")
    assert (ran.status, ran.out.count("archive_sync")) == (6, 1)
    none, first, second = ran.err.splitlines()
    assert none.startswith("There is no journal at ")
    assert f"{NO_INSTANCE} was not checked. 400 DBS.200022" in first
    assert "0in07 was not checked." in second
    ran = run("check", NO_INSTANCE, OTHER)
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == f"Nothing is paused on {OTHER}."
    monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", "secret-token")
    ran = run("check", NO_INSTANCE, OTHER)
    assert (ran.status, ran.err.count("was not checked. 401")) == (4, 2)


@pytest.mark.usefixtures("abandoned")
def test_recover(run: Run, emulator: Emulator) -> None:
    """What a window left is listed, and resumed."""
    assert run("check").status == 6
    for option in ("--list", "--dry-run"):
        assert run("recover", option).out.count("abandoned") == 2
    ran = run("recover", "--interval", "0.05s")
    assert (ran.status, ran.out.count("resumed")) == (0, 2)
    assert ran.err == "Resuming what was left paused.\n"
    assert run("recover", "--interval", "0.05s").err == "There is nothing to resume.\n"
    assert run("check").status == 0


@pytest.mark.usefixtures("abandoned")
@pytest.mark.parametrize(
    ("trouble", "shown", "due"),
    [("", "its guardian resumes it", 0), ("409", "its guardian tries again: 409", 2)],
)
def test_a_guardian_at_work(run: Run, tmp_path: Path, trouble: str, shown: str, due: int) -> None:
    """The state says so. Only a guardian that has failed gets help from recover."""
    with Journal(tmp_path / "state" / "taurusdb-starrocks" / "journal.sqlite") as journal:
        set_guardian = "UPDATE window SET guardian = 'guardian', trouble = ?"
        journal.write(lambda c: c.execute(set_guardian, (trouble,)))
        lock = _locks.Lock(journal.lock_path("guardian"))
        checked, listed = run("check"), run("check", "-o", "json")
        assert checked.status == 6
        assert checked.out.count(f"abandoned, {shown}") == 2
        assert listed.out.count('"state": "abandoned", "guarded": true') == 2
        assert run("recover", "--dry-run").out.count("abandoned") == due
        lock.release()
        assert "guardian" not in run("check").out
        assert run("recover", "--dry-run").out.count("abandoned") == 2


@pytest.mark.usefixtures("abandoned")
def test_recover_in_vain(run: Run, emulator: Emulator) -> None:
    """What could not be resumed stays in the journal; the exit status tells."""
    emulator.faults.add(Fault("conflict", operation="resume"))
    ran = run("recover", "--interval", "0.05s", "--timeout", "0.5s")
    assert ran.status == 122
    assert "failed" in ran.out
    assert run("check").status == 6


@pytest.mark.usefixtures("abandoned")
def test_recover_without_credentials(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is shown once, with all tasks and what to do."""
    monkeypatch.delenv("HUAWEICLOUD_SDK_AK")
    monkeypatch.delenv("HUAWEICLOUD_SDK_SK")
    ran = run("recover")
    assert (ran.status, ran.out.count("failed"), ran.out.count("redential")) == (122, 2, 0)
    _, failed = ran.err.splitlines()
    instance = emulator.instance_id
    both = f"orders_sync of {instance}, billing_sync of {instance}"
    assert failed.count("HUAWEICLOUD_SDK_AK") == 1
    assert f"MAY STILL BE PAUSED: {both}. Correct the cause, and run" in failed
    assert all("HUAWEICLOUD_SDK_AK" in row["why"] for row in run("recover", "-o", "json").rows)


@pytest.mark.usefixtures("abandoned")
def test_forget(run: Run, emulator: Emulator) -> None:
    """A person wants it left paused, and says why."""
    assert "--reason TEXT" in run("recover", "--forget", "orders_sync").err
    reason = ("--reason", "moved to another instance")
    ran = run("recover", "--forget", "orders_sync", *reason, "--dry-run")
    assert ran.err == f"orders_sync of {emulator.instance_id} would be left paused.\n"
    ran = run("recover", "--forget", "orders_sync", *reason)
    assert ran.status == 0
    assert ran.out.count("orders_sync") == 1
    ran = run("recover", "--forget", "orders_sync", *reason)
    assert ran.status == 2
    assert "The journal has no paused task orders_sync." in ran.err
    assert run("recover", "--list").out.count("_sync") == 1


@pytest.mark.usefixtures("abandoned")
def test_forget_a_name_of_two_instances(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    """The command does not guess which one."""
    other = "0" * 32 + "in17"
    with Journal(tmp_path / "state" / "taurusdb-starrocks" / "journal.sqlite") as journal:
        for table in ("window", "task"):
            update = f"UPDATE {table} SET instance_id = '{other}'"
            journal.write(lambda c, update=update: c.execute(update))
    abandon(emulator, journal.path, "orders_sync")
    forget = ("recover", "--forget", "orders_sync", "--reason", "moved")
    ran = run(*forget)
    assert ran.status == 2
    assert "2 instances have a task orders_sync: give --instance." in ran.err
    assert other in run(*forget, "--instance", other).out


def test_journal_that_others_can_write(run: Run, tmp_path: Path) -> None:
    """It is refused, and nothing is sent."""
    tmp_path.chmod(0o777)
    ran = run("check", "--journal", str(tmp_path / "journal.sqlite"))
    assert ran.status == 2
    tmp_path.chmod(0o700)


def test_journal_in_another_place(run: Run, tmp_path: Path) -> None:
    """As it is given."""
    Journal(tmp_path / "mine.sqlite").close()
    assert run("check", "--journal", str(tmp_path / "mine.sqlite")).status == 0


@pytest.mark.parametrize("given", [(), ("--journal", "elsewhere.sqlite")])
@pytest.mark.parametrize("command", ["check", "recover", "recover --list"])
def test_journal_that_does_not_exist(
    run: Run, tmp_path: Path, command: str, given: tuple[str, ...]
) -> None:
    """A wrong path, or another user's home, is an error that names the file; none is created."""
    ran = run(*command.split(), *given)
    assert ran.status == 2
    assert f"There is no journal at {tmp_path}/" in ran.err
    assert ("A relative path" in ran.err) == bool(given)
    assert list(tmp_path.rglob("*.sqlite")) == []


def test_journal_that_cannot_be_written(
    run: Run, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the option with which the same command works."""
    Journal(tmp_path / "mine.sqlite").close()
    monkeypatch.setattr(_journal, "BUSY", 0.05)
    other = sqlite3.connect(tmp_path / "mine.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    resume = ("resume", emulator.instance_id, "archive_sync", "--interval", "0.05s", "--journal")
    ran = run(*resume, "mine.sqlite")
    other.close()
    assert ran.status == 1
    assert "give resume another file: --journal OTHER." in ran.err
    assert "create=False" not in ran.err
    assert run(*resume, "other.sqlite").status == 0


@pytest.mark.parametrize("given", [(), ("--journal", "mine.sqlite")])
def test_journal_for_a_cron_job(run: Run, given: tuple[str, ...]) -> None:
    """It is created once, by hand. From then on, recover is silent until there is work."""
    for _ in range(2):
        assert run("recover", "--create", *given) == (0, "", "There is nothing to resume.\n")
    assert run("recover", "--quiet", *given) == (0, "", "")


def test_check_of_an_instance_needs_no_journal(run: Run, emulator: Emulator) -> None:
    """Unless one is given."""
    ran = run("check", emulator.instance_id)
    assert ran.status == 6
    assert "There is no journal at " in ran.err
    ran = run("check", emulator.instance_id, "--journal", "elsewhere.sqlite")
    assert (ran.status, ran.out) == (2, "")


def test_journal_that_cannot_be_created(
    run: Run, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what could not be created, and what to do."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    ran = run("pause", emulator.instance_id, "orders_sync", "--no-limit")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert f"{tmp_path}/file/taurusdb-starrocks, cannot be created: Not a directory." in ran.err
    assert "Give --journal FILE, or set XDG_STATE_HOME." in ran.err
    ran = run("pause", emulator.instance_id, "orders_sync", "--no-limit", "--journal", "file/x")
    assert (ran.status, "file/x cannot be opened" in ran.err) == (1, True)


def test_user_without_a_home_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no default journal then."""

    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert run("check") == (
        2,
        "",
        "taurusdb-starrocks: This user has no home folder: set HOME.\n",
    )


def test_recover_quietly(run: Run, emulator: Emulator) -> None:
    """From cron, a task that is on hold is no news."""
    hold = ("pause", emulator.instance_id, "orders_sync", "--max", "1h", "--interval", "0.05s")
    assert run(*hold, "--yes").status == 0
    assert "it is on hold" in run("recover").out
    assert run("recover", "--quiet") == (0, "", "")
