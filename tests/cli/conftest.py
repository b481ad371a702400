"""The command, run in this process against an emulator."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from taurusdb_starrocks import Poll
from taurusdb_starrocks.cli import main
from taurusdb_starrocks.cli.settings import Settings
from taurusdb_starrocks.fleet import _verbs
from taurusdb_starrocks_emulator import Emulator

from tests import guardians
from tests.cli.running import Ran, Run


@pytest.fixture(scope="session")
def served() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(served: Emulator) -> Emulator:
    served.reset()
    return served


@pytest.fixture(autouse=True)
def sigint() -> Iterator[None]:
    """A shell in the background starts its children with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are not told how often to look at tasks do it often."""
    client = Settings.client
    poll = Poll(first=0.05, interval=0.05)
    monkeypatch.setattr(
        Settings, "client", lambda self, **options: client(self, poll=poll, **options)
    )
    monkeypatch.setattr(_verbs, "POLL", poll)


@pytest.fixture(autouse=True)
def no_guardian_stays(tmp_path: Path) -> Iterator[None]:
    """A test that leaves tasks paused leaves no process behind."""
    yield
    guardians.end(tmp_path)


@pytest.fixture
def run(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run the command line in a folder of its own, configured for the emulator."""
    for name in ("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "TAURUSDB_STARROCKS_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TAURUSDB_STARROCKS_ENDPOINT", emulator.url)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", emulator.project_id)
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "AKIDEXAMPLE")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "SKEXAMPLE")
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Ran:
        capsys.readouterr()
        status = main(arguments)
        shown = capsys.readouterr()
        return Ran(status, shown.out, shown.err)

    return command
