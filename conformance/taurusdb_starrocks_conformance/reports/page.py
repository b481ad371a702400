"""A run as one self-contained HTML page."""

from __future__ import annotations

import html
from collections import Counter
from typing import Any

import tracecov

from taurusdb_starrocks_conformance.checks import CHECKS
from taurusdb_starrocks_conformance.findings import Example, Finding, Level, counted
from taurusdb_starrocks_conformance.run import Outcome

from .coverage import DIMENSIONS
from .junit import printable

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}
td,th{border:1px solid #8886;padding:.2rem .6rem;text-align:left;vertical-align:top}
pre{white-space:pre-wrap;word-break:break-all;background:#8882;padding:.6rem}
section{border-left:.3rem solid #c33;padding-left:1rem}
section.warning{border-color:#b80}
:root{color-scheme:light dark}
"""


def page(
    outcome: Outcome,
    commands: dict[int, list[str]],
    coverage: tracecov.CoverageMap,
    *,
    strict: bool = False,
) -> str:
    """Findings, coverage, requests, and checks."""
    verdict = html.escape(outcome.verdict(strict=strict))
    about = (
        f"{outcome.target.url}, seed {outcome.seed}, {outcome.seconds:.0f} s, "
        f"{counted(len(outcome.exchanges), 'request')}, including {counted(outcome.cases, 'case')}."
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Conformance</title>",
        f"<style>{STYLE}</style><h1>{verdict}</h1><p>{html.escape(about)}</p>",
        *(
            f"<p><strong>{html.escape(note)}</strong></p>"
            for note in (outcome.not_restored, *outcome.notes)
            if note is not None
        ),
    ]
    for level, heading in ((Level.FAULT, "Faults"), (Level.WARNING, "Warnings")):
        found = [
            _finding(number, finding, commands[number])
            for number, finding in enumerate(outcome.findings)
            if finding.level is level
        ]
        parts += [f"<h2>{heading}</h2>", *found] if found else []
    parts += [*_coverage(coverage), *_requests(outcome)]
    parts.append("<h2>Checks</h2><table>" + _row("area", "check", "expected", "findings", tag="th"))
    for name, check in CHECKS.items():
        number = sum(finding.check == name for finding in outcome.findings)
        parts.append(_row(check.area, name, check.demand, number or ""))
    return "".join([*parts, "</table></html>"])


def _row(*cells: object, tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"


def _pre(text: str) -> str:
    return f"<pre>{html.escape(printable(text))}</pre>"


def _finding(number: int, finding: Finding, commands: list[str]) -> str:
    check = CHECKS[finding.check]
    examples = [
        _example(example, command)
        for example, command in zip(finding.examples, commands, strict=True)
    ]
    more = (
        f"<details><summary>{counted(len(examples) - 1, 'more kind')} of request</summary>"
        f"{''.join(examples[1:])}</details>"
        if examples[1:]
        else ""
    )
    return (
        f"<section class={finding.level}><h3>{number + 1}. {html.escape(finding.title)}</h3>"
        f"<p>Expected: {html.escape(check.demand)} Seen {counted(finding.times, 'time')}: "
        f"{html.escape(', '.join(finding.operations))}.</p>{examples[0]}{more}</section>"
    )


def _example(example: Example, command: str) -> str:
    shown = f"<p>{html.escape(printable(f'{example.where}: {example.message}'))}</p>" + _pre(
        command
    )
    if example.exchange is not None and (reply := example.exchange.reply) is not None:
        heads = "\n".join(f"{name}: {value}" for name, value in reply.headers)
        shown += _pre(f"{reply.status}\n{heads}\n\n{reply.body[:2000].decode('utf-8', 'replace')}")
    return shown


def _coverage(coverage: tracecov.CoverageMap) -> list[str]:
    parts = ["<h2>Coverage of the contract</h2><table>"]
    parts.append(_row("of", "covered", "in all", "percent", tag="th"))
    summary: Any = coverage.build_json_report()["summary"]
    for dimension in DIMENSIONS:
        part = summary[dimension]
        parts.append(_row(dimension, part["covered"], part["total"], f"{part['percent']:.1f}"))
    parts.append("</table>")
    if gaps := coverage.coverage_gaps():
        parts.append("<h3>Not covered</h3><table>" + _row("what", "where", tag="th"))
        for gap in gaps:
            shown: Any = dict(gap)
            kind, place = shown.pop("kind"), " ".join(str(value) for value in shown.values())
            parts.append(_row(kind, place))
        parts.append("</table>")
    return parts


def _requests(outcome: Outcome) -> list[str]:
    statuses = sorted({exchange.status for exchange in outcome.exchanges})
    parts = ["<h2>Requests</h2><table>"]
    parts.append(_row("for", *(status or "none" for status in statuses), tag="th"))
    counts: Counter[tuple[str, int]] = Counter(
        (exchange.source.partition(":")[0], exchange.status) for exchange in outcome.exchanges
    )
    parts += [
        _row(source, *(counts[source, status] or "" for status in statuses))
        for source in sorted({source for source, _ in counts})
    ]
    return [*parts, "</table>"]
