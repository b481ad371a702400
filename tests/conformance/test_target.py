"""What can be tested, and how carefully, is settled before anything is sent."""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from taurusdb_starrocks_conformance.__main__ import main
from taurusdb_starrocks_conformance.apps import served
from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.exchange import Expectation
from taurusdb_starrocks_conformance.fuzzing import Fuzzing
from taurusdb_starrocks_conformance.probes import groups
from taurusdb_starrocks_conformance.suite import Suite
from taurusdb_starrocks_conformance.target import (
    CannotRunError,
    checked_target,
    is_loopback,
    read_target,
)
from taurusdb_starrocks_conformance.task import SAFE
from taurusdb_starrocks_conformance.wire import Wire

from tests.conformance.emulated import main as fuzz
from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN, Answer, Call, Service, serving

VARIABLES = {
    "TAURUSDB_FUZZ_TOKEN": TOKEN,
    "TAURUSDB_FUZZ_PROJECT_ID": PROJECT,
    "TAURUSDB_FUZZ_INSTANCE_ID": INSTANCE,
    "TAURUSDB_FUZZ_TASK_NAME": TASK,
}


@pytest.mark.parametrize("missing", VARIABLES)
def test_a_missing_variable_is_named_before_anything_is_sent(missing: str) -> None:
    service = Service()
    with serving(service) as url:
        environment = {name: value for name, value in VARIABLES.items() if name != missing}
        said: list[str] = []
        assert main([url], environment, said.append) == 2
    assert said == [f"conformance: could not run: {missing} is not set"]
    assert service.calls == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"TARGET": "https://gaussdb.example.com"}, "CONFIRM=yes"),
        ({"TARGET": "http://192.0.2.1:8080"}, "CONFIRM=yes"),
        ({"TARGET": "ftp://localhost"}, "not an http"),
        ({"TARGET": "http://user:secret@localhost"}, "credentials"),
        ({"TAURUSDB_FUZZ_INSTANCE_ID": "short"}, "INSTANCE_ID does not match"),
        ({"TAURUSDB_FUZZ_TASK_NAME": "a-b"}, "TASK_NAME does not match"),
        ({"TAURUSDB_FUZZ_TOKEN": "a\nb"}, "TOKEN is not a valid header value"),
        ({"RATE": "fast"}, "RATE is 'fast'"),
        ({"SETTLE_SECONDS": "long"}, "SETTLE_SECONDS is not a number"),
        ({"SEED": "one"}, "SEED is not a number"),
        ({"TARGET": "", "MODE": "odd"}, "MODE is neither"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_said(changes: dict[str, str], reason: str) -> None:
    """On the last line, and with an exit status of its own."""
    said: list[str] = []
    environment = {**VARIABLES, "TARGET": "http://127.0.0.1:9", **changes}
    assert fuzz(environment, said.append) == 2
    assert said[-1].startswith("conformance: could not run: ")
    assert reason in said[-1]


def test_a_target_that_is_not_there_is_said() -> None:
    said: list[str] = []
    assert fuzz({**VARIABLES, "TARGET": "http://127.0.0.1:9", "SEED": "1"}, said.append) == 2
    assert "does not respond" in said[-1]


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


@pytest.mark.parametrize("missing", ["schemathesis", "jsonschema", "tracecov"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    """The command is there without the extra, and so is the package."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from taurusdb_starrocks_conformance.__main__ import main\n"
        "sys.exit(main(['http://127.0.0.1:9'], {}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout.count("\n") == 1
    assert "pip install 'taurusdb-starrocks[conformance]'" in done.stdout


def test_a_suite_needs_confirmation_too() -> None:
    """A `conftest.py` with the URL of a real service must not test it by accident."""
    settings = {name.removeprefix("TAURUSDB_FUZZ_").lower(): VARIABLES[name] for name in VARIABLES}
    url = "http://gaussdb.invalid"

    def setup() -> None:
        pytest.fail("the setup ran")

    suite = Suite(url, **settings, setup=setup)
    with pytest.raises(CannotRunError, match="confirm=True"):
        suite.run()
    with pytest.raises(CannotRunError, match="TASK_NAME does not match"):
        Suite("http://127.0.0.1:9", **settings | {"task_name": "a-b"}, setup=setup).run()
    target = checked_target(url, confirm=True, **settings)
    assert (target.rate, target.settle, target.hold, target.slowest) == (2.0, 1800.0, 60.0, 5.0)
    assert checked_target(url, confirm=True, rate=0.5, **settings).rate == 0.5
    assert checked_target("http://localhost", **settings).rate is None


def test_nothing_that_may_create_or_delete_is_sent_to_a_real_service() -> None:
    """The real service has POST, PUT and DELETE on paths for which the contract has only GET."""
    settings = {name.removeprefix("TAURUSDB_FUZZ_").lower(): VARIABLES[name] for name in VARIABLES}
    for url, is_remote in (("http://gaussdb.invalid", True), ("http://localhost", False)):
        target = checked_target(url, confirm=True, source_instance_id=INSTANCE, **settings)
        wire = Wire(target, report=lambda *_: None, judge=lambda _: None)
        reads = {
            wire.request(operation).path.partition("?")[0]
            for operation in operations().values()
            if operation.method == "GET"
        }
        unsafe = [
            request
            for group in groups(wire, 1, taken=None)
            for request in (probe.request for probe in group.probes)
            if request.path.partition("?")[0] in reads
            and (
                request.method.upper() not in {*SAFE, "PROPFIND"}
                or any("Method" in name for name, _ in request.headers)
            )
        ]
        assert (unsafe == []) is is_remote
        coverage = Fuzzing(target, "pinned", seed=1).schema.config.phases.coverage
        assert ({one.lower() for one in coverage.unexpected_methods} == {"trace"}) is is_remote


def test_a_change_that_is_refused_for_a_while_is_repeated_at_the_rate() -> None:
    """Each attempt takes its turn, waits longer than the one before, and is in the reports."""
    now, sent = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        now[0] += seconds

    service = Service(busy=1000.0)
    service.changed = float("inf")
    right = service.answer

    def answer(call: Call) -> Answer:
        sent.append(now[0])
        return right(call)

    service.answer = answer  # type: ignore[method-assign] # that is the purpose
    with serving(service) as url:
        settings = {name[14:].lower(): value for name, value in VARIABLES.items()}
        target = checked_target(url, rate=0.5, settle=60.0, **settings)
        wire = Wire(
            target,
            report=lambda *_: None,
            judge=lambda _: None,
            sleep=sleep,
            clock=lambda: now[0],
        )
        wire.task.last, wire.task.needs, wire.task.at = "resume", 0.5, -10.0
        request = wire.request(operations()["pause"])
        expect = Expectation("positive_data_acceptance", "plain", frozenset({200}))
        wire.send(request, "x", expect=expect)
    assert 10 <= len(sent) <= 31
    assert min(after - before for before, after in itertools.pairwise(sent)) >= 1.999
    assert len(wire.exchanges) == len(sent)


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_an_app_that_hangs_does_not_hang_the_run(kind: str) -> None:
    """The server of the app ends although a request does not."""
    over = threading.Event()

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        del receive, send
        if scope["type"] == "http":
            await asyncio.sleep(3600)

    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        del environ, start_response
        over.wait(60)
        return []

    with served(asgi if kind == "asgi" else wsgi) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as caller:
            caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    over.set()
