"""The command, run in this process against an emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from taurusdb_starrocks.cli import main
from taurusdb_starrocks_emulator import Emulator

from tests.cli.running import Ran, Run


@pytest.fixture(scope="session")
def served() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(served: Emulator) -> Emulator:
    served.reset()
    return served


@pytest.fixture
def run(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run the command line in a folder of its own, configured for the emulator."""
    for name in ("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TAURUSDB_STARROCKS_ENDPOINT", emulator.url)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", emulator.project_id)
    monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", emulator.token)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Ran:
        capsys.readouterr()
        status = main(arguments)
        shown = capsys.readouterr()
        return Ran(status, shown.out, shown.err)

    return command
