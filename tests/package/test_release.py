"""The version, the changelog and the workflows agree on what a release is."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
from email.message import Message
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from taurusdb_starrocks import __version__ as VERSION  # noqa: N812 - a constant of these tests
from wheels import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_version_stands_in_one_place(metadata: Message) -> None:
    """What imports the package and what installs it read one version, in one file."""
    assert metadata["Version"] == VERSION
    places = [ROOT / "pyproject.toml", *ROOT.glob("[!.]*/taurusdb_starrocks*/**/*.py")]
    told = [path.name for path in places if f'"{VERSION}"' in path.read_text(encoding="utf-8")]
    assert told == ["_version.py"]


def test_changelog_is_kept() -> None:
    """Unreleased first, then versions with dates, newest first; only the six kinds of change."""
    first, *released = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert first == "[Unreleased]"
    entries = [re.fullmatch(r"\[([0-9.]+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in released]
    assert all(entries), released
    versions = [Version(entry[1]) for entry in entries if entry]
    assert versions == sorted(versions, reverse=True)
    assert all(version <= Version(VERSION) for version in versions)
    dates = [dt.date.fromisoformat(entry[2]) for entry in entries if entry]
    assert dates == sorted(dates, reverse=True)
    kinds = set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_make(path: Path) -> None:
    """What a workflow does can be done by hand: its commands are targets of the Makefile.

    The rest are GitHub's own actions, pinned by commit.
    """
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
        for step in job.get("steps", []):
            if "run" in step:
                command, *arguments = step["run"].split()
                assert command == "make"
                assert {word for word in arguments if "=" not in word} <= targets
            else:
                assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])


def test_sbom_lists_what_is_installed_with_the_package(metadata: Message) -> None:
    """A CycloneDX document of the wheel's dependencies, and of nothing else."""
    bom = json.loads((ROOT / "dist" / "sbom.cdx.json").read_text(encoding="utf-8"))
    assert bom["bomFormat"] == "CycloneDX"
    subject = bom["metadata"]["component"]
    assert (subject["name"], subject["version"]) == ("taurusdb-starrocks", VERSION)
    locked = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    names = {name.lower() for name in re.findall(r"^([\w.-]+)==[^;]*?\\$", locked, re.MULTILINE)}
    listed = {canonicalize_name(component["name"]) for component in bom["components"]}
    assert listed == names
    (depends,) = [entry for entry in bom["dependencies"] if entry["ref"] == subject["bom-ref"]]
    # Airflow is what the provider is installed into, in the version and with the pins of its owner.
    texts = [text for text in metadata.get_all("Requires-Dist", []) if "airflow" not in text]
    direct = {canonicalize_name(Requirement(text).name) for text in texts}
    assert {canonicalize_name(ref.partition("==")[0]) for ref in depends["dependsOn"]} == direct
    assert str(ROOT) not in json.dumps(bom)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], check=False, capture_output=True, text=True, cwd=ROOT
    )


def test_check_stops_at_the_first_step_that_fails() -> None:
    """It names the step and runs none of those behind it."""
    ran = make("check", "CHECKS=help no-such-step demo")
    assert ran.returncode != 0
    assert "no-such-step failed" in ran.stderr
    assert re.search(r"help +\d+ s", ran.stdout)
    assert "orders_sync" not in ran.stdout


def test_a_tag_must_be_the_version() -> None:
    """Nothing is released under a tag that says something else, or without a changelog entry."""
    assert make("tag", f"TAG=v{VERSION}0").returncode != 0
    released = f"\n## [{VERSION}] - " in CHANGELOG
    assert (make("tag", f"TAG=v{VERSION}").returncode == 0) is released
