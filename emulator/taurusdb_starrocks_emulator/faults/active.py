"""The current faults, and which calls they affect."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from taurusdb_starrocks_emulator.connection import Connection

from .fault import Fault
from .kinds import OnConnect, OnTask

__all__ = ["Faults", "Met"]


@dataclass(frozen=True)
class Met:
    """The faults that affect a call: at most one task fault and one fault of another class."""

    effect: Fault | None = None
    fault: Fault | None = None
    chance: random.Random | None = None

    def __str__(self) -> str:
        return ", ".join(fault.kind for fault in (self.effect, self.fault) if fault is not None)


@dataclass
class _Armed:
    """A fault, how many matching calls it has seen, and how many of them it has affected."""

    fault: Fault
    chance: random.Random
    seen: int = 0
    affected: int = 0

    def is_due(self) -> bool:
        """Count one more matching call; return whether the fault may affect it."""
        fault = self.fault
        self.seen += 1
        return (
            (not fault.at or self.seen in fault.at)
            and (fault.times is None or self.affected < fault.times)
            and (fault.probability >= 1 or self.chance.random() < fault.probability)
        )


class Faults:
    """The current faults. All threads can use it."""

    def __init__(self, faults: Iterable[Fault] = (), *, tls: bool = False) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self.add(*faults)

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter([armed.fault for armed in self._armed])

    def __len__(self) -> int:
        return len(self._armed)

    def add(self, *faults: Fault) -> None:
        """Add faults after the existing ones.

        Raises:
            ValueError: A fault needs HTTPS, but the emulator has no certificate.
        """
        for fault in faults:
            if fault.behavior.needs_tls and not self._tls:
                raise ValueError(f"the fault {fault.kind!r} needs HTTPS: set a certificate")
        with self._lock:
            # The same seed must make the same choices; this is not used for secrets.
            self._armed += [_Armed(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311

    def clear(self) -> None:
        """Remove all faults. Calls that already hang continue to hang."""
        with self._lock:
            self._armed.clear()

    def meet(self, operation: str, *, reused: bool) -> Met:
        """The faults that affect a call. All matching faults see the call."""
        with self._lock:
            due = [
                armed
                for armed in self._armed
                if armed.fault.is_for(operation)
                and (reused or not armed.fault.behavior.reused_only)
                and armed.is_due()
            ]
            effect = _claim(armed for armed in due if isinstance(armed.fault.behavior, OnTask))
            other = _claim(armed for armed in due if not isinstance(armed.fault.behavior, OnTask))
        met = Met() if effect is None else Met(effect.fault)
        return met if other is None else replace(met, fault=other.fault, chance=other.chance)

    def connect(self, connection: Connection) -> None:
        """Apply the connection faults to a new connection."""
        with self._lock:
            due = [
                armed
                for armed in self._armed
                if isinstance(armed.fault.behavior, OnConnect) and armed.is_due()
            ]
            first = _claim(due)
        if first is not None:
            first.fault.behavior.act(connection)


def _claim(due: Iterable[_Armed]) -> _Armed | None:
    """The first of these faults, if any. It is the only one of them that affects the call."""
    first = next(iter(due), None)
    if first is not None:
        first.affected += 1
    return first
