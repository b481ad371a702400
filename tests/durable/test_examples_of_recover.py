"""What the examples for cron and systemd run does what they promise."""

from __future__ import annotations

import configparser
import os
import shlex
import subprocess
import sys
from pathlib import Path

from programs import ORDERS, Surroundings

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND = "/opt/nightly/venv/bin/python /opt/nightly/recover.py /var/lib/nightly/pauses.db"


def recover(around: Surroundings, token: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "recover.py"), str(around.journal)],
        env={**os.environ, "TAURUSDB_STARROCKS_AUTH_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script(around: Surroundings) -> None:
    """It exits with 122 if a task cannot be resumed, and tries again in the next run."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
            say("in")
            listen()
        """,
        names=[ORDERS],
    )
    assert program.hear() == ["in"]
    program.kill()
    done = recover(around, "wrong")
    assert done.returncode == 122
    assert "orders_sync: failed AuthenticationError: 401" in done.stderr
    done = recover(around, around.emulator.token)
    assert done.returncode == 0, done.stderr
    assert "orders_sync: resumed" in done.stderr
    assert around.running([ORDERS])


def test_the_script_is_silent_about_what_it_leaves(around: Surroundings) -> None:
    """cron would send a mail every five minutes while a window is open."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            say("in")
            listen()
        """,
        names=[ORDERS],
    )
    assert program.hear() == ["in"]
    done = recover(around, around.emulator.token)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    program.say("go")
    assert program.wait() == 0


def test_the_units_and_the_crontab_run_it() -> None:
    """Both run the same command."""
    assert COMMAND.endswith("recover.py /var/lib/nightly/pauses.db")
    service, timer = (configparser.ConfigParser(interpolation=None, strict=False) for _ in range(2))
    for unit in (service, timer):
        unit.optionxform = str  # type: ignore[assignment,method-assign]
    service.read(EXAMPLES / "taurusdb-starrocks-recover.service")
    timer.read(EXAMPLES / "taurusdb-starrocks-recover.timer")
    assert service["Service"]["ExecStart"] == COMMAND
    assert service["Service"]["Type"] == "oneshot"
    assert {"OnBootSec", "OnUnitActiveSec"} <= set(timer["Timer"])
    lines = (EXAMPLES / "recover.cron").read_text(encoding="utf-8").splitlines()
    jobs = [line for line in lines if not line.startswith("#")]
    assert [shlex.split(job)[-3:] for job in jobs] == [shlex.split(COMMAND)] * 2
