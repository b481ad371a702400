"""The parts of `openapi.yaml` that the checks need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

# The operations that the suite can test. It never sends others, because it might make changes that
# it cannot undo.
TESTED = frozenset({"pause", "resume", "list", "configuration", "instances"})
SPEC = Path(__file__).with_name("openapi.yaml")


def load(path: Path) -> Any:
    """An OpenAPI document with all references resolved."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _inlined(document, document)


def _inlined(node: Any, root: Any) -> Any:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            target = root
            for key in reference.removeprefix("#/").split("/"):
                target = target[key.replace("~1", "/").replace("~0", "~")]
            return _inlined(target, root)
        return {key: _inlined(value, root) for key, value in node.items()}
    return [_inlined(item, root) for item in node] if isinstance(node, list) else node


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        verb: `pause`, `resume`, `list`, `configuration` or `instances`.
        since: Version of the contract that introduced it.
        names_task: Whether its query has a task name.
        of_source: Whether its instance is the TaurusDB instance, not the StarRocks instance.
    """

    id: str
    verb: str
    since: str
    names_task: bool
    of_source: bool
    method: str
    template: str
    documented: frozenset[int]
    schemas: dict[int, Any]

    @property
    def may_have_siblings(self) -> bool:
        """Whether the real service may have other operations on the path, which change something.

        The vendor's Terraform provider creates, changes and deletes tasks with POST, PUT and DELETE
        on the path of the list. So no such method is sent to another machine, where the contract
        has only GET.
        """
        return self.method == "GET"

    def path(self, project_id: str, instance_id: str) -> str:
        """The path with these values, unchanged."""
        return self.template.replace("{project_id}", project_id).replace(
            "{instance_id}", instance_id
        )

    def misfit(self, status: int, document: Any) -> str | None:
        """Why the body of a response does not match its schema, or None if it does."""
        errors = Draft202012Validator(self.schemas[status]).iter_errors(document)
        first = next(iter(sorted(errors, key=lambda error: error.json_path)), None)
        return None if first is None else f"{first.json_path}: {first.message[:200]}"


@cache
def document() -> Any:
    """`openapi.yaml`, with all references resolved."""
    return load(SPEC)


@cache
def operations() -> dict[str, Operation]:
    """The tested operations, by verb."""
    return {verb: found for verb, found in _described().items() if verb in TESTED}


def untested() -> list[str]:
    """The IDs of all other operations of the contract."""
    return [found.id for verb, found in _described().items() if verb not in TESTED]


def _described() -> dict[str, Operation]:
    found = {}
    for template, item in document()["paths"].items():
        for method, described in item.items():
            if method == "parameters":
                continue
            last = template.rsplit("/", 1)[1]
            verb = {"replication": "list", "htap": "instances"}.get(last, last)
            query = [parameter["name"] for parameter in described.get("parameters", [])]
            found[verb] = Operation(
                id=described["operationId"],
                verb=verb,
                since=described.get("x-since", "1.0"),
                names_task="task_name" in query,
                of_source=verb == "instances",
                method=method.upper(),
                template=template,
                documented=frozenset(int(status) for status in described["responses"]),
                schemas={
                    int(status): response["content"]["application/json"]["schema"]
                    for status, response in described["responses"].items()
                },
            )
    return found


def at(method: str, template: str) -> Operation:
    """The operation at a path of the contract."""
    return next(
        operation
        for operation in operations().values()
        if (operation.method, operation.template) == (method.upper(), template)
    )


def _patterns() -> dict[str, re.Pattern[str]]:
    shared = load(SPEC)["components"]["parameters"].values()
    return {
        parameter["name"]: re.compile(parameter["schema"]["pattern"])
        for parameter in shared
        if parameter["in"] == "path"
    }


# Use these with `fullmatch`: a `$` in Python also matches before a final newline.
IDENTIFIERS = _patterns()
TASK_NAME = re.compile(r"[A-Za-z0-9_]{3,128}")
LANGUAGES = frozenset(load(SPEC)["components"]["schemas"]["Language"]["enum"])
