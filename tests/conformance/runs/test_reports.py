"""What a run leaves behind: every finding once, with a command that shows it, and no token."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from taurusdb_starrocks_conformance.checks import AREAS, CHECKS
from taurusdb_starrocks_conformance.exchange import Request
from taurusdb_starrocks_conformance.reports import write
from taurusdb_starrocks_conformance.reports.commands import curl
from taurusdb_starrocks_conformance.reports.secrets import Secrets
from taurusdb_starrocks_conformance.run import Outcome, Run
from taurusdb_starrocks_conformance.target import Target

from tests.conformance.targets import target_at
from tests.power.faults import FAULTS
from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN, Answer, Call, Service, serving

VARIABLES = {
    "TAURUSDB_FUZZ_TOKEN": TOKEN,
    "TAURUSDB_FUZZ_PROJECT_ID": PROJECT,
    "TAURUSDB_FUZZ_INSTANCE_ID": INSTANCE,
    "TAURUSDB_FUZZ_TASK_NAME": TASK,
    "SETTLE_SECONDS": "0.5",
    "HOLD_SECONDS": "0.5",
}


class Slips(Service):
    """A server with several slips: each is one finding."""

    def proved(self, call: Call) -> bool:
        token = call.header("x-auth-token") or ""
        return len(token) > 3 and TOKEN.lower().startswith(token.lower())

    def name_ok(self, name: Any) -> bool:
        return isinstance(name, str) and super().name_ok(name.strip("\0").strip())

    def task(self, tasks: dict[str, Any], name: str) -> Any:
        return super().task(tasks, name.strip("\0").strip())

    def page(self, rows: list[Any], limit: int, offset: int) -> Any:
        shown = rows[offset : offset + limit]
        return {"total_count": len(shown), "replications": shown}

    def finish(self, call: Call, answer: Answer) -> Answer:
        if answer.status == 200:
            answer.headers["Content-Type"] = "text/html"
        elif answer.status == 405:
            answer.headers["Allow"] = ""
        return answer


FOUND = {
    "ignored_auth: credentials",
    "pages_fit",
    "invalid_accepted: task_name: white space",
    "content_type_conformance: text/html",
    "allow_header_conformance: 405 without Allow",
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Slips()) as url:
        yield url


@pytest.fixture(scope="module")
def found(url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A run against the server with slips, and its reports."""
    folder = tmp_path_factory.mktemp("reports")
    outcome = Run(target_at(url, settle=0.5, hold=0.5), seed=1, examples=5).go()
    write(outcome, folder)
    return outcome, folder


def test_one_slip_is_one_finding(found: tuple[Outcome, Path]) -> None:
    """However many operations and requests show it."""
    outcome, _ = found
    assert {finding.title for finding in outcome.findings} == FOUND
    auth = next(finding for finding in outcome.findings if finding.check == "ignored_auth")
    assert len(auth.operations) == 3
    assert [finding.check for finding in outcome.warnings] == ["allow_header_conformance"]


def test_security_comes_first(found: tuple[Outcome, Path]) -> None:
    """Then what a task does, then what is accepted, then the form of responses; warnings last."""
    outcome, _ = found
    places = [AREAS.index(CHECKS[finding.check].area) for finding in outcome.faults]
    assert places == sorted(places)
    assert outcome.findings[0].check == "ignored_auth"
    assert outcome.findings[-1] in outcome.warnings


def test_no_example_hides_another(found: tuple[Outcome, Path]) -> None:
    """Every kind of request that shows a slip is told."""
    outcome, _ = found
    spaces = next(f for f in outcome.findings if f.cause == "task_name: white space")
    told = {
        example.exchange.expect.what
        for example in spaces.examples
        if example.exchange is not None and example.exchange.expect is not None
    }
    assert {"space at the end", "tab at the end", "line break in front", "CR LF at the end"} <= told


def test_no_report_has_the_token(found: tuple[Outcome, Path]) -> None:
    """Nor what is nearly the token."""
    _, folder = found
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        for secret in (TOKEN, TOKEN.swapcase(), TOKEN[:-1]):
            assert secret not in text, path.name


def commands(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    report = json.loads((folder / "conformance.json").read_text(encoding="utf-8"))
    return [
        (finding["check"], example)
        for finding in report["findings"]
        for example in finding["examples"]
    ]


def in_bash(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    module = f"{shlex.quote(sys.executable)} -m taurusdb_starrocks_conformance"
    program = f'taurusdb-starrocks-conformance() {{ {module} "$@"; }}'
    return subprocess.run(
        ["bash", "-c", f"{program}; {command}"],
        env=os.environ | VARIABLES,
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
    )


def test_every_command_shows_its_finding_again(found: tuple[Outcome, Path]) -> None:
    """As it is printed, in bash: curl gets the status of the report, a replay says so."""
    _, folder = found
    replays = set()
    curls = 0
    for check, example in commands(folder):
        command = example["command"]
        if "--replay" in command:
            # One of a kind is enough: each looks at the target first.
            if (check, example["step"]) in replays:
                continue
            replays.add((check, example["step"]))
            done = in_bash(command, folder)
            assert done.returncode == 1, (command, done.stdout, done.stderr)
            assert done.stdout.endswith(f"replay: {check} shows again\n"), done.stdout
        else:
            curls += 1
            done = in_bash(f"set -o pipefail; {command} -s", folder)
            assert done.returncode == 0, (command, done.stderr)
            status = int(done.stdout.split()[1])
            assert status == example["response"]["status"], (command, done.stdout)
    assert curls > 30
    assert len(replays) >= 3


def test_a_replay_says_when_a_finding_is_gone(found: tuple[Outcome, Path]) -> None:
    """Once the server is right, the same file shows nothing."""
    _, folder = found
    replay = next(folder.glob("replay-*-pages_fit.json"))
    with serving(Service()) as url:
        done = in_bash(f"taurusdb-starrocks-conformance {url} --replay {replay}", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("replay: pages_fit does not show\n")


class References(HTMLParser):
    """Collects everything that a page would load or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [f"{name}={value}" for name, value in attrs if name in ("href", "src")]


def test_the_page_refers_to_nothing_outside(found: tuple[Outcome, Path]) -> None:
    """One file, without scripts, that has every finding."""
    outcome, folder = found
    text = (folder / "conformance.html").read_text(encoding="utf-8")
    page = References()
    page.feed(text)
    assert page.found == []
    assert not {"script", "link", "img", "iframe"} & page.tags
    assert "url(" not in text.partition("</style>")[0]
    for finding in outcome.findings:
        assert finding.title in text


def test_junit_has_a_case_for_each_check(found: tuple[Outcome, Path], tmp_path: Path) -> None:
    """Faults are failures; warnings are only when strict."""
    outcome, folder = found

    def failed(folder: Path) -> set[str | None]:
        suite = ET.parse(folder / "conformance.xml").getroot()
        cases = {case.get("name") for case in suite if case.find("failure") is not None}
        assert len(suite) == int(suite.get("tests", "0")) == len(CHECKS)
        assert int(suite.get("failures", "0")) == len(cases)
        return cases

    assert failed(folder) == {finding.check for finding in outcome.faults}
    write(outcome, tmp_path, strict=True)
    assert failed(tmp_path) == {finding.check for finding in outcome.findings}


def test_the_har_has_every_request(found: tuple[Outcome, Path]) -> None:
    """In its order."""
    outcome, folder = found
    entries = json.loads((folder / "conformance.har").read_text(encoding="utf-8"))["log"]["entries"]
    assert len(entries) == len(outcome.exchanges)
    assert [entry["request"]["method"] for entry in entries] == [
        exchange.request.method for exchange in outcome.exchanges
    ]


def test_the_text_ends_with_the_verdict(found: tuple[Outcome, Path]) -> None:
    """Faults and warnings are counted apart."""
    outcome, folder = found
    last = (folder / "conformance.txt").read_text(encoding="utf-8").splitlines()[-1]
    assert last == f"conformance: failed: 4 faults, 1 warning in {outcome.cases} cases"


def test_a_warning_fails_only_if_strict() -> None:
    """A 405 without Allow is what frameworks do."""
    (fault,) = [fault for fault in FAULTS if fault.name == "405 without Allow"]
    with serving(fault.service()) as url:
        outcome = Run(target_at(url, settle=0.5, hold=0.5), seed=1).go(only="methods: pause")
    assert not outcome.failed()
    assert outcome.failed(strict=True)
    assert (
        outcome.verdict() == f"conformance: passed: no faults, 1 warning in {outcome.cases} cases"
    )
    assert outcome.verdict(strict=True).startswith("conformance: failed: no faults, 1 warning")


@pytest.mark.parametrize(
    "token", ["plain_token_0123", "a b'c\"d\\e$f`g!h", "%41%2F;&|<>(){}*?~#", "x" * 12]
)
@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("{token}", b'{"task_name": "a"}'),
        ("Bearer {token}x", b"'\"$HOME`id`\\n"),
        ("{swapped}", b"\0\xff%s%%\\\n@"),
        ("{shorter}", b"@/etc/passwd"),
        ("{base64}", b""),
    ],
)
def test_a_command_sends_the_bytes_that_were_sent(token: str, value: str, body: bytes) -> None:
    """Also those that no shell takes as they are, and whatever the token is made of."""
    from base64 import b64encode  # noqa: PLC0415 - for this one

    value = value.format(
        token=token,
        swapped=token.swapcase(),
        shorter=token[:-1],
        base64=b64encode(token.encode()).decode().rstrip("="),
    )
    seen: list[Call] = []

    class Recording(Service):
        def answer(self, call: Call) -> Answer:
            seen.append(call)
            return super().answer(call)

    with serving(Recording()) as url:
        target = Target(url=url, token=token, project_id="", instance_id="", task_name="")
        headers = (("X-Auth-Token", value), ("X-Note", 'it\'s "$HOME" \\ `id`'))
        command = curl(Request("POST", "/a/../b?x[]=1&y=%00", headers, body), target)
        assert command is not None
        assert token not in command
        subprocess.run(
            ["bash", "-c", f"{command} -s"],
            env=os.environ | {"TAURUSDB_FUZZ_TOKEN": token},
            check=True,
            capture_output=True,
        )
    (call,) = seen
    assert call.header("x-auth-token") == value.strip()
    assert call.header("x-note") == headers[1][1]
    assert (call.path, call.query, call.body) == ("/a/../b", "x[]=1&y=%00", body)
    assert call.header("content-type") is None


def test_what_no_command_can_send_is_replayed() -> None:
    """A long body, a HEAD, and bytes that no argument can hold."""
    target = target_at("http://127.0.0.1:1", settle=0.5, hold=0.5)
    for request in (
        Request("POST", "/", (), b"x" * 5000),
        Request("HEAD", "/"),
        Request("GET", "/", (("X-Note", "a\0b"),)),
        Request("GET", "/é"),
    ):
        assert curl(request, target) is None


def test_hidden_text_can_be_brought_back() -> None:
    """By whoever has the token."""
    secrets = Secrets(TOKEN)
    text = f"a {TOKEN}x {TOKEN.swapcase()} {TOKEN[:-1]}! {TOKEN[:3]}"
    hidden = secrets.hide(text)
    assert re.findall(r"\$TAURUSDB_FUZZ_TOKEN(?::\w+)?", hidden) == [
        "$TAURUSDB_FUZZ_TOKENx"[:-1],
        "$TAURUSDB_FUZZ_TOKEN:swapped",
        "$TAURUSDB_FUZZ_TOKEN:shortened",
    ]
    assert secrets.reveal(hidden) == text
