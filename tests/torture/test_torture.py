"""That torture finds what it is there to find."""

import json
from collections import Counter
from pathlib import Path

import pytest
from taurusdb_starrocks_emulator import FAULT_KINDS, Fault

from tests.torture import __main__ as torture
from tests.torture.plan import LYING, faults


def test_it_finds_windows_that_do_not_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each task that a reckless program leaves paused is a violation, with its plan and calls."""
    monkeypatch.setattr(torture, "REPORT", tmp_path / "reports" / "torture.json")
    reckless = Path(__file__).with_name("reckless.py")
    status = torture.main(
        [
            "--windows",
            "16",
            "--seconds",
            "60",
            "--victims",
            "2",
            "--calm",
            "--victim",
            str(reckless),
        ]
    )
    shown = capsys.readouterr().out
    assert status == 1
    assert shown.startswith("windows       16 in ")
    found = json.loads((tmp_path / "reports" / "torture.json").read_text())
    left = [each for each in found if each["what"] == "left paused and not named"]
    assert f"torture: {len(found)} violations" in shown
    assert left
    # The async victim's windows are our own, and leave nothing.
    assert {each["asynchronous"] for each in left} == {False}
    for each in left:
        assert each["end"]["left"]
        operations = Counter(call["operation"] for call in each["calls"])
        assert operations["pause"] >= 1
        assert operations["resume"] == 0


def test_nothing_is_left_paused_and_unnamed(capsys: pytest.CaptureFixture[str]) -> None:
    """All faults, signals, forks and cancellations, for some seconds; `make torture` is longer."""
    status = torture.main(["--windows", "200", "--seconds", "90", "--victims", "4", "--ensure"])
    assert status == 0, capsys.readouterr().out


def without_effect(fault: Fault) -> bool:
    """Whether its response is a success and nothing happens."""
    succeeds = fault.behavior.parameters.get("applied") is True
    return fault.kind == "no-effect" or (succeeds and not fault.applied)


def test_every_fault_is_at_random_on_one_of_the_emulators() -> None:
    """All kinds between them; those that cannot be told from the truth together apart."""
    kinds = [{fault.kind for fault in faults(1, **cell)} for cell in torture.CELLS]
    assert set.union(*kinds) == set(FAULT_KINDS)
    for number, cell in enumerate(torture.CELLS):
        if LYING in kinds[number]:
            assert {f.operation for f in faults(1, **cell) if without_effect(f)} == {"pause"}
    for cell in torture.CELLS:
        assert all(0 < fault.probability < 1 for fault in faults(7, **cell))
        assert faults(7, **cell) == faults(7, **cell)
