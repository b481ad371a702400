"""A run as JSON, for programs."""

from __future__ import annotations

from typing import Any

import tracecov

from taurusdb_starrocks_conformance.checks import CHECKS
from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.findings import Finding
from taurusdb_starrocks_conformance.run import Outcome

from .coverage import DIMENSIONS

LONGEST = 4000


def data(
    outcome: Outcome,
    commands: dict[int, list[str]],
    coverage: tracecov.CoverageMap,
    *,
    strict: bool = False,
) -> dict[str, Any]:
    """All findings."""
    summary: Any = coverage.build_json_report()["summary"]
    return {
        "verdict": outcome.verdict(strict=strict),
        "passed": outcome.exit_status(strict=strict) == 0,
        "not_restored": outcome.not_restored,
        "strict": strict,
        "target": outcome.target.url,
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 3),
        "cases": outcome.cases,
        "requests": len(outcome.exchanges),
        "notes": outcome.notes,
        "coverage": {name: summary[name]["percent"] for name in DIMENSIONS},
        "findings": [
            _finding(finding, commands[number]) for number, finding in enumerate(outcome.findings)
        ],
    }


def _finding(finding: Finding, commands: list[str]) -> dict[str, Any]:
    check = CHECKS[finding.check]
    return {
        "level": finding.level.value,
        "area": check.area,
        "check": finding.check,
        "cause": finding.cause,
        "demand": check.demand,
        "times": finding.times,
        "operations": finding.operations,
        "examples": [
            {
                "operation": example.where,
                "message": example.message,
                "step": example.step,
                "command": command,
                **(_exchange(example.exchange) if example.exchange else {}),
            }
            for example, command in zip(finding.examples, commands, strict=True)
        ],
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    request, reply = exchange.request, exchange.reply
    return {
        "request": {
            "method": request.method,
            "path": request.path,
            "headers": [list(header) for header in request.headers],
            "body": _text(request.body),
        },
        "response": None
        if reply is None
        else {
            "status": reply.status,
            "headers": [list(header) for header in reply.headers],
            "body": _text(reply.body),
        },
    }


def _text(body: bytes) -> str:
    return body[:LONGEST].decode("utf-8", "backslashreplace")
