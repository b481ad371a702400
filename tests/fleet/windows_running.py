"""Watching windows over a fleet, and programs with one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks.fleet import FleetWindow, Target
from taurusdb_starrocks_emulator import Emulator

from tests.fleet.conftest import stages
from tests.fleet.fleets import PROJECT
from tests.guardians import living

PROGRAM = Path(__file__).with_name("window_program.py")


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it does not come about"
        time.sleep(0.02)


def all_run(emulator: Emulator) -> bool:
    return stages(emulator) == {"Incremental": 300}


def guardians(journal: Journal) -> list[int]:
    """The processes of its guardians."""
    return living(journal.path)


def end_lease(opened: FleetWindow, left: float = 0.0) -> None:
    """Have the lease end soon, for the program and for its guardian."""
    batch = opened._batch
    assert batch.end is not None
    earlier = opened.remaining - left
    batch.end = batch.end.after(-earlier)
    ends = "ends_clock = ends_clock - ?, ends_wall = ends_wall - ?"
    batch.journal.write(lambda c: c.execute(f"UPDATE window SET {ends}", (earlier, earlier)))
    opened._watch.tell(look=True)


@contextmanager
def program(
    emulator: Emulator, journal: Journal, targets: list[Target], lease: float
) -> Iterator[subprocess.Popen[str]]:
    file = journal.path.with_name("targets.csv")
    rows = [f"{target.instance_id},{target.task_name}" for target in targets]
    file.write_text("\n".join(["instance_id,task_name", *rows]))
    command = [sys.executable, str(PROGRAM), emulator.url, PROJECT, emulator.token]
    command += [str(file), str(journal.path), str(lease)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def begun(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "begun\n"
