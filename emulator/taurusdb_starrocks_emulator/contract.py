"""Validates calls and responses against `openapi.yaml`.

Each schema is compiled once with jsonschema-rs. Nothing from a request is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema_rs import Draft202012Validator
from starlette.datastructures import Headers

from .response import Response
from .strict_json import Malformed, check_content_type
from .yaml_loader import parse_yaml

__all__ = ["CONTRACTS", "OPERATIONS", "Contract", "Misfit", "Route", "read_contract"]

# Versions of the contract. A service with an older version lacks newer calls.
CONTRACTS = ("1.0", "1.1", "1.2")

# Names of the operations in the journal and in faults.
OPERATIONS = {
    "pauseStarRocksDataReplication": "pause",
    "resumeStarRocksDataReplication": "resume",
    "listStarRocksDataReplications": "list",
    "listStarRocksDataReplicationConfig": "configuration",
    "listHtapInstanceInfo": "instances",
}
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)


class Misfit(Exception):  # noqa: N818 - the program's own fault, and not a caller's
    """A response of the emulator does not match the contract."""


@dataclass(frozen=True)
class Route:
    """The operation of a path, or at least the methods that the path allows."""

    operation: str | None = None
    allow: tuple[str, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)


class _Parameter:
    """A parameter of the query, or a header."""

    def __init__(self, described: Any) -> None:
        self.name: str = described["name"]
        self._required: bool = described["required"]
        self._integer = described["schema"]["type"] == "integer"
        self._schema = Draft202012Validator(described["schema"])

    def check(self, values: list[str]) -> None:
        """Validate the number of values and each value."""
        if not values and not self._required:
            return
        if len(values) != 1:
            raise Malformed(f"{self.name} is {'there twice' if values else 'missing'}")
        value: str | int = values[0]
        if self._integer:
            if _INTEGER.fullmatch(values[0]) is None:
                raise Malformed(f"{self.name} is no integer")
            value = int(values[0])
        _check(self._schema, value, self.name)


class _Operation:
    """The rules of the contract for an operation."""

    def __init__(self, described: Any, parameters: list[Any]) -> None:
        self.query = [_Parameter(each) for each in parameters if each["in"] == "query"]
        self.headers = [_Parameter(each) for each in parameters if each["in"] == "header"]
        body = described.get("requestBody")
        self.body = None if body is None else _of_json(body)
        self.responses = {
            int(status): _of_json(response) for status, response in described["responses"].items()
        }


class Contract:
    """`openapi.yaml`, or the part in an older version. Create it with `read_contract()`."""

    def __init__(self, version: str) -> None:
        text = resources.files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
        spec = parse_yaml(text)
        self._paths: dict[tuple[str, ...], dict[str, str]] = {}
        self._operations: dict[str, _Operation] = {}
        self._rules: dict[str, re.Pattern[str]] = {}
        for path, item in _inlined(spec["paths"], spec).items():
            verbs: dict[str, str] = {}
            for method in item.keys() - {"parameters"}:
                described = item[method]
                if described.get("x-since", CONTRACTS[0]) > version:
                    continue
                short = verbs[method.upper()] = OPERATIONS[described["operationId"]]
                parameters = [*item.get("parameters", []), *described.get("parameters", [])]
                self._operations[short] = _Operation(described, parameters)
                for parameter in parameters:
                    if parameter["in"] == "path":
                        self._rules[parameter["name"]] = re.compile(parameter["schema"]["pattern"])
            if verbs:
                self._paths[tuple(path.split("/"))] = verbs

    def route(self, method: str, raw_path: str) -> Route:
        """The route of a path. The path is split as sent, so an encoded slash does not split it."""
        sent = raw_path.split("/")
        for template, verbs in self._paths.items():
            if len(template) != len(sent):
                continue
            path: dict[str, str] = {}
            for expected, segment in zip(template, sent, strict=True):
                if expected.startswith("{") and segment:
                    path[expected[1:-1]] = unquote(segment)
                elif expected != segment:
                    break
            else:
                return Route(verbs.get(method), tuple(verbs), path)
        return Route()

    def is_well_formed(self, name: str, value: str) -> bool:
        """Whether a path parameter matches the contract."""
        return self._rules[name].fullmatch(value) is not None

    def check(
        self, route: Route, *, query: str, headers: Headers, document: Callable[[], Any]
    ) -> None:
        """Validate a call.

        Args:
            route: Its route, which has an operation.
            query: The query as sent.
            headers: Its headers.
            document: Returns the document in its body, or raises Malformed.

        Raises:
            Malformed: The call does not match the contract.
        """
        assert route.operation is not None
        for name, value in route.path.items():
            if not self.is_well_formed(name, value):
                raise Malformed(f"{name} is malformed")
        operation = self._operations[route.operation]
        sent = parse_qsl(query, keep_blank_values=True) if query else []
        for parameter in operation.query:
            parameter.check([value for name, value in sent if name == parameter.name])
        for parameter in operation.headers:
            values = headers.getlist(parameter.name)
            parameter.check([", ".join(values)] if values else [])
        if operation.body is not None:
            check_content_type(headers.getlist("content-type"))
            _check(operation.body, document(), "the body")

    def check_response(self, operation: str, response: Response) -> None:
        """Validate the response of an operation.

        Raises:
            Misfit: The response does not match the contract.
        """
        schema = self._operations[operation].responses.get(response.status)
        if schema is None or response.content_type != "application/json":
            raise Misfit(f"{response.status} {response.content_type} is not in the contract")
        try:
            _check(schema, response.document, "the body")
        except Malformed as error:
            raise Misfit(str(error)) from error


@cache
def read_contract(version: str = CONTRACTS[-1]) -> Contract:
    """The contract. Reading it is slow, so all emulators of a process share it."""
    return Contract(version)


def _check(schema: Draft202012Validator, value: Any, name: str) -> None:
    if not schema.is_valid(value):
        first = next(iter(schema.iter_errors(value)))
        at = "".join(f".{key}" for key in first.instance_path)
        raise Malformed(f"{name}{at}: {' '.join(first.message.split())[:200]}")


def _of_json(described: Any) -> Draft202012Validator:
    """The schema of the only content type of the service."""
    assert set(described["content"]) == {"application/json"}
    return Draft202012Validator(described["content"]["application/json"]["schema"])


def _inlined(node: Any, root: Any) -> Any:
    """Resolve all references in a document."""
    if isinstance(node, dict):
        if "$ref" in node:
            target = root
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            return _inlined(target, root)
        return {key: _inlined(value, root) for key, value in node.items()}
    return [_inlined(item, root) for item in node] if isinstance(node, list) else node
