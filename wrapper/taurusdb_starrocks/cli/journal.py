"""The command that resumes what the journal says was left paused: recover."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from taurusdb_starrocks.cli import PROGRAM, options
from taurusdb_starrocks.cli.options import Setup, common, example
from taurusdb_starrocks.cli.output import Columns, Row
from taurusdb_starrocks.cli.statuses import DONE, MAY_BE_PAUSED
from taurusdb_starrocks.cli.times import local

if TYPE_CHECKING:
    from taurusdb_starrocks.durable import Entry, Journal

PAUSES: Columns = {
    "INSTANCE": lambda row: row["instance_id"],
    "TASK": lambda row: row["task_name"],
    "BY": lambda row: row["owner"] or "unknown",
    "REASON": lambda row: row["reason"] or "",
    "SINCE": lambda row: row["since"] or "?",
    "UNTIL": lambda row: row["until"] or ("no limit" if row["owner"] else "?"),
    "STATE": lambda row: _state(row) + (f": {row['trouble']}" if row["trouble"] else ""),
}
RECOVERED: Columns = {
    "INSTANCE": lambda row: row["instance_id"],
    "TASK": lambda row: row["task_name"],
    "OUTCOME": lambda row: row["outcome"],
    "WHY": lambda row: "" if row["outcome"] == "failed" else row["why"],  # Shown once, below.
}


def _state(row: Row) -> str:
    """The state, and whether a guardian is at work."""
    if row["guarded"] and row["state"] in {"expired", "abandoned"}:
        return f"{row['state']}, its guardian {'tries again' if row['trouble'] else 'resumes it'}"
    return str(row["state"])


def entry_row(entry: Entry) -> dict[str, Any]:
    """A task in the journal, as a row of JSON."""
    return {
        "instance_id": entry.instance_id,
        "task_name": entry.task_name,
        "kind": entry.kind,
        "owner": entry.owner,
        "reason": entry.reason,
        "since": local(entry.since),
        "until": None if entry.until is None else local(entry.until),
        "state": "planned" if entry.planned else entry.state,
        "guarded": entry.guarded,
        "trouble": entry.trouble,
    }


@click.command(epilog=example("recover --list"))
@click.option("--list", "show", is_flag=True, help="Show what is paused; do nothing.")
@click.option("--forget", metavar="TASK", help="Leave a task paused, and record that.")
@click.option("--instance", metavar="ID", help="Instance of that task, if several have one.")
@click.option(
    "--create", is_flag=True, help="Create the journal if there is none, before cron uses it."
)
@options.reason
@options.timeout
@options.interval
@options.journal
@options.dry_run
@common
def recover(
    setup: Setup,
    show: bool,
    forget: str | None,
    instance: str | None,
    create: bool,
    reason: str,
    timeout: float | None,
    interval: float | None,
    journal: str | None,
    dry: bool,
) -> int:
    """Resume tasks that were left paused.

    Their time limit has passed, or the program that paused them has ended.

    You can run it at any time, including from cron. It does not prompt, and resumes only tasks
    that are due according to the journal. If there is no journal, it fails, because the path or
    the user may be wrong; run it once with --create before you use it from cron. With --quiet, it
    does not list the tasks that it leaves alone.
    """
    with options.opened(journal, create=create) as record:
        from taurusdb_starrocks import durable  # noqa: PLC0415  # As above.

        entries = durable.overview(record)
        if forget is not None:
            return _forget(setup, record, entries, forget, instance, reason, dry=dry)
        if show or dry:
            due = [e for e in entries if show or e.due]
            setup.output.rows(PAUSES, map(entry_row, due), none="There is nothing to resume.")
            return DONE
        anything = any(entry.due for entry in entries)
        shown = (
            setup.output.progress("Resuming what was left paused") if anything else nullcontext()
        )
        with shown:
            recovered = durable.recover(
                record, connect=setup.settings.connect, **options.waiting(timeout, interval)
            )
    rows = [
        {
            "instance_id": each.entry.instance_id,
            "task_name": each.entry.task_name,
            "outcome": each.outcome,
            "why": each.why,
        }
        for each in recovered
        if not (setup.output.quiet and each.outcome == "left")
    ]
    setup.output.rows(RECOVERED, rows, none="There is nothing to resume.")
    failed: dict[str, list[str]] = {}
    for each in recovered:
        if each.outcome == "failed":
            failed.setdefault(each.why, []).append(
                f"{each.entry.task_name} of {each.entry.instance_id}"
            )
    for why, still in failed.items():
        setup.output.warn(
            f"{why.rstrip('.')}. MAY STILL BE PAUSED: {', '.join(still)}. Correct the cause, and "
            f"run {PROGRAM} recover again. What is configured: {PROGRAM} doctor"
        )
    return MAY_BE_PAUSED if failed else DONE


def _forget(
    setup: Setup,
    record: Journal,
    entries: list[Entry],
    name: str,
    instance: str | None,
    reason: str,
    *,
    dry: bool,
) -> int:
    """Leave one task paused, and record the reason."""
    from taurusdb_starrocks import durable  # noqa: PLC0415  # As above.

    if not reason:
        raise click.UsageError("Give the reason why it is left paused: --reason TEXT.")
    found = {
        entry.instance_id
        for entry in entries
        if entry.task_name == name and instance in {None, entry.instance_id}
    }
    if not found:
        raise click.UsageError(f"The journal has no paused task {name}. See recover --list.")
    if len(found) > 1:
        raise click.UsageError(f"{len(found)} instances have a task {name}: give --instance.")
    if dry:
        setup.output.say(f"{name} of {found.pop()} would be left paused.")
        return DONE
    forgotten = durable.forget(record, found.pop(), name, reason)
    setup.output.rows(PAUSES, map(entry_row, forgotten))
    return DONE
