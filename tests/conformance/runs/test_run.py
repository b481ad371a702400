"""A run finds no fault where there is none, and is careful with services that are not ours.

How much it finds is proved by `make fuzz-power`.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from taurusdb_starrocks_conformance import contract, fuzzing
from taurusdb_starrocks_conformance.build import request_for
from taurusdb_starrocks_conformance.contract import TASK_NAME, operations
from taurusdb_starrocks_conformance.exchange import UNKNOWN_TASK
from taurusdb_starrocks_conformance.near_misses import other_names
from taurusdb_starrocks_conformance.reports import coverage_of
from taurusdb_starrocks_conformance.run import Outcome, Run
from taurusdb_starrocks_conformance.target import Target
from taurusdb_starrocks_conformance.wire import StoppedError, Wire
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.conformance.emulated import fuzz_emulator
from tests.conformance.targets import target_at
from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN, Answer, Call, Service, serving


class Recording(Service):
    """A right server that remembers what it was sent."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[Call] = []

    def answer(self, call: Call) -> Answer:
        self.seen.append(call)
        return super().answer(call)


@pytest.fixture(scope="module")
def recorded() -> tuple[Recording, Outcome]:
    """A short run against a strict server that remembers."""
    service = Recording(strict=True)
    with serving(service) as url:
        return service, Run(target_at(url, hold=0.2), seed=3, examples=8).go()


@pytest.fixture(scope="module")
def emulated() -> Outcome:
    """A short run against the emulator."""
    return fuzz_emulator(seed=5, examples=8)


def test_a_right_server_has_no_fault(recorded: tuple[Recording, Outcome]) -> None:
    _, outcome = recorded
    assert [(finding.title, finding.message) for finding in outcome.findings] == []
    assert (
        outcome.verdict(strict=True) == f"conformance: passed: no faults in {outcome.cases} cases"
    )


def test_never_more_than_three_bad_credentials_in_a_row(
    recorded: tuple[Recording, Outcome],
) -> None:
    """Five lock an access key; whatever sends them, a good one comes in between."""
    service, _ = recorded
    longest = row = bad = 0
    for call in service.seen:
        good = call.header("x-auth-token") == TOKEN and call.header("authorization") is None
        row = 0 if good else row + 1
        bad += not good
        longest = max(longest, row)
    assert bad > 50
    assert longest == 3


def test_no_other_task_is_named(recorded: tuple[Recording, Outcome]) -> None:
    """Every right name is that of the task, or one that nobody gives to a task."""
    service, _ = recorded
    names = set()
    for call in service.seen:
        try:
            document = json.loads(call.body)
        except (ValueError, RecursionError):
            continue
        name = document.get("task_name") if isinstance(document, dict) else None
        if isinstance(name, str) and TASK_NAME.fullmatch(name):
            names.add(name)
    near = set(other_names(TASK).values())
    others = {name for name in names - near if name != TASK and UNKNOWN_TASK not in name}
    assert TASK in names
    assert all(re.fullmatch(r"[0-9]{30}", name) for name in others), others


def test_no_name_that_may_be_taken_is_used() -> None:
    """Where the list does not tell which tasks there are, nearly right names are left out."""
    service = Recording(lists=False)
    with serving(service) as url:
        Run(target_at(url), seed=3, examples=5).go(only="names: pause")
    named = b"".join(call.body for call in service.seen)
    assert UNKNOWN_TASK.encode() in named
    assert not any(f'"{name}"'.encode() in named for name in other_names(TASK).values())


@pytest.mark.parametrize(
    "fault",
    [
        Fault("short-pages", limit=50),
        Fault("misses", task="ORDERS_SYNC2"),
        Fault("misses", task="orders_sync"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.task or ''}",
)
def test_no_similar_task_beyond_a_short_page_is_touched(fault: Fault) -> None:
    """A server may cap a page at 50 tasks, and similar names may be on the next page."""
    names = ["orders_sync2", *(f"t{number:03d}" for number in range(57))]
    names += ["orders_sync", "ORDERS_SYNC2"]
    instance = {
        "id": INSTANCE,
        "tasks": [{"name": name, "source_database": "d"} for name in names],
    }
    project = {"id": PROJECT, "name": "region_1", "instances": [instance]}
    with Emulator(seed={"projects": [project]}) as emulator:
        emulator.faults.add(fault)
        target = Target(
            url=emulator.url,
            token=emulator.token,
            project_id=PROJECT,
            instance_id=INSTANCE,
            task_name="orders_sync2",
            hold=0.1,
        )
        for step in ("names: pause", "names: resume", "names: configuration", "pages"):
            outcome = Run(target, seed=1).go(only=step)
            if fault.kind == "short-pages":
                assert [(found.title, found.message) for found in outcome.findings] == []
            else:
                assert {found.check for found in outcome.findings} <= {"pages_fit"}
        assert [task.name for task in emulator.tasks() if task.changes] == ["orders_sync2"]


def test_it_is_never_faster_than_told() -> None:
    """Two a second are two a second, whatever is sent."""
    now = [0.0]
    sent: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with serving(Service()) as url:
        wire = Wire(
            target_at(url, rate=2.0),
            report=lambda *_: None,
            judge=lambda _: sent.append(now[0]),
            sleep=sleep,
            clock=lambda: now[0],
        )
        request = request_for(wire.target, operations()["list"])
        for _ in range(6):
            wire.send(request, "again")
    gaps = [after - before for before, after in itertools.pairwise(sent)]
    assert min(gaps) >= 0.5


def test_a_target_that_throttles_is_left_alone() -> None:
    """After a 429 nothing is sent but what brings the task back, and that only now and then."""
    service = Recording()
    throttled = {"error_code": "APIGW.0308", "error_msg": "Throttled."}
    service.finish = lambda call, answer: (  # type: ignore[method-assign] # that is the purpose
        Answer(429, throttled, answer.headers) if call.number > 20 else answer
    )
    with serving(service) as url:
        outcome = Run(target_at(url, settle=0.5), seed=1).go()
    assert outcome.verdict().startswith("conformance: could not run: the target throttles, after")
    assert outcome.not_restored is not None
    assert len(service.seen) < 28


def test_the_whole_contract_is_exercised(emulated: Outcome) -> None:
    """Operations, parameters, keywords, examples and documented answers: every one of them."""
    assert [(finding.title, finding.message) for finding in emulated.findings] == []
    coverage = coverage_of(emulated.exchanges, emulated.target)
    summary: Any = coverage.build_json_report()["summary"]
    gaps = coverage.coverage_gaps()
    for dimension in ("operations", "parameters", "keywords", "examples", "responses"):
        assert summary[dimension]["percent"] == 100.0, (dimension, gaps)


def test_nothing_is_sent_once_it_has_stopped() -> None:
    """Not even by the library below schemathesis."""
    service = Recording()
    with serving(service) as url:
        wire = Wire(target_at(url), report=lambda *_: None, judge=lambda _: None)
        wire.stopped = "enough"
        with pytest.raises(StoppedError):
            wire.send(wire.request(operations()["list"]), "late")
    assert service.seen == []
    assert wire.exchanges == []


LIST, CONFIGURATION, INSTANCES = (
    "listStarRocksDataReplications",
    "listStarRocksDataReplicationConfig",
    "listHtapInstanceInfo",
)


@pytest.mark.parametrize(
    ("contract", "lacking"),
    [
        ("1.0", {LIST: "1.0", CONFIGURATION: "1.1", INSTANCES: "1.1"}),
        ("1.1", {CONFIGURATION: "1.1", INSTANCES: "1.1"}),
        ("1.2", {}),
    ],
)
def test_a_target_of_an_earlier_contract_lacks_operations(
    contract: str, lacking: dict[str, str]
) -> None:
    """It is told, and no fault; for a target that must have them all, each is one."""
    with Emulator(contract=contract) as emulator:
        settings: dict[str, Any] = {
            "url": emulator.url,
            "token": emulator.token,
            "project_id": emulator.project_id,
            "instance_id": emulator.instance_id,
            "task_name": emulator.task_name,
            "source_instance_id": emulator.source_instance_id,
        }
        running = Run(Target(**settings), seed=1, examples=5)
        running.first_look.look()
        whole = Run(Target(**settings, all_operations=True), seed=1, examples=5)
        whole.first_look.look()
    assert running.findings.sorted() == []
    notes = list(running.first_look.notes())
    assert [note for note in notes if "does not have" in note] == [
        f"The server does not have {name}: it implements API version {older}."
        for name, older in lacking.items()
    ]
    assert any("could not be tested" in note for note in notes) is (LIST in lacking)
    found = {
        (finding.check, where)
        for finding in whole.findings.sorted()
        for where in finding.operations
    }
    assert found == {("positive_data_acceptance", name) for name in lacking}


@pytest.mark.parametrize("contract", ["1.0", "1.1"])
def test_a_target_of_an_earlier_contract_is_fuzzed_without_them(contract: str) -> None:
    """The run goes on with what there is, and finds nothing wrong."""
    outcome = fuzz_emulator(seed=2, examples=5, contract=contract)
    assert [(finding.title, finding.message) for finding in outcome.findings] == []
    assert len(outcome.notes) == {"1.0": 5, "1.1": 2}[contract]
    assert outcome.cases > 500


def test_instances_are_fuzzed_only_with_an_instance_to_ask_for() -> None:
    """The run says which setting it lacks."""
    with serving(Service()) as url:
        running = Run(target_at(url), seed=1, examples=5)
        running.first_look.look()
    assert running.findings.sorted() == []
    assert list(running.first_look.notes()) == [
        f"The server does not have {CONFIGURATION}: it implements API version 1.1.",
        f"{INSTANCES} is not tested: TAURUSDB_FUZZ_SOURCE_INSTANCE_ID is not set.",
    ]


def test_what_the_suite_cannot_undo_is_never_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A change that comes into the contract is left alone until the suite knows it, and noted."""
    assert contract.untested() == []
    described = yaml.safe_load(contract.SPEC.read_text(encoding="utf-8"))
    pause = next(path for path in described["paths"] if path.endswith("/pause"))
    removal = copy.deepcopy(described["paths"][pause])
    removal["post"]["operationId"] = "deleteTask"
    for response in removal["post"]["responses"].values():
        response.pop("links", None)
    described["paths"][pause.replace("/pause", "/delete")] = removal
    spec = tmp_path / "openapi.yaml"
    spec.write_text(yaml.safe_dump(described), encoding="utf-8")
    for module in (contract, fuzzing):
        monkeypatch.setattr(module, "SPEC", spec)
    contract.document.cache_clear()
    contract.operations.cache_clear()
    try:
        service = Recording()
        with serving(service) as url:
            outcome = Run(target_at(url, hold=0.2), seed=3, examples=8).go()
    finally:
        contract.document.cache_clear()
        contract.operations.cache_clear()
    assert "deleteTask is not tested: the suite does not know this operation." in outcome.notes
    assert [call.path for call in service.seen if call.path.endswith("/delete")] == []
    assert outcome.faults == []
