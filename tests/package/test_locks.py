"""Every lock installs as it stands, whatever is released after it was made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from wheels import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([\w.-]+)==\S+", re.MULTILINE)
# What an environment is made of.
SOURCES = (
    *("Makefile", "pyproject.toml", "README.md", "LICENSE", "openapi.yaml"),
    *("requirements", "generated", "wrapper", "emulator"),
)


def names(lock: Path) -> set[str]:
    return set(PINNED.findall(lock.read_text(encoding="utf-8")))


def release(folder: Path, name: str, version: str) -> None:
    """Write an empty wheel."""
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        info = f"{stem}.dist-info"
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index on which every locked package has a newer release."""
    folder = tmp_path_factory.mktemp("later")
    for name in set[str]().union(*map(names, LOCKS)):
        release(folder, name, "99")
    return folder


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_installs_beside_newer_releases(lock: Path, later: Path, tmp_path: Path) -> None:
    """With the pip that a new environment has, each version is the locked one."""
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    folder = ".venv" if lock.stem == "dev" else f".venv-{lock.stem}"
    links = f"{os.environ.get('PIP_FIND_LINKS', '')} {later}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    python = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    made = subprocess.run(
        ["make", f"PYTHON={python}", f"{folder}/bin/.ready"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=kept | {"PIP_FIND_LINKS": links},
    )
    assert made.returncode == 0, made.stdout + made.stderr
    installed = {
        path.name.partition("-")[0].replace("_", "-").lower(): path.name
        for path in (tmp_path / folder).glob("lib/*/site-packages/*.dist-info")
    }
    assert len(installed) > 2
    assert not [name for name in installed.values() if name.endswith("-99.dist-info")]
