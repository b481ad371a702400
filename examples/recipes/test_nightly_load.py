"""Tests of nightly_load.py with the fixtures of the emulator."""

import sys

import pytest
from nightly_load import INSTANCE, load_with_tasks_paused
from taurusdb_starrocks import Client, NotResumedError
from taurusdb_starrocks_emulator import Emulator, Fault


@pytest.fixture
def starrocks_client_settings() -> dict[str, object]:
    return {"settle": 0.5, "timeout": 1}  # Keeps tests of failures short.


def stages(emulator: Emulator) -> set[str]:
    return {emulator.task(INSTANCE, name).stage for name in ("orders_sync", "billing_sync")}


def test_tasks_run_after_a_failed_load(
    starrocks_emulator: Emulator, starrocks_client: Client
) -> None:
    with pytest.raises(Exception, match="returned non-zero exit status 3"):
        load_with_tasks_paused(starrocks_client, [sys.executable, "-c", "raise SystemExit(3)"])
    assert stages(starrocks_emulator) == {"Incremental"}


def test_a_lost_response_does_no_harm(
    starrocks_emulator: Emulator, starrocks_client: Client
) -> None:
    starrocks_emulator.faults.add(Fault("close", operation="pause", applied=True, times=1))
    load_with_tasks_paused(starrocks_client, [sys.executable, "-c", ""])
    assert stages(starrocks_emulator) == {"Incremental"}


def test_a_task_that_stays_paused_is_reported(
    starrocks_emulator: Emulator, starrocks_client: Client
) -> None:
    refused = Fault("error", operation="resume", status=403, code="DBS.200010")
    starrocks_emulator.faults.add(refused)
    with pytest.raises(NotResumedError) as caught:
        load_with_tasks_paused(starrocks_client, [sys.executable, "-c", ""])
    assert set(caught.value.task_names) == {"orders_sync", "billing_sync"}
