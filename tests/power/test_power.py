"""The fuzzing finds what is wrong with a server, one fault at a time; in a right one nothing."""

from __future__ import annotations

from typing import Any

import pytest
from taurusdb_starrocks_conformance.checks import CHECKS
from taurusdb_starrocks_conformance.run import Outcome, Run
from taurusdb_starrocks_conformance.target import Target

from tests.power.faults import AREAS, FAULTS, Fault
from tests.power.server import INSTANCE, OTHER, PROJECT, TASK, TOKEN, Service, serving

CATCHABLE = [fault for fault in FAULTS if fault.check is not None]
UNCATCHABLE = [fault for fault in FAULTS if fault.check is None]


def fuzz(
    service: Service, *, first_only: bool, other: str | None = None, **settings: Any
) -> Outcome:
    with serving(service) as url:
        target = Target(
            url=url,
            token=TOKEN,
            project_id=PROJECT,
            instance_id=INSTANCE,
            task_name=TASK,
            other_instance_id=other,
            slowest=0.3,
            **{"settle": 0.5, "hold": 0.5, **settings},
        )
        return Run(target, seed=1, first_only=first_only, examples=12).go()


def name_of(fault: Fault) -> str:
    return f"{fault.area}: {fault.name}"


@pytest.mark.parametrize("fault", CATCHABLE, ids=name_of)
def test_each_fault_is_caught_by_the_check_that_should(fault: Fault, record_property: Any) -> None:
    """A fault is found, and what finds it first is the check that is about it.

    What frameworks do by themselves is found as a warning, and as nothing else.
    """
    outcome = fuzz(fault.service(), first_only=True, other=OTHER)
    found = [finding.check for finding in (outcome.warnings if fault.warning else outcome.faults)]
    told = ", ".join(sorted(set(found)))
    row = (fault.area, fault.name, fault.check, told, outcome.cases, outcome.seconds)
    record_property("fault", row)
    assert not (fault.warning and outcome.faults), outcome.faults
    assert fault.check in found, [(f.title, f.message) for f in outcome.findings]


@pytest.mark.parametrize("fault", UNCATCHABLE, ids=name_of)
def test_what_cannot_be_caught_is_not(fault: Fault, record_property: Any) -> None:
    """The list of what cannot be found is right: if this fails, move the fault up in the table."""
    outcome = fuzz(fault.service(), first_only=True)
    found = ", ".join(finding.check for finding in outcome.faults)
    row = (fault.area, fault.name, "none", found, outcome.cases, outcome.seconds, fault.why)
    record_property("fault", row)
    assert outcome.faults == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"strict": True},
        {"others": False, "lists": False},
        {"strict": True, "others": False, "router": True, "unsupported": 415, "methods": 404},
        {"strict": True, "busy": 0.02, "delay": 0.1, "stages": "lower", "methods": 501},
        {"busy": 0.02, "lists": False},
        {"strict": True, "threads": False, "methods": 404},
    ],
    ids=str,
)
def test_a_right_server_passes(settings: dict[str, Any]) -> None:
    """Whatever the contract leaves open, and however few tasks there are, is no fault."""
    outcome = fuzz(Service(**settings), first_only=False, settle=10.0)
    assert [(f.title, f.operations, f.message) for f in outcome.findings] == []
    assert outcome.cases > 500


def test_the_table_is_about_all_areas() -> None:
    """At least forty faults, over every area, each named once and expected of a known check."""
    assert len(CATCHABLE) >= 40
    assert {fault.area for fault in CATCHABLE} == set(AREAS)
    names = [name_of(fault) for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert {fault.check for fault in CATCHABLE} <= set(CHECKS)
    assert all(fault.why for fault in UNCATCHABLE)
