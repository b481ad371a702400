"""That the torture of durable windows finds what it is there to find."""

import json
from pathlib import Path

import pytest

from tests.torture.durable import __main__ as torture


def test_it_finds_what_no_guardian_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without guardians, killed programs leave their tasks paused: each is a violation."""
    monkeypatch.setattr(torture, "REPORT", tmp_path / "reports" / "found.json")
    arguments = ["--share", "0.02", "--only", "killed", "--no-guardian", "--patience", "2"]
    assert torture.main(arguments) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("killed: 4 in ")
    found = json.loads((tmp_path / "reports" / "found.json").read_text())
    left = [each for each in found if each["what"] == "left, killed"]
    assert left
    for each in left:
        assert any(call["operation"] == "pause" for call in each["calls"])
