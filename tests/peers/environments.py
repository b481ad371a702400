"""Programs from the environments that `make peers` builds, each a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def program(environment: str, name: str) -> str:
    """A program of such an environment. Without it the test fails: it is not skipped."""
    path = ROOT / environment / "bin" / name
    if not path.exists():
        pytest.fail(f"{environment}/bin/{name} is missing: run `make peers`, which builds it.")
    return str(path)


@contextmanager
def running(
    environment: str, name: str, *arguments: str, home: Path, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """A process in a home folder of its own, ended with the block. Its errors go to a file there.

    It gets nothing of our environment: no keys, no proxies.
    """
    command = [program(environment, name), *arguments]
    with errors(home).open("a") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=home,
            env={"HOME": str(home), "PATH": os.defpath, **environ},
        )
    with process:  # Closes the pipes, and waits.
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def errors(home: Path) -> Path:
    return home / "stderr"


def line(process: subprocess.Popen[str], home: Path) -> str:
    """The next line that a process writes; without one the test fails and shows its errors."""
    assert process.stdout is not None
    text = process.stdout.readline()
    if not text:
        pytest.fail(f"{process.args} ended:\n{errors(home).read_text()}")
    return text
