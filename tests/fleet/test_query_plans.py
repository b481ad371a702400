"""The journal keeps every window and request: no statement may read a whole table of them."""

from __future__ import annotations

import re
import sqlite3

from taurusdb_starrocks import Client, Poll, TokenAuth, durable, fleet
from taurusdb_starrocks.durable import Former, Journal
from taurusdb_starrocks.fleet import Target
from taurusdb_starrocks_emulator import Emulator

from tests.fleet.conftest import Connect
from tests.fleet.fleets import PROJECT, instance
from tests.fleet.test_fleet_runs import FAST

EXPIRE = "UPDATE window SET ends_clock = 0, ends_wall = 0"
POLL = Poll(first=0.02, interval=0.02)


def test_no_statement_scans_a_table(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    process_group: int,
) -> None:
    """Neither in a fleet's window and its guardian, nor in windows and holds of one instance."""
    seen: list[str] = []
    journal.write(lambda c: c.set_trace_callback(seen.append))
    few = targets[:4]
    with fleet.window(
        few, journal=journal, lease=60, guardian=False, connect=connect, **FAST
    ) as opened:
        opened.extend(600)
        opened.guard(process_group)
        former = Former(journal, opened.id, "guardian", 60)
        former.read()
        former.reclaim()
        durable.overview(journal)
        assert len(list(fleet.report(few, journal=journal, connect=connect))) == 4
    auth = TokenAuth(emulator.token)
    with Client(endpoint=emulator.url, project_id=PROJECT, auth=auth, poll=POLL) as client:
        names = ["task_7", "task_8"]
        with durable.window(
            client, instance(1), names, journal=journal, lease=60, guardian=False
        ) as one:
            one.extend(600)
            one.guard(process_group)
        durable.pause(client, instance(1), names, journal=journal, lease=None)
        durable.forget(journal, instance(1), names[0], "a test")
        journal.write(lambda c: c.execute(EXPIRE))
        (recovered,) = durable.recover(journal, connect=lambda *_: client, poll=POLL)
        assert recovered.outcome == "resumed"
    statements = {text for text in seen if re.match("SELECT|UPDATE|DELETE", text)} - {EXPIRE}
    assert len(statements) > 100

    def plans(c: sqlite3.Connection) -> list[str]:
        c.set_trace_callback(None)
        explained = [c.execute(f"EXPLAIN QUERY PLAN {text}") for text in sorted(statements)]
        return [row["detail"] for plan in explained for row in plan]

    found = journal.read(plans)
    assert [plan for plan in found if re.match("SCAN (window|task|request|note)", plan)] == []
