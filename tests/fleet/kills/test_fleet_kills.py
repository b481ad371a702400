"""Programs with a window over a fleet, which are killed or stopped, and so are guardians."""

from __future__ import annotations

import os
import signal

import pytest
from taurusdb_starrocks import Client, TokenAuth
from taurusdb_starrocks.durable import Journal, overview, recover
from taurusdb_starrocks.fleet import Target
from taurusdb_starrocks_emulator import Emulator

from tests.fleet.conftest import stages
from tests.fleet.test_fleet_runs import FAST
from tests.fleet.windows_running import all_run, begun, guardians, program, until


@pytest.mark.parametrize("at", ["pausing", "inside"])
def test_a_program_that_is_killed(
    emulator: Emulator, journal: Journal, targets: list[Target], at: str
) -> None:
    """Its guardian resumes all tasks at once, waits until they run, and ends."""
    with program(emulator, journal, targets, 60) as process:
        if at == "inside":
            assert begun(process)
        else:
            until(lambda: stages(emulator).get("Paused", 0) > 20)
        process.kill()
        process.wait()
        until(lambda: stages(emulator).get("Paused", 0) > 0)
        until(lambda: overview(journal) == [])
    assert all_run(emulator)
    until(lambda: guardians(journal) == [])


def test_program_and_guardian_killed(
    emulator: Emulator, journal: Journal, targets: list[Target]
) -> None:
    """The tasks are abandoned by the journal, and recover resumes them."""
    with program(emulator, journal, targets[:60], 60) as process:
        assert begun(process)
        (guardian,) = guardians(journal)
        process.send_signal(signal.SIGSTOP)  # So that it does not start another.
        os.kill(guardian, signal.SIGKILL)
        until(lambda: guardians(journal) == [])
        process.kill()
        process.wait()
    assert {entry.state for entry in overview(journal)} == {"abandoned"}

    def client(endpoint: str, project_id: str) -> Client:
        return Client(endpoint=endpoint, project_id=project_id, auth=TokenAuth(emulator.token))

    assert {
        done.outcome for done in recover(journal, connect=client, poll=FAST["poll"], settle=0.5)
    } == {"resumed"}
    assert all_run(emulator)


def test_a_program_that_is_stopped(
    emulator: Emulator, journal: Journal, targets: list[Target]
) -> None:
    """The guardian resumes its tasks at the end of the lease; it is told once it goes on."""
    with program(emulator, journal, targets[:6], 6) as process:
        assert begun(process)
        process.send_signal(signal.SIGSTOP)
        until(lambda: all_run(emulator))
        process.send_signal(signal.SIGCONT)
        text, _ = process.communicate("\n")
    assert text.splitlines() == ["LeaseExpiredError"]
    assert overview(journal) == []
