"""The report in the docs is what the suite says about the stand-in of the docs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from taurusdb_starrocks_conformance import Suite

ROOT = Path.cwd()
SHOWN = ROOT / "reports" / "flask-stand-in.txt"


def test_the_report_in_the_docs_is_the_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slips are three findings; numbers that depend on the machine apart."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    import flask_stand_in as stand_in  # noqa: PLC0415 - the example, as it is

    suite = Suite(
        stand_in.app,
        token=stand_in.TOKEN,
        project_id=stand_in.PROJECT,
        instance_id=stand_in.INSTANCE,
        task_name="orders_sync",
        seed=1,
        reports=tmp_path,
    )
    outcome = suite.run()
    assert len(outcome.faults) == 3
    text = (tmp_path / "conformance.txt").read_text(encoding="utf-8")
    report = told(text.replace(f"{tmp_path}/", "reports/"))
    if not SHOWN.exists() or told(SHOWN.read_text(encoding="utf-8")) != report:
        sys.stdout.write(text)
    assert told(SHOWN.read_text(encoding="utf-8")) == report


def told(text: str) -> str:
    """A report without what differs from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", text)
    return re.sub(r"(Seen|and|in) \d+ (times?|cases|more)", r"\1 N \2", text)
