"""The fixtures for other people's tests."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

PLUGIN = "taurusdb_starrocks_emulator.pytest_plugin"
THEIRS = """
import asyncio
import time

import pytest


def test_a_client_is_ready(starrocks_emulator, starrocks_client):
    emulator = starrocks_emulator
    starrocks_client.pause(emulator.instance_id, emulator.task_name)
    assert emulator.task(emulator.instance_id, emulator.task_name).stage == "Paused"
    assert len(emulator.journal()) == 1


def test_the_next_test_begins_anew(starrocks_emulator):
    assert starrocks_emulator.journal() == []
    assert starrocks_emulator.task(
        starrocks_emulator.instance_id, starrocks_emulator.task_name
    ).stage == "Incremental"


def test_an_async_client_is_ready(starrocks_emulator, starrocks_async_client):
    async def pause():
        async with starrocks_async_client as client:
            return await client.pause(starrocks_emulator.instance_id, starrocks_emulator.task_name)

    assert asyncio.run(pause()).id


def test_an_async_client_need_not_be_used(starrocks_async_client):
    pass


def test_the_session_has_one_emulator(starrocks_emulator_server, starrocks_emulator):
    assert starrocks_emulator is starrocks_emulator_server


def test_a_window_takes_no_time(starrocks_emulator, starrocks_client):
    begun = time.monotonic()
    with starrocks_client.paused(starrocks_emulator.instance_id, starrocks_emulator.task_name):
        pass
    assert time.monotonic() - begun < 3


def test_settings_can_be_overridden(starrocks_emulator):
    assert starrocks_emulator.token == "a-token-of-our-own"
"""
CONFTEST = """
import pytest


@pytest.fixture(scope="session")
def starrocks_emulator_settings():
    return {"token": "a-token-of-our-own", "mode": "strict"}
"""


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in somebody else's project, which has nothing but the plugin."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_fixtures_are_ready_and_reset(tmp_path: Path) -> None:
    """A client and an async client, and for every test the emulator as it was seeded."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    done = run(tmp_path, "-p", PLUGIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout


QUICK = """
import asyncio
import time

import pytest
from taurusdb_starrocks import OutcomeUnknownError
from taurusdb_starrocks_emulator import Fault


@pytest.fixture
def starrocks_client_settings(starrocks_emulator):
    return {"timeout": 0.3, "project_id": starrocks_emulator.project_id}


@pytest.mark.parametrize("kind", ["hang", "drip-body"])
def test_what_hangs_is_over_soon(starrocks_emulator, starrocks_client, kind):
    starrocks_emulator.faults.add(Fault(kind))
    begun = time.monotonic()
    with pytest.raises(OutcomeUnknownError):
        starrocks_client.pause(starrocks_emulator.instance_id, starrocks_emulator.task_name)
    assert time.monotonic() - begun < 5


def test_for_an_async_client_too(starrocks_emulator, starrocks_async_client):
    starrocks_emulator.faults.add(Fault("hang"))

    async def pause():
        async with starrocks_async_client as client:
            await client.pause(starrocks_emulator.instance_id, starrocks_emulator.task_name)

    begun = time.monotonic()
    with pytest.raises(OutcomeUnknownError):
        asyncio.run(pause())
    assert time.monotonic() - begun < 5
"""


def test_the_clients_take_settings(tmp_path: Path) -> None:
    """One fixture overridden, and both clients have its timeout."""
    (tmp_path / "test_theirs.py").write_text(QUICK)
    done = run(tmp_path, "-p", PLUGIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


STRICT = """
import pytest


@pytest.fixture(scope="session")
def starrocks_emulator_settings():
    return {"mode": "strict"}


def test_in_this_mode(starrocks_emulator):
    pass
"""


def test_settings_of_one_module_do_not_apply_to_another(tmp_path: Path) -> None:
    """The test run has one emulator: a test that would get other settings than its own fails."""
    (tmp_path / "test_1.py").write_text(STRICT)
    (tmp_path / "test_2.py").write_text("def test_default(starrocks_emulator): pass\n")
    (tmp_path / "test_3.py").write_text(STRICT)
    done = run(tmp_path, "-p", PLUGIN)
    assert "2 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "started with the settings {'mode': 'strict'}, but" in done.stdout


def test_who_does_not_ask_pays_nothing(tmp_path: Path) -> None:
    """The plugin imports neither the service nor the client, and starts no thread."""
    (tmp_path / "test_none.py").write_text(
        "import sys, threading\n\n\n"
        "def test_nothing_is_there():\n"
        "    assert not {'uvicorn', 'starlette', 'jsonschema_rs', 'httpx'} & set(sys.modules)\n"
        "    assert threading.active_count() == 1\n"
    )
    done = run(tmp_path, "-p", PLUGIN)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_extra_pytest_still_runs(tmp_path: Path) -> None:
    """Who installed the client alone has the entry point too, and no server to import."""
    (tmp_path / "test_none.py").write_text("def test_one():\n    pass\n")
    for name in ("starlette", "uvicorn", "jsonschema_rs", "yaml", "httpx"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    done = run(tmp_path, "-p", PLUGIN)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    """In `pyproject.toml`, under a name that says whose it is."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"]["taurusdb_starrocks_emulator"] == PLUGIN
