"""An emulator, and what happens on it: programs with windows, each with a supervisor."""

from __future__ import annotations

import json
import os
import random
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from taurusdb_starrocks_emulator import Emulator

from tests.torture.plan import SETTLE, TASKS, Plan, draw, faults
from tests.torture.supervisor import Supervisor

PROJECT = "0483b6b16e954cb88930a360d2c4e663"


@dataclass
class Tally:
    """What happened in a cell."""

    windows: int = 0
    ensured: int = 0
    signals: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    named: int = 0
    logged: int = 0
    violations: list[dict[str, Any]] = field(default_factory=list)


class Cell:
    """One emulator with its weather, and some victims."""

    def __init__(self, given: dict[str, Any], folder: Path) -> None:
        self._given = given
        self._chance = random.Random(given["seed"])
        self._deadline = time.monotonic() + given["seconds"]
        self._left = given["windows"]
        self.lock = threading.Lock()
        self.tally = Tally()
        self._folder = folder
        instances = [f"{number:032x}in17" for number in range(given["victims"])]
        tasks = [{"name": name, "source_database": "db"} for name in TASKS]
        seed: dict[str, Any] = {"id": PROJECT, "name": "r"}
        seed["instances"] = [{"id": instance, "tasks": tasks} for instance in instances]
        self.instances = instances
        self.emulator = Emulator(
            seed={"projects": [seed]},
            delay=0.02,
            faults=faults(given["seed"], tls=given["tls"], lies=given["lies"])
            if given["faults"]
            else (),
            **self._certificate(),
        )

    def _certificate(self) -> dict[str, Any]:
        self.ca = ""
        if not self._given["tls"]:
            return {}
        authority = trustme.CA()
        pem = self._folder / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
        authority.cert_pem.write_to_path(self._folder / "ca.pem")
        self.ca = str(self._folder / "ca.pem")
        return {"ssl_certfile": str(pem)}

    def run(self) -> Tally:
        """Have all windows, or as many as there is time for."""
        with self.emulator:
            threads = [
                threading.Thread(target=Supervisor(self, number, instance).run)
                for number, instance in enumerate(self.instances)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for call in self.emulator.journal():
            self.tally.faults.update(call.fault.split(", ") if call.fault else [])
        return self.tally

    def next(self, asynchronous: bool) -> Plan | None:
        """The next window for a supervisor; None at the end."""
        with self.lock:
            if self._left <= 0 or time.monotonic() > self._deadline:
                return None
            plan = draw(
                self._chance, TASKS, asynchronous=asynchronous, ensure=self._given["ensure"]
            )
            self._left -= plan.verb == "window"
            return plan

    def start(self, instance: str, asynchronous: bool) -> subprocess.Popen[bytes]:
        """A victim, with the wrapper that is to be tortured."""
        given = {
            "asynchronous": asynchronous,
            "url": self.emulator.url,
            "project": PROJECT,
            "instance": instance,
            "token": self.emulator.token,
            "ca": self.ca,
            "settle": SETTLE,
        }
        environment = dict(os.environ)
        if self._given["wrapper"]:
            root = Path(self._given["wrapper"])
            environment["PYTHONPATH"] = f"{root / 'wrapper'}{os.pathsep}{root / 'generated'}"
        return subprocess.Popen(
            [sys.executable, self._given["victim"], json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def barrier(self) -> None:
        """Return once the emulator has handled what was sent to it before."""
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        try:
            urllib.request.urlopen(f"{self.emulator.url}/barrier", timeout=20, context=context)
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:  # A fault of connections: whatever was before it has been handled.
            time.sleep(0.05)


def main() -> None:
    """Run the cell that is described on the command line; print what happened."""
    with tempfile.TemporaryDirectory() as folder:
        tally = Cell(json.loads(sys.argv[1]), Path(folder)).run()
    json.dump(vars(tally), sys.stdout)


if __name__ == "__main__":
    main()
