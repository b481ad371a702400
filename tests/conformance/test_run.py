"""`make fuzz` says what came of it, is careful with services that are not ours, and tells no token.

How much it finds is proved by `make fuzz-power`.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from taurusdb_starrocks_conformance import __main__ as command
from taurusdb_starrocks_conformance import run
from taurusdb_starrocks_conformance.contract import TASK_NAME, operations
from taurusdb_starrocks_conformance.report import CHECKS, Outcome, coverage_of, curl, write
from taurusdb_starrocks_conformance.target import CannotRunError, Target, is_loopback, read_target
from taurusdb_starrocks_conformance.wire import UNKNOWN_TASK, Request, StoppedError, Wire
from taurusdb_starrocks_emulator import Emulator

from tests.conformance.emulated import fuzz_emulator
from tests.conformance.emulated import main as fuzz
from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN, Answer, Call, Service, serving

VARIABLES = {
    "TAURUSDB_FUZZ_TOKEN": TOKEN,
    "TAURUSDB_FUZZ_PROJECT_ID": PROJECT,
    "TAURUSDB_FUZZ_INSTANCE_ID": INSTANCE,
    "TAURUSDB_FUZZ_TASK_NAME": TASK,
}


class Recording(Service):
    """A right server that remembers what it was sent."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[Call] = []

    def answer(self, call: Call) -> Answer:
        self.seen.append(call)
        return super().answer(call)


def target_at(url: str, **settings: Any) -> Target:
    return Target(
        url=url,
        token=TOKEN,
        project_id=PROJECT,
        instance_id=INSTANCE,
        task_name=TASK,
        **settings,
    )


@pytest.fixture(scope="module")
def recorded() -> tuple[Recording, Outcome]:
    """A short run against a strict server that remembers."""
    service = Recording(strict=True)
    with serving(service) as url:
        return service, run.Run(target_at(url), seed=3, examples=8).go()


@pytest.fixture(scope="module")
def emulated() -> Outcome:
    """A short run against the emulator."""
    return fuzz_emulator(seed=5, examples=8)


def test_a_right_server_has_no_fault(recorded: tuple[Recording, Outcome]) -> None:
    _, outcome = recorded
    assert [(finding.check, finding.message) for finding in outcome.findings] == []
    assert command.verdict(outcome) == f"fuzz: no fault in {outcome.cases} cases"


def test_never_more_than_three_bad_identities_in_a_row(recorded: tuple[Recording, Outcome]) -> None:
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
    others = {name for name in names if name != TASK and UNKNOWN_TASK not in name}
    assert TASK in names
    assert all(re.fullmatch(r"[0-9]{30}", name) for name in others), others


def test_the_task_is_left_as_it_was_found() -> None:
    """Paused, if it was paused."""
    service = Service()
    service.instances[INSTANCE][TASK].stage = "Paused"
    service.instances[INSTANCE][TASK].before = "Paused"
    with serving(service) as url:
        running = run.Run(target_at(url), seed=1)
        running.states.look_around()
        running.states.cycle()
        running.states.leave()
    assert service.instances[INSTANCE][TASK].stage == "Paused"


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
        request = wire.request(operations()["list"])
        for _ in range(6):
            wire.send(request, "again")
    gaps = [after - before for before, after in itertools.pairwise(sent)]
    assert min(gaps) >= 0.5


def test_a_target_that_throttles_is_left_alone() -> None:
    """A 429 is the last answer that is asked for."""
    service = Recording()
    throttled = {"error_code": "APIGW.0308", "error_msg": "Throttled."}
    service.finish = lambda call, answer: (  # type: ignore[method-assign] # that is the purpose
        Answer(429, throttled, answer.headers) if call.number > 20 else answer
    )
    with serving(service) as url:
        with pytest.raises(CannotRunError, match="throttles, after"):
            run.Run(target_at(url), seed=1).go()
    assert len(service.seen) == 21


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_missing_variable_is_named_before_anything_is_sent(missing: str) -> None:
    service = Recording()
    with serving(service) as url:
        environment = {**VARIABLES, "TARGET": url}
        del environment[missing]
        said: list[str] = []
        assert fuzz(environment, said.append) == 2
    assert said == [f"fuzz: could not run: {missing} is not set"]
    assert service.seen == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"TARGET": "https://gaussdb.example.com"}, "CONFIRM=yes"),
        ({"TARGET": "http://192.0.2.1:8080"}, "CONFIRM=yes"),
        ({"TARGET": "ftp://localhost"}, "no http"),
        ({"TARGET": "http://user:secret@localhost"}, "credentials"),
        ({"TAURUSDB_FUZZ_INSTANCE_ID": "short"}, "INSTANCE_ID does not fit"),
        ({"TAURUSDB_FUZZ_TASK_NAME": "a-b"}, "TASK_NAME does not fit"),
        ({"TAURUSDB_FUZZ_TOKEN": "a\nb"}, "TOKEN cannot stand in a header"),
        ({"RATE": "fast"}, "RATE is 'fast'"),
        ({"SETTLE_SECONDS": "long"}, "SETTLE_SECONDS is no number"),
        ({"SEED": "one"}, "SEED is no number"),
        ({"TARGET": "", "MODE": "odd"}, "MODE is neither"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_said(changes: dict[str, str], reason: str) -> None:
    """On the last line, and with an exit status of its own."""
    said: list[str] = []
    environment = {**VARIABLES, "TARGET": "http://127.0.0.1:9", **changes}
    assert fuzz(environment, said.append) == 2
    assert said[-1].startswith("fuzz: could not run: ")
    assert reason in said[-1]


def test_a_target_that_is_not_there_is_said() -> None:
    said: list[str] = []
    assert fuzz({**VARIABLES, "TARGET": "http://127.0.0.1:9", "SEED": "1"}, said.append) == 2
    assert "does not answer" in said[-1]


def test_a_service_of_somebody_else_is_treated_with_care() -> None:
    """Two requests a second, unless told otherwise; and as long as a real pause may take."""
    environment = {**VARIABLES, "CONFIRM": "yes"}
    target = read_target("https://gaussdb.example.com", environment)
    assert target.rate == 2.0
    assert target.settle == 1800.0
    assert read_target("https://gaussdb.example.com", {**environment, "RATE": "30/m"}).rate == 0.5
    assert read_target("http://localhost:8080/", VARIABLES).rate is None


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.0.1", False),
        ("localhost.example.com", False),
        ("example.com", False),
    ],
)
def test_loopback_is_known_by_its_name(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_a_fault_is_the_last_line_and_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the request that shows it, as a command without the token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "GRACE", 0.0)
    service = Service()
    service.proved = lambda call: True  # type: ignore[method-assign] # that is the purpose
    said: list[str] = []
    with serving(service) as url:
        assert fuzz({**VARIABLES, "TARGET": url, "SEED": "1"}, said.append) == 1
    assert re.fullmatch(r"fuzz: [0-9]+ faults?", said[-1])
    text = "\n".join(said)
    assert "ignored_auth: pauseStarRocksDataReplication" in text
    assert "curl -i --path-as-is -X POST" in text
    reports = {
        path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "reports").iterdir()
    }
    assert {"fuzz.junit.xml", "fuzz.har", "fuzz.html", "coverage.json"} <= set(reports)
    for report in (*reports.values(), text):
        assert TOKEN not in report
    suite = ET.fromstring(reports["fuzz.junit.xml"])
    failed = {case.get("name") for case in suite if case.find("failure") is not None}
    assert "ignored_auth" in failed
    assert int(suite.get("failures", "0")) == len(failed)
    assert len(suite) == int(suite.get("tests", "0")) == len(CHECKS)
    assert "ignored_auth" in reports["fuzz.html"]


def test_all_requests_can_be_sent_again(
    recorded: tuple[Recording, Outcome], tmp_path: Path
) -> None:
    """The HAR has each of them, in its order, without the token."""
    _, outcome = recorded
    write(outcome, tmp_path, "fuzz: no fault")
    text = (tmp_path / "fuzz.har").read_text(encoding="utf-8")
    assert TOKEN not in text
    entries = json.loads(text)["log"]["entries"]
    assert len(entries) == len(outcome.exchanges)
    assert entries[0]["request"]["method"] == "GET"
    assert all("startedDateTime" in entry and "response" in entry for entry in entries)


def test_a_command_has_the_bytes_that_were_sent() -> None:
    """Also those that no shell takes as they are."""
    target = target_at("http://127.0.0.1:1")
    headers = (("X-Auth-Token", TOKEN), ("Content-Type", "application/json"))
    command = curl(Request("POST", "/a/../b", headers, b'{"a": "\xff\'\n"}'), target)
    assert command == (
        'curl -i --path-as-is -X POST -H "X-Auth-Token: $TAURUSDB_FUZZ_TOKEN" '
        "-H 'Content-Type: application/json' "
        '--data-binary $\'{"a": "\\xff\\\'\\x0a"}\' http://127.0.0.1:1/a/../b'
    )


def test_the_whole_contract_is_exercised(emulated: Outcome) -> None:
    """Operations, parameters, keywords, examples and documented answers: every one of them."""
    assert [(finding.check, finding.message) for finding in emulated.findings] == []
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
        running = run.Run(Target(**settings), seed=1, examples=5)
        running.states.look_around()
        whole = run.Run(Target(**settings, all_operations=True), seed=1, examples=5)
        whole.states.look_around()
    assert running.outcome.findings == []
    assert list(running.states.notes()) == [
        f"The target does not offer {name}: it follows contract {older}."
        for name, older in lacking.items()
    ]
    assert {(finding.check, finding.where) for finding in whole.outcome.findings} == {
        ("positive_data_acceptance", name) for name in lacking
    }


@pytest.mark.parametrize("contract", ["1.0", "1.1"])
def test_a_target_of_an_earlier_contract_is_fuzzed_without_them(contract: str) -> None:
    """The run goes on with what there is, and finds nothing wrong."""
    outcome = fuzz_emulator(seed=2, examples=5, contract=contract)
    assert [(finding.check, finding.message) for finding in outcome.findings] == []
    assert len(outcome.notes) == {"1.0": 3, "1.1": 2}[contract]
    assert outcome.cases > 500


def test_instances_are_fuzzed_only_with_an_instance_to_ask_for() -> None:
    """The run says which setting it lacks."""
    with serving(Service()) as url:
        running = run.Run(target_at(url), seed=1, examples=5)
        running.states.look_around()
    assert running.outcome.findings == []
    assert list(running.states.notes()) == [
        f"The target does not offer {CONFIGURATION}: it follows contract 1.1.",
        f"{INSTANCES} is not fuzzed: TAURUSDB_FUZZ_SOURCE_INSTANCE_ID is not set.",
    ]
