"""Findings: the problems of a target, grouped by cause. One mistake is one finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from .checks import AREAS, CHECKS, COMPARING, SAID_BY
from .exchange import Exchange
from .judge import Misfit
from .oddity import oddity
from .target import Target

ELSEWHERE = "other paths and methods"


def counted(number: int, noun: str) -> str:
    """A number of things, in words: ``1 fault`` or ``2 faults``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Level(StrEnum):
    """The level of a finding: a fault breaks the contract, a warning is a habit of frameworks."""

    FAULT = "fault"
    WARNING = "warning"


@dataclass
class Example:
    """One example of a finding.

    Attributes:
        where: The operation.
        message: What is wrong.
        step: The step of the run that found it.
        alone: Whether a single request shows it.
    """

    where: str
    message: str
    step: str
    exchange: Exchange | None
    alone: bool = True


@dataclass
class Finding:
    """A problem of a target, with all distinct examples."""

    level: Level
    check: str
    cause: str
    examples: list[Example] = field(default_factory=list)
    times: int = 0

    @property
    def operations(self) -> list[str]:
        """The operations where it occurs."""
        return sorted({example.where for example in self.examples})

    @property
    def title(self) -> str:
        """The check and the cause."""
        return f"{self.check}: {self.cause}" if self.cause else self.check

    @property
    def message(self) -> str:
        """The message of the first example."""
        return self.examples[0].message


class Findings:
    """Collects findings.

    Args:
        target: The target.
        step: Returns the current step of the run.
        noted: Called for each new finding.
    """

    def __init__(
        self, target: Target, step: Callable[[], str], noted: Callable[[Finding], None]
    ) -> None:
        self._target = target
        self._step = step
        self._noted = noted
        self._found: dict[tuple[str, str, str], Finding] = {}
        self._seen: set[tuple[object, ...]] = set()

    def add(self, misfit: Misfit, exchange: Exchange | None, *, alone: bool = True) -> None:
        """Add a misfit, unless it repeats a failed check of the exchange."""
        check = misfit.check
        if exchange is not None:
            if exchange.failed and (
                check in COMPARING or SAID_BY.get(check, frozenset()) & set(exchange.failed)
            ):
                return
            exchange.failed.append(check)
        level = Level.WARNING if misfit.tolerated else Level.FAULT
        key = (level, check, misfit.cause)
        finding = self._found.get(key)
        new = finding is None
        if finding is None:
            finding = self._found[key] = Finding(level, check, misfit.cause)
        finding.times += 1
        where, particular = self._place(exchange)
        # As many examples as there are kinds of them, however often each was seen.
        kind = (*key, where, particular)
        if kind not in self._seen:
            self._seen.add(kind)
            step = self._step()
            finding.examples.append(Example(where, misfit.message, step, exchange, alone))
        if new:
            self._noted(finding)

    def report(self, check: str, message: str, exchange: Exchange | None) -> None:
        """Add a fault that takes more than one request to show."""
        self.add(Misfit(check, message), exchange, alone=False)

    def _place(self, exchange: Exchange | None) -> tuple[str, object]:
        if exchange is None:
            return ELSEWHERE, None
        found = exchange.request.operation(self._target.base)
        where = found[0].id if found else ELSEWHERE
        what = exchange.expect.what if exchange.expect else oddity(exchange.request, self._target)
        return where, what

    def sorted(self) -> list[Finding]:
        """All findings: faults first, security first among them."""
        return sorted(self._found.values(), key=_rank)


def _rank(finding: Finding) -> tuple[bool, int, int, str]:
    checks = [*CHECKS]
    check = CHECKS[finding.check]
    return (
        finding.level is Level.WARNING,
        AREAS.index(check.area),
        checks.index(finding.check),
        finding.cause,
    )
