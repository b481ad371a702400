"""The target of a run against a server of ``tests.power.server``."""

from __future__ import annotations

from typing import Any

from taurusdb_starrocks_conformance.target import Target

from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN


def target_at(url: str, **settings: Any) -> Target:
    return Target(
        url=url,
        token=TOKEN,
        project_id=PROJECT,
        instance_id=INSTANCE,
        task_name=TASK,
        **settings,
    )
