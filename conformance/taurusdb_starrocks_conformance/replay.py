"""Reproduce a finding of an earlier run, from a file of the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .exchange import Exchange, Expectation, Request
from .reports.secrets import Secrets
from .run import Run
from .target import CannotRunError, Target


def replay(file: Path, target: Target, say: Callable[[str], None]) -> int:
    """Repeat the requests of a finding; return the exit status.

    Args:
        file: A `replay-….json` of a report.
        target: The server. It can be another one.
        say: Prints a line.

    Returns:
        1 if the finding occurs again, 0 if it does not. 122 if the task could not be restored to
        its original stage, 128 plus the number of the signal that interrupted it.

    Raises:
        CannotRunError: The file cannot be read, or the target could not be tested.
    """
    try:
        recipe = json.loads(file.read_text(encoding="utf-8"))
        check, step = recipe["check"], recipe["step"]
        seed = int(recipe["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotRunError(f"{file} cannot be replayed: {error!r}") from error
    say(f"{check}: {recipe.get('message', '')}")
    run = Run(target, seed=seed, say=say)
    if "request" in recipe:
        shown = _request(run, recipe, target, say)
    else:
        say(f"The step of the run that found it: {step}")
        found = [finding for finding in run.go(only=step).findings if finding.check == check]
        shown = bool(found)
        for finding in found:
            say(f"  {finding.message}")
    outcome = run.outcome
    if outcome.interrupted is None and outcome.ended is None:
        say(f"replay: {check} {'shows again' if shown else 'does not show'}")
    else:
        say(outcome.verdict())
    if outcome.not_restored is not None:
        say(outcome.not_restored)
    if outcome.not_restored or outcome.interrupted or outcome.ended:
        return outcome.exit_status()
    return int(shown)


def _request(run: Run, recipe: Any, target: Target, say: Callable[[str], None]) -> bool:
    """Bring the task into the required stage, and send one request."""
    secrets = Secrets(target.token)
    told = recipe["request"]
    request = Request(
        told["method"],
        secrets.reveal(told["path"]),
        tuple((name, secrets.reveal(value)) for name, value in told["headers"]),
        secrets.reveal(told["body"]).encode("latin-1"),
    )
    exchange = run.once(request, _expectation(recipe["expect"]))
    if exchange is None:
        return any(finding.check == recipe["check"] for finding in run.outcome.findings)
    _show(exchange, secrets, say)
    if recipe["tells"] == "status":
        return bool(exchange.status == recipe["status"])
    return recipe["check"] in exchange.failed


def _expectation(told: Any) -> Expectation | None:
    if told is None:
        return None
    return Expectation(
        told["check"],
        told["what"],
        frozenset(told["allowed"]),
        frozenset(told["tolerated"]),
        told["may_drop"],
        told["slip"],
    )


def _show(exchange: Exchange, secrets: Secrets, say: Callable[[str], None]) -> None:
    say(f"{exchange.request.method} {secrets.hide(exchange.request.path)}")
    if exchange.reply is None:
        say(f"  no response: {exchange.error}")
        return
    say(f"  {exchange.reply.status}")
    for name, value in exchange.reply.headers:
        say(f"  {name}: {secrets.hide(value)}")
    say(f"  {secrets.hide(exchange.reply.body[:2000].decode('utf-8', 'replace'))}")
