"""The public API changes only on purpose, and what breaks callers is in the changelog."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from surface import name_of, surface, unnoted
from wheels import ROOT

NOW = Path(__file__).with_name("public-api.txt")
RELEASED = Path(__file__).with_name("last-release-api.txt")


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]


def unreleased() -> str:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_snapshot_is_current() -> None:
    """Names, signatures and the tree of errors are as committed; `make api` writes them anew."""
    assert surface() == lines(NOW)


def test_what_breaks_callers_is_noted() -> None:
    """A name that went or changed since the last release stands under Unreleased."""
    assert unnoted(lines(RELEASED), surface(), unreleased()) == []


def test_members_of_a_base_that_is_not_exported_are_the_classs_own() -> None:
    """Both clients show all they have, and every form in which it can be called."""
    shown = surface()
    bases = {
        base for line in shown if "= class(" in line for base in line[:-1].split("(")[1].split(", ")
    }
    assert bases & {"Verbs", "BoughtToken", "_Window", "Generic"} == set()
    for client in ("Client", "AsyncClient"):
        of_client = [line for line in shown if line.startswith(f"taurusdb_starrocks.{client}.")]
        assert (
            sum(".__init__(self, *, region: str | None = None" in line for line in of_client) == 1
        )
        assert sum(".ensure_paused" in line for line in of_client) == 2
        assert sum(".sources: Mapping[str, str]" in line for line in of_client) == 1


BEFORE = [
    "pkg.Client = class()",
    "pkg.Client.__init__(self, *, timeout: float = 60.0) -> None",
    "pkg.Client.close(self) -> None",
    "pkg.NotFoundError = class(ServiceError)",
    "pkg.find(region: str) -> str",
]


def test_nothing_changed() -> None:
    """What is as it was needs no note, and neither does what is new."""
    assert unnoted(BEFORE, [*BEFORE, "pkg.Client.pause(self) -> None"], "") == []


@pytest.mark.parametrize(
    ("gone", "come", "name"),
    [
        ("pkg.Client.close(self) -> None", None, "Client.close"),
        ("pkg.find(region: str) -> str", "pkg.find(region: str, *, all: bool) -> str", "find"),
        ("pkg.find(region: str) -> str", "pkg.find async(region: str) -> str", "find"),
        (BEFORE[1], "pkg.Client.__init__(self) -> None", "Client"),
        (BEFORE[3], "pkg.NotFoundError = class(ReplicationError)", "NotFoundError"),
    ],
)
def test_a_change_needs_a_note(gone: str, come: str | None, name: str) -> None:
    """A lost name, a changed signature and a moved error each fail until they are named."""
    after = [line for line in BEFORE if line != gone] + ([come] if come else [])
    assert unnoted(BEFORE, after, "- Nothing of note. `Client.closes`, `NotFound`.") == [name]
    assert unnoted(BEFORE, after, f"- `{name}` is another.") == []
    assert unnoted(BEFORE, after, f"- `taurusdb_starrocks.{name}()` is another.") == []


def test_a_class_takes_its_members_along() -> None:
    """One note for a class that is gone is enough."""
    after = [line for line in BEFORE if name_of(line).partition(".")[0] != "Client"]
    assert unnoted(BEFORE, after, "") == ["Client"]
    assert unnoted(BEFORE, after, "- `Client` is gone.") == []
