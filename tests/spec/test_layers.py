"""Who may import whom: the table in CONTRIBUTING.md is what the imports are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import taurusdb_starrocks

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "wrapper" / "taurusdb_starrocks"
NAME = "taurusdb_starrocks"
PUBLIC = set(taurusdb_starrocks.__all__)
MODULES = sorted(PACKAGE.rglob("*.py"))
# The rooms that a library may be used in.
FOREIGN = {
    "airflow": {"airflow"},
    "httpx": {"_transport", "_generated"},
    "click": {"cli"},
    "h11": {"_transport"},
    "rich": {"cli"},
    "taurusdb_starrocks_api": {"_generated"},
}


ROOMS = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
# What stands on public names, and imports nothing else of the package around it.
ON_PUBLIC_NAMES = {"airflow", "cli", "durable", "fleet"} & ROOMS


def room(module: str) -> str:
    """The folder or the module at the top of the package that a module belongs to.

    A public name belongs to the package itself.
    """
    first = module.removeprefix(f"{NAME}.").partition(".")[0]
    return first if first in ROOMS else "__init__"


def own_room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """What a module imports by full name, but for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(child for statement in node.body for child in ast.walk(statement))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == NAME:
                yield from (f"{NAME}.{alias.name}" for alias in node.names)
            elif node.module:
                yield node.module


def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports from."""
    found: dict[str, set[str]] = {}
    for path in MODULES:
        here = own_room(path)
        targets = {room(name) for name in imports(path) if name.startswith(f"{NAME}.")}
        # What the package offers everybody comes from the package itself.
        targets = {"__init__" if name in PUBLIC else name for name in targets}
        found.setdefault(here, set()).update(targets - {here})
    return found


def table() -> dict[str, set[str]]:
    """The same as CONTRIBUTING.md has it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \| (.*?) \|$", text, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)", cell)) for name, cell in rows}


def test_table_is_what_the_imports_are() -> None:
    """No arrow that the table lacks, and none that is not there any more."""
    found = {here: targets for here, targets in arrows().items() if here != "__init__"}
    assert found == table()


def test_what_stands_on_public_names() -> None:
    """The command and the like could be packages of their own."""
    for here in ON_PUBLIC_NAMES:
        assert arrows()[here] <= {"__init__"} | ON_PUBLIC_NAMES


def test_arrows_run_one_way() -> None:
    """Rooms can be put in an order in which each imports only from those before it."""
    left = arrows()
    while left:
        free = [here for here, targets in left.items() if not targets & left.keys()]
        assert free, f"these import each other: {left}"
        for here in free:
            del left[here]


@pytest.mark.parametrize("library", FOREIGN)
def test_libraries_stay_in_their_rooms(library: str) -> None:
    """What speaks HTTP, and generated code, can be exchanged where it is."""
    users = {
        own_room(path)
        for path in MODULES
        if any(name.partition(".")[0] == library for name in imports(path))
    }
    assert users == FOREIGN[library]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_private_attribute_of_another(path: Path) -> None:
    """What begins with an underscore belongs to the object itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    private = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_(?!_)", node.attr)
        and ast.unparse(node.value) not in {"self", "cls"}
    ]
    assert private == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_is_long(path: Path) -> None:
    """Three hundred lines of code at most, docstrings and comments left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    assert len(ast.unparse(tree).splitlines()) <= 300


def test_nothing_global_changes() -> None:
    """No module of this package changes what belongs to everybody."""
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert "sys.modules[" not in text
        assert "sys.modules.setdefault" not in text
        assert "addFilter" not in text
