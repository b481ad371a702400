"""Prints the table of faults at the end."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = ("area", "fault", "expected check", "caught by", "cases")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = [
        tuple(dict(report.user_properties)["fault"])
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and "fault" in dict(report.user_properties)
    ]
    if not rows:
        return
    widths = [max(len(str(row[i])) for row in (HEAD, *rows)) for i in range(len(HEAD))]
    terminalreporter.section("fuzz-power")
    for row in (HEAD, *sorted(rows)):
        cells = (str(cell).ljust(width) for cell, width in zip(row, widths, strict=False))
        terminalreporter.write_line("  ".join(cells).rstrip())
    for row in sorted(row for row in rows if len(row) > len(HEAD)):
        terminalreporter.write_line(f"Not to be caught: {row[1]}. {row[-1]}")
    caught = sum(bool(row[3]) for row in rows)
    terminalreporter.write_line(f"{len(rows)} faults, {caught} caught, {len(rows) - caught} not")
