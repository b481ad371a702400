"""What the judging code says about recorded exchanges: everything but the wording."""

from __future__ import annotations

from typing import Any

from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.findings import Findings
from taurusdb_starrocks_conformance.judge import Judge, Misfit
from taurusdb_starrocks_conformance.leniency import reads_as_valid
from taurusdb_starrocks_conformance.oddity import oddity
from taurusdb_starrocks_conformance.target import Target
from taurusdb_starrocks_conformance.task import (
    CHANGES,
    TaskOnTarget,
    contradicts,
    opposite,
    refused_change,
)

from .recorded import load, unpacked


def said(target: Target, exchanges: list[dict[str, Any]]) -> Any:
    """The verdicts of one run, exchange by exchange, and what it all comes to."""
    new: list[str] = []
    findings = Findings(target, lambda: "step", lambda finding: new.append(finding.title))
    judge, task, told = Judge(target), TaskOnTarget(), []

    def report(check: str, message: str, exchange: Exchange) -> None:
        findings.report(check, message, exchange)

    for number, packed in enumerate(exchanges, 1):
        exchange = unpacked(number, packed)
        task.note(exchange, target, float(number), report)
        misfits = list(judge.misfits(exchange))
        for misfit in misfits:
            findings.add(misfit, exchange)
        busy = exchange.reply is not None and task.is_busy(exchange.request, exchange.reply, target)
        if exchange.status == 400 and number % 7 == 0:
            task.learn(number / 100)
        told.append(
            [
                [[misfit.check, misfit.cause, misfit.tolerated] for misfit in misfits],
                sorted(exchange.failed),
                oddity(exchange.request, target),
                reads_as_valid(exchange.request),
                [task.last, task.at, task.shown, len(task.jobs), task.surprises, busy],
                [refused_change(change, exchange.reply)[0] for change in CHANGES],
            ]
        )
    findings.add(Misfit("answers", "by itself", "alone"), None)
    return [
        told,
        new,
        [
            [f.level.value, f.title, f.times, f.operations, [e.alone for e in f.examples]]
            for f in findings.sorted()
        ],
        [[contradicts(stage, change) for change in CHANGES] for stage in STAGES],
        [opposite(change) for change in CHANGES],
        [task.needs, task.may_be_under_way],
    ]


STAGES = ("Wait", "full", "Incremental", "PAUSED", "cancelled", "another", "", None)


def differs() -> bool:
    """Whether anything else is said about any run than was recorded."""
    return any(
        _plain(said(Target(**run["target"]), run["exchanges"])) != run["said"]
        for run in reversed(load())  # The right servers, with the most exchanges, come last.
    )


def _plain(value: Any) -> Any:
    """A value as JSON would have it."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
