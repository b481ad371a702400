"""What can go wrong on purpose.

Every fault says for which calls it is (`operation`), which of those it meets (`at`, `times`,
`probability`; all of them otherwise), and whether the change that the call asked for is made all
the same (`applied`). The rest depends on its kind. With `applied` false the caller sees the same
and nothing has changed.

| kind | what the caller meets | parameters (default) |
|---|---|---|
| `refuse` | its new connection is reset before anything is read; counts connections, not calls | |
| `reset-before-read` | a reset once the headers are in; the body is not read, nothing changes | |
| `stale` | an idle connection that closes as its next call arrives; counts only such calls | |
| `reset-after-read` | a reset in place of an answer | `applied` (no) |
| `close` | an orderly close in place of an answer | `applied` (no) |
| `hang` | nothing for some seconds, then a close | `applied` (no), `seconds` (3600) |
| `garbage` | bytes that are not HTTP | `applied` (no) |
| `drip-headers` | the right answer, its head byte by byte | `applied` (yes), `seconds` (0.1) |
| `drip-body` | the right answer, its body byte by byte | `applied` (yes), `seconds` (0.1) |
| `truncate` | the right head, half of the body, a close | `applied` (no) |
| `broken-json` | half of the right body, announced as the whole | `applied` (no) |
| `wrong-content-type` | the right body as `text/html` | `applied` (no) |
| `html-502` | a proxy's page and status 502 | `applied` (no) |
| `redirect` | a way to another origin | `applied` (no), `location`, `status` (307) |
| `throttle` | 429 `APIGW.0308` | `retry_after` (none) |
| `unavailable` | 503 `APIGW.0202` | `retry_after` (none), `applied` (no) |
| `conflict` | 409 `DBS.200011`, another operation is running | `retry_after` (none) |
| `error` | any refusal or failure | `applied` (no), and see below |
| `expired-token` | 401 `APIGW.0301`, once unless told otherwise | |
| `huge-body` | 200 and an endless-looking body | `applied` (no), `size` (64 MiB) |
| `gzip-bomb` | 200 and a small body that gets large | `applied` (no), `size` (200 MiB) |
| `empty` | 200 without a body | `applied` (no) |
| `list` | 200 and `[]` | `applied` (no) |
| `no-job` | 200 and `{}` | `applied` (no) |
| `vanishes` | a list without the task | `task` (all) |
| `abnormal` | a list with the task's status `No` | `task` (all) |
| `cancelled` | a list with the task's stage `Cancelled` | `task` (all) |
| `never-settles` | a list with the stage that the task had before its last change | `task` (all) |
| `shuffles` | a list in another order at every call | |
| `never-ends` | a list in which there is always another page | |

Those that cannot be made without a connection (`refuse` to `garbage`, `drip-headers`, `truncate`)
need a server: in process they raise RuntimeError.

`error` takes `status` (500), `code` (`DBS.108000`), `message` and `retry_after` (none).
`retry_after` is sent as it is given: a number, a datetime as an HTTP date, or any text.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

__all__ = ["FAULT_KINDS", "OPERATIONS", "Fault", "Faults", "Place", "read_faults"]

OPERATIONS = ("pause", "resume", "list", "login", "projects")


class Place(Enum):
    """Where on its way a fault meets a call."""

    CONNECTION = "before anything is read"
    UNREAD = "before the body is read"
    WIRE = "in place of the answer, or while it is sent, on the connection itself"
    BODY = "while the answer is sent"
    ANSWER = "another answer"
    LIST = "another list"


@dataclass(frozen=True)
class _Kind:
    place: Place
    defaults: Mapping[str, Any]


def _kind(place: Place, **defaults: Any) -> _Kind:
    return _Kind(place, MappingProxyType(defaults))


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "refuse": _kind(Place.CONNECTION),
        "reset-before-read": _kind(Place.UNREAD),
        "stale": _kind(Place.UNREAD),
        "reset-after-read": _kind(Place.WIRE, applied=False),
        "close": _kind(Place.WIRE, applied=False),
        "hang": _kind(Place.WIRE, applied=False, seconds=3600.0),
        "garbage": _kind(Place.WIRE, applied=False),
        "drip-headers": _kind(Place.WIRE, applied=True, seconds=0.1),
        "truncate": _kind(Place.WIRE, applied=False),
        "drip-body": _kind(Place.BODY, applied=True, seconds=0.1),
        "huge-body": _kind(Place.BODY, applied=False, size=64 << 20),
        "broken-json": _kind(Place.ANSWER, applied=False),
        "wrong-content-type": _kind(Place.ANSWER, applied=False),
        "html-502": _kind(Place.ANSWER, applied=False),
        "redirect": _kind(
            Place.ANSWER, applied=False, location="https://elsewhere.invalid/", status=307
        ),
        "throttle": _kind(Place.ANSWER, retry_after=None),
        "unavailable": _kind(Place.ANSWER, applied=False, retry_after=None),
        "conflict": _kind(Place.ANSWER, retry_after=None),
        "error": _kind(
            Place.ANSWER,
            applied=False,
            status=500,
            code="DBS.108000",
            message="Server failure.",
            retry_after=None,
        ),
        "expired-token": _kind(Place.ANSWER),
        "gzip-bomb": _kind(Place.ANSWER, applied=False, size=200 << 20),
        "empty": _kind(Place.ANSWER, applied=False),
        "list": _kind(Place.ANSWER, applied=False),
        "no-job": _kind(Place.ANSWER, applied=False),
        "vanishes": _kind(Place.LIST, task=None),
        "abnormal": _kind(Place.LIST, task=None),
        "cancelled": _kind(Place.LIST, task=None),
        "never-settles": _kind(Place.LIST, task=None),
        "shuffles": _kind(Place.LIST),
        "never-ends": _kind(Place.LIST),
    }
)
FAULT_KINDS: tuple[str, ...] = tuple(_KINDS)
_LONGEST = 86_400.0
_LARGEST = 1 << 31
_SHARED = frozenset({"kind", "operation", "at", "times", "probability", "seed"})
_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "times": (int,),
        "probability": (int, float),
        "seed": (int,),
        "applied": (bool,),
        "seconds": (int, float),
        "size": (int,),
        "location": (str,),
        "status": (int,),
        "code": (str,),
        "message": (str,),
        "retry_after": (str, int, float, datetime),
        "task": (str,),
    }
)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong; the table at the top of the module has the kinds.

    A parameter that is left out has the default of its kind. The first fault that meets a call
    is the only one that does.

    Args:
        kind: One of `FAULT_KINDS`.
        operation: `pause`, `resume`, `list`, `login`, `projects` or `any` of them. What alters a
            list is always for `list`.
        at: Which of the matching calls it meets, counted from 1 since it was added.
        times: How often it meets a call at the most.
        probability: How likely it meets a matching call.
        seed: Of the chance: the same seed meets the same calls.
        applied: Whether the change is made that the call asked for.
        seconds: How long it hangs, or the interval between two bytes.
        size: Of the body, once decoded, in bytes.
        location: Where a redirect leads.
        status: Status of the answer.
        code: The answer's `error_code`.
        message: The answer's `error_msg`.
        retry_after: The answer's `Retry-After`.
        task: Name of the task in the list that it is about.

    Raises:
        ValueError: A value cannot be, or does not belong to this kind.
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

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; known are {', '.join(_KINDS)}")
        kind = _KINDS[self.kind]
        self._check_types(kind)
        if kind.place is Place.LIST and self.operation == "any":
            self._set("operation", "list")
        for name, value in kind.defaults.items():
            if getattr(self, name) is None:
                self._set(name, value)
        once = self.kind == "expired-token" and not self.at and self.probability == 1
        if once and self.times is None:
            self._set("times", 1)
        self._check_ranges(kind)

    @property
    def place(self) -> Place:
        """Where on its way it meets a call."""
        return _KINDS[self.kind].place

    @property
    def needs_connection(self) -> bool:
        """Whether there must be a connection to do it to."""
        return self.place in (Place.CONNECTION, Place.UNREAD, Place.WIRE)

    def retry_after_headers(self) -> dict[str, str]:
        """The header that tells when to come back, if there is to be one."""
        value = self.retry_after
        if value is None:
            return {}
        if isinstance(value, datetime):
            value = format_datetime(value.astimezone(UTC), usegmt=True)
        return {"Retry-After": str(value)}

    def _set(self, name: str, value: Any) -> None:
        """Complete a field while the fault is being made; afterwards it is frozen."""
        object.__setattr__(self, name, value)

    def _check_types(self, kind: _Kind) -> None:
        if not isinstance(self.at, list | tuple):
            raise ValueError(f"{self.kind}: 'at' is a list of numbers")  # noqa: TRY004 - one kind of error
        self._set("at", tuple(self.at))
        for own in fields(self):
            value = getattr(self, own.name)
            if own.name not in _SHARED and value is not None and own.name not in kind.defaults:
                raise ValueError(f"a {self.kind!r} fault has no {own.name!r}")
            allowed = _TYPES.get(own.name)
            bad = isinstance(value, bool) and allowed != (bool,)
            if value is not None and allowed and (bad or not isinstance(value, allowed)):
                raise ValueError(f"{self.kind}: {own.name!r} cannot be {value!r}")

    def _check_ranges(self, kind: _Kind) -> None:
        of = ("list",) if kind.place is Place.LIST else ("any", *OPERATIONS)
        fits = {
            "operation": self.operation in (("any",) if kind.place is Place.CONNECTION else of),
            "at": all(type(number) is int and number > 0 for number in self.at),
            "times": self.times is None or self.times > 0,
            "probability": 0 <= self.probability <= 1,
            "seconds": self.seconds is None or 0 <= self.seconds <= _LONGEST,
            "size": self.size is None or 0 <= self.size <= _LARGEST,
            "status": self.status is None or self.status in range(200, 600),
            "location": self.location is None or _is_header(self.location),
            "retry_after": not isinstance(self.retry_after, str) or _is_header(self.retry_after),
        }
        for name, fit in fits.items():
            if not fit:
                raise ValueError(f"{self.kind}: {name!r} cannot be {getattr(self, name)!r}")


@dataclass
class _Armed:
    """A fault, and what it has seen."""

    fault: Fault
    chance: random.Random
    seen: int = 0
    fired: int = 0

    def fires(self) -> bool:
        """Count one more matching call; whether the fault meets it."""
        fault = self.fault
        self.seen += 1
        fires = (
            (not fault.at or self.seen in fault.at)
            and (fault.times is None or self.fired < fault.times)
            and (fault.probability >= 1 or self.chance.random() < fault.probability)
        )
        self.fired += fires
        return fires


class Faults:
    """The faults that are set now. May be used from any thread."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self.add(*faults)

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([armed.fault for armed in self._armed])

    def __len__(self) -> int:
        return len(self._armed)

    def add(self, *faults: Fault) -> None:
        """Set further faults, after those that are set."""
        with self._lock:
            # The same seed must make the same choices again; nothing secret depends on it.
            self._armed += [_Armed(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311

    def clear(self) -> None:
        """Let everything go right again; a call that hangs already goes on hanging."""
        with self._lock:
            self._armed.clear()

    def meet(self, operation: str, *, reused: bool) -> tuple[Fault, random.Random] | None:
        """The fault that meets a call, and its chance for what it may choose."""
        with self._lock:
            met = [
                armed
                for armed in self._armed
                if armed.fault.place is not Place.CONNECTION
                and armed.fault.operation in ("any", operation)
                and (reused or armed.fault.kind != "stale")
                and armed.fires()
            ]
        return (met[0].fault, met[0].chance) if met else None

    def refuses(self) -> bool:
        """Whether a new connection is to be refused."""
        with self._lock:
            refusing = [a for a in self._armed if a.fault.place is Place.CONNECTION]
            return any(list(map(_Armed.fires, refusing)))


def read_faults(source: str | Path | Iterable[Fault | Mapping[str, Any]]) -> tuple[Fault, ...]:
    """Faults from a YAML file, which holds a list, or from a list that is there.

    Raises:
        ValueError: It is not YAML, or one of them cannot be; the text names its place.
        OSError: The file cannot be read.
    """
    if isinstance(source, str | Path):
        try:
            source = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ValueError(f"faults: not YAML: {error}") from error
        if not isinstance(source, list):
            raise ValueError("faults: a list is needed")  # noqa: TRY004 - one kind of error
    return tuple(_read_fault(item, f"faults[{place}]") for place, item in enumerate(source))


def _read_fault(item: Any, place: str) -> Fault:
    if isinstance(item, Fault):
        return item
    if not isinstance(item, Mapping) or "kind" not in item:
        raise ValueError(f"{place}: a mapping with a 'kind' is needed")
    if unknown := set(item) - {field.name for field in fields(Fault)}:
        raise ValueError(f"{place}: {min(map(str, unknown))!r} is unknown")
    try:
        return Fault(**item)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _is_header(text: str) -> bool:
    """Whether a text can stand in a header as it is."""
    return text.isascii() and text.isprintable()
