"""The processes of a benchmark: clients in environments of their own, and the server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import certifi
import trustme

HERE = Path(__file__).parent
ROOT = HERE.parent
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Peer:
    """A client: the environment that has it, and the script that measures it."""

    environment: str
    script: str
    arguments: tuple[str, ...] = ()


OURS, HTTPX, OFFICIAL = ".venv-base", ".venv-httpx", ".venv-official"
PEERS = {
    "ours": Peer(OURS, "ours.py"),
    "layers": Peer(OURS, "layers.py"),
    "httpx": Peer(HTTPX, "bare_httpx.py"),
    "httpx-aiohttp": Peer(".venv-aiohttp", "bare_httpx.py", ("aiohttp",)),
    "http.client": Peer(HTTPX, "standard.py"),
    "official": Peer(OFFICIAL, "official.py"),
}


class Workplace:
    """A folder with what the clients run on, compiled; and their home.

    This project is installed from its wheel, so that it costs what it costs those who install it.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.authority = trustme.CA()
        self._peers, self._trust = folder / "peers", folder / "trust"
        shutil.copytree(HERE / "peers", self._peers)
        shutil.copytree(Path(certifi.__file__).parent, self._trust / "certifi")
        with (self._trust / "certifi" / "cacert.pem").open("ab") as authorities:
            authorities.write(self.authority.cert_pem.bytes())
        hatchling: list[str | Path] = [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-t",
            "wheel",
            "-d",
            folder,
        ]
        subprocess.run(hatchling, check=True, cwd=ROOT, capture_output=True)
        (wheel,) = folder.glob("*.whl")
        python = ROOT / OURS / "bin" / "python"
        install = ("install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", wheel)
        subprocess.run([python, "-m", "pip", *install], check=True)
        subprocess.run([python, "-m", "compileall", "-q", self._peers, self._trust], check=True)

    def command(self, environment: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """A command of an environment, and its variables: nothing of ours gets there."""
        return [str(ROOT / environment / "bin" / "python"), *arguments], {
            "HOME": str(self.home),
            "PATH": os.defpath,
            "PYTHONPATH": f"{self._peers}{os.pathsep}{self._trust}",
        }

    def run(self, environment: str, code: str) -> dict[str, float]:
        """What a program costs from its start to its exit; memory if it writes how much."""
        command, environ = self.command(environment, "-c", code)
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, cwd=self.home)
        assert process.stdout is not None
        with process.stdout as out:
            written = out.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{code!r} failed in {environment}")
        return {
            "wall_ms": (time.perf_counter() - began) * 1000,
            "cpu_ms": (used.ru_utime + used.ru_stime) * 1000,
            "peak_mb": float(written or 0),
        }


class Child:
    """A process that ends when its standard input does."""

    def __init__(self, command: list[str], environ: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        )

    def line(self) -> str:
        """The next line that it writes."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"{self.process.args!r} ended")
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.__exit__(kind, error, trace)


class Server(Child):
    """The server, see ``server.py``."""

    def __init__(self, kind: str, *arguments: str) -> None:
        super().__init__([sys.executable, str(HERE / "server.py"), kind, *arguments])
        self.port = int(self.line())
        self.url = f"{'https' if kind == 'tls' else 'http'}://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """Seconds of CPU that it has taken so far."""
        fields = (
            Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / TICKS

    def ceiling(self, calls: int, number: int = 64) -> dict[str, float]:
        """What it can serve: requests written as they are, without a client."""
        body = b'{"task_name": "orders_sync"}'
        request = (
            b"POST /v3/pause HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: %s\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (b"t" * 1500, len(body), body)
        )
        with ExitStack() as stack:
            sockets = [
                stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
                for _ in range(number)
            ]
            began, cpu = time.perf_counter(), self.cpu()
            for _ in range(calls // number):
                for one in sockets:
                    one.send(request)
                for one in sockets:
                    one.recv(65536)
            seconds = time.perf_counter() - began
            done = calls // number * number
            return {"per_s": done / seconds, "cpu_us": (self.cpu() - cpu) / done * 1e6}


class Worker(Child):
    """A client that measures itself on request, see ``peers/measure.py``."""

    def __init__(self, workplace: Workplace, peer: Peer, url: str) -> None:
        script = str(workplace.home.parent / "peers" / peer.script)
        super().__init__(*workplace.command(peer.environment, script, url, *peer.arguments))

    def measure(self, what: str, calls: int) -> dict[str, Any]:
        """What it saw."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"measure": what, "calls": calls}) + "\n")
        self.process.stdin.flush()
        seen: dict[str, Any] = json.loads(self.line())
        return seen


@contextmanager
def tls_server(workplace: Workplace, folder: Path) -> Iterator[Server]:
    """A server inside of TLS, with a certificate that every client of the workplace trusts."""
    certificate = folder / "certificate.pem"
    workplace.authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(certificate)
    )
    with Server("tls", str(certificate)) as server:
        yield server
