"""The judging code says about recorded exchanges what it said when they were recorded."""

from __future__ import annotations

from tests.oracle.recorded import load
from tests.oracle.verdicts import differs


def test_nothing_else_is_said_than_was_recorded() -> None:
    """After a change on purpose run `python -m tests.oracle.record`, or that with --judge-again."""
    assert not differs()


def test_right_servers_and_faulty_ones_were_recorded() -> None:
    """Thousands of exchanges, with and without faults."""
    runs = [run for run in load() if run["server"]]
    faulty = [run for run in runs if any(finding[0] == "fault" for finding in run["said"][2][1:])]
    assert len(runs) > 200
    assert len(faulty) > 150
    assert sum(len(run["exchanges"]) for run in runs) > 4000
