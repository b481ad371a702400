"""A conformance test suite for servers that implement the TaurusDB StarRocks contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .findings import Finding, Level
    from .run import Outcome
    from .suite import NotRestoredError, Suite
    from .target import CannotRunError, Target

__all__ = [
    "CannotRunError",
    "Finding",
    "Level",
    "NotRestoredError",
    "Outcome",
    "Suite",
    "Target",
]
INSTALL = "the conformance suite is not installed: pip install 'taurusdb-starrocks[conformance]'"
_WHERE = {
    "CannotRunError": "target",
    "Finding": "findings",
    "Level": "findings",
    "NotRestoredError": "suite",
    "Outcome": "run",
    "Suite": "suite",
    "Target": "target",
}


def __getattr__(name: str) -> Any:
    """Import names on first use: pytest imports this package wherever it is installed."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as the rest, only when it is used

    try:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(__name__):
            raise
        raise ModuleNotFoundError(f"{INSTALL} ({error})", name=error.name) from error
