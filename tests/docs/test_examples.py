"""Every Python block of the README and the docs runs, against an emulator."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from taurusdb_starrocks import _hosts
from taurusdb_starrocks_emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks() -> list[object]:
    found = [
        pytest.param(
            match[1], id=f"{page.relative_to(ROOT)}:{text[: match.start()].count(chr(10)) + 1}"
        )
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for match in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]
    assert len(found) >= 4
    return found


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator in the place of the region, project and token that the pages name."""
    with Emulator(token="your IAM token") as emulator:
        monkeypatch.setitem(_hosts.ENDPOINTS, "ap-southeast-3", emulator.url)
        monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", emulator.token)
        monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", emulator.project_id)
        yield emulator


@pytest.mark.parametrize("source", blocks())
def test_block_runs(source: str, cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who copies the block gets what the page says."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.02)))
    exec(compile(source, "block", "exec"), {"__name__": "__main__"})
