"""A run as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from taurusdb_starrocks_conformance.checks import CHECKS
from taurusdb_starrocks_conformance.findings import Finding, Level, counted
from taurusdb_starrocks_conformance.run import Outcome

# Number of shown examples of a finding. The HTML page and the JSON have all.
SHOWN = 3
LONGEST = 400


def text(outcome: Outcome, commands: dict[int, list[str]], *, strict: bool = False) -> str:
    """The findings, security first, each with a command that reproduces it.

    Args:
        outcome: The outcome of the run.
        commands: The commands of a finding, by its position in the list.
        strict: Whether warnings fail the run.
    """
    lines: list[str] = [f"note: {note}" for note in outcome.notes]
    for number, finding in enumerate(outcome.findings):
        lines += ["", *_finding(number, finding, commands[number])]
    lines += ["", outcome.verdict(strict=strict)]
    if outcome.not_restored is not None:
        lines.append(outcome.not_restored)
    return "\n".join(lines) + "\n"


def _finding(number: int, finding: Finding, commands: list[str]) -> list[str]:
    check = CHECKS[finding.check]
    mark = "warning" if finding.level is Level.WARNING else f"fault, {check.area}"
    lines = [
        f"{number + 1}. {finding.title} ({mark})",
        f"   Expected: {check.demand}",
        f"   Seen {counted(finding.times, 'time')}: " + ", ".join(finding.operations),
    ]
    most = SHOWN if finding.level is Level.FAULT else 1
    for example, command in list(zip(finding.examples, commands, strict=True))[:most]:
        message = " ".join(example.message.split())[:LONGEST]
        lines += [f"   - {example.where}: {message}", f"     {command}"]
    if (more := len(finding.examples) - most) > 0:
        lines.append(f"   - and {counted(more, 'more kind')} of request")
    return lines


def shown(outcome: Outcome, findings: Sequence[Finding]) -> str:
    """Findings with their requests and responses, if there is no server left to reproduce them."""
    lines = [f"seed {outcome.seed}"]
    for finding in findings:
        lines += ["", f"{finding.title}. Expected: {CHECKS[finding.check].demand}"]
        for example in finding.examples[:SHOWN]:
            lines.append(f"- {example.where}: {' '.join(example.message.split())[:LONGEST]}")
            if (exchange := example.exchange) is None:
                continue
            lines.append(f"  {exchange.request.method} {exchange.request.path[:LONGEST]}")
            lines += [f"  {name}: {value}"[:LONGEST] for name, value in exchange.request.headers]
            if exchange.request.body:
                lines.append(f"  {exchange.request.body[:LONGEST]!r}")
            if exchange.reply is not None:
                lines.append(f"  -> {exchange.status} {exchange.reply.body[:LONGEST]!r}")
        if (more := len(finding.examples) - SHOWN) > 0:
            lines.append(f"- and {counted(more, 'more kind')} of request")
    return "\n".join(lines)
