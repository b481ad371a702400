"""Whether a call and its response fit `openapi.yaml`, which alone says what fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, unquote

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.validation.schemas import oas31_schema_validators_factory
from openapi_core.validation.schemas.factories import SchemaValidatorsFactory
from starlette.datastructures import Headers, QueryParams

from .response import Response
from .strict_json import Malformed, strict_json
from .yaml_loader import parse_yaml

__all__ = [
    "CONTRACTS",
    "Contract",
    "Misfit",
    "Route",
    "Wire",
    "contract",
]

# Versions of the contract; a service of an earlier one lacks what came later.
CONTRACTS = ("1.0", "1.1", "1.2")

# What the operations are called in the journal and in faults.
_SHORT = {
    "pauseStarRocksDataReplication": "pause",
    "resumeStarRocksDataReplication": "resume",
    "listStarRocksDataReplications": "list",
    "listStarRocksDataReplicationConfig": "configuration",
    "listHtapInstanceInfo": "instances",
}
_ORIGIN = "http://emulator"
_INTEGER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)


class Misfit(Exception):  # noqa: N818 - as above, of the response
    """A response of the emulator does not fit the contract: a fault of its own."""


@dataclass(frozen=True)
class Route:
    """What a path leads to: an operation, or at least methods that it would take."""

    operation: str | None = None
    allow: tuple[str, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """The parts of a request that the contract speaks of."""

    method: str
    path: str
    query: str = ""
    language: str | None = None
    content_type: str | None = None
    body: bytes = b""


class _Finder(APICallPathFinder):
    """openapi-core's search for the operation of a path, made once for each path."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.find = lru_cache(1024)(super().find)  # type: ignore[method-assign] # cached


def _validators() -> SchemaValidatorsFactory:
    """openapi-core's factory of validators, which makes one once for each schema."""
    factory = copy(oas31_schema_validators_factory)
    factory.create = lru_cache(1024)(factory.create)  # type: ignore[assignment, method-assign] # cached
    return factory


@dataclass(frozen=True, kw_only=True)
class _Operation:
    """What the contract says of an operation.

    Its responses are looked up by a request that fits by its nature: the path is the template.
    """

    query: list[Any]
    body: Any
    exemplar: _Request


class Contract:
    """`openapi.yaml`, or what an earlier version had of it, read once. Use `contract()`."""

    def __init__(self, version: str) -> None:
        text = resources.files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
        spec = parse_yaml(text)
        spec = {**_inlined(spec, spec), "servers": [{"url": _ORIGIN}]}
        # Authentication comes before, and is ours: openapi-core does not know the scheme.
        for name in ("security", "components"):
            del spec[name]
        self._openapi = OpenAPI.from_dict(
            spec, config=Config(path_finder_cls=_Finder, schema_validators_factory=_validators())
        )
        self._paths: dict[tuple[str, ...], dict[str, str]] = {}
        self._operations: dict[str, _Operation] = {}
        self._rules: dict[str, re.Pattern[str]] = {}
        for path, item in spec["paths"].items():
            verbs: dict[str, str] = {}
            for method in item.keys() - {"parameters"}:
                described = item[method]
                if described.get("x-since", CONTRACTS[0]) > version:
                    continue
                short = verbs[method.upper()] = _SHORT[described["operationId"]]
                parameters = [*item.get("parameters", []), *described.get("parameters", [])]
                self._operations[short] = _Operation(
                    query=[parameter for parameter in parameters if parameter["in"] == "query"],
                    body=described.get("requestBody"),
                    exemplar=_Request(Wire(method=method, path=path)),
                )
                for parameter in parameters:
                    if parameter["in"] == "path":
                        self._rules[parameter["name"]] = re.compile(parameter["schema"]["pattern"])
            if verbs:
                self._paths[tuple(path.split("/"))] = verbs
        self._fits = lru_cache(1024)(self._check)

    def route(self, method: str, raw_path: str) -> Route:
        """Where a path leads. It is split as it was sent, so an encoded slash splits nothing."""
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
        """Whether a path parameter is written as the contract says."""
        return self._rules[name].fullmatch(value) is not None

    def check(self, route: Route, wire: Wire) -> None:
        """Nothing, if the call fits.

        Raises:
            Malformed: It does not.
        """
        if problem := self._fits(route.operation, tuple(route.path.items()), wire):
            raise Malformed(problem)

    def check_response(self, operation: str, response: Response) -> None:
        """Nothing, if the response of an operation fits.

        Raises:
            Misfit: It does not.
        """
        try:
            self._openapi.validate_response(
                self._operations[operation].exemplar, _ValidatedResponse(response)
            )
        except OpenAPIError as error:
            raise Misfit(_reason(error)) from error

    def _check(self, short: str, path: tuple[tuple[str, str], ...], wire: Wire) -> str | None:
        """What is wrong with a call. A pure function of what was sent, hence cached above."""
        for name, value in path:
            if not self.is_well_formed(name, value):
                return f"{name} is malformed"
        operation = self._operations[short]
        try:
            _check_query(operation.query, wire.query)
            if operation.body is not None:
                _check_body(operation.body, wire)
            self._openapi.validate_request(_Request(wire))
        except Malformed as error:
            return str(error)
        except OpenAPIError as error:
            return _reason(error)
        except RecursionError:
            return "the body is nested too deeply"
        return None


@cache
def contract(version: str = CONTRACTS[-1]) -> Contract:
    """The contract. Reading it takes a moment, so all emulators of a process share it."""
    return Contract(version)


def _check_query(parameters: list[Any], query: str) -> None:
    """Refuse what openapi-core lets pass: a parameter given twice, `1_0`, ` 1`, a final newline."""
    sent = parse_qsl(query, keep_blank_values=True)
    for parameter in parameters:
        values = [value for name, value in sent if name == parameter["name"]]
        integer = parameter["schema"]["type"] == "integer"
        rule = _INTEGER if integer else re.compile(parameter["schema"].get("pattern", ".*"))
        if len(values) > 1 or not all(map(rule.fullmatch, values)):
            raise Malformed(f"{parameter['name']} is malformed")


def _check_body(described: Any, wire: Wire) -> None:
    """Refuse what openapi-core lets pass: see `strict_json`, and a `$` before a final newline."""
    document = strict_json(wire.content_type, wire.body)
    properties = described["content"]["application/json"]["schema"]["properties"]
    for name, schema in properties.items():
        value = document.get(name) if isinstance(document, dict) else None
        rule = schema.get("pattern")
        if rule and isinstance(value, str) and re.fullmatch(rule, value) is None:
            raise Malformed(f"{name} is malformed")


class _Request:
    """A request as openapi-core wants it."""

    host_url = _ORIGIN

    def __init__(self, wire: Wire) -> None:
        self.method = wire.method.lower()
        self.path = wire.path
        self.body = wire.body
        self.content_type = "application/json"  # `strict_json` has looked at what was sent.
        language = {} if wire.language is None else {"X-Language": wire.language}
        self.parameters = RequestParameters(
            query=QueryParams(wire.query), header=Headers(language), cookie={}
        )


class _ValidatedResponse:
    """A response as openapi-core wants it."""

    def __init__(self, response: Response) -> None:
        self.status_code = response.status
        self.content_type = response.content_type or ""
        self.headers = Headers(response.headers)
        self.data = response.body


def _reason(error: BaseException) -> str:
    """The innermost reason, on one line: openapi-core wraps what it found."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = getattr(error, "schema_errors", None)
    text = next(iter(first)).message if first else str(error)
    return " ".join(text.split())[:200]


def _inlined(node: Any, root: Any) -> Any:
    """The document with every reference replaced by what it refers to."""
    if isinstance(node, dict):
        if "$ref" in node:
            target = root
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            return _inlined(target, root)
        return {key: _inlined(value, root) for key, value in node.items()}
    return [_inlined(item, root) for item in node] if isinstance(node, list) else node
