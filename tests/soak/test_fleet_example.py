"""The script of examples/: 200 tasks from a CSV file, killed and started again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from taurusdb_starrocks_emulator import Emulator

from tests.fleet.fleets import PROJECT, instance, seed

SCRIPT = Path(__file__).parents[2] / "examples" / "pause_fleet.py"


def test_killed_in_the_middle_it_goes_on(tmp_path: Path) -> None:
    """Each task is paused by one request, and running in the end."""
    rows = [f"{instance(i)},task_{n}" for i in range(4) for n in range(50)]
    (tmp_path / "targets.csv").write_text("\n".join(["instance_id,task_name", *rows]))
    with Emulator(seed=seed(4, 50)) as emulator:
        environment = {
            **os.environ,
            "TAURUSDB_STARROCKS_ENDPOINT": emulator.url,
            "HUAWEICLOUD_SDK_PROJECT_ID": PROJECT,
            "TAURUSDB_STARROCKS_AUTH_TOKEN": emulator.token,
        }

        def start(verb: str) -> subprocess.Popen[str]:
            command = [sys.executable, str(SCRIPT), verb, "targets.csv", "state/journal.db"]
            return subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
            )

        def paused() -> int:
            return sum(task.stage == "Paused" for task in emulator.tasks())

        with start("pause") as process:
            while paused() < 50:
                assert process.poll() is None
                time.sleep(0.05)
            process.kill()
        assert 50 <= paused() < 200
        for verb, stage in (("pause", "Paused"), ("resume", "Incremental")):
            with start(verb) as process:
                text, _ = process.communicate(timeout=300)
            assert process.returncode == 0, text
            assert "left: 0" in text
            assert {task.stage for task in emulator.tasks()} == {stage}
        sent = [(call.operation, call.instance_id, call.task_name) for call in emulator.journal()]
        changes = [call for call in sent if call[0] in {"pause", "resume"}]
        assert len(changes) == len(set(changes)) == 400
