"""Where region, project and credentials come from, and the journal's place."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from taurusdb_starrocks import ConfigurationError
from taurusdb_starrocks.cli.program import program
from taurusdb_starrocks.cli.settings import Settings, journal_path
from taurusdb_starrocks_emulator import Emulator

from tests.cli.running import Run

ENDPOINT, PROJECT = "TAURUSDB_STARROCKS_ENDPOINT", "HUAWEICLOUD_SDK_PROJECT_ID"
KEYS = "HUAWEICLOUD_SDK_AK HUAWEICLOUD_SDK_SK"


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (ENDPOINT, "Give --region or --endpoint, or set TAURUSDB_STARROCKS_REGION"),
        (PROJECT, "Give --project-id or set HUAWEICLOUD_SDK_PROJECT_ID."),
        (KEYS, "Give --profile or --prompt, or set one of these"),
    ],
)
def test_what_is_missing_is_named(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, missing: str, named: str
) -> None:
    """By the option that gives it, and the variable."""
    for name in missing.split():
        monkeypatch.delenv(name)
    ran = run("tasks", emulator.instance_id)
    assert (ran.status, ran.out) == (2, "")
    assert named in ran.err
    assert "=" not in ran.err
    assert ran.err.count("\n") == 1


def test_both_of_two(run: Run, emulator: Emulator) -> None:
    """A region and an endpoint contradict each other."""
    ran = run(
        "tasks", emulator.instance_id, "--region", "ap-southeast-3", "--endpoint", "https://a"
    )
    assert (ran.status, ran.err) == (
        2,
        "taurusdb-starrocks: Give --region or --endpoint, not both.\n",
    )


@pytest.fixture
def profile(tmp_path: Path, emulator: Emulator) -> Path:
    """A credentials file with what the emulator lets in."""
    path = tmp_path / ".huaweicloud" / "credentials"
    path.parent.mkdir()
    path.write_text(
        f"""
[basic]
ak = AKIDWRONG
sk = SKWRONG

[prod]
ak = AKIDEXAMPLE
sk = SKEXAMPLE
project_id = {emulator.project_id}
endpoint = {emulator.url}

[temporary]
ak = AKIDTEMPORARY
sk = SKTEMPORARY
security_token = temporary-security-token

[half]
ak = AKIDEXAMPLE
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def only_profile(profile: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with nothing in the environment."""
    for name in (ENDPOINT, PROJECT, *KEYS.split()):
        monkeypatch.delenv(name)
    return profile


def test_profile_has_everything(run: Run, emulator: Emulator, only_profile: Path) -> None:
    """Credentials, project and endpoint; also where the environment has credentials."""
    assert run("tasks", emulator.instance_id, "--profile", "prod").status == 0
    assert emulator.journal()[-1].caller == "AKIDEXAMPLE"


def test_sources_are_the_profile(run: Run, emulator: Emulator, only_profile: Path) -> None:
    """What is configured says so."""
    ran = run("doctor", "--profile", "prod", "-o", "json")
    assert ran.status == 0
    assert {row["source"] for row in ran.rows} == {"", "profile prod"}


def test_options_win_over_the_profile(run: Run, emulator: Emulator, profile: Path) -> None:
    """An endpoint or a project that is given is what is meant."""
    ran = run(
        "tasks", emulator.instance_id, "--profile", "prod", "--endpoint", "http://127.0.0.1:1"
    )
    assert ran.status == 1
    ran = run("tasks", emulator.instance_id, "--profile", "prod", "--project-id", "x")
    assert (ran.status, "project_id must be" in ran.err) == (2, True)


def test_profile_of_a_temporary_key(run: Run, emulator: Emulator, profile: Path) -> None:
    """The security token goes along."""
    assert run("tasks", emulator.instance_id, "--profile", "temporary").status == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", r"has no profile \[none\]. It has: basic, prod, temporary, half."),
        ("half", r"Profile \[half\] in .* lacks sk."),
    ],
)
def test_profile_that_does_not_do(run: Run, only_profile: Path, name: str, why: str) -> None:
    """It is named, and nothing of it is shown."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        with Settings(profile=name).client():
            pass
    assert "AKID" not in str(caught.value)


def test_profile_that_others_can_read(run: Run, profile: Path) -> None:
    """It is used, with a warning, as without --profile: a resume must not fail because of it."""
    profile.chmod(0o644)
    with pytest.warns(UserWarning, match="chmod 600"):
        with Settings(profile="prod").client():
            pass


@pytest.mark.parametrize("text", [None, "no section"])
def test_profile_that_cannot_be_read(run: Run, tmp_path: Path, text: str | None) -> None:
    """The file is named, and not quoted."""
    path = tmp_path / ".huaweicloud" / "credentials"
    if text is not None:
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="credentials cannot be read") as caught:
        with Settings(profile="prod").client():
            pass
    assert "no section" not in str(caught.value)


def test_prompt(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key is asked for, and its secret is not shown."""
    asked: list[tuple[str, bool]] = []

    def prompt(text: str, *, hide_input: bool = False, err: bool) -> str:
        asked.append((text, hide_input))
        return "SKEXAMPLE" if hide_input else "AKIDEXAMPLE"

    monkeypatch.setattr(click, "prompt", prompt)
    assert run("tasks", emulator.instance_id, "--prompt").status == 0
    assert asked == [("Access key (AK)", False), ("Secret key (SK)", True)]
    assert emulator.journal()[-1].caller == "AKIDEXAMPLE"


def test_no_option_takes_a_secret() -> None:
    """A secret on a command line is shown to everybody on the machine."""
    for command in program.commands.values():
        for parameter in command.params:
            for word in ("token", "password", "secret", "access", "-sk"):
                assert word not in (parameter.name or "")


def test_place_of_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given; else the state folder, by XDG; else where that is by default."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert journal_path("here.sqlite", {}) == Path("here.sqlite")
    assert journal_path(None, {"XDG_STATE_HOME": "/state"}) == Path(
        "/state/taurusdb-starrocks/journal.sqlite"
    )
    assert journal_path(None, {}) == (
        tmp_path / ".local" / "state" / "taurusdb-starrocks" / "journal.sqlite"
    )


def test_prompt_is_answered_once(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a command that needs several clients: one for each window that it recovers."""
    asked: list[str] = []

    def prompt(text: str, **_options: bool) -> str:
        asked.append(text)
        return "AKIDEXAMPLE"

    monkeypatch.setattr(click, "prompt", prompt)
    settings = Settings(prompt=True)
    for _ in range(2):
        settings.connect(emulator.url, emulator.project_id).close()
        with settings.client():
            pass
    assert len(asked) == 2


def test_profile_is_read_once(run: Run, emulator: Emulator, profile: Path) -> None:
    """A file that changes in a run does not change the credentials of a part of it."""
    settings = Settings(profile="prod")
    settings.connect(emulator.url, emulator.project_id).close()
    profile.unlink()
    settings.connect(emulator.url, emulator.project_id).close()
