"""``make drift`` notices whatever makes generated/ differ from what the contract produces."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
API = Path("generated/taurusdb_starrocks_api")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the target reads, with the environment of the original."""
    for name in ("Makefile", "openapi.yaml"):
        shutil.copy2(ROOT / name, tmp_path)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "generated", tmp_path / "generated", ignore=ignore)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def drift(checkout: Path) -> subprocess.CompletedProcess[str]:
    # The environment is taken as it is (-o): it is not the copy's to rebuild.
    command = ["make", "drift", "-o", ".venv/bin/.ready"]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=checkout)


def snapshot(checkout: Path) -> dict[str, bytes]:
    files = [path for path in (checkout / "generated").rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def test_no_drift(checkout: Path) -> None:
    """What is committed is what the contract produces, and looking changes nothing."""
    before = snapshot(checkout)
    result = drift(checkout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert snapshot(checkout) == before


def edit(checkout: Path) -> None:
    with (checkout / API / "client.py").open("a") as file:
        file.write("# by hand\n")


def change_spec(checkout: Path) -> None:
    path = checkout / "openapi.yaml"
    text = path.read_text(encoding="utf-8")
    assert "ID of the job that pauses" in text
    path.write_text(
        text.replace("ID of the job that pauses", "The job that pauses"), encoding="utf-8"
    )


def add(checkout: Path) -> None:
    (checkout / API / "extra.py").touch()


def add_outside(checkout: Path) -> None:
    (checkout / "generated" / "extra.py").touch()


def remove(checkout: Path) -> None:
    (checkout / API / "py.typed").unlink()


@pytest.mark.parametrize("spoil", [edit, change_spec, add, add_outside, remove])
def test_drift(checkout: Path, spoil: Callable[[Path], None]) -> None:
    """A hand edit, a stale contract, a stray file and a missing one fail it; nothing is written."""
    spoil(checkout)
    before = snapshot(checkout)
    result = drift(checkout)
    assert result.returncode != 0
    assert snapshot(checkout) == before
