"""What a call costs, counted in instructions: on a busy machine the count is the same.

`make bench` measures time. This is what keeps a change from making calls slower unnoticed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.processes import Server

PEERS = Path(__file__).parents[2] / "bench" / "peers"
FEW, MANY = 20, 140


def instructions(script: str, measure: str, calls: int, url: str) -> int:
    """How many instructions a client executes from its start to its exit."""
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*callgrind, sys.executable, PEERS / script, url],
        check=False,
        input=json.dumps({"measure": measure, "calls": calls}),
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONHASHSEED": "0"},
        timeout=300,
    )
    counted = re.search(r"Collected : (\d+)", done.stderr)
    assert done.returncode == 0, done.stderr
    assert counted is not None, done.stderr
    return int(counted[1])


@pytest.fixture(scope="module")
def per_call() -> dict[str, float]:
    """Instructions per call: what more calls take, so that starting is not counted."""
    kinds = {
        "httpx": ("bare_httpx.py", "sequential"),
        "sequential": ("ours.py", "sequential"),
        "in flight": ("ours.py", "in_flight"),
    }
    with Server("plain") as server, ThreadPoolExecutor(2) as pool:
        counts = {
            (kind, calls): pool.submit(instructions, *what, calls, server.url)
            for kind, what in kinds.items()
            for calls in (FEW, MANY)
        }
        return {
            kind: (counts[kind, MANY].result() - counts[kind, FEW].result()) / (MANY - FEW)
            for kind in kinds
        }


# Bounds are a tenth above what was counted when they were set.
@pytest.mark.parametrize(("kind", "most"), [("sequential", 0.70), ("in flight", 0.70)])
def test_instructions_of_a_call(per_call: dict[str, float], kind: str, most: float) -> None:
    """A call costs less than the same call by httpx alone, all checks included."""
    assert per_call[kind] / per_call["httpx"] <= most, per_call
