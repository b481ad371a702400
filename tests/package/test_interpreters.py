"""Which interpreters `make test-pythons` tests with, and what the metadata says of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from email.message import Message
from pathlib import Path

import pytest
import yaml
from wheels import BASE_PYTHON, ROOT

MINOR = sys.version_info.minor


def command(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def found(path: Path, home: Path, **variables: str) -> list[str]:
    script = ROOT / "requirements" / "interpreters.py"
    return subprocess.run(
        [BASE_PYTHON, script],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": f"{path}{os.pathsep}/nowhere", "HOME": str(home)} | variables,
    ).stdout.split()


def test_first_that_runs(tmp_path: Path) -> None:
    """A command that stands for no interpreter is passed over for one that runs, further on."""
    shims = tmp_path / "shims"
    for name in (f"python3.{MINOR}", "python3.99"):
        command(shims, name, f'echo "pyenv: {name}: command not found" >&2; exit 127')
    command(shims, f"python3.{MINOR}-config", "exit 0")
    (shims / "python3.98").write_text("not a program", encoding="utf-8")
    installed = command(
        tmp_path / ".pyenv/versions/3/bin", f"python3.{MINOR}", f'exec {BASE_PYTHON} "$@"'
    )
    assert found(shims, tmp_path) == [str(installed)]
    assert found(shims, tmp_path / "elsewhere", PYENV_ROOT=str(tmp_path / ".pyenv")) == [
        str(installed)
    ]
    assert found(shims, tmp_path / "elsewhere") == []
    assert found(BASE_PYTHON.parent, tmp_path) == [str(BASE_PYTHON)]


@pytest.mark.parametrize(
    ("version", "level", "taken"),
    [(10, "final", False), (11, "final", True), (98, "final", True), (99, "alpha", False)],
)
def test_versions(version: int, level: str, taken: bool, tmp_path: Path) -> None:
    """Final releases from 3.11 on, whatever the command is called."""
    pretend = (
        "import sys, collections; Version = collections.namedtuple('V', 'minor releaselevel');"
        f"sys.version_info = Version({version}, '{level}'); exec(sys.argv[1])"
    )
    python = command(tmp_path, "python3.11", f'exec {BASE_PYTHON} -c "{pretend}" "$2"')
    assert found(tmp_path, tmp_path) == ([str(python)] if taken else [])


def test_classifiers_are_what_is_run(metadata: Message) -> None:
    """The workflow tests each version that the metadata names, and no version beside them."""
    classifiers = metadata.get_all("Classifier", [])
    python = re.compile(r"Programming Language :: Python :: (3\.\d+)")
    named = {found[1] for found in map(python.fullmatch, classifiers) if found}
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert set(workflow["jobs"]["test"]["strategy"]["matrix"]["python"]) == named
