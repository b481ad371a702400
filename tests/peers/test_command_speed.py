"""How long the command takes, beside Python itself and a script with the vendor's client."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from environments import program
from taurusdb_starrocks_emulator import Emulator

COMMAND = Path(sys.executable).with_name("taurusdb-starrocks")
ROUNDS = 9
OFFICIAL = """
import sys
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkgaussdb import v3

endpoint, project, instance = sys.argv[1:]
credentials = BasicCredentials("AKIDEXAMPLE", "SKEXAMPLE", project)
builder = v3.GaussDBClient.new_builder().with_credentials(credentials).with_endpoint(endpoint)
body = v3.PauseStarRocksDataReplication(task_name="orders_sync")
builder.build().pause_star_rocks_data_replication(
    v3.PauseStarRocksDataReplicationRequest(body=body, instance_id=instance, x_language="en-us")
)
"""


def cpu(command: list[str], environ: dict[str, str]) -> float:
    """Seconds of CPU from the start of a process to its end: of a busy machine, too."""
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime


def test_version_takes_four_times_what_python_takes() -> None:
    """At most."""
    environ = {"PATH": os.defpath}
    ratios = [
        cpu([str(COMMAND), "--version"], environ) / cpu([sys.executable, "-c", "pass"], environ)
        for _ in range(ROUNDS)
    ]
    assert statistics.median(ratios) <= 4, ratios


def test_pause_takes_less_than_the_official_client(tmp_path: Path) -> None:
    """Although it keeps a journal, and waits until the task is paused.

    It takes 0.62 of that on a busy machine. The bound fails when more modules are loaded.
    """
    python = program(".venv-official", "python")
    home = {"HOME": str(tmp_path), "PATH": os.defpath}
    ratios = []
    with Emulator() as emulator:
        settings = {
            "TAURUSDB_STARROCKS_ENDPOINT": emulator.url,
            "HUAWEICLOUD_SDK_PROJECT_ID": emulator.project_id,
            "HUAWEICLOUD_SDK_AK": "AKIDEXAMPLE",
            "HUAWEICLOUD_SDK_SK": "SKEXAMPLE",
        }
        where = [emulator.url, emulator.project_id, emulator.instance_id]
        task = [emulator.instance_id, "orders_sync", "--interval", "0.01s"]
        for _ in range(ROUNDS):
            official = cpu([python, "-c", OFFICIAL, *where], home)
            emulator.set_stage(emulator.instance_id, "orders_sync", "Incremental")
            ours = cpu([str(COMMAND), "pause", *task, "--no-limit"], home | settings)
            ratios.append(ours / official)
            cpu([str(COMMAND), "resume", *task], home | settings)
    assert statistics.median(ratios) <= 0.7, ratios
