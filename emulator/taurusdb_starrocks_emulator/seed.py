"""The initial data, read from YAML or a mapping, and validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from .yaml_loader import parse_yaml, read_yaml

__all__ = ["AccessKey", "Instance", "Project", "Seed", "SeedError", "Task", "User", "read_seed"]

T = TypeVar("T")
Scalar = str | int | float | None
Flag = bool | str | None


class SeedError(ValueError):
    """The seed is invalid. The message says where."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The initial state of a synchronization task.

    Stages are `Incremental`, `Full`, `Paused`, `Wait` and `Cancelled`, or any other string.
    Progress values have the type that the response should have: string, number or null. Fields
    whose names start with `is_` have a boolean, a string or null. If `binlog_expire_logs_seconds`
    is null, the configuration does not contain it.
    """

    name: str
    source_database: str
    target_database: str | None = None
    status: str = "Yes"
    stage: str = "Incremental"
    resumes_to: str = "Incremental"
    percentage: Scalar = None
    catchup_stage: Scalar = None
    catchup_percentage: Scalar = None
    is_need_repair: Flag = "false"
    is_main_task: Flag = "true"
    is_tables_change: Flag = False
    last_error_of_alter_table: str | None = ""
    binlog_expire_logs_seconds: Scalar = "86400"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A StarRocks instance and its tasks.

    `source_instance_id` is the TaurusDB instance that it replicates from. Without it, the instance
    is not in any list of instances.
    """

    id: str
    source_instance_id: str | None = None
    name: str = "starrocks"
    engine_name: str = "star-rocks"
    engine_version: str = "3.1.6.0"
    status: str = "normal"
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project, with the name of its region, and its instances."""

    id: str
    name: str
    instances: tuple[Instance, ...] = ()


@dataclass(frozen=True, kw_only=True)
class User:
    """A user who can log in. Without `projects`, the user has access to all projects."""

    name: str
    password: str
    account: str
    projects: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """An access key. Without `projects`, it is for all projects.

    With a `security_token`, it is a temporary key.
    """

    access_key: str
    secret_key: str
    security_token: str | None = None
    projects: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Seed:
    """All initial data of the service."""

    projects: tuple[Project, ...]
    users: tuple[User, ...] = ()
    access_keys: tuple[AccessKey, ...] = ()


_NESTED: Mapping[tuple[type, str], type] = {
    (Seed, "projects"): Project,
    (Seed, "users"): User,
    (Seed, "access_keys"): AccessKey,
    (Project, "instances"): Instance,
    (Instance, "tasks"): Task,
}
_LISTS_OF_TEXT: set[tuple[type, str]] = {(User, "projects"), (AccessKey, "projects")}
_LOOSE = {"percentage", "catchup_stage", "catchup_percentage", "binlog_expire_logs_seconds"}
_FLAGS = {"is_need_repair", "is_main_task", "is_tables_change"}
_MAY_BE_NULL = {
    "target_database",
    "security_token",
    "source_instance_id",
    "last_error_of_alter_table",
}


def read_seed(source: str | Path | Mapping[str, Any] | None = None) -> Seed:
    """Read a seed from a YAML file or a mapping with the same structure, or the default seed.

    Raises:
        SeedError: It is not YAML in UTF-8, or something in it is unknown, missing, duplicate or
            of the wrong type.
        OSError: The file cannot be read.
    """
    if isinstance(source, Mapping):
        return _checked(_build(Seed, source, "seed"))
    if source is None:
        return _default()
    try:
        data = read_yaml(source)
    except ValueError as error:
        raise SeedError(f"seed: {error}") from error
    return _checked(_build(Seed, data, "seed"))


@cache
def _default() -> Seed:
    text = resources.files(__package__).joinpath("seed.yaml").read_text(encoding="utf-8")
    return _checked(_build(Seed, parse_yaml(text), "seed"))


def _build(kind: type[T], data: Any, place: str) -> T:
    """Create a `kind` from the mapping `data`, with nested objects."""
    if not isinstance(data, Mapping):
        raise SeedError(f"{place}: a mapping is needed, not {type(data).__name__}")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type] # all are dataclasses
    for key in data:
        if key not in known:
            raise SeedError(f"{place}: {key!r} is unknown; known are {', '.join(known)}")
    for name, field in known.items():
        if field.default is MISSING and name not in data:
            raise SeedError(f"{place}: {name!r} is missing")
    return kind(**{key: _value(kind, key, data[key], f"{place}.{key}") for key in data})


def _value(kind: type, key: str, value: Any, place: str) -> Any:
    if (kind, key) in _NESTED or (kind, key) in _LISTS_OF_TEXT:
        if not isinstance(value, list | tuple):
            raise SeedError(f"{place}: a list is needed, not {type(value).__name__}")
        nested = _NESTED.get((kind, key))
        return tuple(
            _build(nested, item, f"{place}[{index}]")
            if nested
            else _text(item, f"{place}[{index}]")
            for index, item in enumerate(value)
        )
    if key in _FLAGS:
        if value is not None and not isinstance(value, bool | str):
            raise SeedError(f"{place}: a boolean, text or null is needed")
        return value
    if key in _LOOSE:
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, str | int | float)
        ):
            raise SeedError(
                f"{place}: text, a number or null is needed, not {type(value).__name__}"
            )
        if isinstance(value, float) and not isfinite(value):
            raise SeedError(f"{place}: {value} is not a number in JSON")
        return value
    return None if value is None and key in _MAY_BE_NULL else _text(value, place)


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        hint = "; quote it" if isinstance(value, bool | int | float) else ""
        raise SeedError(f"{place}: text is needed, not {type(value).__name__}{hint}")
    return value


def _checked(seed: Seed) -> Seed:
    """Check that the names in the seed are unique and refer to something; return the seed."""
    instances = [instance for project in seed.projects for instance in project.instances]
    _unique("seed.projects", [project.id for project in seed.projects])
    _unique("seed.projects: instances", [instance.id for instance in instances])
    for instance in instances:
        _unique(f"seed.projects: tasks of {instance.id}", [task.name for task in instance.tasks])
    _unique("seed.users", [f"{user.account}/{user.name}" for user in seed.users])
    _unique("seed.access_keys", [key.access_key for key in seed.access_keys])
    there = {project.id for project in seed.projects}
    owners = [(f"seed.users[{index}]", user.projects) for index, user in enumerate(seed.users)]
    owners += [
        (f"seed.access_keys[{index}]", key.projects) for index, key in enumerate(seed.access_keys)
    ]
    for place, projects in owners:
        for project_id in projects or ():
            if project_id not in there:
                raise SeedError(f"{place}.projects: {project_id!r} is no project")
    return seed


def _unique(place: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SeedError(f"{place}: {name!r} is there twice")
        seen.add(name)
