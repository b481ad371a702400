"""What breaks callers is noticed, and nothing else. Needs Node; run it with `make breaking`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.breaking import LAST_RELEASE, ROOT, breaking_changes, compared, is_allowed

SPEC = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
PAUSE = "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication/pause"


CONFIGURATION = PAUSE.replace("/pause", "/configuration")


def schemas(spec: Any) -> Any:
    return spec["components"]["schemas"]


def renamed(spec: Any, old: str, new: str) -> None:
    """Give a schema another name, wherever it is referred to."""
    text = json.dumps(spec).replace(f'#/components/schemas/{old}"', f'#/components/schemas/{new}"')
    spec.update(json.loads(text))
    schemas(spec)[new] = schemas(spec).pop(old)


BREAKING: dict[str, Callable[[Any], Any]] = {
    "an operation goes": lambda s: s["paths"].pop(PAUSE),
    "a longer name is demanded": lambda s: schemas(s)["TaskName"].update(minLength=4),
    "another property is required": lambda s: schemas(s)["SyncTask"]["required"].append("reason"),
    "the job ID becomes a number": lambda s: schemas(s)["Job"]["properties"]["job_id"].update(
        type="integer"
    ),
    "a language goes": lambda s: schemas(s)["Language"]["enum"].remove("zh-cn"),
    "the header becomes required": lambda s: s["components"]["parameters"]["LanguageHeader"].update(
        required=True
    ),
    "an operation of 1.2 goes": lambda s: s["paths"].pop(CONFIGURATION),
    "the name leaves the query": lambda s: s["paths"][CONFIGURATION]["get"]["parameters"].clear(),
    "the query has another name": lambda s: s["paths"][CONFIGURATION]["get"]["parameters"][
        0
    ].update(name="task"),
    "an error may lack its code": lambda s: schemas(s)["ServiceErrorBody"]["required"].remove(
        "error_code"
    ),
    "200 goes": lambda s: s["paths"][PAUSE]["post"]["responses"].pop("200"),
}
COMPATIBLE: dict[str, Callable[[Any], Any]] = {
    "a shorter name will do": lambda s: schemas(s)["TaskName"].update(minLength=1),
    "an error says always why": lambda s: schemas(s)["GatewayErrorBody"].update(
        required=["error_code", "error_msg"]
    ),
    "a schema has another name": lambda s: renamed(s, "Job", "AcceptedJob"),
    "a source says more": lambda s: schemas(s)["Job"].update({"x-provenance": {"inferred": "?"}}),
    "a job says more": lambda s: schemas(s)["Job"]["properties"].update(note={"type": "string"}),
    "other words": lambda s: s["info"].update(description="Other words."),
}


def against(tmp_path: Path, change: Callable[[Any], Any], version: str = "1.2.0") -> Any:
    changed = copy.deepcopy(SPEC)
    change(changed)
    changed["info"]["version"] = version
    revision = tmp_path / "openapi.yaml"
    revision.write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
    return compared(ROOT / "openapi.yaml", revision)


@pytest.mark.parametrize("change", BREAKING.values(), ids=list(BREAKING))
def test_a_breaking_change_is_noticed(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    """It is told, and not allowed while the major number is the same."""
    comparison = against(tmp_path, change)
    assert breaking_changes(comparison)
    assert not is_allowed(comparison)


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=list(COMPATIBLE))
def test_a_compatible_change_passes(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    comparison = against(tmp_path, change)
    assert breaking_changes(comparison) == []
    assert is_allowed(comparison)


def test_a_new_major_version_may_break(tmp_path: Path) -> None:
    comparison = against(tmp_path, BREAKING["an operation goes"], version="2.0.0")
    assert breaking_changes(comparison)
    assert is_allowed(comparison)


def test_the_contract_keeps_to_the_last_release() -> None:
    """Operations were added; nothing changed for those who pause and resume."""
    comparison = compared(LAST_RELEASE, ROOT / "openapi.yaml")
    assert is_allowed(comparison)
    assert comparison["bump"] in ("none", "patch", "minor", "major")
