"""The command as a program of its own, against an emulator."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from taurusdb_starrocks_emulator import Emulator

from tests import guardians


@pytest.fixture(scope="session")
def served() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(served: Emulator) -> Emulator:
    served.reset()
    return served


@pytest.fixture(autouse=True)
def no_guardian_stays(tmp_path: Path) -> Iterator[None]:
    """A test that leaves tasks paused leaves no process behind."""
    yield
    guardians.end(tmp_path)


@pytest.fixture
def environ(emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """The environment of a program that is configured for the emulator."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "HOME": str(tmp_path),
        "TAURUSDB_STARROCKS_ENDPOINT": emulator.url,
        "HUAWEICLOUD_SDK_AK": "AKIDEXAMPLE",
        "HUAWEICLOUD_SDK_SK": "SKEXAMPLE",
        "HUAWEICLOUD_SDK_PROJECT_ID": emulator.project_id,
        "ID": emulator.instance_id,
    }
