"""What the pages repeat of the code is what the code says, and every page leads on."""

from __future__ import annotations

import argparse
import re
from inspect import signature
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import taurusdb_starrocks.durable
import taurusdb_starrocks.fleet
import taurusdb_starrocks_emulator
import yaml
from taurusdb_starrocks import Client, Poll, RetryPolicy
from taurusdb_starrocks._decisions.polling import Patience
from taurusdb_starrocks._decisions.verdict import NOT_FOUND_CODES
from taurusdb_starrocks._transport.body import LARGEST_BODY
from taurusdb_starrocks.cli.program import program
from taurusdb_starrocks_emulator import pytest_plugin
from taurusdb_starrocks_emulator.__main__ import _parser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
SOURCES = [
    path
    for folder in ("wrapper", "emulator", "generated")
    for path in sorted((ROOT / folder).glob("**/*.py"))
]
A_CODE = r"\b(?:DBS|APIGW)\.[0-9]+"


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of every table, without the heads."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not re.match(r"\|[-| ]*\|$", line)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_page_has_a_title_a_description_and_a_next_step(page: Path) -> None:
    """Who lands on a page knows where he is, and where to go from there."""
    text = page.read_text(encoding="utf-8")
    front, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    description = yaml.safe_load(front)["myst"]["html_meta"]["description"]
    assert 40 <= len(description) <= 180
    assert re.match(r"\n# \S", body)
    next_step = r"^:::\{container\} next\n\*\*Next:\*\* .*\[.+\]\(.+\)"
    assert re.search(next_step, body, re.MULTILINE | re.DOTALL)


def test_page_of_the_emulator_has_its_initial_tasks() -> None:
    """Each instance of the seed file is a row, with its tasks in the same order."""
    seed = yaml.safe_load(
        (ROOT / "emulator/taurusdb_starrocks_emulator/seed.yaml").read_text(encoding="utf-8")
    )
    listed = [
        [
            f"`{project['id']}`",
            f"`{instance['id']}`",
            ", ".join(f"`{one['name']}`" for one in tasks),
        ]
        for project in seed["projects"]
        for instance in project["instances"]
        if (tasks := instance["tasks"])
    ]
    assert [row for row in rows(read("reference/emulator.md")) if row in listed] == listed


def test_options_are_the_commands() -> None:
    """The page has every option of the command line, with its default."""
    table = {row[0].strip("`"): row[1] for row in rows(read("reference/emulator.md"))}
    table = {name: default for name, default in table.items() if name.startswith("--")}
    actions = {
        action.option_strings[-1]: action
        for action in _parser()._actions
        if not isinstance(action, argparse._HelpAction)
    }
    assert list(table) != []
    assert set(table) == set(actions)
    for name, action in actions.items():
        if action.default not in (None, 0):
            value = action.default
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            assert table[name] == f"`{shown}`", name


def test_fixtures_are_the_plugins() -> None:
    """The page has every fixture of the pytest plugin."""
    table = {row[0].strip("`") for row in rows(read("guides/testing.md"))}
    assert {name for name in table if name.startswith("starrocks")} == set(pytest_plugin.__all__)


def test_variables_are_those_that_are_read() -> None:
    """The page has every environment variable that the code names, and no other."""
    a_name = r"\b(?:TAURUSDB_STARROCKS|HUAWEICLOUD_SDK|OS)_[A-Z_]+\b|\bHOME\b"
    read_by_code = {
        name for path in SOURCES for name in re.findall(rf'"({a_name})"', path.read_text("utf-8"))
    }
    page = set(re.findall(rf"`({a_name})`", read("reference/environment.md")))
    assert page == read_by_code


def test_files_that_are_named_are_there() -> None:
    """Who looks for a file that a page or the picture names finds it."""
    for page in [*PAGES, DOCS / "call.svg"]:
        text = page.read_text("utf-8")
        for name in re.findall(r"(?<![\w/])_[a-z]+\.py\b", text):
            assert (ROOT / "wrapper/taurusdb_starrocks" / name).is_file(), (page, name)
        for path in re.findall(r"`((?:tests|wrapper|emulator|docs)/[\w./]+)`", text):
            assert (ROOT / path).exists(), (page, path)


@pytest.mark.parametrize(
    ("package", "page"),
    [
        (taurusdb_starrocks, "python"),
        (taurusdb_starrocks.durable, "durable"),
        (taurusdb_starrocks.fleet, "durable"),
        (taurusdb_starrocks_emulator, "emulator"),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_every_public_name_is_in_the_reference(package: ModuleType, page: str) -> None:
    """What a package gives has an entry, below a directive that names the package."""
    text = read(f"reference/{page}.md")
    _, *parts = re.split(r"^\.\. (?:current)?module:: (\S+)$", text, flags=re.MULTILINE)
    own = [part for name, part in pairwise(parts) if name == package.__name__]
    entries = re.findall(r"^\.\. auto\w+:: (\w+)$", "".join(own), re.MULTILINE)
    names = {name for name in package.__all__ if not re.fullmatch("[A-Z_]+|__version__", name)}
    assert names <= set(entries)


def test_every_code_has_an_anchor() -> None:
    """A code that the contract, the client or the emulator knows can be linked to."""
    text = read("guides/errors.md")
    anchors = {(code, anchor) for code, anchor in re.findall(r"\[`([\w.]+)`\]\{#([\w-]+)\}", text)}
    assert len({anchor for _, anchor in anchors}) == len(anchors)
    for code, anchor in anchors:
        assert anchor in {code.lower().replace(".", "-"), "dbs-201014-409"}
    known = {
        code
        for path in [*SOURCES, ROOT / "openapi.yaml"]
        for code in re.findall(A_CODE, path.read_text("utf-8"))
    }
    assert known <= {code for code, _ in anchors}
    assert set(re.findall(A_CODE, text)) == {code for code, _ in anchors}


def test_not_found_codes_stand_under_not_found() -> None:
    """The 400s that the client takes for "not found" are those that the page says."""
    table = [row for row in rows(read("guides/errors.md")) if row[0] == "400"]
    assert set(re.findall(A_CODE, " ".join(row[1] for row in table))) == NOT_FOUND_CODES


def test_defaults_of_waiting_and_trying_again() -> None:
    """The figures in the guides are the code's."""
    settings = signature(Client).parameters
    table = {row[0]: row[1] for row in rows(read("guides/retries.md"))}
    for name in ("timeout", "connect_timeout", "read_timeout"):
        assert table[f"`{name}`"] == f"{settings[name].default:g}"
    assert f"`max_connections` ({settings['max_connections'].default})" in read("guides/retries.md")
    assert f"At most {LARGEST_BODY >> 20} MiB of a body" in read("security.md")
    policy, poll = RetryPolicy(), Poll()
    assert (policy.attempts, policy.first_delay, policy.budget) == (3, 0.5, 20)
    shown = f"`Poll(first={poll.first:g}, interval={poll.interval:g}, longest={poll.longest:g})`"
    table = {row[0]: row[1] for row in rows(read("guides/waiting.md"))}
    assert table["`poll`"] == shown
    assert table["`timeout`"] == f"{Patience().timeout:g} s"
    assert table["`settle`"] == f"{Patience().settle:g} s"
    assert settings["wait_timeout"].default == Patience().timeout
    assert settings["settle"].default == Patience().settle


def test_page_has_every_command() -> None:
    """The page about the command line links to each from its table, and names every option."""
    page = read("guides/command-line.md")
    linked = [re.search(r"^\[`(\w+)`\]", row[0]) for row in rows(page)]
    assert {found[1] for found in linked if found} == set(program.commands)
    commands = list(program.commands.values())
    commands += [each for group in commands for each in getattr(group, "commands", {}).values()]
    options = {
        option
        for command in commands
        for parameter in command.params
        if not getattr(parameter, "hidden", False)
        for option in parameter.opts
        if option.startswith("--")
    }
    assert options <= set(re.findall(r"--[a-z-]+", page))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1600])
def test_pictures_of_the_site(width: int, scheme: str) -> None:
    """`make screenshots` took one for each size; none weighs much."""
    picture = (DOCS / "_static" / f"start-{width}-{scheme}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20]) == width  # The first field of its header.
    assert len(picture) <= 200_000
