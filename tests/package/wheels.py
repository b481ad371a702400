"""What `make dist` left in dist/, and empty environments to install it in."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The interpreter that the development environment was made with; in a checkout, `python3`.
BASE_PYTHON = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")


class Environment:
    """A virtual environment with nothing in it, far from the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "env" / "bin" / "python"
        venv.create(folder / "env", symlinks=True, with_pip=False)

    def install(self, *arguments: str | Path) -> None:
        """Install with the pip of the development environment: this one needs none."""
        self._pip("install", "--quiet", *arguments)

    def check(self) -> None:
        """Fail unless everything that is installed has what it requires."""
        self._pip("check")

    def _pip(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "pip", "--python", self.python, *arguments]
        subprocess.run(command, check=True)

    def run(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run its Python where no source of ours is in reach."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        path = f"{self.python.parent}{os.pathsep}{os.defpath}"
        return subprocess.run(
            [self.python, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=kept | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | variables,
        )


def copy_checkout(to: Path) -> Path:
    """Copy the checkout without what is hidden, or built at its top."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        built = {"dist", "node_modules", "reports", "site"} if Path(folder) == ROOT else set()
        return {name for name in names if name in {*built, "__pycache__"} or name.startswith(".")}

    return shutil.copytree(ROOT, to, symlinks=True, ignore=ignored)


def built(pattern: str) -> Path:
    found = list((ROOT / "dist").glob(pattern))
    assert len(found) == 1, f"run `make dist` first: dist/ holds {found} for {pattern}"
    return found[0]


def inside(wheel: Path, name: str) -> str:
    """A file of the wheel's .dist-info folder."""
    folder = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    return zipfile.ZipFile(wheel).read(f"{folder}/{name}").decode()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def release(folder: Path, name: str, version: str, requires: str = "") -> Path:
    """Write an empty wheel."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in {
            "METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }.items():
            wheel.writestr(f"{stem}.dist-info/{file}", text)
    return path


def without_make() -> dict[str, str]:
    """The environment of a shell that no make has started."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
