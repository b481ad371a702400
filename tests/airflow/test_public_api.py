"""The provider's public API changes only on purpose."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_snapshot_is_current() -> None:
    """Names and signatures are as committed; ``make airflow-api`` writes them anew."""
    spec = importlib.util.spec_from_file_location("surface", ROOT / "tests/package/surface.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = Path(__file__).with_name("public-api.txt").read_text(encoding="utf-8").splitlines()
    assert module.surface(("taurusdb_starrocks.airflow",)) == kept
