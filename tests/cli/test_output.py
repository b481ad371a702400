"""Tables for people, on terminals and elsewhere."""

from __future__ import annotations

import os
import signal

import pytest
from taurusdb_starrocks.cli import main
from taurusdb_starrocks.cli.output import Output, cursor_shown
from taurusdb_starrocks_emulator import Emulator

from tests.cli.running import Run
from tests.cli.terminals import on_terminal


def test_columns_as_wide_as_they_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe there is no terminal whose width would cut them."""
    rows = [{"name": "a" * 128}, {"name": "b"}]
    Output("table", quiet=False).rows(
        {"NAME": lambda row: row["name"], "END": lambda _: "[x]"}, rows
    )
    assert capsys.readouterr().out.splitlines() == [
        f"{'NAME':128}  END",
        f"{'a' * 128}  [x]",
        f"{'b':128}  [x]",
    ]


def test_narrow_terminal() -> None:
    """What is too wide is folded, and nothing of it is lost; brackets are no markup."""
    columns = {"NAME": lambda row: row["name"], "END": lambda _: "[x]"}
    with on_terminal() as shown:
        Output("table", quiet=False).rows(columns, [{"name": "a" * 100}])
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines[1:])) <= 60
    assert "".join(lines).count("a") == 100
    assert "[x]" in lines[1]


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=["color", "no color"])
def test_color(variables: dict[str, str]) -> None:
    """There is some, unless NO_COLOR is set."""
    with on_terminal(**variables) as shown:
        Output("table", quiet=False).rows({"STAGE": lambda _: "Paused"}, [{}])
    assert ("\x1b[3" in shown.getvalue()) == (not variables)


@pytest.mark.parametrize("quiet", [False, True])
def test_progress(quiet: bool) -> None:
    """On a terminal, for people who want it."""
    with on_terminal() as shown, Output("table", quiet=quiet).progress("Pausing [x]"):
        pass
    assert ("Pausing [x]" in shown.getvalue()) == (not quiet)


@pytest.mark.parametrize(("quiet", "line"), [(False, "Pausing [x].\n"), (True, "")])
def test_progress_elsewhere(capsys: pytest.CaptureFixture[str], quiet: bool, line: str) -> None:
    """A log has one line before the wait, which can take long, and nothing that moves."""
    with Output("table", quiet=quiet).progress("Pausing [x]"):
        assert capsys.readouterr() == ("", line)
    assert capsys.readouterr() == ("", "")


def test_a_signal_that_ends_the_process_leaves_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress hides it. A handler of the program stays, and so does an ignored signal."""
    raised: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    read, write = os.pipe()
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with cursor_shown(write):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            end = signal.getsignal(signal.SIGTERM)
            assert callable(end)
            end(signal.SIGTERM, None)
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert raised == [signal.SIGTERM]
        assert os.read(read, 100) == b"\r\n\x1b[?25h"
    finally:
        os.close(read)
        os.close(write)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_watch(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the table stays in its place, and Ctrl-C ends it."""

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    with on_terminal() as shown:
        assert main(["tasks", emulator.instance_id, "--watch"]) == 130
    assert "orders_sync" in shown.getvalue()
    assert "refreshing in 5 s. Press Ctrl-C to stop." in shown.getvalue()
