"""Every Python block of the README and the docs runs, against an emulator."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from taurusdb_starrocks import _regions
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks_emulator import Emulator

from docs import http_reference

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
# Where Airflow is, tests/airflow/test_guide.py runs the blocks of its page.
ELSEWHERE = {ROOT / "docs" / "guides" / "airflow.md"}
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# How a fence may open whose content does not run here.
OTHER_FENCES = {"", "console", "ini", "json", "text", "yaml"}


def text_of(page: Path) -> str:
    """A page as Sphinx reads it: that of the HTTP API with what is made from the contract."""
    text = page.read_text(encoding="utf-8")
    if page.name == "http.md":
        contract = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
        for name, part in http_reference.render(contract).items():
            text = text.replace(f"<!-- {name} of openapi.yaml -->", part)
    return text


def blocks() -> list[object]:
    found = [
        pytest.param(
            match[1],
            modules(text),
            id=f"{page.relative_to(ROOT)}:{text[: match.start()].count(chr(10)) + 1}",
        )
        for page in PAGES
        if page not in ELSEWHERE
        for text in [text_of(page)]
        for match in BLOCK.finditer(text)
    ]
    assert len(found) >= 4
    return found


def modules(text: str) -> dict[str, str]:
    """Blocks that begin with the name of a file: other blocks of the page import them."""
    return {
        match[1]: match[0]
        for block in BLOCK.findall(text)
        if (match := re.match(r"# (\w+\.py)\n.*", block, re.DOTALL))
    }


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(token="your IAM token") as emulator:
        yield emulator


@pytest.fixture
def cloud(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator in the place of the region, project and token that the pages name."""
    emulator.reset()
    monkeypatch.setitem(_regions.ENDPOINTS, "ap-southeast-3", emulator.url)
    monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", emulator.token)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", emulator.project_id)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short: nothing is waited for that takes its time."""
    sleep, asleep = time.sleep, asyncio.sleep

    async def shortly(seconds: float) -> Any:
        return await asleep(min(seconds, 0.02))

    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.02)))
    monkeypatch.setattr(asyncio, "sleep", shortly)


@pytest.mark.usefixtures("cloud", "quick")
@pytest.mark.parametrize(("source", "beside"), blocks())
def test_block_runs(
    source: str,
    beside: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """A reader who copies the block gets what the page says."""
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Journal(tmp_path / "nightly" / "pauses.db").close()  # As by an earlier block of its page.
    for name, text in beside.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    try:
        if re.search(r"^(async )?def test_", source, re.MULTILINE):
            run_tests(source, tmp_path)
        else:
            exec(compile(source, "block", "exec"), {"__name__": "__main__"})
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    request.node.user_properties.append(("figure", "code blocks run"))


def run_tests(source: str, folder: Path) -> None:
    """Run a block that is a test, by pytest in a process of its own."""
    (folder / "test_block.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_block.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    assert not re.search(r"skipped|failed|xfailed", done.stdout)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_is_left_out(page: Path) -> None:
    """Python stands in blocks that run, and nowhere else."""
    text = text_of(page)
    assert len(re.findall(r"```+ *python", text)) == len(BLOCK.findall(text))
    opened = re.findall(r"^ *(?:```+|~~~+)([^\n`]*)$", text, re.MULTILINE)[::2]
    for fence in opened:
        kind = fence.strip().partition(" ")[0]
        assert kind == "python" or kind in OTHER_FENCES or kind.startswith("{"), fence
        assert not kind.startswith(("{code", "{doctest", "{sourcecode")), fence


CURL = re.findall(
    r"^\$ (curl (?:.*\\\n)*.*)\n```", text_of(ROOT / "docs/reference/http.md"), re.MULTILINE
)


@pytest.mark.parametrize("command", CURL, ids=lambda command: command.partition('"')[2][-30:])
def test_curl_gets_a_response(command: str, emulator: Emulator) -> None:
    """A reader who copies a sample of curl, with his own values, gets what the page shows."""
    emulator.reset()
    done = subprocess.run(
        ["bash", "-c", command.replace("curl ", "curl --silent --fail-with-body ", 1)],
        env={
            **os.environ,
            "ENDPOINT": emulator.url,
            "TOKEN": emulator.token,
            "PROJECT_ID": emulator.project_id,
            "INSTANCE_ID": emulator.instance_id,
            "SOURCE_INSTANCE_ID": emulator.source_instance_id,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout).keys() & {"job_id", "replications", "database_info", "instances"}


def test_samples_use_the_variables_of_the_page() -> None:
    """A reader who has set the variables at the top of the page can copy every sample."""
    page = text_of(ROOT / "docs/reference/http.md")
    samples = re.findall(r"^\$ (?!export )(?:.*\\\n)*.*$", page, re.MULTILINE)
    used = set(re.findall(r"\$([A-Z_]+)", " ".join(samples)))
    assert used == set(re.findall(r"^\$ export (\w+)=", page, re.MULTILINE))


def test_every_call_has_a_sample_of_curl() -> None:
    """There is one for each operation of the contract."""
    contract = http_reference.Contract(
        yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    )
    assert len(CURL) == len(list(contract.operations())) == 5
