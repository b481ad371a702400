"""The targets of a fleet, from a program or a file, checked before anything is sent.

They are in a temporary SQLite database on the disk, so that memory does not grow with their number.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from taurusdb_starrocks import AsyncClient, ConfigurationError, regions

Connect = Callable[[str | None, str | None], AsyncClient]
Source = str | os.PathLike[str] | Iterable["Target"]

MOST_SHOWN = 100  # Problems in one error.
MOST_LINES = 10  # Lines that are named for each.
FIELDS = ("instance_id", "task_name", "region", "endpoint", "project_id")
TOLD = ("state", "error")  # More columns of a file of targets that are left.


class Target(NamedTuple):
    """A task, and where it is.

    Attributes:
        instance_id: StarRocks instance.
        task_name: The task.
        region: Its region; None for the default.
        endpoint: Base URL in place of a region.
        project_id: Its project; None for the default.
    """

    instance_id: str
    task_name: str
    region: str | None = None
    endpoint: str | None = None
    project_id: str | None = None


class Place(NamedTuple):
    """An instance, and where it is."""

    endpoint: str
    project_id: str
    instance_id: str


class Outcome(NamedTuple):
    """The outcome of a target.

    Attributes:
        target: The target, with its endpoint and project.
        state: See ``Result``.
        error: The error; empty if it did not fail.
    """

    target: Target
    state: str
    error: str


class _Line(NamedTuple):
    """One target of a source, or what is wrong with it."""

    where: str
    target: Target | None = None
    problem: str = ""


class Targets:
    """The targets of one run, each once, with their outcomes.

    Args:
        source: The targets, or a file of them.
        connect: Makes the client for an endpoint and a project; None is the default.
        allowed: Endpoints outside the region table that a file may name, besides the default one.

    Raises:
        ConfigurationError: The file cannot be read, or targets are wrong; all of them are named,
            with their lines. Nothing was sent.
    """

    def __init__(self, source: Source, connect: Connect, allowed: Collection[str] = ()) -> None:
        # The empty name makes a temporary database on the disk, of which SQLite caches some pages.
        self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute(
            "CREATE TABLE target (endpoint TEXT, project_id TEXT, instance_id TEXT, task_name TEXT,"
            " line TEXT, state TEXT NOT NULL DEFAULT 'planned', error TEXT NOT NULL DEFAULT '',"
            " PRIMARY KEY (endpoint, project_id, instance_id, task_name)) WITHOUT ROWID"
        )
        self._connect = connect
        self.clients: dict[tuple[str, str], AsyncClient] = {}
        self._resolved: dict[tuple[str | None, str | None], AsyncClient | str] = {}
        if isinstance(source, str | os.PathLike):
            self._fill(_from_file(Path(source), allowed, self._default_endpoint))
        else:
            self._fill(_numbered(source))

    def _fill(self, lines: Iterable[_Line]) -> None:
        problems: dict[str, list[str]] = {}  # The lines with each problem.
        more = 0
        self._rows.execute("BEGIN")
        for line in lines:
            problem = line.problem if line.target is None else self._add(line.where, line.target)
            if problem in problems or (problem and len(problems) < MOST_SHOWN):
                problems.setdefault(problem, []).append(line.where)
            else:
                more += bool(problem)
        self._rows.execute("COMMIT")
        told = [f"{_together(where)}: {what.rstrip('.')}." for what, where in problems.items()]
        if not told and not len(self):
            told.append("There are no targets.")
        if more:
            told.append(f"And {more} more.")
        if told:
            raise ConfigurationError("\n".join([*told, "Nothing was sent."]))

    def _add(self, where: str, target: Target) -> str:
        """Add a target, or return what is wrong with it."""
        if target.region is not None and target.endpoint is not None:
            return "has both a region and an endpoint"
        endpoint = target.endpoint
        if target.region is not None:
            endpoint = regions().get(target.region)
            if endpoint is None:
                return f"unknown region {target.region!r}"
        client = self._client(endpoint, target.project_id)
        if isinstance(client, str):
            return client
        try:
            client.paused(target.instance_id, target.task_name)  # Checks both, and sends nothing.
        except ConfigurationError as error:
            return str(error).removesuffix(" Nothing was sent.")
        row = (client.endpoint, client.project_id, target.instance_id, target.task_name)
        try:
            self._rows.execute(
                "INSERT INTO target (endpoint, project_id, instance_id, task_name, line) "
                "VALUES (?, ?, ?, ?, ?)",
                (*row, where),
            )
        except sqlite3.IntegrityError:
            first = self._rows.execute(f"SELECT line FROM target WHERE {_SAME}", row).fetchone()[0]  # noqa: S608  # Names of columns.
            return f"{target.task_name} of {target.instance_id} is already in {first}"
        return ""

    def _client(self, endpoint: str | None, project_id: str | None) -> AsyncClient | str:
        """The client for an endpoint and a project, or why there is none."""
        wanted = (endpoint, project_id)
        if wanted not in self._resolved:
            try:
                client = self._connect(endpoint, project_id)
            except ConfigurationError as error:
                self._resolved[wanted] = str(error)
            else:
                key = (client.endpoint, client.project_id)
                self._resolved[wanted] = self.clients.setdefault(key, client)
        return self._resolved[wanted]

    def _default_endpoint(self) -> str | None:
        """The endpoint of targets that have none: the token is sent there anyway."""
        client = self._client(None, None)
        return None if isinstance(client, str) else client.endpoint

    @property
    def call_timeout(self) -> float:
        """The longest timeout of a request, in seconds."""
        return max(client.timeout for client in self.clients.values())

    def __len__(self) -> int:
        count: int = self._rows.execute("SELECT count(*) FROM target").fetchone()[0]
        return count

    def places(self) -> Iterator[Place]:
        """The instances, each once."""
        last = Place("", "", "")
        while row := self._rows.execute(
            "SELECT endpoint, project_id, instance_id FROM target WHERE "
            "(endpoint, project_id, instance_id) > (?, ?, ?) "
            "ORDER BY endpoint, project_id, instance_id LIMIT 1",
            last,
        ).fetchone():
            last = Place(*row)
            yield last

    def names(self, place: Place) -> list[str]:
        """The tasks of an instance."""
        rows = self._rows.execute(
            "SELECT task_name FROM target WHERE endpoint = ? AND project_id = ? "
            "AND instance_id = ? ORDER BY task_name",
            place,
        )
        return [name for (name,) in rows]

    def planned(self, place: Place) -> list[str]:
        """The tasks of an instance that have no outcome yet."""
        rows = self._rows.execute(
            "SELECT task_name FROM target WHERE endpoint = ? AND project_id = ? "
            "AND instance_id = ? AND state = 'planned' ORDER BY task_name",
            place,
        )
        return [name for (name,) in rows]

    def note(self, place: Place, name: str, state: str, error: object = "") -> None:
        """Store the outcome of a target."""
        self._rows.execute(
            f"UPDATE target SET state = ?, error = ? WHERE {_SAME}",  # noqa: S608  # Names of columns.
            (state, str(error), *place, name),
        )

    def counts(self) -> dict[str, int]:
        """How many targets are in each state."""
        return dict(self._rows.execute("SELECT state, count(*) FROM target GROUP BY state"))

    def outcomes(self, states: Collection[str]) -> Iterator[Outcome]:
        """The targets in one of these states."""
        rows = self._rows.execute(
            "SELECT instance_id, task_name, endpoint, project_id, state, error FROM target "
            "WHERE state IN (SELECT value FROM json_each(?))",
            (json.dumps(list(states)),),
        )
        for instance_id, task_name, endpoint, project_id, state, error in rows:
            target = Target(instance_id, task_name, None, endpoint, project_id)
            yield Outcome(target, state, error)

    def write(self, path: str | os.PathLike[str], states: Collection[str]) -> int:
        """Write the targets in these states to a file of targets; return how many there are.

        Each line also has the state and the error, which are ignored when the file is read.
        """
        count = 0
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(("instance_id", "task_name", "endpoint", "project_id", *TOLD))
            for target, state, error in self.outcomes(states):
                where = (target.endpoint, target.project_id)
                lines.writerow((target.instance_id, target.task_name, *where, state, error))
                count += 1
        return count

    async def aclose(self) -> None:
        """Close the clients. The outcomes can still be read."""
        for client in self.clients.values():
            await client.aclose()


_SAME = "endpoint = ? AND project_id = ? AND instance_id = ? AND task_name = ?"


def _numbered(targets: Iterable[Target]) -> Iterator[_Line]:
    for number, target in enumerate(targets, 1):
        yield _Line(f"target {number}", Target(*target))


def _together(where: Sequence[str]) -> str:
    """The lines with the same problem: ``line 2``, or ``line 2, line 3 and 53 more``."""
    more = f" and {len(where) - MOST_LINES} more" if len(where) > MOST_LINES else ""
    return ", ".join(where[:MOST_LINES]) + more


def _from_file(
    path: Path, allowed: Collection[str], default: Callable[[], str | None]
) -> Iterator[_Line]:
    """The lines of a file: JSON Lines if it starts with a brace, else CSV with a header."""
    known = {*regions().values(), *(url.rstrip("/") for url in allowed)}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            json_lines = file.read(1) == "{"
            file.seek(0)
            rows = _json_lines(file) if json_lines else _csv(file)
            for number, fields in rows:
                where = f"line {number}"
                problem = fields if isinstance(fields, str) else _problem(fields, known, default)
                if problem:
                    yield _Line(where, problem=problem)
                else:
                    yield _Line(where, Target(**{name: fields.get(name) for name in FIELDS}))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}. Nothing was sent.") from error


def _json_lines(file: Iterable[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                yield number, f"is not JSON: {error}"


def _csv(file: Iterable[str]) -> Iterator[tuple[int, Any]]:
    lines = csv.reader(file, strict=True)
    header = [name.strip() for name in next(lines, [])]
    if problem := _wrong_header(header):
        yield 1, problem
        return
    for cells in lines:
        if len(cells) == len(header):
            filled = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            yield lines.line_num, {name: cell for name, cell in filled.items() if cell}
        elif any(cells):
            wrong = f"the number of fields is {len(cells)}, and {len(header)} in the header"
            yield lines.line_num, wrong


def _wrong_header(header: Sequence[str]) -> str:
    missing = [name for name in FIELDS[:2] if name not in header]
    unknown = [name for name in header if name not in {*FIELDS, *TOLD}]
    if missing:
        return f"the header lacks {' and '.join(missing)}"
    if unknown or len(set(header)) < len(header):
        return f"the header may have {', '.join(FIELDS)}, each once, not {', '.join(header)}"
    return ""


def _problem(fields: Any, known: set[str], default: Callable[[], str | None]) -> str:
    """What is wrong with the fields of a target; empty if nothing is."""
    if not isinstance(fields, dict):
        return "is not an object"
    wrong = [name for name, value in fields.items() if not isinstance(value, str | None)]
    problem = ""
    if unknown := [name for name in fields if name not in {*FIELDS, *TOLD}]:
        problem = f"has unknown fields: {', '.join(unknown)}"
    elif wrong:
        problem = f"{' and '.join(wrong)} must be text"
    elif missing := [name for name in FIELDS[:2] if not fields.get(name)]:
        problem = f"lacks {' and '.join(missing)}"
    elif (
        (endpoint := fields.get("endpoint"))
        and endpoint.rstrip("/") not in known
        and endpoint.rstrip("/") != default()
    ):
        problem = (
            f"its endpoint {endpoint!r} does not belong to a known region: no token is sent there "
            "unless you allow it (--allow-endpoint)"
        )
    return problem
