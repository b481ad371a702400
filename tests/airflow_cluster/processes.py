"""Programs that a test starts, watches and stops: each in a session of its own, with a log file."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

# PostgreSQL refuses to be run by root; its package makes this user.
POSTGRES = "postgres"


class Program:
    """One running program and all that it started.

    Args:
        command: What to run.
        log: File that it writes to.
        environ: Its environment.
        user: Who runs it, if that is not who runs the tests.
    """

    def __init__(
        self, command: list[str], log: Path, environ: Mapping[str, str], user: str | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
                user=user,
                group=user and pwd.getpwnam(user).pw_gid,
                cwd="/",
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def family(self) -> list[int]:
        """The process and its descendants, whatever sessions they are in."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
        found = [self.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def kill(self) -> int:
        """Kill it as a machine that loses power does: all at once, and nobody is told."""
        family = self.family()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        return len(family)

    def stop(self, patience: float = 20.0) -> None:
        """Have it end, and end what is left of it."""
        family = self.family()
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def until(
    condition: Callable[[], object], what: str, *, seconds: float, every: float = 0.5
) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(every)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Redis on a free port of loopback, which keeps nothing."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    program = Program([*command, "--dir", str(folder)], folder / "redis.log", os.environ)
    try:
        until(lambda: answers(port), f"Redis, see {program.log}", seconds=20)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        program.stop()


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """PostgreSQL on a free port of loopback, with its data in the folder."""
    binaries = max(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    user = POSTGRES if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    data, log, port = folder / "data", folder / "postgresql.log", free_port()
    made = subprocess.run(
        [
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "airflow",
            "--auth=trust",
            "--encoding=UTF8",
        ],
        check=False,
        capture_output=True,
        text=True,
        user=user,
        group=user and pwd.getpwnam(user).pw_gid,
        cwd="/",
    )
    assert made.returncode == 0, made.stdout + made.stderr
    command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-k", str(folder)]
    program = Program([*command, "-c", "listen_addresses=127.0.0.1"], log, os.environ, user)
    try:
        ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
        until(
            lambda: subprocess.run(ready, check=False, capture_output=True).returncode == 0,
            f"PostgreSQL, see {log}",
            seconds=30,
        )
        yield f"airflow@127.0.0.1:{port}/postgres"
    finally:
        program.stop()
