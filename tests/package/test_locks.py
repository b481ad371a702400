"""Every lock installs as it stands, whatever is released after it was made."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from wheels import BASE_PYTHON, ROOT, copy_checkout, release, without_make

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([\w.-]+)==\S+", re.MULTILINE)


def names(lock: Path) -> set[str]:
    return set(PINNED.findall(lock.read_text(encoding="utf-8")))


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
    checkout = copy_checkout(tmp_path / "checkout")
    folder = ".venv" if lock.stem == "dev" else f".venv-{lock.stem}"
    links = f"{os.environ.get('PIP_FIND_LINKS', '')} {later}"
    made = subprocess.run(
        ["make", f"PYTHON={BASE_PYTHON}", f"{folder}/bin/.ready"],
        check=False,
        capture_output=True,
        text=True,
        cwd=checkout,
        env=without_make() | {"PIP_FIND_LINKS": links},
    )
    assert made.returncode == 0, made.stdout + made.stderr
    installed = {
        path.name.partition("-")[0].replace("_", "-").lower(): path.name
        for path in (checkout / folder).glob("lib/*/site-packages/*.dist-info")
    }
    assert len(installed) > 2
    assert not [name for name in installed.values() if name.endswith("-99.dist-info")]
