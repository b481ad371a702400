"""The count of mutants: what is killed, alive, listed, and no longer there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.mutation import decision_power
from tests.mutation.decision_power import EQUIVALENT, PACKAGE, Mutant

RESULTS = f"""
    {PACKAGE}._decisions.retry.x_unanswered__mutmut_1: killed
    {PACKAGE}._decisions.retry.xǁAttemptsǁ_delay__mutmut_12: survived
    {PACKAGE}._decisions.retry.xǁAttemptsǁ_delay__mutmut_13: no tests
"""
DIFF = """\
# taurusdb_starrocks._decisions.retry.xǁAttemptsǁ_delay__mutmut_12: survived
--- taurusdb_starrocks/_decisions/retry.py
+++ taurusdb_starrocks/_decisions/retry.py
@@ -1,4 +1,4 @@
 def _delay(self, error, attempt, call):
-        self._budget -= 1
+        self._budget -= 2
         return delay
"""
ONE = Mutant("retry.Attempts._delay", "self._budget -= 1", "self._budget -= 2")
OTHER = Mutant("retry.unanswered", "a", "b")


def test_statuses() -> None:
    """One for each mutant."""
    assert list(decision_power.statuses(RESULTS).values()) == ["killed", "survived", "no tests"]


def test_a_mutant_is_known_by_its_lines() -> None:
    """And not by its number."""
    for number in (12, 13):
        name = f"{PACKAGE}._decisions.retry.xǁAttemptsǁ_delay__mutmut_{number}"
        assert decision_power.mutant(name, DIFF) == ONE
    name = f"{PACKAGE}._decisions.retry.x_unanswered__mutmut_1"
    assert decision_power.mutant(name, DIFF).place == "retry.unanswered"


def test_a_verdict() -> None:
    """At least 95 % of those that are not listed must be killed."""
    became = {str(number): "killed" for number in range(95)} | dict.fromkeys("abcde", "survived")
    lines, good = decision_power.verdict(became, [ONE] * 5, Counter())
    assert good
    assert lines[0] == f"alive: {ONE.place}\n  - {ONE.was}\n  + {ONE.becomes}"
    assert lines[-1].startswith("95 of 100 mutants killed (95.0 %, at least 95 needed); 0 more")
    lines, good = decision_power.verdict(became | {"f": "no tests"}, [ONE] * 6, Counter())
    assert not good
    lines, good = decision_power.verdict(became, [ONE] * 5, Counter({ONE: 5}))
    assert good
    assert lines == [
        (
            "95 of 95 mutants killed (100.0 %, at least 95 needed); 5 more are equivalent, or "
            "change only a message"
        )
    ]


def test_what_never_ends_is_killed() -> None:
    """As is what crashes."""
    assert decision_power.verdict({"1": "timeout", "2": "segfault"}, [], Counter())[1]


def test_a_row_without_a_mutant_is_an_error() -> None:
    """It is left over from a change, or a test kills it now."""
    lines, good = decision_power.verdict({"1": "killed"}, [], Counter({OTHER: 1}))
    assert not good
    assert "not there, or killed: retry.unanswered" in lines[0]


def test_an_unknown_status_is_an_error() -> None:
    """Nothing is counted as killed by mistake; nor is nothing at all good enough."""
    assert not decision_power.verdict({"1": "killed", "2": "not checked"}, [], Counter())[1]
    assert not decision_power.verdict({}, [], Counter())[1]


def test_every_row_has_a_reason() -> None:
    """Also those of the list itself, whose places exist."""
    row = '[[mutant]]\nplace = "a"\nwas = "b"\nbecomes = "c"\nreason = "{}"\n'
    assert decision_power.excluded(row.format("d") * 2) == Counter({Mutant("a", "b", "c"): 2})
    assert decision_power.excluded("") == Counter()
    with pytest.raises(ValueError, match="has no reason"):
        decision_power.excluded(row.format(" "))
    listed = decision_power.excluded(EQUIVALENT.read_text(encoding="utf-8"))
    folder = decision_power.ROOT / "wrapper" / PACKAGE / "_decisions"
    for place in {mutant.place for mutant in listed}:
        module, _, function = place.partition(".")
        source = (folder / f"{module}.py").read_text(encoding="utf-8")
        assert f"def {function.rpartition('.')[2]}(" in source


def test_what_is_mutated(tmp_path: Path) -> None:
    """A copy of the package and of the tests of its decisions, and nothing but Python."""
    decision_power.prepare(tmp_path / "there")
    copied = tmp_path / "there"
    assert (copied / PACKAGE / "_decisions" / "retry.py").is_file()
    assert (copied / "tests" / "test_purity.py").is_file()
    assert {path.suffix for path in (copied / PACKAGE).rglob("*.*")} == {".py"}
