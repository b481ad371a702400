"""What a caller may pass in: checked before anything is sent, by the rules of the contract."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from clients import INSTANCE, PROJECT, TASK, Maker, Wire
from hypothesis import given
from hypothesis import strategies as st
from taurusdb_starrocks import (
    AsyncClient,
    Client,
    ConfigurationError,
    TokenAuth,
    _regions,
    _rules,
    spec,
)
from taurusdb_starrocks._operations import OPERATIONS

CONTRACT = yaml.safe_load(spec())
PARAMETERS = CONTRACT["components"]["parameters"]
SCHEMAS = CONTRACT["components"]["schemas"]

BAD_TASK_NAMES = [
    "",
    "ab",
    "a" * 129,
    "orders-sync",
    "orders sync",
    "orders_sync\n",
    "\norders_sync",
    "orders_sync\x00",
    "orders_\u0663",
    "orders_é",
    "orders\u017f",
    b"orders_sync",
    None,
    123,
    ["orders_sync"],
]
BAD_INSTANCE_IDS = [
    "",
    ".",
    "..",
    "../../../v3/other",
    f"{INSTANCE[:31]}/in17",
    f"{INSTANCE[:31]}?in17",
    f"{INSTANCE[:31]}#in17",
    f"{INSTANCE[:31]}%in17",
    f"{INSTANCE[:31]}\nin17",
    f"{INSTANCE}\n",
    INSTANCE[:-1],
    f"{INSTANCE}7",
    f"{INSTANCE[:32]}IN17",
    f"{INSTANCE[:32]}in1\u0667",
    f"{INSTANCE[:31]}éin17",
    INSTANCE.encode(),
    None,
    17,
]


@pytest.mark.parametrize("verb", ["pause", "resume", "task"])
@pytest.mark.parametrize("name", BAD_TASK_NAMES, ids=repr)
def test_bad_task_name_is_named_and_nothing_is_sent(make: Maker, verb: str, name: Any) -> None:
    """A name that no task can have is refused with the rule, before anything is sent."""
    wire = Wire()
    client = make(transport=wire)
    with pytest.raises(ConfigurationError, match="task_name must be 3 to 128 ASCII") as caught:
        client.do(verb, INSTANCE, name)
    assert "Nothing was sent" in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert caught.value.attempts == 0
    assert wire.sent == []


@pytest.mark.parametrize("instance_id", BAD_INSTANCE_IDS, ids=repr)
def test_bad_instance_id_is_named_and_nothing_is_sent(make: Maker, instance_id: Any) -> None:
    """An ID that no instance can have is refused with the rule, before anything is sent."""
    wire = Wire()
    client = make(transport=wire)
    for verb in ("pause", "resume", "task"):
        with pytest.raises(ConfigurationError, match="instance_id must be 36 characters"):
            client.do(verb, instance_id, TASK)
    with pytest.raises(ConfigurationError, match="instance_id must be 36 characters"):
        client.tasks(instance_id)
    assert wire.sent == []


@pytest.mark.parametrize("name", ["abc", "_" * 128, TASK, "A1_"])
def test_good_task_name_is_sent_as_it_is(make: Maker, name: str) -> None:
    """The names that the rule allows go out unchanged."""
    wire = Wire()
    make(transport=wire).pause(task_name=name)
    assert json.loads(wire.sent[0].content) == {"task_name": name}


def test_very_long_value_is_shown_shortened(make: Maker) -> None:
    """A megabyte passed by mistake does not become a megabyte of error."""
    with pytest.raises(ConfigurationError) as caught:
        make().pause(task_name="x" * 1_000_000)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("suffix", "kind"), [("in07", "the parent TaurusDB instance"), ("in16", "another kind")]
)
def test_instance_of_another_kind_is_warned_of_and_sent(
    make: Maker, suffix: str, kind: str
) -> None:
    """An ID that is not a StarRocks instance's warns that it looks like another, and goes out."""
    wire = Wire()
    client = make(transport=wire)
    with pytest.warns(UserWarning, match=f"looks like {kind}.*not a StarRocks"):
        client.pause(INSTANCE[:32] + suffix)
    assert len(wire.sent) == 1


def test_right_instance_is_not_warned_of(make: Maker) -> None:
    """An ID that ends in in17 is silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(transport=Wire()).pause()


def test_warning_points_at_the_call(make: Maker) -> None:
    """The warning shows the caller's line, whichever verb was called."""
    client = make(transport=Wire()).client
    other = INSTANCE[:32] + "in07"

    async def call() -> None:
        assert isinstance(client, AsyncClient)
        await client.pause(other, TASK)
        await client.resume(other, TASK)
        client.tasks(other)
        client.paused(other, TASK)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if isinstance(client, Client):
            client.pause(other, TASK)
            client.resume(other, TASK)
            client.tasks(other)
            client.paused(other, TASK)
        else:
            make.runner.run(call())
    assert [warning.filename for warning in caught] == [__file__] * 4


@pytest.mark.parametrize(
    "project_id",
    ["", "a" * 31, "a" * 33, PROJECT[:31] + "-", PROJECT + "\n", PROJECT[:31] + "é", "..", 5],
    ids=repr,
)
def test_bad_project_id_is_refused(make: Maker, project_id: Any) -> None:
    """A project ID is 32 letters or digits, and an error says so."""
    with pytest.raises(ConfigurationError, match=r"project_id must be 32 ASCII|No project"):
        make(project_id=project_id, transport=Wire())


@pytest.mark.parametrize("language", ["", "en", "EN-US", "de-de", None, 5, ["en-us"]], ids=repr)
def test_bad_language_is_refused(make: Maker, language: Any) -> None:
    """The service speaks two languages, and an error names them."""
    with pytest.raises(ConfigurationError, match="language must be one of en-us, zh-cn"):
        make.kind(
            endpoint="https://example.com",
            project_id=PROJECT,
            auth=TokenAuth("t"),
            language=language,
        )


@pytest.mark.parametrize("language", ["en-us", "zh-cn"])
def test_language_is_sent(make: Maker, language: str) -> None:
    """The language asked for goes out with every call."""
    wire = Wire()
    make(transport=wire, language=language).pause()
    assert wire.sent[0].headers["X-Language"] == language


def schema_accepts(schema: dict[str, Any]) -> Callable[[str], bool]:
    """What the keywords of a schema accept, read as JSON Schema means them."""
    # ECMA-262's $ is the very end; Python's is not.
    pattern = re.compile(re.sub(r"\$$", r"\\Z", schema["pattern"]))

    def accepts(text: str) -> bool:
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength", len(text))
        return shortest <= len(text) <= longest and bool(pattern.search(text))

    return accepts


def passes(rule: Callable[[object], object], value: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rule(value)
        except ConfigurationError:
            return False
    return True


NEAR_NAMES = st.text(
    st.one_of(st.sampled_from("abcXYZ019_- \n\t.é\u0663\u017f"), st.characters()), max_size=140
) | st.from_regex(r"[A-Za-z0-9_]{1,130}\n?", fullmatch=True)
NEAR_IDS = st.text(max_size=40) | st.from_regex(
    r"[0-9A-Za-z]{30,33}([a-zA-Z]{2}[0-9]{2})?\n?", fullmatch=True
)


@given(NEAR_NAMES)
def test_task_name_rule_is_the_contracts(text: str) -> None:
    """The wrapper accepts exactly the task names that the contract's keywords accept."""
    accepts = schema_accepts(SCHEMAS["TaskName"])
    assert passes(_rules.task_name, text) == accepts(text)


@given(NEAR_IDS)
def test_identifier_rules_are_the_contracts(text: str) -> None:
    """The wrapper accepts exactly the IDs that the contract's keywords accept."""
    accepts = schema_accepts(PARAMETERS["InstanceId"]["schema"])
    assert passes(_rules.instance_id, text) == accepts(text)
    accepts = schema_accepts(PARAMETERS["ProjectId"]["schema"])
    assert passes(_rules.project_id, text) == accepts(text)


def test_languages_are_the_contracts() -> None:
    """The wrapper knows the languages of the contract, and its default."""
    assert list(_rules.LANGUAGES) == SCHEMAS["Language"]["enum"]
    assert SCHEMAS["Language"]["default"] == "en-us"


def test_regions_are_the_contracts() -> None:
    """The wrapper knows the host of every region that the contract's servers list."""
    assert {
        region: server["url"].format(region=region)
        for server in CONTRACT["servers"]
        for region in server["variables"]["region"]["enum"]
    } == _regions.ENDPOINTS


def test_operations_are_the_contracts() -> None:
    """The wrapper knows every call of the contract by method and path, and which may change."""
    of_iam = {("POST", "/v3/auth/tokens"), ("GET", "/v3/projects")}
    known = {(one.method, one.template): one.changes for one in OPERATIONS}
    assert {call: changes for call, changes in known.items() if call not in of_iam} == {
        (method.upper(), path): method == "post"
        for path, item in CONTRACT["paths"].items()
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}
    }
    assert not any(known[call] for call in of_iam)


@pytest.mark.parametrize(
    "seconds", [0, -1, 1e7, float("inf"), float("nan"), True, "5", None], ids=repr
)
@pytest.mark.parametrize("argument", ["timeout", "connect_timeout", "read_timeout"])
def test_bad_timeout_is_refused(make: Maker, argument: str, seconds: Any) -> None:
    """A time limit is a positive number of seconds that a timer can take; the error names it."""
    with pytest.raises(ConfigurationError, match=f"^{argument} must be a number of seconds"):
        make.kind(
            endpoint="https://example.com",
            project_id=PROJECT,
            auth=TokenAuth("t"),
            **{argument: seconds},
        )
