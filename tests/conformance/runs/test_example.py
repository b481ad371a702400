"""The example that fuzzes a stand-in of somebody's own finds what is wrong with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RIGHT = """
from taurusdb_starrocks_emulator import Emulator

emulator = Emulator()
app = emulator.app
PROJECT_ID, INSTANCE_ID = emulator.project_id, emulator.instance_id
SOURCE_INSTANCE_ID = emulator.source_instance_id
TASK_NAME, TOKEN = emulator.task_name, emulator.token
"""
# What the emulator refuses with 400, this one calls unprocessable.
WRONG = (
    RIGHT
    + """
right = emulator.app


async def app(scope, receive, send):
    async def altered(message):
        if message.get("status") == 400:
            message["status"] = 422
        await send(message)

    await right(scope, receive, altered)
"""
)


def run(folder: Path, stand_in: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "examples" / "test_stand_in.py", folder)
    (folder / "schemathesis.toml").write_text("[generation]\nmax-examples = 10\n")
    (folder / "my_mock_server.py").write_text(stand_in, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_stand_in.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_right_stand_in_passes(tmp_path: Path) -> None:
    done = run(tmp_path, RIGHT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_a_wrong_stand_in_fails(tmp_path: Path) -> None:
    done = run(tmp_path, WRONG)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Received: 422" in done.stdout
