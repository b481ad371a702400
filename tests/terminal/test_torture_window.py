"""That torture finds what it is there to find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.terminal import torture


def test_it_finds_a_command_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A guardian that does not know what runs resumes the tasks too early."""
    monkeypatch.setattr(torture, "ROOT", tmp_path)
    monkeypatch.setattr(torture, "REPORT", tmp_path / "reports" / "torture-window.json")
    monkeypatch.setattr(torture, "SIGNALS", (torture.signal.SIGKILL,))
    monkeypatch.setattr(torture, "LONG", 2.0)
    assert torture.main(["--times", "12", "--unguarded"]) == 1
    found = json.loads(torture.REPORT.read_text(encoding="utf-8"))
    assert any(each["what"].startswith("both ran for") for each in found["violations"])
    assert f"torture-window: {len(found['violations'])} violations" in capsys.readouterr().out
