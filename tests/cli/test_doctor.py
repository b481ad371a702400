"""What is configured, and whether it works."""

from __future__ import annotations

import certifi
import pytest
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.cli.running import Ran, Run


def found(ran: Ran) -> dict[str, tuple[str, str]]:
    """What it found of each thing, and where."""
    return {row["what"]: (row["found"], row["source"]) for row in ran.rows}


def test_all_is_well(run: Run, emulator: Emulator) -> None:
    """Each setting with its value and its source, and what one request showed."""
    ran = run("doctor", emulator.instance_id, "-o", "json")
    assert ran.status == 0
    seen = found(ran)
    assert seen["endpoint"] == (emulator.url, "TAURUSDB_STARROCKS_ENDPOINT")
    assert seen["project"] == (emulator.project_id, "HUAWEICLOUD_SDK_PROJECT_ID")
    assert seen["credentials"] == ("found", "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK")
    assert seen["authentication"][0] == "works"
    assert seen["instance"][0] == "tasks can be listed"
    assert seen["journal"][0].endswith(
        "/state/taurusdb-starrocks/journal.sqlite (does not exist yet)"
    )
    assert seen["permission to pause"][0].startswith("not checked")
    assert [call.operation for call in emulator.journal()] == ["list"]
    assert "SKEXAMPLE" not in ran.out + ran.err


def test_sources_that_are_options(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have the names that they have here."""
    monkeypatch.setattr("click.prompt", lambda text, **_: "AKIDEXAMPLE" if "AK" in text else "S")
    ran = run(
        "doctor",
        *("--endpoint", emulator.url, "--project-id", emulator.project_id, "--prompt"),
        *("-o", "json"),
    )
    seen = found(ran)
    assert ran.status == 4  # That is no secret of this key.
    assert seen["endpoint"][1] == "--endpoint"
    assert seen["project"][1] == "--project-id"
    assert seen["credentials"][1] == "--prompt"


def test_without_an_instance(run: Run, emulator: Emulator) -> None:
    """Endpoint and credentials can be checked all the same."""
    ran = run("doctor")
    assert ran.status == 0
    assert "not checked: none is given" in ran.out
    assert [call.operation for call in emulator.journal()] == ["list"]


@pytest.mark.parametrize(
    ("fault", "status", "what", "said"),
    [
        (Fault("expired-token", operation="list"), 4, "authentication", "401"),
        (Fault("error", operation="list"), 1, "connection", "500"),
        (Fault("reset-before-read", operation="list"), 1, "connection", "safe to repeat"),
    ],
    ids=["401", "500", "reset"],
)
def test_what_does_not_work(
    run: Run, emulator: Emulator, fault: Fault, status: int, what: str, said: str
) -> None:
    """It is told apart, by one request."""
    emulator.faults.add(fault)
    ran = run("doctor", emulator.instance_id, "-o", "json")
    assert ran.status == status
    assert said in found(ran)[what][0]
    assert len(emulator.journal()) == 1


def test_instance_that_is_not_there(run: Run) -> None:
    """The rest works."""
    ran = run("doctor", f"{'1' * 32}in17", "-o", "json")
    assert ran.status == 1
    assert found(ran)["authentication"][0] == "works"
    assert "Instance not found" in found(ran)["instance"][0]


def test_no_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said, and what could not be checked for that."""
    monkeypatch.delenv("TAURUSDB_STARROCKS_ENDPOINT")
    ran = run("doctor", "-o", "json")
    assert ran.status == 2
    assert "--region or --endpoint" in found(ran)["settings"][0]
    assert found(ran)["connection"][0].startswith("not checked")


def test_file_of_authorities(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is shown, and why it cannot be used."""
    monkeypatch.setenv("TAURUSDB_STARROCKS_CA_FILE", certifi.where())
    assert found(run("doctor", "-o", "json"))["CA file"] == (
        certifi.where(),
        "TAURUSDB_STARROCKS_CA_FILE",
    )
    monkeypatch.setenv("TAURUSDB_STARROCKS_CA_FILE", "/nowhere.pem")
    assert (
        "/nowhere.pem cannot be read: No such file"
        in found(run("doctor", "-o", "json"))["settings"][0]
    )


def test_proxy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """That there is one is said; its address may hold a password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@127.0.0.1:9")
    ran = run("doctor", "-o", "json")
    assert found(ran)["proxy"] == ("set", "HTTPS_PROXY")
    assert "secret" not in ran.out
