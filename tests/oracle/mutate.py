"""Change the judging code, one change at a time, and count which changes are noticed.

    python -m tests.oracle.mutate [--every N]

A change is noticed if anything but wording is said differently about the recorded exchanges. Left
out are changes of messages, of annotations, and of the case of what is compared without case, and
those that `equivalent.toml` lists with the reason why they change nothing.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import signal
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import libcst
import taurusdb_starrocks_conformance
from mutmut.mutation.mutators import mutation_operators

from .recorded import load

PACKAGE = "taurusdb_starrocks_conformance"
SOURCES = Path(taurusdb_starrocks_conformance.__file__).parent
# The pure code that judges, and what is kept in memory of it before a change is made.
JUDGING = ("judge", "oddity", "leniency", "task", "findings")
KEPT = ("contract", "exchange", "target", "checks")
# Variables that hold messages.
WORDING = {"text", "said", "shown", "wanted"}
LEAST = 0.9
SECONDS = 30


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    code: str
    change: str


class _Changes(libcst.CSTVisitor):
    """Collects every change of a module, by mutmut's operators."""

    def __init__(self) -> None:
        self.found: list[tuple[libcst.CSTNode, libcst.CSTNode]] = []

    def on_visit(self, node: libcst.CSTNode) -> bool:
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                self.found += [(node, changed) for changed in operator(node)]
        # Annotations and decorators do nothing that could be judged.
        return not isinstance(node, libcst.Annotation | libcst.Decorator)


def mutants(module: str) -> Iterator[Mutant]:
    """All changes of a module that can be seen."""
    source = (SOURCES / f"{module}.py").read_text(encoding="utf-8")
    tree, changes = libcst.parse_module(source), _Changes()
    tree.visit(changes)
    seen = {_meaning(source), None}
    for node, changed in changes.found:
        code = tree.deep_replace(node, changed).code
        # The same change by two operators is one; some change only wording.
        if (meaning := _meaning(code)) not in seen:
            seen.add(meaning)
            yield Mutant(module, code, _change(source, code))


class _Visible(ast.NodeTransformer):
    """Takes away messages, and the assertion that two lists are of one length."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("message")

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        # A type, and nothing at run time.
        is_type = isinstance(node.value, ast.Name) and node.value.id == "Literal"
        return ast.Constant("type") if is_type else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if any(isinstance(target, ast.Name) and target.id in WORDING for target in node.targets):
            node.value = ast.Constant("message")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("Misfit", "report") and len(node.args) > 1:
            node.args[1] = ast.Constant("message")
        if getattr(node.func, "attr", "") in ("header", "compile") and _ignores_case(node):
            node.args[0] = ast.Constant(ast.dump(node.args[0]).lower())
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "strict"]
        return node


def _ignores_case(call: ast.Call) -> bool:
    """Whether a call is about names of headers, or a pattern that knows no case."""
    assert isinstance(call.func, ast.Attribute)
    return call.func.attr == "header" or "IGNORECASE" in ast.dump(call)


def _meaning(code: str) -> str | None:
    """What a module does; None if it is no Python."""
    try:
        return ast.dump(_Visible().visit(ast.parse(code)))
    except SyntaxError:
        return None


def _change(source: str, code: str) -> str:
    """The lines that differ, on one line."""
    lines = difflib.unified_diff(source.splitlines(), code.splitlines(), n=0, lineterm="")
    return " ".join(
        f"{line[0]} {line[1:].strip()}" for line in lines if line[:3] not in ("---", "+++", "@@ ")
    )


class Changed(MetaPathFinder):
    """Imports a changed module in place of the one on disk."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name == f"{PACKAGE}.{self._mutant.module}":
            return spec_from_loader(name, self)  # type: ignore[arg-type] # finder and loader in one
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.code, self._mutant.module, "exec"), module.__dict__)


def start(mutant: Mutant) -> int:
    """Judge with a change, in a process of its own that ends with 0 if nothing is noticed."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)  # What never ends is noticed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        noticed = True
        try:
            sys.meta_path.insert(0, Changed(mutant))
            from .verdicts import differs  # noqa: PLC0415 - with the change in place

            noticed = differs()
        finally:
            os._exit(int(noticed))
    return child


def tried(mutants: list[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Each change, and whether it is noticed; as many at a time as there are processors."""
    waiting, running = mutants[::-1], dict[int, Mutant]()
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutant = waiting.pop()
            running[start(mutant)] = mutant
        child, status = os.wait()
        yield running.pop(child), status != 0


def equivalent() -> set[tuple[str, str]]:
    """The changes that are listed as changing nothing: module and change."""
    text = Path(__file__).with_name("equivalent.toml").read_text(encoding="utf-8")
    return {(entry["module"], entry["change"]) for entry in tomllib.loads(text)["mutant"]}


def main() -> int:
    """Print each change that is not noticed; the exit status is 1 if there are too many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try one change in N")
    options = parser.parse_args()
    began = time.monotonic()
    for name in KEPT:
        __import__(f"{PACKAGE}.{name}")
    load()
    listed = equivalent()
    found = [mutant for module in JUDGING for mutant in mutants(module)]
    known = {(mutant.module, mutant.change) for mutant in found}
    for entry in sorted(listed - known):
        sys.stdout.write(f"not a change any more: {entry[0]}: {entry[1]}\n")
    chosen = [
        mutant for mutant in found[:: options.every] if (mutant.module, mutant.change) not in listed
    ]
    missed = []
    for mutant, noticed in tried(chosen):
        if not noticed:
            missed.append(mutant)
            sys.stdout.write(f"not noticed: {mutant.module}: {mutant.change}\n")
            sys.stdout.flush()
    share = 1 - len(missed) / len(chosen)
    sys.stdout.write(
        f"{len(chosen)} changes, {len(chosen) - len(missed)} noticed ({share:.1%}), {len(listed)} "
        f"listed as equivalent, {time.monotonic() - began:.0f} s\n"
    )
    return int(share < LEAST or bool(listed - known))


if __name__ == "__main__":
    sys.exit(main())
