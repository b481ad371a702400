"""Tasks that a fleet's window leaves paused are in the log, even if the program loses the error."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from taurusdb_starrocks import AsyncClient
from taurusdb_starrocks.durable import Journal, JournalError
from taurusdb_starrocks.fleet import FleetError, Target, awindow, window
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.fleet.conftest import Connect, stages
from tests.fleet.test_fleet_runs import FAST
from tests.fleet.windows_running import all_run

REFUSED = Fault("error", operation="resume", applied=False, status=400)
FEW: dict[str, Any] = {**FAST, "guardian": False, "lease": 60, "timeout": 0.5}


def critical(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.CRITICAL]


def test_nobody_reads_the_result_of_a_thread(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A thread pool keeps the exception in its future; the log has the tasks and what to do."""

    def work() -> None:
        with window(targets[:3], journal=journal, connect=connect, **FEW):
            emulator.faults.add(REFUSED)

    with ThreadPoolExecutor() as pool:
        pool.submit(work)
    (line,) = critical(caplog)
    assert line.startswith("tasks not resumed: May still be paused: task_0, task_1, task_2. ")
    assert "run taurusdb_starrocks.durable.recover(journal)" in line
    assert emulator.token not in line


def test_a_client_that_cannot_be_made_any_more(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception of the program's own ``connect`` becomes an error that names the tasks."""

    def failing(endpoint: str | None, project_id: str | None) -> AsyncClient:
        if stages(emulator).get("Paused"):
            raise LookupError("secret")
        return connect(endpoint, project_id)

    async def main() -> None:
        async with awindow(targets[:1], journal=journal, connect=failing, **FEW):
            pass

    with pytest.raises(FleetError, match=r"paused: task_0\. .* stopped by LookupError\.") as error:
        asyncio.run(main())
    assert error.value.may_be_paused
    assert isinstance(error.value.__cause__, LookupError)
    assert critical(caplog) == [f"tasks not resumed: {error.value}"]
    assert "secret" not in str(error.value)


def unreadable(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the journal fail from now on, as after an error of the disk."""

    def fail(*_given: object, **_options: object) -> None:
        raise JournalError("The journal failed: disk I/O error.")

    for name in ("read", "write", "aread", "awrite"):
        monkeypatch.setattr(journal, name, fail)


def test_a_journal_that_cannot_be_read_any_more(
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All targets are named, because nothing says which of them run."""
    with pytest.raises(FleetError, match=r"paused: task_0, task_1\. .* disk I/O error") as error:
        with window(targets[:2], journal=journal, connect=connect, **FEW):
            unreadable(journal, monkeypatch)
    assert critical(caplog) == [f"tasks not resumed: {error.value}"]


def test_a_journal_that_fails_before_the_first_pause(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No task can be paused, so none is named."""
    opening = window(targets[:2], journal=journal, connect=connect, **{**FEW, "guardian": True})
    unreadable(journal, monkeypatch)
    with pytest.raises(JournalError), opening:
        pytest.fail("the block must not begin")
    assert critical(caplog) == []
    assert all_run(emulator)


@pytest.mark.parametrize("forked", [False, True])
def test_a_window_that_is_open_at_exit(
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    forked: bool,
) -> None:
    """It is named once, by the process that opened it, and not after it was closed."""
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    with window(targets[:2], journal=journal, connect=connect, **FEW):
        (name_open,) = at_exit
        with monkeypatch.context() as other:
            if forked:
                other.setattr(os, "getpid", lambda: 1)
            name_open()
    lines = critical(caplog)
    assert len(lines) == (not forked)
    assert all(each.startswith("window still open at exit: May still be") for each in lines)
    name_open()
    assert critical(caplog) == lines
