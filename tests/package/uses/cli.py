"""The command: it says what it needs, and calls a service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

command = Path(sys.executable).with_name("taurusdb-starrocks")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with nothing in the environment."""
    return subprocess.run(
        [command, *arguments], capture_output=True, text=True, env={}, check=False
    )


ran = run("tasks", "--help")
assert ran.returncode == 0, ran.stderr
assert "List the synchronization tasks" in ran.stdout
ran = run("tasks", "9ac58f9b88744f8a87893d22f6ef9a28in17", "--endpoint", "http://127.0.0.1:1")
assert ran.returncode == 2, ran.stderr
assert "Give --profile or --prompt" in ran.stderr, ran.stderr
