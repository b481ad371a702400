"""Commands that change nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.cli.running import Run

FAILURE = Fault("error", operation="list")
SOURCE = "61a4ea66210545909d74a05c27a7179ein07"
TABLE = """\
TASK          STAGE        %     HEALTH                DATABASES
orders_sync   Incremental  100   normal                orders > orders
billing_sync  Incremental  100   normal                billing > billing
events_sync   Full         42.5  normal                events > events
archive_sync  Paused       100   normal, needs repair  archive > archive
"""


def test_tasks(run: Run, emulator: Emulator) -> None:
    """A table for people; nothing else is said."""
    assert run("tasks", emulator.instance_id) == (0, TABLE, "")


def test_tasks_as_json(run: Run, emulator: Emulator) -> None:
    """An object on a line of its own for each, with what the table shows."""
    ran = run("tasks", emulator.instance_id, "--output", "json")
    assert [row["task_name"] for row in ran.rows] == [
        "orders_sync",
        "billing_sync",
        "events_sync",
        "archive_sync",
    ]
    assert ran.rows[3] == {
        "instance_id": emulator.instance_id,
        "task_name": "archive_sync",
        "stage": "Paused",
        "status": "Yes",
        "percentage": 100.0,
        "source_database": "archive",
        "target_database": "archive",
        "needs_repair": True,
        "main_task": True,
    }


@pytest.mark.parametrize(("quiet", "said"), [((), "has no tasks.\n"), (("--quiet",), "")])
def test_no_tasks(run: Run, emulator: Emulator, quiet: tuple[str, ...], said: str) -> None:
    """Nothing on stdout, and a word to people who want one."""
    bare = {"id": emulator.project_id, "name": "r", "instances": [{"id": emulator.instance_id}]}
    keys = [{"access_key": "AKIDEXAMPLE", "secret_key": "SKEXAMPLE"}]
    with Emulator(seed={"projects": [bare], "access_keys": keys}) as other:
        ran = run("tasks", emulator.instance_id, "--endpoint", other.url, *quiet)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.endswith(said)


def test_an_abnormal_task(run: Run, emulator: Emulator) -> None:
    """What the service tells of trouble is loud."""
    emulator.add_task(emulator.instance_id, "users_sync", status="No")
    assert "ABNORMAL" in run("tasks", emulator.instance_id).out.splitlines()[-1]


def test_a_repair_task(run: Run, emulator: Emulator) -> None:
    """It can be told from the tasks that one may pause."""
    tasks = [
        {"name": "orders_sync", "source_database": "orders"},
        {"name": "orders_repair", "source_database": "orders", "is_main_task": "false"},
    ]
    held = {"id": emulator.instance_id, "name": "analytics", "tasks": tasks}
    project = {"id": emulator.project_id, "name": "r", "instances": [held]}
    keys = [{"access_key": "AKIDEXAMPLE", "secret_key": "SKEXAMPLE"}]
    with Emulator(seed={"projects": [project], "access_keys": keys}) as other:
        table = run("tasks", emulator.instance_id, "--endpoint", other.url)
        ran = run("tasks", emulator.instance_id, "--endpoint", other.url, "--output", "json")
    assert ["repair task" in line for line in table.out.splitlines()] == [False, False, True]
    assert [row["main_task"] for row in ran.rows] == [True, False]


def test_status(run: Run, emulator: Emulator) -> None:
    """How long the source keeps its binary log is beside the task; unknown is unknown."""
    ran = run("status", emulator.instance_id, "orders_sync", "events_sync", "orders_sync")
    assert ran.status == 0
    assert [line.rpartition("  ")[2] for line in ran.out.splitlines()] == ["BINARY LOG", "1 d", "?"]


def test_status_of_what_is_not_there(run: Run, emulator: Emulator) -> None:
    """The others are shown, and the status tells."""
    ran = run("status", emulator.instance_id, "no_such_task", "orders_sync", "-o", "json")
    assert ran.status == 1
    assert [row["task_name"] for row in ran.rows] == ["orders_sync"]
    assert ran.err == f"taurusdb-starrocks: {emulator.instance_id} has no task no_such_task.\n"


def test_status_without_configuration(run: Run, emulator: Emulator) -> None:
    """A service of an older contract does not tell how long."""
    with Emulator(contract="1.1") as old:
        ran = run("status", old.instance_id, "orders_sync", "--endpoint", old.url, "-o", "json")
    assert ran.rows[0]["binlog_retention_seconds"] is None


def test_instances(run: Run, emulator: Emulator) -> None:
    """The StarRocks instances of a TaurusDB instance."""
    ran = run("instances", SOURCE)
    assert ran.status == 0
    assert ran.out.splitlines()[1].split()[:3] == [
        emulator.instance_id,
        "starrocks-orders",
        "star-rocks",
    ]
    assert run("instances", SOURCE, "-o", "json").rows[1]["name"] == "starrocks-stock"


class EnoughError(Exception):
    """Ends watching."""


def test_watch_where_there_is_no_terminal(
    run: Run,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All tasks first, and then each that changed; a failure that may pass is a line."""
    events: list[Any] = [
        lambda: emulator.set_stage(emulator.instance_id, "orders_sync", "Paused"),
        lambda: emulator.faults.add(FAILURE),
        emulator.faults.clear,
    ]

    def sleep(seconds: float) -> None:
        if seconds == 5.0:  # And not between the attempts of a call.
            if not events:
                raise EnoughError
            events.pop(0)()

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(EnoughError):
        run("tasks", emulator.instance_id, "--watch", "-o", "json")
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) == 5
    assert '"orders_sync", "stage": "Paused"' in lines[4]
    assert shown.err.count("\n") == 1


def test_watch_ends_at_once_if_it_cannot_begin(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first look that fails is an error like any other."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    emulator.faults.add(FAILURE)
    ran = run("tasks", emulator.instance_id, "--watch", "-o", "json")
    assert ran.status == 1
    assert ran.out == ""
