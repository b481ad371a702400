"""A token is found in a response, and hidden in reports, in every form that servers give it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from taurusdb_starrocks_conformance.echo import carries
from taurusdb_starrocks_conformance.exchange import Exchange, Reply, Request
from taurusdb_starrocks_conformance.findings import Example, Finding, Level
from taurusdb_starrocks_conformance.reports import shown, write
from taurusdb_starrocks_conformance.reports.secrets import Secrets
from taurusdb_starrocks_conformance.run import Outcome
from taurusdb_starrocks_conformance.target import Target

TOKEN = "MIIYmAYJKoZIhvcNAQcC+oIIYiTC/GCUCAQExDTALBglghkgBZQMEAgEwggau" * 4 + "Zg=="
PLAIN = json.dumps({"error_msg": f"bad {TOKEN}"})
ECHOES = {
    "plain": PLAIN,
    "PHP": PLAIN.replace("/", "\\/"),
    "Gson": PLAIN.replace("=", "\\u003d").replace("+", "\\u002B"),
    "all escaped": "".join(f"\\u{ord(char):04x}" for char in TOKEN),
    "base64": base64.b64encode(TOKEN.encode()).decode(),
}


def runs(token: str) -> set[str]:
    return {token[start : start + 12] for start in range(len(token) - 11)}


@pytest.mark.parametrize("form", ECHOES)
def test_an_echo_is_found_and_hidden(form: str) -> None:
    echo = ECHOES[form]
    assert carries(echo, TOKEN)
    told = Secrets(TOKEN).hide_runs(echo)
    secret = runs(TOKEN) | runs(ECHOES["base64"])
    assert not any(run in told for run in secret)
    assert "\\u004d" not in told


@pytest.mark.parametrize("length", [12, 13, 23, 60, 150, 200, len(TOKEN) - 2])
@pytest.mark.parametrize("start", [0, 1, 5, 7])
def test_a_token_that_was_cut_is_in_no_report(start: int, length: int) -> None:
    cut = TOKEN[start : start + length]
    told = Secrets(TOKEN).hide_runs(f"a message with {cut}... that was cut; and the rest")
    assert told.startswith("a message with $TAURUSDB_FUZZ_TOKEN:")
    assert told.endswith("... that was cut; and the rest")
    assert not any(run in told for run in runs(TOKEN))


def test_what_is_not_the_token_stays() -> None:
    text = "MIIYm and a text that shares eleven: " + TOKEN[:11]
    assert Secrets(TOKEN).hide_runs(text) == text
    assert not carries(text, TOKEN)


def outcome_of(token: str, message: str) -> Outcome:
    """A run with one finding."""
    target = Target(
        url="http://127.0.0.1:9",
        token=token,
        project_id="0" * 32,
        instance_id="0" * 32 + "in17",
        task_name="orders",
    )
    request = Request("GET", "/", (("X-Auth-Token", token),))
    exchange = Exchange(1, "test", request, Reply(400, (), ECHOES["PHP"].encode()))
    example = Example("list", message, "names: list", exchange)
    finding = Finding(Level.FAULT, "response_schema_conformance", "x", [example])
    return Outcome(target, 1, findings=[finding], exchanges=[exchange])


@pytest.mark.parametrize("token", ["t", "test", "failures"])
def test_a_token_that_is_a_word_of_the_reports_spoils_none(tmp_path: Path, token: str) -> None:
    """The files can be parsed, the verdict can be read, and requests do not have the token."""
    outcome = outcome_of(token, "a message")
    told = write(outcome, tmp_path)
    assert told.splitlines()[-1].startswith("conformance: failed: 1 fault in ")
    ET.parse(tmp_path / "conformance.xml")
    assert json.loads((tmp_path / "conformance.json").read_text())["passed"] is False
    (entry,) = json.loads((tmp_path / "conformance.har").read_text())["log"]["entries"]
    header = {"name": "X-Auth-Token", "value": "$TAURUSDB_FUZZ_TOKEN"}
    assert header in entry["request"]["headers"]


def test_no_report_has_a_message_with_a_part_of_the_token(tmp_path: Path) -> None:
    """Neither the files, nor what is shown in pytest."""
    outcome = outcome_of(TOKEN, f"an error_msg is {TOKEN[:150]}")
    told = [write(outcome, tmp_path), shown(outcome, outcome.findings)]
    told += [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    assert len(told) >= 7
    for text in told:
        assert not any(run in text for run in runs(TOKEN))
