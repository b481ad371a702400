"""Prints the table of faults at the end, and keeps the one in the docs up to date."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest

TABLE = """---
myst:
  html_meta:
    description: The server faults that the conformance suite is tested to detect, with the check that detects each, and the faults that it cannot detect.
---

# Detected faults

`make fuzz-power` installs the conformance suite from the wheel, runs it on servers with one known fault each, and
generates this page. The suite reports each fault under the name in the column *check*. Faults in the area *frameworks*
are reported as warnings.

| area | fault | check |
|---|---|---|
{rows}

{count}

## Faults that the suite cannot detect

| fault | reason |
|---|---|
{others}

:::{{container}} next
**Next:** [supported versions and platforms](support.md), or [contract testing](../contract-testing.md).
:::
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="the page of the docs that has the table")


def rows_of(terminalreporter: Any, name: str) -> list[tuple[Any, ...]]:
    return [
        tuple(dict(report.user_properties)[name])
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and name in dict(report.user_properties)
    ]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """What each fault was caught by, how long it took, and how right servers fared."""
    write = terminalreporter.write_line
    rows = sorted(rows_of(terminalreporter, "fault"))
    if rows:
        terminalreporter.section("fuzz-power")
    for area, name, expected, found, cases, seconds, *_ in rows:
        write(f"{area:16} {name:60} {expected:28} {found:28} {cases:5} {seconds:5.1f} s")
    if caught := [row for row in rows if row[3]]:
        took = [row[5] for row in caught]
        write(
            f"{len(rows)} faults, {len(caught)} caught, {len(rows) - len(caught)} not; "
            f"median {statistics.median(took):.1f} s, longest {max(took):.1f} s"
        )
    for framework, strict, cases, seconds, warnings in rows_of(terminalreporter, "framework"):
        mode = "strict" if strict else "lenient"
        write(
            f"{framework}, {mode}: no fault, {cases} cases, {seconds:.1f} s, warnings: {warnings}"
        )


def table(rows: list[tuple[Any, ...]]) -> str:
    """The page of the docs."""
    found = [row for row in rows if len(row) == 6]
    others = [row for row in rows if len(row) == 7]
    return TABLE.format(
        rows="\n".join(f"| {area} | {name} | `{check}` |" for area, name, check, *_ in found),
        count=f"{len(found)} faults are detected, {len(others)} cannot be detected.",
        others="\n".join(f"| {row[1]} | {row[6]} |" for row in others),
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page anew if every fault was tried; it is an error if that changes it."""
    path: Path | None = session.config.getoption("--table")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if path is None or exitstatus != 0 or hasattr(session.config, "workerinput"):
        return
    rows = sorted(rows_of(reporter, "fault"))
    text = table(rows)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        raise pytest.UsageError(f"{path} was out of date, and is written anew")
