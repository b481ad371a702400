"""One fault: its kind, when it happens, and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from taurusdb_starrocks_emulator.yaml_loader import read_yaml

from .kinds import KINDS, Kind

__all__ = ["Fault", "read_faults"]

_LONGEST = 86_400.0
_LARGEST = 1 << 31


class _Rule(NamedTuple):
    """The allowed values of a parameter."""

    types: tuple[type, ...]
    fits: Callable[[Any], bool] = lambda _: True


def _is_header(value: object) -> bool:
    """Whether a string is a valid header value."""
    return not isinstance(value, str) or (value.isascii() and value.isprintable())


_RULES: Mapping[str, _Rule] = {
    "at": _Rule((tuple,), lambda at: all(type(number) is int and number > 0 for number in at)),
    "times": _Rule((int,), lambda times: times > 0),
    "probability": _Rule((int, float), lambda probability: 0 <= probability <= 1),
    "seed": _Rule((int,)),
    "applied": _Rule((bool,)),
    "seconds": _Rule((int, float), lambda seconds: 0 <= seconds <= _LONGEST),
    "size": _Rule((int,), lambda size: 0 <= size <= _LARGEST),
    "location": _Rule((str,), _is_header),
    "status": _Rule((int,), lambda status: status in range(200, 600)),
    "code": _Rule((str,)),
    "message": _Rule((str,)),
    "retry_after": _Rule((str, int, float, datetime), _is_header),
    "task": _Rule((str,)),
    "meanwhile": _Rule((str,), lambda meanwhile: meanwhile in ("refused", "ignored")),
    "limit": _Rule((int,), lambda limit: limit > 0),
    "first": _Rule((int,), lambda first: first in (0, 1)),
}
_SHARED = frozenset({"kind", "operation", "at", "times", "probability", "seed"})


@dataclass(frozen=True)
class Fault:
    """A fault to inject.

    Omitted parameters have the default of the kind. At most two faults affect a call: the first
    matching task fault (`late-pause` or `no-effect`), and the first matching fault of any other
    kind.

    Attributes:
        kind: One of `FAULT_KINDS`.
        operation: `pause`, `resume`, `list`, `configuration`, `instances`, `login`, `projects` or
            `any`. Kinds that change the list of tasks, such as `vanishes`, affect only `list`.
        at: Numbers of the matching calls to affect, counted from 1 since the fault was added.
        times: Maximum number of calls to affect.
        probability: Probability that a matching call is affected.
        seed: Random seed. The same seed affects the same calls.
        applied: Whether the requested change is made.
        seconds: Depending on the kind: how long the call hangs, the interval between two bytes, or
            the time until a late pause takes effect.
        size: Size of the decoded body, in bytes.
        location: Target of a redirect.
        status: Status of the response.
        code: The response's `error_code`.
        message: The response's `error_msg`.
        retry_after: The response's `Retry-After`: a number, a datetime for an HTTP date, or text.
        task: Name of the affected task in the list; None for all tasks.
        meanwhile: What happens to a resume until a late pause takes effect.
        limit: Maximum number of tasks in a page.
        first: Number of the first page.

    Raises:
        ValueError: A value is invalid, or this kind does not have the parameter.
    """

    kind: str
    _: KW_ONLY
    operation: str = "any"
    at: tuple[int, ...] = ()
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    applied: bool | None = None
    seconds: float | None = None
    size: int | None = None
    location: str | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    retry_after: str | float | datetime | None = None
    task: str | None = None
    meanwhile: Literal["refused", "ignored"] | None = None
    limit: int | None = None
    first: Literal[0, 1] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known faults: {', '.join(KINDS)}")
        if isinstance(self.at, list):
            self._set("at", tuple(self.at))
        self._check()
        if self.operation == "any" and len(self.behavior.operations) == 1:
            self._set("operation", self.behavior.operations[0])
        chosen = bool(self.at) or self.probability < 1
        for name, value in self.behavior.parameters.items():
            # A fault that selects its calls itself matches all of them.
            if getattr(self, name) is None and not (name in _SHARED and chosen):
                self._set(name, value)

    @property
    def behavior(self) -> Kind[Any]:
        """The kind of the fault."""
        return KINDS[self.kind]

    def is_for(self, operation: str) -> bool:
        """Whether it can affect calls of an operation."""
        return operation in self.behavior.operations and self.operation in ("any", operation)

    def retry_after_headers(self) -> dict[str, str]:
        """The `Retry-After` header, if it is set."""
        value = self.retry_after
        if value is None:
            return {}
        if isinstance(value, datetime):
            value = format_datetime(value.astimezone(UTC), usegmt=True)
        return {"Retry-After": str(value)}

    def _set(self, name: str, value: Any) -> None:
        """Set a field during construction; afterwards the fault is frozen."""
        object.__setattr__(self, name, value)

    def _check(self) -> None:
        """Check that parameters belong to the kind, and check their type and range."""
        known = ("any", *self.behavior.operations)
        if self.operation not in known:
            raise ValueError(f"{self.kind}: 'operation' cannot be {self.operation!r}")
        for name, rule in _RULES.items():
            value = getattr(self, name)
            if value is None and getattr(Fault, name) is None:  # The default, so it was omitted.
                continue
            if name not in _SHARED and name not in self.behavior.parameters:
                raise ValueError(f"a {self.kind!r} fault has no {name!r}")
            wrong = isinstance(value, bool) and bool not in rule.types
            if wrong or not isinstance(value, rule.types) or not rule.fits(value):
                raise ValueError(f"{self.kind}: {name!r} cannot be {value!r}")


def read_faults(source: str | Path | Iterable[Fault | Mapping[str, Any]]) -> tuple[Fault, ...]:
    """Read faults from a YAML file with a list, or from a list.

    Raises:
        ValueError: It is not YAML in UTF-8, or a fault is invalid. The message says where.
        OSError: The file cannot be read.
    """
    if isinstance(source, str | Path):
        try:
            source = read_yaml(source)
        except ValueError as error:
            raise ValueError(f"faults: {error}") from error
        if not isinstance(source, list):
            raise ValueError("faults must be a list")  # noqa: TRY004 - one kind of error
    return tuple(_read_fault(item, f"faults[{place}]") for place, item in enumerate(source))


def _read_fault(item: Any, place: str) -> Fault:
    if isinstance(item, Fault):
        return item
    if not isinstance(item, Mapping) or "kind" not in item:
        raise ValueError(f"{place} must be a mapping with a 'kind'")
    if unknown := set(item) - {field.name for field in fields(Fault)}:
        raise ValueError(f"{place}: {min(map(str, unknown))!r} is unknown")
    try:
        return Fault(**item)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
