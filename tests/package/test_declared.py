"""What the released packages import is what their metadata requires, and the reverse."""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Imported only in a program that has loaded it already.
BY_THEIR_HOST = {"pytest_plugin.py": "pytest", "_shield.py": "anyio", "_windows.py": "anyio"}
# What is imported by another name than it is installed by, and is not installed here.
DISTRIBUTIONS = {"airflow": ["apache-airflow"]}


def imported(source: str) -> Iterator[str]:
    """Top-level packages that a module imports, wherever in it, absolutely."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def extra_of(path: str, extras: list[str]) -> str:
    """The extra that a module belongs to; none for what the base install is for."""
    package, inside, *_ = path.split("/")
    _, _, last = package.rpartition("_")
    return next((extra for extra in extras if extra in {last, inside}), "")


def test_imports_are_declared(wheel: Path, metadata: Message) -> None:
    """Each package imports what the base install or its own extra requires, all of it."""
    extras = metadata.get_all("Provides-Extra", [])
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    declared = {
        extra: {
            canonicalize_name(requirement.name)
            for requirement in requirements
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        }
        for extra in ["", *extras]
    }
    distributions = {**packages_distributions(), **DISTRIBUTIONS}
    used: dict[str, set[str]] = {extra: set() for extra in declared}
    archive = zipfile.ZipFile(wheel)
    sources = [path for path in archive.namelist() if path.endswith(".py")]
    known = {*sys.stdlib_module_names, *(path.partition("/")[0] for path in sources)}
    for path in sources:
        extra = extra_of(path, extras)
        for name in set(imported(archive.read(path).decode())) - known:
            if BY_THEIR_HOST.get(Path(path).name) == name:
                continue
            candidates = {canonicalize_name(found) for found in distributions.get(name, [name])}
            assert candidates & declared[extra], f"{path} imports {name}, which is not declared"
            used[extra] |= candidates
    for extra, names in declared.items():
        assert names <= used[extra] | used[""], f"declared and not imported: {extra}"
