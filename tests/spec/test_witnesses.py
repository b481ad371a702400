"""The contract agrees with outside witnesses, or says why it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from test_spec import EVIDENCE, OPERATIONS, ROOT

DATA = yaml.safe_load(Path(__file__).with_name("witnesses.yaml").read_text(encoding="utf-8"))
FACTS = [
    {**fact, "operation": operation} for fact in DATA["facts"] for operation in fact["operation"]
]
MISSING = object()


def unwrapped(schema: Any) -> Any:
    """The schema itself, where it may also be null."""
    choices = [each for each in schema.get("oneOf", []) if each != {"type": "null"}]
    return choices[0] if choices else schema


def place(operation: Any, at: str) -> tuple[Any, bool]:
    """The schema at a place, and whether what is there is required; MISSING where it is not."""
    where, _, path = at.partition(" ")
    if where in ("path", "query", "header"):
        for parameter in [*operation["shared"], *operation.get("parameters", [])]:
            if (parameter["in"], parameter["name"]) == (where, path):
                return parameter["schema"], parameter["required"]
        return MISSING, False
    holder = operation["requestBody"] if where == "body" else operation["responses"][where]
    schema, required = holder["content"]["application/json"]["schema"], True
    for step in path.replace("[]", ".[]").split(".") if path else []:
        schema = unwrapped(schema)
        if step == "[]":
            schema = schema["items"]
        elif step in schema["properties"]:
            required = step in schema.get("required", [])
            schema = schema["properties"][step]
        else:
            return MISSING, False
    return schema, required


def here(fact: dict[str, Any]) -> Any:
    """What the contract has, where the witness says something."""
    operation = OPERATIONS[DATA["operations"][fact["operation"]]]
    schema, required = place(operation, fact["at"])
    match fact["aspect"]:
        case "exists":
            return schema is not MISSING
        case "required":
            return required
        case "properties":
            return list(unwrapped(schema)["properties"])
        case "accepts":
            accepted = Draft202012Validator(schema).is_valid(fact["says"])
            return fact["says"] if accepted else "refused"
        case aspect:
            return schema.get(aspect)


def comparable(value: Any) -> Any:
    """Nothing is said of the order of names."""
    return sorted(map(str, value)) if isinstance(value, list) else value


def name_of(fact: dict[str, Any]) -> str:
    return f"{fact['witness']}: {fact['operation']} {fact['at']} {fact['aspect']}"


@pytest.mark.parametrize("fact", FACTS, ids=name_of)
def test_the_contract_agrees_or_says_why_not(fact: dict[str, Any]) -> None:
    """Where it differs, what it has stands beside the fact, with the reason; elsewhere neither."""
    found = here(fact)
    if comparable(found) == comparable(fact["says"]):
        assert "here" not in fact
        assert "because" not in fact
    else:
        assert "here" in fact, f"the contract has {found!r}"
        assert comparable(found) == comparable(fact["here"])
        assert len(fact["because"]) > 8


def test_every_witness_is_heard() -> None:
    """Each says something, and what kind of evidence it is; every operation has several."""
    assert {fact["witness"] for fact in FACTS} == set(DATA["witnesses"])
    for witness in DATA["witnesses"].values():
        assert witness["evidence"] in EVIDENCE
        assert witness["source"]
    assert set(DATA["operations"].values()) == set(OPERATIONS)
    for operation in DATA["operations"]:
        assert len({f["witness"] for f in FACTS if f["operation"] == operation}) >= 2


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"says": 99}, 0),
        ({"at": "path nowhere"}, 0),
        ({"here": 1, "because": "no reason is needed"}, 0),
    ],
)
def test_a_fact_that_does_not_hold_is_noticed(change: dict[str, Any], fact: int) -> None:
    """The comparison can fail."""
    with pytest.raises((AssertionError, AttributeError)):
        test_the_contract_agrees_or_says_why_not({**FACTS[fact], **change})


def shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{each}`" for each in value)
    if isinstance(value, bool):
        value = str(value).lower()
    return "no bound" if value is None else f"`{value}`"


def difference(fact: dict[str, Any]) -> str:
    """A difference as a row of the table in the docs."""
    said, ours = fact["says"], fact["here"]
    if fact["aspect"] == "properties":
        more = sorted(set(ours) - set(said))
        said = f"{len(said)} properties"
        ours = f"{len(more)} more: {shown(more)}" if more else f"{len(ours)} of them"
    elif fact["aspect"] == "exists":
        said, ours = ("present" if there else "absent" for there in (said, ours))
    else:
        said, ours = f"{fact['aspect']} {shown(said)}", shown(ours)
    where = f"{' and '.join(fact['operation'])}: `{fact['at']}`"
    return f"| {where} | {fact['witness']} | {said} | {ours} | {fact['because']} |"


def table(head: str) -> list[str]:
    """The rows of a table of the page."""
    page = (ROOT / "docs" / "verified.md").read_text(encoding="utf-8")
    return page[page.index(head) :].split("\n\n")[0].splitlines()[2:]


def test_the_docs_have_every_witness() -> None:
    """With the kind of evidence that it is."""
    assert table("| source | evidence |") == [
        f"| {name} | {witness['evidence']} | {witness['source']} |"
        for name, witness in DATA["witnesses"].items()
    ]


def test_the_docs_have_every_difference() -> None:
    """A row for each, in the order of the data, and no other row."""
    rows = [difference(fact) for fact in DATA["facts"] if "here" in fact]
    assert table("| field | source |") == rows
