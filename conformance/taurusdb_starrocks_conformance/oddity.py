"""What is special about a request. Findings with the same check and oddity have one cause."""

from __future__ import annotations

import re
from typing import Any

from .contract import IDENTIFIERS, LANGUAGES, operations
from .exchange import Request, is_task_name
from .leniency import JSON
from .target import Target
from .task import has_credentials

_SPACE = re.compile(r"[\s\0-\x20\x7f\u200b\u2028\u2029\ufeff]+")


def oddity(request: Request, target: Target) -> str:  # noqa: PLR0911 - one for each kind
    """The first difference from a plain correct request; "none" if there is none."""
    found = request.operation(target.base)
    if found is None:
        return _elsewhere(request, target)
    operation, *identifiers = found
    if not has_credentials(request, target):
        return "credentials"
    for (name, rule), value in zip(IDENTIFIERS.items(), identifiers, strict=True):
        own = target.project_id if name == "project_id" else target.instance(operation)
        if not rule.fullmatch(value):
            return f"{name}: {'white space' if _is_spaced(value, own) else 'malformed'}"
        if value != own:
            return f"{name}: {'another case' if value.lower() == own.lower() else 'unknown'}"
    if request.header("X-Language") not in (None, *LANGUAGES):
        return "X-Language"
    if operation.method == "POST":
        if not JSON.fullmatch(request.header("Content-Type") or ""):
            return "Content-Type"
        particular = _body(request, target)
    else:
        particular = _query(request, target) if operation.names_task else "none"
    plain = f"task_name={target.task_name}" if operation.names_task else ""
    return "query" if particular == "none" and request.query != plain else particular


def _query(request: Request, target: Target) -> str:
    if request.task_name is None:
        return "query: no task_name"
    particular = name_oddity(request.task_name, target.task_name)
    return particular if particular == "none" else f"task_name: {particular}"


def _elsewhere(request: Request, target: Target) -> str:
    for operation in operations().values():
        if Request(operation.method, request.path).operation(target.base) is not None:
            return f"method {request.method}"
    return "path"


def _body(request: Request, target: Target) -> str:
    document = request.document
    if not isinstance(document, dict):
        return "body: not JSON" if document is None else "body: not an object"
    if "task_name" not in document:
        return "body: no task_name"
    particular = name_oddity(document["task_name"], target.task_name)
    if particular == "none" and len(document) > 1:
        return "body: further properties"
    return particular if particular == "none" else f"task_name: {particular}"


def name_oddity(name: Any, own: str) -> str:  # noqa: PLR0911 - one for each kind
    """What is special about a task name; "none" for the name of the task."""
    if not isinstance(name, str):
        return "another type"
    if name == own:
        return "none"
    if is_task_name(name):
        return "another case" if name.lower() == own.lower() else "unknown"
    if _is_spaced(name, own):
        return "white space"
    if not name.isascii():
        return "beyond ASCII"
    if not 3 <= len(name) <= 128:
        return "length"
    return "other characters"


def _is_spaced(value: str, own: str) -> bool:
    return value != own and _SPACE.sub("", value) == own
