"""How fast the emulator is. What it must reach stands in each test; what fails is a third of that.

The figures of a run are printed: `make emulator-speed`.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import yaml
from taurusdb_starrocks_emulator import Emulator

HERE = Path(__file__).parent
COMMAND = str(Path(sys.executable).with_name("taurusdb-starrocks-emulator"))
ROUNDS = 5
CALLS = 2_000


@pytest.fixture(scope="module")
def many() -> Any:
    """A seed of 10,000 tasks over 200 instances."""
    instances = [
        {
            "id": f"{number:032x}in17",
            "tasks": [{"name": f"task_{task:02d}", "source_database": "db"} for task in range(50)],
        }
        for number in range(200)
    ]
    return {"projects": [{"id": "1" * 32, "name": "one", "instances": instances}]}


def say(text: str) -> None:
    """Print a figure, for `pytest -s`."""
    sys.stdout.write(f"\n{text}\n")


def seconds(work: Any) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def test_it_starts() -> None:
    """From starting the process to its URL on standard output, which it prints when it serves."""

    def start() -> None:
        process = subprocess.Popen(
            [COMMAND, "--token", "t"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"http://")

    processes: list[subprocess.Popen[bytes]] = []
    try:
        took = median(seconds(start) for _ in range(ROUNDS))
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=10)
    say(f"start: {took:.3f} s (0.3 s at the most)")
    assert took < 0.9


def test_it_seeds(many: Any, tmp_path: Path) -> None:
    """From a mapping and from YAML, into memory and into a file."""
    path = tmp_path / "seed.yaml"
    path.write_text(yaml.safe_dump(many))
    emulators: list[Emulator] = []
    ways = {
        "a mapping": lambda: emulators.append(Emulator(seed=many)),
        "YAML": lambda: emulators.append(Emulator(seed=path)),
        "YAML, into a file": lambda: emulators.append(Emulator(seed=path, db=tmp_path / "db")),
    }
    for name, way in ways.items():
        took = seconds(way)
        say(f"seed 10,000 tasks over 200 instances from {name}: {took:.3f} s (2 s at the most)")
        assert len(emulators[-1].tasks()) == 10_000
        assert took < 6


def test_it_resets(many: Any) -> None:
    """The default seed and the large one, after tasks changed."""
    for name, emulator in (("7", Emulator()), ("10,000", Emulator(seed=many))):
        times = []
        for _ in range(ROUNDS):
            for task in emulator.tasks():
                emulator.set_stage(task.instance_id, task.name, "Paused")
            times.append(seconds(emulator.reset))
        assert {task.changes for task in emulator.tasks()} == {0}
        say(f"reset {name} tasks: {median(times) * 1000:.2f} ms (10 ms at the most)")
        assert median(times) < 0.03


@contextmanager
def serving(*command: object) -> Iterator[int]:
    """A server on a port of its own, in another process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*map(str, command), str(port)], stdout=subprocess.PIPE, env={**os.environ}
    )
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=10)


def load(port: int, operation: str) -> float:
    """Calls/s that a generator in a process of its own gets."""
    done = subprocess.run(
        [sys.executable, HERE / "load.py", str(port), str(CALLS), operation],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return float(done.stdout)


def test_it_serves() -> None:
    """Half as many calls/s as a bare Starlette route, with everything validated and recorded."""
    with (
        serving(sys.executable, HERE / "bare.py") as bare,
        serving(COMMAND, "--token", "t", "--port") as emulator,
    ):
        rounds = [
            (load(bare, "pause"), load(emulator, "pause"), load(emulator, "list"))
            for _ in range(ROUNDS + 1)
        ][1:]
    for place, operation in ((1, "pause"), (2, "list")):
        ratio = median(figures[place] / figures[0] for figures in rounds)
        calls = median(figures[place] for figures in rounds)
        of = median(figures[0] for figures in rounds)
        say(
            f"{operation}: {calls:,.0f} calls/s at 8 connections, bare route {of:,.0f}; "
            f"ratio {ratio:.2f} (0.5 at the least)"
        )
        assert ratio > 0.17
