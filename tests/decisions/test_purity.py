"""What decides does no I/O: it is handed the time, chance and whatever was read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import taurusdb_starrocks

FOLDER = Path(taurusdb_starrocks.__file__).parent / "_decisions"
IMPURE = {
    "anyio",
    "asyncio",
    "http",
    "httpx",
    "os",
    "random",
    "select",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
}


def imported(source: str) -> set[str]:
    """The top-level modules that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.stem)
def test_decisions_import_nothing_that_acts(path: Path) -> None:
    """No HTTP library, event loop, clock, chance, environment, thread or socket."""
    assert imported(path.read_text(encoding="utf-8")) & IMPURE == set()


def test_an_import_in_a_function_counts() -> None:
    """The test above finds it wherever it stands."""
    source = "def f():\n    import time\n    from os.path import join\n    import a.b as httpx"
    assert imported(source) == {"time", "os", "a"}


def test_the_folder_is_there() -> None:
    """Nothing is proved about an empty one."""
    assert {"retry", "verdict", "paging", "polling", "convergence", "window", "steps"} <= {
        path.stem for path in FOLDER.glob("*.py")
    }
