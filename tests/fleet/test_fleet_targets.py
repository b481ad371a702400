"""Targets from programs and files: all is checked before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from taurusdb_starrocks import AsyncClient, ConfigurationError, TokenAuth, regions
from taurusdb_starrocks.fleet._targets import Place, Target, Targets

from tests.fleet.fleets import PROJECT, instance

HERE = "https://gaussdb.example.com"
ONE, TWO = instance(1), instance(2)
OTHER_PROJECT = "1" * 32


def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
    return AsyncClient(
        endpoint=endpoint or HERE, project_id=project_id or PROJECT, auth=TokenAuth("t"), environ={}
    )


def read(source: object, *allowed: str) -> Targets:
    return Targets(source, connect, allowed)  # type: ignore[arg-type]  # Whatever a test gives.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "targets"


def problems(source: object, *allowed: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(source, *allowed)
    lines = str(caught.value).splitlines()
    assert lines[-1] == "Nothing was sent."
    return lines[:-1]


def test_an_iterable_is_read_once_and_grouped_by_instance() -> None:
    """Targets of one instance come together, however they are mixed."""

    def mixed() -> Iterator[Target]:
        for name in ("orders", "billing"):
            yield Target(TWO, name)
            yield Target(ONE, name, region="ap-southeast-1", project_id=OTHER_PROJECT)

    found = read(mixed())
    elsewhere = Place(regions()["ap-southeast-1"], OTHER_PROJECT, ONE)
    assert list(found.places()) == [Place(HERE, PROJECT, TWO), elsewhere]
    assert found.names(elsewhere) == ["billing", "orders"]
    assert len(found) == 4
    assert set(found.clients) == {(HERE, PROJECT), (elsewhere.endpoint, OTHER_PROJECT)}


def test_csv(file: Path) -> None:
    """With a header, in any order, quoted or not; empty fields are the default."""
    file.write_text(
        "﻿task_name,instance_id, region ,project_id\r\n"
        f'"orders",{ONE},,\r\n'
        "\r\n"
        f"billing,{ONE},ap-southeast-1,{OTHER_PROJECT}\r\n",
        encoding="utf-8",
    )
    places = list(read(file).places())
    assert places == [
        Place(HERE, PROJECT, ONE),
        Place(regions()["ap-southeast-1"], OTHER_PROJECT, ONE),
    ]


def test_json_lines(file: Path) -> None:
    """An object a line; null is the default."""
    rows = [
        {"instance_id": ONE, "task_name": "orders"},
        {"instance_id": TWO, "task_name": "billing", "region": None, "state": "refused"},
    ]
    file.write_text("\n\n".join(map(json.dumps, rows)))
    assert [place.instance_id for place in read(str(file)).places()] == [ONE, TWO]


def test_all_errors_at_once_with_their_lines(file: Path) -> None:
    """Ten thousand lines with a mistake each would be ten thousand runs otherwise."""
    file.write_text(
        "instance_id,task_name,region,endpoint\n"
        f"{ONE},orders,,\n"
        "nonsense,orders,,\n"
        f"{ONE},no,,\n"
        f"{ONE},orders,,\n"
        f"{ONE},billing,atlantis,\n"
        f"{ONE},billing,ap-southeast-1,{HERE}\n"
        f"{ONE},,,\n"
        f"{ONE},billing\n"
    )
    found = problems(file, HERE)
    assert [line.partition(":")[0] for line in found] == [f"line {n}" for n in range(3, 10)]
    expected = [
        "instance_id must be",
        "task_name must be",
        f"orders of {ONE} is already in line 2",
        "unknown region 'atlantis'",
        "both a region and an endpoint",
        "lacks task_name",
        "the number of fields is 2, and 4 in the header",
    ]
    for line, text in zip(found, expected, strict=True):
        assert text in line


def test_wrong_json_lines(file: Path) -> None:
    """Each with its line."""
    file.write_text(
        "{}\n"
        "[1]\n"
        "{broken\n"
        f'{{"instance_id": "{ONE}", "task_name": 7}}\n'
        f'{{"instance_id": "{ONE}", "task_name": "orders", "projectid": "x"}}\n'
    )
    found = problems(file)
    assert found[0] == "line 1: lacks instance_id and task_name."
    assert found[1] == "line 2: is not an object."
    assert found[2].startswith("line 3: is not JSON: ")
    assert found[3] == "line 4: task_name must be text."
    assert found[4] == "line 5: has unknown fields: projectid."


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("instance_id\n", "lacks task_name"),
        ("", "lacks instance_id and task_name"),
        ("instance_id,task_name,projectid\n", "may have"),
        ("instance_id,task_name,task_name\n", "each once"),
    ],
)
def test_wrong_headers(file: Path, header: str, problem: str) -> None:
    """A misspelt column would send to the wrong project."""
    file.write_text(header)
    (line,) = problems(file)
    assert line.startswith("line 1: ")
    assert problem in line


def test_no_targets(file: Path) -> None:
    """An empty file is a mistake somewhere before."""
    file.write_text("instance_id,task_name\n")
    assert problems(file) == ["There are no targets."]
    assert problems([]) == ["There are no targets."]


def test_a_file_must_not_send_a_token_anywhere(file: Path) -> None:
    """An endpoint of a file is one of the region table, or was allowed."""
    evil, known = "https://evil.example.com", regions()["ap-southeast-3"]
    file.write_text(
        "instance_id,task_name,endpoint\n"
        f"{ONE},orders,{evil}\n{ONE},billing,{known}/\n{ONE},stock,{HERE}\n"
    )
    assert [line.partition(":")[0] for line in problems(file, HERE)] == ["line 2"]
    assert len(read(file, f"{HERE}/", evil)) == 3
    assert len(read([Target(ONE, "orders", endpoint=evil)])) == 1


def test_what_the_client_refuses_is_told_with_the_line() -> None:
    """A project or endpoint that none can be; equal ones together."""
    found = problems([Target(ONE, "orders", project_id="x"), Target(ONE, "stock", project_id="x")])
    assert [line.partition(":")[0] for line in found] == ["target 1, target 2"]
    assert "32 ASCII letters or digits" in found[0]


def test_many_problems_are_counted() -> None:
    """A hundred are shown."""
    found = problems(Target(ONE, f"{n:0>129}") for n in range(250))
    assert len(found) == 101
    assert found[-1] == "And 150 more."


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Not there, not text, or not CSV."""
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*No such file"):
        read(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path / "binary")
    (tmp_path / "quoted").write_text('instance_id,task_name\n"x\n')
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path / "quoted")


def test_outcomes_are_kept_and_written_as_targets(tmp_path: Path) -> None:
    """What is left can be read as targets again, with why."""
    targets = read([Target(ONE, "orders"), Target(ONE, "billing"), Target(TWO, "stock")])
    place = next(targets.places())
    targets.note(place, "orders", "confirmed")
    targets.note(place, "billing", "refused", "No, thanks\nreally")
    assert targets.counts() == {"confirmed": 1, "refused": 1, "planned": 1}
    assert targets.planned(place) == []
    left = tmp_path / "left.csv"
    assert targets.write(left, ("refused", "planned")) == 2
    again = read(left, HERE)
    assert [(p.instance_id, again.names(p)) for p in again.places()] == [
        (ONE, ["billing"]),
        (TWO, ["stock"]),
    ]
    refused = next(iter(targets.outcomes(["refused"])))
    assert refused.error == "No, thanks\nreally"
    assert refused.target == Target(ONE, "billing", None, HERE, PROJECT)
