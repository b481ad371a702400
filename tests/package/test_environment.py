"""An environment is whole or is built again; what hinders it is said in one line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wheels import BASE_PYTHON, ROOT, digest, release, without_make

READY = ".venv-small/bin/.ready"
MANY = 6_000  # Files that take pip a second to unpack.


class Checkout:
    """The Makefile in a folder, with a lock of one package that has many files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / "index"
        index.mkdir()
        wheel = release(index, "many", "1")
        with zipfile.ZipFile(wheel, "a") as archive:
            for number in range(MANY):
                archive.writestr(f"many/m{number}.py", "x = 1\n")
        (folder / "requirements").mkdir()
        shutil.copy(ROOT / "Makefile", folder)
        shutil.copy(ROOT / "requirements" / "environment.py", folder / "requirements")
        lock = folder / "requirements" / "small.txt"
        lock.write_text(f"many==1 --hash=sha256:{digest(wheel)}\n", encoding="utf-8")
        self.environ = without_make() | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(index),
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INDEX": "1",
        }
        self.packages = folder / (f".venv-small/lib/python3.{sys.version_info.minor}/site-packages")

    def command(self, python: Path | str = BASE_PYTHON) -> list[str]:
        return ["make", f"PYTHON={python}", READY]

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            # A shell in the background starts its children deaf to Ctrl-C.
            ["env", "--default-signal=INT", *self.command()],
            cwd=self.folder,
            env=self.environ,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def make(
        self, *before: str, python: Path | str = BASE_PYTHON, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *self.command(python)],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**self.environ, **variables},
            timeout=120,
        )

    def holds_all(self) -> bool:
        return len(list((self.packages / "many").glob("*.py"))) == MANY


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def halfway(checkout: Checkout) -> Iterator[subprocess.Popen[str]]:
    """A make that is in the middle of installing."""
    with checkout.start() as process:
        until = time.monotonic() + 60
        while not (checkout.packages / "many").exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        yield process


def advice(ran: subprocess.CompletedProcess[str]) -> str:
    """What a failed make says, beside what it is doing and that it failed."""
    assert ran.returncode != 0
    (line,) = [
        line
        for line in ran.stderr.splitlines()
        if not line.startswith(("make: ***", "Installing requirements/"))
    ]
    return line


def test_built_once(checkout: Checkout) -> None:
    """A second make has nothing to do; a changed lock makes it anew, without what was there."""
    assert checkout.make().returncode == 0
    assert checkout.holds_all()
    assert "up to date" in checkout.make().stdout
    (checkout.packages / "stray.py").touch()
    os.utime(checkout.folder / "requirements" / "small.txt")
    assert checkout.make().returncode == 0
    assert not (checkout.packages / "stray.py").exists()


def test_killed_with_all_its_children(checkout: Checkout, halfway: subprocess.Popen[str]) -> None:
    """What is half built is built again."""
    os.killpg(halfway.pid, signal.SIGKILL)
    halfway.wait()
    assert not checkout.holds_all()
    assert not (checkout.folder / READY).exists()
    ran = checkout.make()
    assert ran.returncode == 0, ran.stderr
    assert checkout.holds_all()


def test_killed_while_pip_goes_on(checkout: Checkout, halfway: subprocess.Popen[str]) -> None:
    """The next make waits for the pip that was left alone, then starts over."""
    script = subprocess.run(
        ["pgrep", "-s", str(halfway.pid), "-f", "environment.py"],
        check=True,
        capture_output=True,
        text=True,
    )
    for process in (halfway.pid, *map(int, script.stdout.split())):
        os.kill(process, signal.SIGKILL)
    halfway.wait()
    assert not checkout.holds_all()
    ran = checkout.make()
    assert ran.returncode == 0, ran.stderr
    assert "Waiting for another process" in ran.stderr
    assert checkout.holds_all()


def test_two_at_once(checkout: Checkout, halfway: subprocess.Popen[str]) -> None:
    """One builds, the other waits and takes what was built."""
    ran = checkout.make()
    assert halfway.wait() == 0
    assert ran.returncode == 0, ran.stderr
    assert "Installing" not in ran.stderr
    assert checkout.holds_all()


def test_interrupted(checkout: Checkout, halfway: subprocess.Popen[str]) -> None:
    """Ctrl-C ends it without a traceback."""
    os.killpg(halfway.pid, signal.SIGINT)
    _, errors = halfway.communicate()
    assert "interrupted; the next make starts over" in errors
    assert "Traceback" not in errors
    assert not (checkout.folder / READY).exists()


@pytest.mark.parametrize("python", ["/nowhere/python3", "/bin/false"])
def test_python_that_does_not_run(checkout: Checkout, python: str) -> None:
    """The line names it, and how to name another."""
    said = advice(checkout.make(python=python))
    assert said.startswith(f"{python} is not Python 3.11 to 3.14, or does not run")
    assert "make PYTHON=" in said


@pytest.mark.parametrize("minor", [10, 15])
def test_another_python(checkout: Checkout, minor: int) -> None:
    """An interpreter of a version for which the locks have no packages is refused at once."""
    other = checkout.folder / "other-python"
    version = f"import sys; sys.version_info = (3, {minor}, 0)"
    other.write_text(f'#!/bin/sh\nshift\nexec {BASE_PYTHON} -c "{version}; $1"\n', encoding="utf-8")
    other.chmod(0o755)
    assert "is not Python 3.11 to 3.14" in advice(checkout.make(python=other))
    assert not (checkout.folder / ".venv-small").exists()


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_python_without(missing: str, checkout: Checkout) -> None:
    """As Debian and Ubuntu split it up: the line says what to install."""
    library = checkout.folder / "library"
    (library / missing).mkdir(parents=True)
    hidden = f"raise ModuleNotFoundError(\"No module named '{missing}'\", name='{missing}')\n"
    (library / missing / "__init__.py").write_text(hidden, encoding="utf-8")
    said = advice(checkout.make(PYTHONPATH=str(library)))
    assert said.startswith(f".venv-small: {BASE_PYTHON} cannot make virtual environments")
    assert f"apt install python3.{sys.version_info.minor}-venv" in said


@pytest.mark.parametrize(
    "index", ["http://127.0.0.1:9/simple", "https://index.invalid/simple"], ids=["refused", "name"]
)
def test_no_network(index: str, checkout: Checkout) -> None:
    """The line says what to check, and how to name a mirror."""
    said = advice(
        checkout.make(PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL=index, PIP_RETRIES="1")
    )
    assert "the package index cannot be reached" in said
    assert "PIP_INDEX_URL" in said


@pytest.mark.parametrize("megabytes", [1, 20], ids=["for-pip", "for-packages"])
def test_no_space(megabytes: int, checkout: Checkout) -> None:
    """On a full disk, the line says how much to free."""
    full = checkout.folder / ".venv-small"
    full.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n", "-E"]
    mount = f'mount -t tmpfs -o size={megabytes}m,mode=777 full "$0" && exec "$@"'
    said = advice(checkout.make(*as_root, "unshare", "--mount", "sh", "-c", mount, str(full)))
    assert "no space is left for .venv-small" in said


def test_no_release_for_this_python(checkout: Checkout) -> None:
    """The line says which Pythons the locks are for."""
    lock = checkout.folder / "requirements" / "small.txt"
    lock.write_text(f"many==77 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert "The locks are for Python 3.11 to 3.14" in advice(checkout.make())


def test_unknown_failure_is_shown_whole(checkout: Checkout) -> None:
    """Where no advice fits, what pip wrote is there to read."""
    lock = checkout.folder / "requirements" / "small.txt"
    lock.write_text(f"many==1 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    ran = checkout.make()
    assert ran.returncode != 0
    assert "DO NOT MATCH THE HASHES" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_incomplete_lock_is_refused(checkout: Checkout) -> None:
    """A lock that lacks what one of its packages requires makes no environment."""
    index = checkout.folder / "index"
    wheel = release(index, "needy", "1", requires="many>=2")
    with (checkout.folder / "requirements" / "small.txt").open("a", encoding="utf-8") as lock:
        lock.write(f"needy==1 --hash=sha256:{digest(wheel)}\n")
    ran = checkout.make()
    assert ran.returncode != 0
    assert "needy 1 has requirement many>=2, but you have many 1" in ran.stderr
    assert not (checkout.folder / READY).exists()
