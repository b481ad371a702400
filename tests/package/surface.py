"""The public API as lines of text: one for each name, with its signature.

Run as a script it prints them, for the modules that it is given or for those that every environment
has; `make api` keeps them in public-api.txt, and `make airflow-api` those of the provider in
tests/airflow/public-api.txt. What a class inherits from another public one stands there only.
"""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import re
import sys
import textwrap
from abc import ABC
from collections.abc import Iterator
from typing import Any, Generic, get_overloads

MODULES = (
    "taurusdb_starrocks",
    "taurusdb_starrocks.durable",
    "taurusdb_starrocks.fleet",
    "taurusdb_starrocks_emulator",
    "taurusdb_starrocks_emulator.pytest_plugin",
)


class Verbatim:
    """An annotation as it stands in the source."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def surface(modules: tuple[str, ...] = MODULES) -> list[str]:
    """Every public name of the modules, by module and name."""
    return [
        line
        for module in map(importlib.import_module, modules)
        for name in sorted(module.__all__)
        for line in _describe(f"{module.__name__}.{name}", getattr(module, name))
    ]


def name_of(line: str) -> str:
    """The name that a line describes, without its package: ``Client.pause``."""
    found = re.match(r"\w+\.(?:pytest_plugin\.)?([\w.]+)", line)
    assert found, line
    return found[1].removesuffix(".__init__")


def unnoted(before: list[str], after: list[str], notes: str) -> list[str]:
    """Names that went away or changed and that no code span of the notes begins with."""
    changed = {name_of(line) for line in set(before) - set(after)}
    removed = changed - {name_of(line) for line in after}
    # A class that is gone takes its members along.
    changed = {name for name in changed if name.rpartition(".")[0] not in removed}
    noted = set(re.findall(r"`(?:taurusdb_starrocks(?:_emulator)?\.)?(\w+(?:\.\w+)*)", notes))
    return sorted(changed - noted)


def _describe(path: str, thing: Any) -> Iterator[str]:
    if inspect.isclass(thing):
        yield f"{path} = class({', '.join(base.__name__ for base in _public_bases(thing))})"
        yield from _members(path, thing)
    elif callable(thing):
        yield path + _signature(thing)
    elif isinstance(thing, str):
        yield f"{path}: str"  # The version, which is another in every release.
    else:
        yield f"{path} = {thing!r}"


def _public_bases(kind: type) -> Iterator[type]:
    for base in kind.__bases__:
        if _internal(base):
            yield from _public_bases(base)
        elif base not in {object, ABC, Generic}:
            yield base


def _members(path: str, kind: type) -> Iterator[str]:
    if issubclass(kind, enum.Enum):
        yield from (f"{path}.{member.name} = {member.value!r}" for member in kind)
    found: dict[str, list[str]] = {}
    for ancestor in reversed(kind.__mro__):
        if ancestor is kind or _internal(ancestor):
            found |= dict(_own_members(ancestor))
    for name, texts in sorted(found.items()):
        yield from (f"{path}.{name}{text}" for text in texts)


def _own_members(kind: type) -> Iterator[tuple[str, list[str]]]:
    for name in _assigned(kind):
        yield name, [""]
    for name, annotation in inspect.get_annotations(kind).items():
        if not name.startswith("_"):
            # A TypedDict wraps what stands in the source.
            yield name, [f": {getattr(annotation, '__forward_arg__', annotation)}"]
    for name, member in vars(kind).items():
        if name.startswith("_") and name not in {"__init__", "__enter__", "__aenter__"}:
            continue
        function = getattr(member, "__func__", member)
        if isinstance(member, property):
            yield name, [f": {inspect.get_annotations(member.fget).get('return', 'Any')}"]  # type: ignore[arg-type]
        elif inspect.isfunction(function):
            yield name, [_signature(one) for one in get_overloads(function) or [function]]


def _assigned(kind: type) -> Iterator[str]:
    """Public attributes that its methods set."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind)))):
        match node:
            case ast.Attribute(value=ast.Name("self"), attr=name, ctx=ast.Store()):
                if not name.startswith("_"):
                    yield name


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_plain(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    returned = _plain(signature.return_annotation)
    text = str(signature.replace(parameters=parameters, return_annotation=returned))
    return " async" + text if inspect.iscoroutinefunction(function) else text


def _plain(annotation: Any) -> Any:
    return Verbatim(annotation) if isinstance(annotation, str) else annotation


def _internal(kind: type) -> bool:
    """Whether a class is ours and not exported: what it has counts as its subclasses'."""
    package = sys.modules[kind.__module__.partition(".")[0]]
    ours = package.__name__.startswith("taurusdb_starrocks")
    return ours and kind.__name__ not in package.__all__


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in surface(tuple(sys.argv[1:]) or MODULES)))
