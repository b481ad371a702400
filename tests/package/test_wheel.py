"""The wheel, alone in an environment of its own, with the sources out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from taurusdb_starrocks_emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import json, os, sys
from taurusdb_starrocks import Client, TokenAuth, spec
import taurusdb_starrocks_api
with Client(auth=TokenAuth(os.environ["TOKEN"])) as client:
    instance = os.environ["INSTANCE"]
    job = client.pause(instance, "orders_sync")
    stage = client.task(instance, "orders_sync").stage_text
    client.resume(instance, "orders_sync")
files = [sys.modules[name].__file__ for name in ("taurusdb_starrocks", "taurusdb_starrocks_api")]
print(json.dumps({"job": job.id, "stage": stage, "files": files, "spec": len(spec())}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, ROOT], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_holds_the_packages_and_the_contract(wheel: Path) -> None:
    """Three packages, each typed, two with the contract; no test and no document."""
    names = zipfile.ZipFile(wheel).namelist()
    packages = {"taurusdb_starrocks", "taurusdb_starrocks_api", "taurusdb_starrocks_emulator"}
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == packages
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    contract = (ROOT / "openapi.yaml").read_bytes()
    for package in ("taurusdb_starrocks", "taurusdb_starrocks_emulator"):
        assert zipfile.ZipFile(wheel).read(f"{package}/openapi.yaml") == contract


def test_wheel_alone_calls_an_emulator_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Installed with nothing but its base dependencies, it pauses a task over the network."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    with Emulator() as emulator:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "TAURUSDB_STARROCKS_ENDPOINT": emulator.url,
            "HUAWEICLOUD_SDK_PROJECT_ID": emulator.project_id,
            "TOKEN": emulator.token,
            "INSTANCE": emulator.instance_id,
        }
        ran = subprocess.run(
            [python, "-c", SCRIPT],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        journal = emulator.journal()
    told = json.loads(ran.stdout)
    assert told["stage"] == "Paused"
    assert [call.operation for call in journal] == ["pause", "list", "resume"]
    assert told["job"] == journal[0].job_id
    assert told["spec"] == len((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    assert all(str(tmp_path) in file for file in told["files"])
