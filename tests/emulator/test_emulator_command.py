"""The command: real processes, real signals, real kills."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from taurusdb_starrocks_emulator import Emulator
from taurusdb_starrocks_emulator.__main__ import main

COMMAND = [str(Path(sys.executable).with_name("taurusdb-starrocks-emulator"))]
REST = (
    "/v3/0483b6b16e954cb88930a360d2c4e663/instances/9ac58f9b88744f8a87893d22f6ef9a28in17"
    "/starrocks/databases/replication"
)


class Process:
    """The command while it runs; killed at the end if it still does."""

    def __init__(self, *arguments: Any, environment: Any = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error", **(environment or {})},
        )
        self.url = self.line()

    def line(self) -> Any:
        return self.process.stdout.readline().rstrip("\n")

    def end(self, number: Any) -> Any:
        """Send a signal; status, and what was still written."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return self.process.returncode, out, err

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def ask(url: str, verb: str = "pause", *, token: Any = "t", client: httpx.Client = httpx) -> Any:
    """Pause or resume the first task."""
    headers = {"X-Auth-Token": token}
    return client.post(f"{url}{REST}/{verb}", json={"task_name": "orders_sync"}, headers=headers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(number: Any) -> None:
    """One line with the URL, on loopback; then status 0 and not a word more."""
    with Process("--token", "t") as command:
        assert urlsplit(command.url).hostname == "127.0.0.1"
        assert ask(command.url).status_code == 200
        assert command.end(number) == (0, "", "")


# The signal comes while the command is still importing.
EARLY = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "taurusdb_starrocks_emulator.emulator":
            os.kill(os.getpid(), int(sys.argv[1]))

sys.meta_path.insert(0, Finder())
from taurusdb_starrocks_emulator.__main__ import main
sys.exit(main([]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_interrupted_while_it_starts(number: Any) -> None:
    """The same as later: status 0 and no traceback."""
    command = [sys.executable, "-c", EARLY, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_stops_while_calls_hang(tmp_path: Path) -> None:
    """A call that would hang for an hour does not keep it."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {kind: hang, operation: pause}\n")
    with Process("--token", "t", "--faults", str(faults)) as command:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                command.url + REST + "/pause",
                json={"task_name": "orders_sync"},
                headers={"X-Auth-Token": "t"},
                timeout=0.2,
            )
        assert command.end(signal.SIGTERM) == (0, "", "")


def test_a_token_of_its_own_is_said_on_the_second_line() -> None:
    """Without a token a random one is made; it opens."""
    with Process() as command:
        token = command.line()
        assert ask(command.url, token=token).status_code == 200
        assert ask(command.url).status_code == 401


def test_a_token_comes_from_the_environment() -> None:
    """It is not repeated on the output."""
    environment = {"TAURUSDB_STARROCKS_EMULATOR_TOKEN": "from-outside"}
    with Process(environment=environment) as command:
        assert ask(command.url, token="from-outside").status_code == 200
        assert command.end(signal.SIGTERM) == (0, "", "")


def test_the_settings_reach_the_service(tmp_path: Path) -> None:
    """Seed, mode, delay and faults."""
    (tmp_path / "seed.yaml").write_text(
        "projects:\n- id: 0483b6b16e954cb88930a360d2c4e663\n  name: r\n  instances:\n"
        "  - id: 9ac58f9b88744f8a87893d22f6ef9a28in17\n    tasks:\n"
        "    - {name: orders_sync, source_database: db, stage: Paused}\n"
    )
    (tmp_path / "faults.yaml").write_text("- {kind: throttle, operation: list}\n")
    files = ["--seed", str(tmp_path / "seed.yaml"), "--faults", str(tmp_path / "faults.yaml")]
    with Process("--token", "t", "--mode", "strict", "--delay", "60", *files) as command:
        assert ask(command.url, "pause").json()["error_code"] == "DBS.200086"
        assert ask(command.url, "resume").status_code == 200
        headers = {"X-Auth-Token": "t"}
        assert httpx.get(command.url + REST, headers=headers).status_code == 429


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seed", "nowhere.yaml"],
        ["--faults", "nowhere.yaml"],
        ["--token", ""],
        ["--host", ""],
        ["--db", ""],
        ["--seed", ""],
        ["--faults", ""],
        ["--ssl-certfile", ""],
        ["--delay", "-1"],
        ["--mode", "loose"],
        ["--port", "many"],
        ["--port", "70000"],
        ["--db", "/nowhere/at/all"],
        ["--host", "192.0.2.1"],
    ],
)
def test_what_cannot_be_is_said_and_not_shown_as_a_crash(arguments: Any) -> None:
    """Status 2 and a line that begins with the program's name."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "taurusdb-starrocks-emulator: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` ends with status 0."""
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for name in (
        "host",
        "port",
        "db",
        "seed",
        "token",
        "mode",
        "delay",
        "faults",
        "ssl-certfile",
        "log",
    ):
        assert f"--{name}" in shown


def test_the_version_is_that_of_the_distribution() -> None:
    """`--version` says it and ends."""
    done = subprocess.run(
        [*COMMAND, "--version"], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == f"taurusdb-starrocks-emulator {version('taurusdb-starrocks')}\n"


def test_the_log_has_a_line_for_each_call(tmp_path: Path) -> None:
    """On standard error: method, path, status, time, request and what became of it; no token."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {kind: close, operation: resume, applied: true}\n")
    with Process("--token", "s3cret", "--log", "--faults", str(faults)) as command:
        response = ask(command.url, token="s3cret")
        with pytest.raises(httpx.TransportError):
            ask(command.url, "resume", token="s3cret")
        httpx.get(command.url + "/nowhere?x=1")
        httpx.post(f"{command.url}{REST}/pause", json={"task_name": "a\nb"})
        status, out, err = command.end(signal.SIGTERM)
    assert (status, out) == (0, "")
    pause, resume, nowhere, malformed = err.splitlines()
    request_id, job_id = response.headers["X-Request-Id"], response.json()["job_id"]
    assert re.fullmatch(
        rf"[\d-]+ [\d:,]+ POST {REST}/pause 200 [\d.]+ ms request={request_id}"
        rf' task="orders_sync" job="{job_id}" by="static token"',
        pause,
    )
    assert re.search(rf' POST {REST}/resume - .* job="[^"]+" fault="close" ', resume)
    assert " GET /nowhere?x=1 404 " in nowhere
    assert " 401 " in malformed
    assert "s3cret" not in err


def test_without_the_option_nothing_is_logged() -> None:
    """Also not in a program that logs everything."""
    program = (
        "import logging, urllib.request\n"
        "from taurusdb_starrocks_emulator import Emulator\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "with Emulator() as emulator:\n"
        "    try:\n"
        "        urllib.request.urlopen(emulator.url)\n"
        "    except urllib.error.HTTPError as error:\n"
        "        print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "404\n"
    assert "request=" not in done.stderr


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """SIGKILL under load, three times over: on the same port at once, and nothing is lost."""
    db = tmp_path / "state.sqlite"
    port = "0"
    answered = []
    for _ in range(3):
        with Process("--db", str(db), "--token", "t", "--port", port) as command:
            port = str(urlsplit(command.url).port)
            load = [threading.Thread(target=_load, args=(command.url, answered)) for _ in range(4)]
            before = len(answered)
            for thread in load:
                thread.start()
            while len(answered) < before + 40:
                time.sleep(0.005)
            command.process.send_signal(signal.SIGKILL)
            for thread in load:
                thread.join()
            assert command.process.wait() == -signal.SIGKILL
    with Process("--db", str(db), "--token", "t", "--port", port) as command:
        assert ask(command.url, "resume").status_code == 200
        assert command.end(signal.SIGTERM)[0] == 0
    emulator = Emulator(db=db)
    calls = emulator.journal()
    kept = {call.job_id for call in calls}
    assert len(answered) >= 120
    assert set(answered) <= kept
    # At the most the calls that were under way at each kill were kept and not answered.
    assert len(kept) - len(set(answered)) <= 3 * 4 + 1
    assert emulator.task(emulator.instance_id, "orders_sync").changes == len(calls) == len(kept)
    assert emulator.task(emulator.instance_id, "orders_sync").stage == "Incremental"
    emulator.close()


def _load(url: str, answered: Any) -> None:
    """Pause for as long as there is a service; remember every job that was answered."""
    with httpx.Client() as client:
        try:
            while True:
                answered.append(ask(url, client=client).json()["job_id"])
        except httpx.TransportError:
            return
