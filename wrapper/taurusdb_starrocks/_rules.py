"""Validation of arguments, before anything is sent.

The rules are copies of those in openapi.yaml; tests/wrapper/test_rules.py compares them.
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Literal, ParamSpec, TypeVar, get_args

from taurusdb_starrocks._errors import ConfigurationError, ReplicationError

Language = Literal["en-us", "zh-cn"]
LANGUAGES: tuple[str, ...] = get_args(Language)

# Without ^ and $, because a Python $ also matches before a final newline; see fullmatch below.
TASK_NAME = r"[A-Za-z0-9_]{3,128}"
INSTANCE_ID = r"[0-9A-Za-z]{32}[a-z]{2}[0-9]{2}"
INSTANCE_ID_RULE = "36 characters: 32 ASCII letters or digits, two lower-case letters, two digits"
PROJECT_ID = r"[0-9A-Za-z]{32}"
LONGEST_TIME = 1_000_000  # Seconds. The system's timers refuse much larger values.

P = ParamSpec("P")
T = TypeVar("T")


def discreet(function: Callable[P, T]) -> Callable[P, T]:
    """Wrap a function so that the tracebacks of its errors start at its caller.

    Some tools show tracebacks with the variables of each frame. The frames of functions that take
    a secret contain the secret.
    """

    @wraps(function)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (ReplicationError, Warning) as error:  # A Warning, if warnings are errors.
            complaint = error.with_traceback(None)
            if isinstance(complaint, ConfigurationError):  # Its cause would show the value.
                complaint.__cause__ = complaint.__context__ = None
        del args, kwargs
        raise complaint

    return quiet


def warn(message: str) -> None:
    """Warn, with the line outside this package that made the call."""
    package = __name__.partition(".")[0]
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_back and frame.f_globals.get("__name__", "").startswith(package):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def keywords_only(init: Callable[P, None]) -> Callable[P, None]:
    """Wrap a constructor so that positional arguments raise a helpful error."""

    @wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        if len(args) > 1:
            raise ConfigurationError(
                f"{type(args[0]).__name__} takes keyword arguments only: region=, auth= and so on."
            )
        init(*args, **kwargs)

    return checked


def _check(argument: str, value: object, pattern: str, rule: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        shown = repr(value) if len(repr(value)) <= 200 else f"{repr(value)[:200]}…"
        raise ConfigurationError(f"{argument} must be {rule}, not {shown}. Nothing was sent.")
    return plain(value)


def plain(value: str) -> str:
    """The plain string of a value of a subclass of str, for example an enum."""
    return str.__str__(value)


def task_name(value: object) -> str:
    """The name, if it is valid for a synchronization task."""
    return _check("task_name", value, TASK_NAME, "3 to 128 ASCII letters, digits or underscores")


def instance_id(value: object) -> str:
    """The ID, if it is a valid instance ID; warns if it is not the ID of a StarRocks instance."""
    checked = _check("instance_id", value, INSTANCE_ID, INSTANCE_ID_RULE)
    if checked.endswith("in07"):
        warn(
            f"instance_id {checked} looks like the parent TaurusDB instance (in07), not a "
            f"StarRocks instance (in17): client.instances({checked!r}) lists its StarRocks "
            "instances. The request is sent anyway.",
        )
    elif not checked.endswith("in17"):
        warn(
            f"instance_id {checked} does not end in in17: it looks like another kind of instance, "
            "not a StarRocks instance. The request is sent anyway.",
        )
    return checked


def source_instance_id(value: object) -> str:
    """The ID, if it is a valid instance ID; warns if it is not the ID of a TaurusDB instance."""
    checked = _check("instance_id", value, INSTANCE_ID, INSTANCE_ID_RULE)
    if not checked.endswith("in07"):
        warn(
            f"instance_id {checked} does not end in in07: instances() takes the TaurusDB instance "
            "that StarRocks instances replicate from. The request is sent anyway.",
        )
    return checked


def project_id(value: object) -> str:
    """The ID, if it is a valid project ID."""
    return _check("project_id", value, PROJECT_ID, "32 ASCII letters or digits")


def language(value: object) -> Language:
    """The language, if the service supports it."""
    for known in get_args(Language):
        if value == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped; known is a Language.
    raise ConfigurationError(f"language must be one of {', '.join(LANGUAGES)}, not {value!r}.")


def seconds(argument: str, value: object, *, zero: bool = False) -> float:
    """The number of seconds, if it is valid; 0 only if ``zero`` is true."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not 0 <= number <= LONGEST_TIME or (number == 0 and not zero):
        raise ConfigurationError(
            f"{argument} must be a number of seconds, {'at least' if zero else 'more than'} 0 and "
            f"at most {LONGEST_TIME}, not {value!r}."
        )
    return float(number)


def text(argument: str, value: object) -> str:
    """The string, if it can be sent as JSON. The error does not show it."""
    if not isinstance(value, str) or not value or re.search("[\ud800-\udfff]", value):
        raise ConfigurationError(f"{argument} must be a non-empty string of valid Unicode.")
    return value


@discreet
def secret(argument: str, value: object) -> str:
    """The secret, if it can be sent in a header. The error does not show it."""
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
        raise ConfigurationError(
            f"{argument} must be a non-empty string of printable ASCII characters without line "
            "breaks or leading or trailing spaces. The value is not shown here."
        )
    return value
