"""What is in the wheel and the sdist, and that both can be built again, byte for byte."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.message import Message
from pathlib import Path

from wheels import ROOT, digest, inside

PACKAGES = (
    "taurusdb_starrocks",
    "taurusdb_starrocks_api",
    "taurusdb_starrocks_conformance",
    "taurusdb_starrocks_emulator",
)


def test_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    """Four packages, each typed; Python, the contract, settings, a seed: no test, no document."""
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    other = {name for name in names if not name.endswith((".py", "/py.typed"))}
    assert other == {
        "taurusdb_starrocks/openapi.yaml",
        "taurusdb_starrocks_conformance/openapi.yaml",
        "taurusdb_starrocks_conformance/schemathesis.toml",
        "taurusdb_starrocks_emulator/openapi.yaml",
        "taurusdb_starrocks_emulator/seed.yaml",
    }
    for name in names:
        *folders, file = name.split("/")
        assert not {"test", "tests", "docs"} & set(folders), name
        assert not file.startswith("test_"), name


def test_contract_is_inside(wheel: Path) -> None:
    """Each package that needs it carries the contract as it stands in the repository."""
    contract = (ROOT / "openapi.yaml").read_bytes()
    for package in set(PACKAGES) - {"taurusdb_starrocks_api"}:
        assert zipfile.ZipFile(wheel).read(f"{package}/openapi.yaml") == contract


def test_metadata_is_complete(metadata: Message) -> None:
    """A reader of an index learns what it is, under which terms, and what it runs on."""
    assert metadata["Name"] == "taurusdb-starrocks"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    for field in ("Summary", "Author", "Keywords"):
        assert metadata[field], field
    classifiers = metadata.get_all("Classifier", [])
    for part in ("Development Status", "Framework", "Intended Audience", "Operating System"):
        assert any(classifier.startswith(part + " :: ") for classifier in classifiers), part
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(classifiers)


def test_description_has_no_relative_link(metadata: Message) -> None:
    """Whoever reads it on an index can follow each link; the rest of the README is all there."""
    description = metadata.get_payload()
    assert isinstance(description, str)
    links = re.findall(r"\]\(([^)]*)\)|^\[[^\]]+\]: *(\S+)", description, re.MULTILINE)
    assert not [link for link in map("".join, links) if not link.startswith("https://")]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [line for line in description.splitlines() if line.startswith("#")] == [
        line for line in readme.splitlines() if line.startswith("#")
    ]


def test_entry_points(wheel: Path) -> None:
    """The wheel declares what can be started from a shell."""
    declared = ConfigParser()
    declared.read_string(inside(wheel, "entry_points.txt"))
    assert "taurusdb-starrocks-emulator" in declared["console_scripts"]
    assert "taurusdb_starrocks_emulator" in declared["pytest11"]
    for group in declared.sections():
        for target in declared[group].values():
            assert target.partition(".")[0].partition(":")[0] in PACKAGES


def test_sdist_has_no_file_from_outside(sdist: Path) -> None:
    """Everything lies in one folder, and its links stay in it."""
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            # Raises if the member, or what it links to, were outside.
            tarfile.data_filter(member, "/nowhere")
        assert {name.partition("/")[0] for name in archive.getnames()} == {
            sdist.name.removesuffix(".tar.gz")
        }


def test_built_again_from_the_sdist(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    """Elsewhere, from older files, with another umask and clock: the same bytes."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    for path in source.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (1_000_000_000, 1_000_000_000))
            path.chmod(path.stat().st_mode & 0o700)
    environment = os.environ | {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "1999999999",
    }
    (source / ".venv-release").symlink_to(ROOT / ".venv-release")
    subprocess.run(
        ["make", "dist", "-o", ".venv-release/bin/.ready"],
        check=True,
        cwd=source,
        env=environment,
        umask=0o077,
        stdout=sys.stderr,
    )
    again = {path.name: digest(path) for path in (source / "dist").iterdir()}
    assert again == {path.name: digest(path) for path in (wheel, sdist)}
