"""Right servers pass, whatever their framework does by itself."""

from __future__ import annotations

import time
from typing import Any

import pytest
from taurusdb_starrocks_conformance import Target
from taurusdb_starrocks_conformance.run import Run

from tests.power.frameworks.rules import SOURCE, Rules
from tests.power.frameworks.servers import SERVERS
from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN

# Of the processor: suite and server run in this process. The wall clock depends on what else runs.
LONGEST = 60.0


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("framework", SERVERS)
def test_a_right_server_of_each_framework_passes(
    framework: str, strict: bool, record_property: Any
) -> None:
    """No fault, and only warnings for what the framework does, in a minute of the processor."""
    with SERVERS[framework](Rules(strict=strict)) as url:
        target = Target(
            url=url,
            token=TOKEN,
            project_id=PROJECT,
            instance_id=INSTANCE,
            task_name=TASK,
            source_instance_id=SOURCE,
            all_operations=True,
        )
        began = time.process_time()
        outcome = Run(target, seed=4).go()
        used = time.process_time() - began
    warnings = sorted(finding.title for finding in outcome.warnings)
    record_property("framework", (framework, strict, outcome.cases, outcome.seconds, warnings))
    assert [(f.title, f.operations, f.message) for f in outcome.faults] == []
    assert outcome.cases > 2000
    assert used < LONGEST
