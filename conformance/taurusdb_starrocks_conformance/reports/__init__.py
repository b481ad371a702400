"""The reports of a run. None of them contains the token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from taurusdb_starrocks_conformance.findings import Finding
from taurusdb_starrocks_conformance.run import Outcome

from .commands import Commands
from .coverage import coverage_of
from .data import data
from .har import har
from .hiding import hidden
from .junit import junit
from .page import page
from .secrets import Secrets
from .text import shown as _shown
from .text import text

__all__ = ["coverage_of", "shown", "write"]


def write(outcome: Outcome, folder: Path, *, strict: bool = False) -> str:
    """Write all reports into a folder; return the text for the terminal.

    Args:
        outcome: The outcome of the run.
        folder: The folder. It is created if needed. Files of an earlier run are replaced.
        strict: Whether warnings fail the run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("replay-*.json"):
        stale.unlink()
    made = Commands(outcome.target, outcome.seed, folder)
    commands = {
        number: [made.command(finding, example) for example in finding.examples]
        for number, finding in enumerate(outcome.findings)
    }
    coverage = coverage_of(outcome.exchanges, outcome.target)
    secrets = Secrets(outcome.target.token)
    outcome = hidden(outcome)
    told = text(outcome, commands, strict=strict)
    found = data(outcome, commands, coverage, strict=strict)
    files = {
        "conformance.txt": told,
        "conformance.html": page(outcome, commands, coverage, strict=strict),
        "conformance.xml": junit(outcome, commands, strict=strict),
        "conformance.json": json.dumps(found, indent=1),
        "conformance.har": json.dumps(har(outcome)),
    }
    for name, content in {**files, **made.files}.items():
        (folder / name).write_text(secrets.hide_runs(content), encoding="utf-8")
    return secrets.hide_runs(told)


def shown(outcome: Outcome, findings: Sequence[Finding]) -> str:
    """Findings of a run as text."""
    places = [outcome.findings.index(finding) for finding in findings]
    secrets = Secrets(outcome.target.token)
    outcome = hidden(outcome)
    return secrets.hide_runs(_shown(outcome, [outcome.findings[place] for place in places]))
