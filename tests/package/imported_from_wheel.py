"""A pytest plugin: the run fails unless the packages came from where this Python installs them."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

PACKAGES = ("taurusdb_starrocks", "taurusdb_starrocks_api", "taurusdb_starrocks_emulator")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    installed = Path(sysconfig.get_path("purelib"))
    for name in PACKAGES:
        file = Path(sys.modules[name].__file__ or "")
        assert file.is_relative_to(installed), f"{name} was imported from {file}"
    # What the caller looks for: had this not run, nothing was proved.
    sys.stdout.write(f"\nimported from the wheel, with {session.testscollected} tests\n")
