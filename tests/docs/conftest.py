"""Prints the figures that the tests of the docs came to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser comes last: its driver keeps an event loop running, and others start theirs."""
    items.sort(key=lambda item: "browser" in item.path.parts)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Add up what the tests noted as ("figure", name) or ("figure", name, count)."""
    figures: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, value in report.user_properties:
                    if name == "figure":
                        what, count = (value, 1) if isinstance(value, str) else value
                        figures[what] += count
    if figures:
        terminalreporter.section("figures")
        for what, count in figures.items():
            terminalreporter.write_line(f"{what:24} {count}")
