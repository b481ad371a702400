"""Reports count in words: one fault, two faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from taurusdb_starrocks_conformance.exchange import Exchange, Reply, Request
from taurusdb_starrocks_conformance.findings import Example, Finding, Level
from taurusdb_starrocks_conformance.reports import write
from taurusdb_starrocks_conformance.run import Outcome
from taurusdb_starrocks_conformance.target import Target

TARGET = Target(
    url="http://127.0.0.1:9",
    token="0123456789abcdef",
    project_id="0" * 32,
    instance_id="0" * 32 + "in17",
    task_name="orders",
)


@pytest.mark.parametrize(
    ("count", "verdict"), [(1, "1 fault in 1 case"), (2, "2 faults in 2 cases")]
)
def test_one_of_a_kind_is_no_plural(tmp_path: Path, count: int, verdict: str) -> None:
    """In none of the reports."""
    request, reply = Request("GET", "/", ()), Reply(500, (), b"")
    exchanges = [Exchange(number, "test", request, reply) for number in range(count)]
    example = Example("list", "wrong", "names: list", exchanges[0])
    findings = [
        Finding(Level.FAULT, "response_schema_conformance", "x", [example], times=count)
        for _ in exchanges
    ]
    outcome = Outcome(TARGET, 1, findings=findings, exchanges=exchanges)
    told = [write(outcome, tmp_path), *(path.read_text("utf-8") for path in tmp_path.iterdir())]
    assert told[0].endswith(f"conformance: failed: {verdict}\n")
    for text in told:
        assert not re.search(r"\b1 (faults|times|requests|cases)\b", text)
        assert not re.search(r"\b2 (fault|time|request|case)\b", text)
