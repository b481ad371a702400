"""What a terminal shows in the end, by an emulation of one."""

from __future__ import annotations

import logging

import pyte
from taurusdb_starrocks.cli.output import Output
from taurusdb_starrocks.cli.program import _words_on_stderr

from tests.cli.terminals import on_terminal


def test_the_log_is_above_the_progress() -> None:
    """A warning does not end up in the line that moves."""
    with on_terminal() as shown, _words_on_stderr():
        with Output("table", quiet=False).progress("Pausing"):
            logging.getLogger("taurusdb_starrocks.durable").warning("[a warning]")
            screen = pyte.Screen(60, 4)
            pyte.Stream(screen).feed(shown.getvalue().replace("\n", "\r\n"))
    first, second = (line.rstrip() for line in screen.display[:2])
    assert first == "taurusdb-starrocks: [a warning]"
    assert "Pausing 0:00:00" in second
