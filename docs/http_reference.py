"""Generate the reference of the HTTP API as Markdown from the contract."""
# ruff: noqa: INP001  # A part of conf.py, not of a package.

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from textwrap import indent
from typing import Any
from urllib.parse import urlencode

# The calls with the client and with the command. The curl examples are generated from the contract.
PYTHON = {
    "pauseStarRocksDataReplication": """\
job = client.pause("{instance_id}", "orders_sync")
print(job.id)""",
    "resumeStarRocksDataReplication": """\
job = client.resume("{instance_id}", "orders_sync")
print(job.id)""",
    "listStarRocksDataReplications": """\
for task in client.tasks("{instance_id}"):
    print(task.name, task.stage_text)""",
    "listStarRocksDataReplicationConfig": """\
configuration = client.configuration("{instance_id}", "orders_sync")
print(configuration.binlog_retention_seconds)""",
    "listHtapInstanceInfo": """\
for instance in client.instances("{instance_id}"):
    print(instance.id, instance.name)""",
}
COMMANDS = {
    "pauseStarRocksDataReplication": "pause $INSTANCE_ID orders_sync --max 2h",
    "resumeStarRocksDataReplication": "resume $INSTANCE_ID orders_sync",
    "listStarRocksDataReplications": "tasks $INSTANCE_ID",
    "listStarRocksDataReplicationConfig": "status $INSTANCE_ID orders_sync",
    "listHtapInstanceInfo": "instances $SOURCE_INSTANCE_ID",
}


class Contract:
    """A contract whose references can be resolved."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def follow(self, part: Any) -> Any:
        """Resolve a reference."""
        while isinstance(part, dict) and "$ref" in part:
            target: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            part = target
        return part

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]:
        """Path, method, operation and parameters of each call."""
        for path, item in self.document["paths"].items():
            shared = [self.follow(one) for one in item.get("parameters", [])]
            for method, operation in item.items():
                if method == "parameters":
                    continue
                own = [self.follow(one) for one in operation.get("parameters", [])]
                order = ["path", "query", "header"]
                yield (
                    path,
                    method.upper(),
                    operation,
                    sorted(shared + own, key=lambda one: order.index(one["in"])),
                )

    def fields(self, schema: Any, within: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
        """Each field of a body: its path from the top, its schema, and whether it is required."""
        schema = self.real(schema)
        if schema.get("type") == "array" or "items" in schema:
            yield from self.fields(schema["items"], f"{within}[]")
            return
        for name, field in schema.get("properties", {}).items():
            path = f"{within}.{name}" if within else name
            yield path, self.real(field), name in schema.get("required", [])
            yield from self.fields(field, path)

    def real(self, schema: Any) -> dict[str, Any]:
        """A schema without references and without the alternative null."""
        schema = self.follow(schema)
        if "oneOf" in schema:
            chosen = [self.follow(one) for one in schema["oneOf"]]
            (real,) = (one for one in chosen if one.get("type") != "null")
            beside = {key: value for key, value in schema.items() if key != "oneOf"}
            return {**real, **beside, "type": [real["type"], "null"]}
        return dict(schema)


def kind(schema: dict[str, Any]) -> str:
    """The type of a value, in words."""
    types = schema.get("type", "object")
    names = [types] if isinstance(types, str) else list(types)
    said = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    if "enum" in schema:
        said += ": " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "minLength" in schema:
        low, high = schema["minLength"], schema["maxLength"]
        said += f", {low} characters" if low == high else f", {low} to {high} characters"
    if "minimum" in schema:
        said += f", {schema['minimum']} to {schema['maximum']}"
    return said


def cell(text: str) -> str:
    """A text in one line of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def provenance(part: dict[str, Any]) -> str:
    """The sources of a fact, in one paragraph."""
    evidence = part.get("x-provenance", {})
    return " ".join(f"*{how[0].upper()}{how[1:]}:* {cell(what)}" for how, what in evidence.items())


def example_of(contract: Contract, content: dict[str, Any]) -> tuple[str, Any] | None:
    """The first example of a body, with its summary."""
    for example in map(contract.follow, content.get("examples", {}).values()):
        return example["summary"], example["value"]
    return None


def curl(
    path: str, method: str, parameters: list[dict[str, Any]], body: dict[str, Any] | None
) -> str:
    """The call as a curl command, with variables for the values of the user.

    An example of an ID that ends in ``in07`` is a TaurusDB instance, which has its own variable.
    """
    query = {
        one["name"]: one["example"]
        for one in parameters
        if one["in"] == "query" and (one["required"] or one["name"] == "limit")
    }
    taurus = any(str(one.get("example")).endswith("in07") for one in parameters)
    names = {"instance_id": "SOURCE_INSTANCE_ID"} if taurus else {}
    where = re.sub(r"\{(\w+)\}", lambda name: f"${names.get(name[1], name[1].upper())}", path)
    lines = [f'curl "$ENDPOINT{where}' + (f"?{urlencode(query)}" if query else "") + '"']
    lines.append('    -H "X-Auth-Token: $TOKEN"')
    if body is not None:
        lines.append("    -H 'Content-Type: application/json'")
        lines.append(f"    -d {shlex.quote(json.dumps(body))}")
    assert method in {"GET", "POST"}  # curl chooses the method.
    return " \\\n".join(lines)


def python(operation: dict[str, Any], instance_id: str) -> str:
    """The call with the client."""
    block = PYTHON[operation["operationId"]].replace("{instance_id}", instance_id)
    return (
        "from taurusdb_starrocks import Client\n\n"
        'with Client(region="ap-southeast-3") as client:\n' + indent(block, "    ")
    )


def tab(title: str, language: str, code: str) -> str:
    """One way to make the call."""
    return f":::{{tab-item}} {title}\n:sync: {title.lower()}\n\n```{language}\n{code}\n```\n:::"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(row) + " |" for row in lines]


def parameter_rows(contract: Contract, parameters: list[dict[str, Any]]) -> list[list[str]]:
    """A row for each parameter."""
    rows = []
    for one in parameters:
        schema = contract.real(one["schema"])
        needed = "required" if one["required"] else f"default `{schema.get('default')}`"
        rows.append(
            [
                f"`{one['name']}`",
                f"{one['in']}, {needed}",
                kind(schema),
                cell(one["description"]),
            ]
        )
    return rows


def sources(contract: Contract, parameters: list[dict[str, Any]], schema: Any) -> list[list[str]]:
    """A row for each parameter and field that has sources."""
    named = [(one["name"], contract.real(one["schema"])) for one in parameters]
    fields = [(path, field) for path, field, _ in contract.fields(schema)]
    return [[f"`{name}`", provenance(one)] for name, one in [*named, *fields] if provenance(one)]


def call(
    contract: Contract,
    path: str,
    method: str,
    operation: dict[str, Any],
    parameters: list[dict[str, Any]],
) -> list[str]:
    """One call: examples, parameters, responses, and sources."""
    request = contract.follow(operation.get("requestBody", {})).get("content", {})
    sent = request.get("application/json", {})
    instance = next(one for one in parameters if one["name"] == "instance_id")
    body = {"task_name": "orders_sync"} if sent else None
    since = operation.get("x-since", "1.0")
    name = operation["operationId"]
    lines = [
        f"({operation['operationId'].lower()})=",
        f"## {operation['summary']}",
        "",
        f"{{.call}}\n**{method}** `{path}`",
        "",
        operation["description"],
        f"Operation ID: `{operation['operationId']}`. Added in API version {since}.",
        "",
        "::::{tab-set}",
        ":sync-group: language",
        "",
        tab("curl", "console", "$ " + curl(path, method, parameters, body)),
        "",
        tab("Python", "python", python(operation, instance["example"])),
        "",
        tab("Command line", "console", f"$ taurusdb-starrocks {COMMANDS[name]}"),
        "::::",
        "",
        "**Parameters**",
        "",
        *table(["name", "in", "type", "description"], parameter_rows(contract, parameters)),
        "",
    ]
    if sent:
        rows = [
            [
                f"`{name}`",
                "yes" if needed else "no",
                kind(field),
                cell(field["description"]),
            ]
            for name, field, needed in contract.fields(sent["schema"])
        ]
        lines += [
            "**Body** (`application/json`)",
            "",
            *table(["name", "required", "type", "description"], rows),
            "",
        ]
    return [*lines, *responses(contract, operation, parameters)]


def responses(
    contract: Contract, operation: dict[str, Any], parameters: list[dict[str, Any]]
) -> list[str]:
    """The responses of one call."""
    all_of_them = {status: contract.follow(one) for status, one in operation["responses"].items()}
    good = all_of_them["200"]
    content = good["content"]["application/json"]
    statuses = [
        [
            f"`{status}`",
            cell(one["description"]),
            "see below" if status == "200" else f"[error](#http-error-{status})",
        ]
        for status, one in all_of_them.items()
    ]
    lines = ["**Responses**", "", *table(["status", "meaning", "body"], statuses), ""]
    shown = example_of(contract, content)
    if shown:
        lines += [
            f"{shown[0]}:",
            "",
            "```json",
            json.dumps(shown[1], indent=2, ensure_ascii=False),
            "```",
            "",
        ]
    fields = [
        [f"`{name}`", kind(field), cell(field["description"])]
        for name, field, _ in contract.fields(content["schema"])
    ]
    lines += [*table(["field", "type", "description"], fields), ""]
    told = [["call", provenance(operation)], *sources(contract, parameters, content["schema"])]
    lines += [":::{dropdown} Sources", *table(["item", "source"], told), ":::", ""]
    return lines


def errors(contract: Contract) -> list[str]:
    """The format of errors, once for all calls."""
    seen: dict[str, dict[str, Any]] = {}
    for _, _, operation, _ in contract.operations():
        for status, response in operation["responses"].items():
            if status != "200":
                seen.setdefault(status, contract.follow(response))
    lines = ["## Errors", ""]
    for status, response in sorted(seen.items()):
        content = response["content"]["application/json"]
        lines += [f"(http-error-{status})=", f"### {status}", "", response["description"], ""]
        shown = example_of(contract, content)
        if shown:
            lines += ["```json", json.dumps(shown[1], indent=2), "```", ""]
        fields = [
            [f"`{name}`", kind(field), cell(field["description"])]
            for name, field, _ in contract.fields(content["schema"])
        ]
        lines += [*table(["field", "type", "description"], fields), ""]
        told = provenance(response) or provenance(contract.real(content["schema"]))
        lines += [told, ""]
    return lines


def hosts(contract: Contract) -> list[str]:
    """The host of each region."""
    rows = [
        [f"`{region}`", f"`{server['url'].replace('{region}', region)}`"]
        for server in contract.document["servers"]
        for region in server["variables"]["region"]["enum"]
    ]
    return [
        "(hosts)=",
        "## Endpoints by region",
        "",
        "The prefix of the hostname differs by region, so look it up in this table.",
        "",
        *table(["region", "base URL"], sorted(rows)),
        "",
        provenance(contract.document["servers"][0]),
        "",
    ]


def credentials(contract: Contract) -> list[str]:
    """How a request is authenticated."""
    lines = ["## Authentication", "", "Each call accepts either of these:", ""]
    for name, scheme in contract.document["components"]["securitySchemes"].items():
        lines += [f"- **{name}.** {cell(scheme['description'])} {provenance(scheme)}"]
    return [*lines, ""]


def overview(contract: Contract) -> list[str]:
    """A table of all calls."""
    rows = [
        [f"[{one['summary']}](#{one['operationId'].lower()})", f"`{method}`", f"`{path}`"]
        for path, method, one, _ in contract.operations()
    ]
    return [*table(["call", "method", "path"], rows), ""]


def render(document: dict[str, Any]) -> dict[str, str]:
    """The parts of the page, by the name of the comment that each replaces."""
    contract = Contract(document)
    calls = [line for one in contract.operations() for line in call(contract, *one)]
    return {
        "overview": "\n".join(overview(contract)),
        "calls": "\n".join([*calls, *errors(contract), *credentials(contract), *hosts(contract)]),
    }
