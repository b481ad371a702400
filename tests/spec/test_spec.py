"""The contract holds what it should, and hangs together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import taurusdb_starrocks
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

ROOT = Path(__file__).parents[2]
RAW = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
# Operations by the names of the wrapper's verbs.
VERBS = {
    "pauseStarRocksDataReplication": "pause",
    "resumeStarRocksDataReplication": "resume",
    "listStarRocksDataReplications": "tasks",
    "listStarRocksDataReplicationConfig": "configuration",
    "listHtapInstanceInfo": "instances",
}


def inlined(node: Any) -> Any:
    """The document with every reference replaced by what it refers to."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            target = RAW
            for key in reference.removeprefix("#/").split("/"):
                target = target[key]
            return inlined(target)
        return {key: inlined(value) for key, value in node.items()}
    return [inlined(item) for item in node] if isinstance(node, list) else node


SPEC = inlined(RAW)
OPERATIONS = {
    operation["operationId"]: {
        **operation,
        "shared": item["parameters"],
        "path": path,
        "method": method,
    }
    for path, item in SPEC["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
PAUSE, RESUME, LIST, CONFIGURATION, INSTANCES = (OPERATIONS[name] for name in VERBS)


def test_it_is_valid() -> None:
    """By the rules of OpenAPI 3.1."""
    assert RAW["openapi"].startswith("3.1.")
    validate(RAW)


def documented() -> Iterator[tuple[str, Any, Any]]:  # noqa: C901 - all places where one may stand
    """Every example, where it stands, and the schema it is an example of."""

    def of(place: str, holder: Any, schema: Any) -> Iterator[tuple[str, Any, Any]]:
        if "example" in holder:
            yield place, holder["example"], schema
        for name, example in holder.get("examples", {}).items():
            yield f"{place} {name}", example["value"], schema

    for name, operation in OPERATIONS.items():
        for parameter in [*operation["shared"], *operation.get("parameters", [])]:
            yield from of(f"{name} {parameter['name']}", parameter, parameter["schema"])
        contents = [("request", operation.get("requestBody", {}).get("content", {}))]
        for status, response in operation["responses"].items():
            contents.append((status, response["content"]))
            for header, described in response.get("headers", {}).items():
                yield from of(f"{name} {status} {header}", described, described["schema"])
        for what, content in contents:
            for media in content.values():
                yield from of(f"{name} {what}", media, media["schema"])

    def within(place: str, schema: Any) -> Iterator[tuple[str, Any, Any]]:
        for number, example in enumerate(schema.get("examples", [])):
            yield f"{place} example {number}", example, schema
        if "default" in schema:
            yield f"{place} default", schema["default"], schema
        for key, inner in schema.get("properties", {}).items():
            yield from within(f"{place}.{key}", inner)
        if "items" in schema:
            yield from within(f"{place}[]", schema["items"])

    for name, schema in SPEC["components"]["schemas"].items():
        yield from within(name, schema)
    for name, parameter in SPEC["components"]["parameters"].items():
        yield from within(name, parameter["schema"])


EXAMPLES = list(documented())


@pytest.mark.parametrize(
    ("place", "example", "schema"), EXAMPLES, ids=[place for place, _, _ in EXAMPLES]
)
def test_an_example_fits_its_schema(place: str, example: Any, schema: Any) -> None:
    """And a pattern means the whole text, without a final line break."""
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(example)
    if "pattern" in schema:
        assert re.fullmatch(schema["pattern"], example)


def test_there_are_examples_everywhere() -> None:
    """Of every parameter, of the body, and of every answer whose text the vendor shows."""
    places = " ".join(place for place, _, _ in EXAMPLES)
    for name, operation in OPERATIONS.items():
        for parameter in [*operation["shared"], *operation.get("parameters", [])]:
            assert f"{name} {parameter['name']}" in places
        assert f"{name} 200" in places
        assert f"{name} 400" in places


def test_every_link_leads_to_an_operation() -> None:
    """And names parameters that it has; linters look at neither."""
    links = [
        (name, link)
        for name, operation in OPERATIONS.items()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert links
    for _, link in links:
        target = OPERATIONS[link["operationId"]]
        names = {
            parameter["name"] for parameter in [*target["shared"], *target.get("parameters", [])]
        }
        assert set(link["parameters"]) <= names
        assert ("requestBody" in link) == ("requestBody" in target)
    pairs = {(name, link["operationId"]) for name, link in links}
    assert (PAUSE["operationId"], RESUME["operationId"]) in pairs
    assert (RESUME["operationId"], PAUSE["operationId"]) in pairs


STOP = "Stopping a Data Synchronization Task for a StarRocks Instance"
RESTORE = "Restoring a Data Synchronization Task for a StarRocks Instance"
BOTH = (PAUSE, RESUME)


def parameter(operation: Any, name: str) -> Any:
    return next(each for each in operation["shared"] if each["name"] == name)


def answer(operation: Any, status: str) -> Any:
    return operation["responses"][status]["content"]["application/json"]


def body(operation: Any) -> Any:
    return operation["requestBody"]["content"]["application/json"]


# A fact is a line.
# fmt: off
# What the two pages say (revision of 2024-09-11), the page it is from, and what it is here.
FACTS: list[tuple[str, str, Any, Any]] = [
    (STOP, "POST", PAUSE["method"], "post"),
    (RESTORE, "POST", RESUME["method"], "post"),
    (STOP, "the URI", PAUSE["path"], "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication/pause"),
    (RESTORE, "the URI", RESUME["path"], "/v3/{project_id}/instances/{instance_id}/starrocks/databases/replication/resume"),
    (STOP, "its name", STOP.split(" for", maxsplit=1)[0] in PAUSE["description"].replace("\n", " "), True),
    (RESTORE, "its name", RESTORE.split(" for", maxsplit=1)[0].split(" a ", maxsplit=1)[0] in RESUME["description"], True),
]
for page, operation in zip((STOP, RESTORE), BOTH, strict=True):
    said = operation["responses"]
    FACTS += [
        (page, "project_id is in the path", parameter(operation, "project_id")["in"], "path"),
        (page, "project_id is mandatory", parameter(operation, "project_id")["required"], True),
        (page, "project_id is a string", parameter(operation, "project_id")["schema"]["type"], "string"),
        (page, "project_id is of a tenant in a region", "tenant in the region" in parameter(operation, "project_id")["description"], True),
        (page, "instance_id is in the path", parameter(operation, "instance_id")["in"], "path"),
        (page, "instance_id is mandatory", parameter(operation, "instance_id")["required"], True),
        (page, "instance_id is a string", parameter(operation, "instance_id")["schema"]["type"], "string"),
        (page, "instance_id is a UUID in form", "UUID" in parameter(operation, "instance_id")["description"], True),
        (page, "X-Language is a header", parameter(operation, "X-Language")["in"], "header"),
        (page, "X-Language is not mandatory", parameter(operation, "X-Language")["required"], False),
        (page, "X-Language is a string", parameter(operation, "X-Language")["schema"]["type"], "string"),
        (page, "X-Language is en-us or zh-cn", parameter(operation, "X-Language")["schema"]["enum"], ["en-us", "zh-cn"]),
        (page, "X-Language is en-us by default", parameter(operation, "X-Language")["schema"]["default"], "en-us"),
        (page, "the body is needed", operation["requestBody"]["required"], True),
        (page, "the body is an object", body(operation)["schema"]["type"], "object"),
        (page, "task_name is mandatory", body(operation)["schema"]["required"], ["task_name"]),
        (page, "task_name is a string", body(operation)["schema"]["properties"]["task_name"]["type"], "string"),
        (page, "task_name has 3 characters at least", body(operation)["schema"]["properties"]["task_name"]["minLength"], 3),
        (page, "task_name has 128 characters at most", body(operation)["schema"]["properties"]["task_name"]["maxLength"], 128),
        (page, "task_name is letters, digits, underscores", body(operation)["schema"]["properties"]["task_name"]["pattern"], "^[A-Za-z0-9_]+$"),
        (page, "task_name is the only parameter of the body", list(body(operation)["schema"]["properties"]), ["task_name"]),
        (page, "the example request", [e["value"] for e in body(operation)["examples"].values()], [{"task_name": "task_name"}]),
        (page, "200, 400 and 500 are answered", {"200", "400", "500"} <= set(said), True),
        (page, "200 has a job_id", list(answer(operation, "200")["schema"]["properties"]), ["job_id"]),
        (page, "job_id is a string", answer(operation, "200")["schema"]["properties"]["job_id"]["type"], "string"),
        (page, "job_id is not said to be there always", answer(operation, "200")["schema"].get("required", []), []),
        (page, "the example of 200", answer(operation, "200")["examples"]["accepted"]["value"], {"job_id": "123"}),
        (page, "the example of 400", answer(operation, "400")["examples"]["instanceNotFound"]["value"], {"error_code": "DBS.200022", "error_msg": "Instance not found."}),
    ]
    for status in ("400", "500"):
        properties = answer(operation, status)["schema"]["properties"]
        FACTS += [
            (page, f"{status} has a code and a text", sorted(properties), ["error_code", "error_msg"]),
            (page, f"the code of {status} is a string", properties["error_code"]["type"], "string"),
            (page, f"the text of {status} is a string", properties["error_msg"]["type"], "string"),
        ]
    FACTS += [
        (page, "X-Auth-Token is a header", SPEC["components"]["securitySchemes"]["token"]["in"], "header"),
        (page, "X-Auth-Token is its name", SPEC["components"]["securitySchemes"]["token"]["name"], "X-Auth-Token"),
        (page, "X-Auth-Token is mandatory", {} in SPEC["security"] or "security" in operation, False),
        (page, "the token is the value of X-Subject-Token", "X-Subject-Token" in SPEC["components"]["securitySchemes"]["token"]["description"], True),
    ]
# fmt: on


@pytest.mark.parametrize(
    ("page", "fact", "here", "there"), FACTS, ids=[f"{f[0].split()[0]}: {f[1]}" for f in FACTS]
)
def test_a_fact_of_the_pages_is_in_the_contract(
    page: str, fact: str, here: Any, there: Any
) -> None:
    """As the page has it."""
    assert here == there


def test_what_is_not_on_the_pages_says_where_it_is_from() -> None:
    """The gateway's answers, the signature, the list, the servers, and the rules for identifiers."""
    for operation in BOTH:
        for status in set(operation["responses"]) - {"200", "400", "500"}:
            assert operation["responses"][status]["x-provenance"]
    for found in (
        SPEC["components"]["securitySchemes"]["signature"],
        SPEC["components"]["headers"]["RequestId"],
        SPEC["components"]["schemas"]["GatewayErrorBody"],
        LIST,
        CONFIGURATION,
        INSTANCES,
        *SPEC["servers"],
        *(parameter(PAUSE, name)["schema"] for name in ("project_id", "instance_id")),
    ):
        assert found["x-provenance"]


# How sure a fact is, the surest first.
EVIDENCE = ("documented", "observed", "read in client code", "inferred")


def holders(node: Any) -> Iterator[Any]:
    """Every part of the document that says where it is from."""
    if isinstance(node, dict):
        if "x-provenance" in node:
            yield node["x-provenance"]
        for value in node.values():
            yield from holders(value)
    elif isinstance(node, list):
        for value in node:
            yield from holders(value)


def test_kinds_of_evidence_are_told_apart() -> None:
    """Whatever says where it is from says so for each kind of evidence, the surest first."""
    found = list(holders(RAW))
    for provenance in found:
        kinds = list(provenance)
        assert kinds == [kind for kind in EVIDENCE if kind in kinds]
        assert all(isinstance(text, str) and text.strip() for text in provenance.values())
    assert {kind for provenance in found for kind in provenance} == set(EVIDENCE)


def test_operations_say_since_when_they_are_there() -> None:
    """Those of contract 1.0 say nothing; none is newer than the contract."""
    since = {name: operation.get("x-since", "1.0") for name, operation in OPERATIONS.items()}
    assert [since[name] for name in VERBS] == ["1.0", "1.0", "1.1", "1.2", "1.2"]
    assert RAW["info"]["version"].startswith(max(since.values()))


# Names that generated code, its runtime or the language itself has already, by language.
TAKEN = {
    "TypeScript": "Error Object String Number Boolean Array Map Set Date Promise Function Symbol "
    "Record Partial Pick Request Response Headers Configuration BaseAPI ApiError",
    "Go": "error Error string bool any Configuration APIClient ServerConfiguration GenericOpenAPIError",
    "Java": "Error Object String Exception Override Record Enum Class Thread Process Module Package "
    "Runtime System Configuration ApiClient ApiException JSON Pair",
}


@pytest.mark.parametrize("language", TAKEN)
def test_schema_names_are_free_in_other_languages(language: str) -> None:
    """A generator would rename what collides, or make code that does not compile."""
    taken = {name.casefold() for name in TAKEN[language].split()}
    assert not taken & {name.casefold() for name in RAW["components"]["schemas"]}


def test_component_names_are_used_once() -> None:
    """Some generators make a type of each, whatever kind of component it is."""
    kinds = ("schemas", "parameters", "requestBodies", "responses", "headers")
    names = [name for kind in kinds for name in RAW["components"][kind]]
    assert len({name.casefold() for name in names}) == len(names)


def test_errors_have_a_code_and_a_text() -> None:
    """By the contract; the client does without."""
    body = SPEC["components"]["schemas"]["ServiceErrorBody"]
    assert body["required"] == ["error_code", "error_msg"]
    for operation in OPERATIONS.values():
        for status in ("400", "500"):
            assert answer(operation, status)["schema"] == body


def test_statuses_are_named_one_by_one() -> None:
    """A `default` or a range would make every status a documented one."""
    for operation in OPERATIONS.values():
        assert set(operation["responses"]) == {"200", "400", "401", "403", "429", "500"}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_operations_generated_modules_and_verbs_are_the_same() -> None:
    """Nothing is described that cannot be called, and nothing can be called that is not described."""
    generated = {
        path.stem
        for path in (ROOT / "generated" / "taurusdb_starrocks_api" / "api").rglob("*.py")
        if path.stem != "__init__"
    }
    # The generator splits names at capitals, and "StarRocks" is two words to it.
    assert {re.sub("_", "", name) for name in generated} == {
        snake(n).replace("_", "") for n in OPERATIONS
    }
    assert set(OPERATIONS) == set(VERBS)
    used = {
        node.module.rpartition(".")[2]
        for node in ast.walk(
            ast.parse((ROOT / "wrapper/taurusdb_starrocks/_generated.py").read_text())
        )
        if isinstance(node, ast.ImportFrom) and node.module and ".api." in f"{node.module}."
    } | {
        alias.name
        for node in ast.walk(
            ast.parse((ROOT / "wrapper/taurusdb_starrocks/_generated.py").read_text())
        )
        if isinstance(node, ast.ImportFrom) and node.module and ".api" in node.module
        for alias in node.names
    }
    assert generated <= used
    for client in (taurusdb_starrocks.Client, taurusdb_starrocks.AsyncClient):
        for verb in VERBS.values():
            assert callable(getattr(client, verb))


def test_the_installed_package_has_the_contract() -> None:
    """As text, word for word."""
    assert taurusdb_starrocks.spec() == (ROOT / "openapi.yaml").read_text(encoding="utf-8")
