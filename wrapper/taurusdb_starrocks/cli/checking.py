"""The command that shows what is paused: check."""

from __future__ import annotations

import os
from typing import Any

import click

from taurusdb_starrocks import ReplicationError, Stage
from taurusdb_starrocks.cli import options
from taurusdb_starrocks.cli.journal import PAUSES, entry_row
from taurusdb_starrocks.cli.options import Setup, common, example
from taurusdb_starrocks.cli.output import Row
from taurusdb_starrocks.cli.settings import journal_path
from taurusdb_starrocks.cli.statuses import DONE, PAUSED, line_of, status_of


@click.command(epilog=example("check 9ac58f9b88744f8a87893d22f6ef9a28in17"))
@click.argument("instances", metavar="[INSTANCE...]", nargs=-1)
@options.journal
@common
def check(setup: Setup, instances: tuple[str, ...], journal: str | None) -> int:
    """Show which tasks are paused, by whom, and until when.

    The journal lists the tasks that were paused with it. For each INSTANCE, the service is queried
    too; it does not know who paused a task. If an instance cannot be checked, it is named
    on stderr, and the others are still checked.

    Exit status: 6 if any task is paused. A task of a fleet is planned until its request is sent,
    and does not count. Otherwise 0, or the status of an instance that could not
    be checked.
    """
    rows, read = [], []
    path = journal_path(journal, os.environ)
    if instances and not journal and not path.exists():
        setup.output.say(f"There is no journal at {path}: only the service is queried.")
    else:
        from taurusdb_starrocks.durable import overview  # noqa: PLC0415  # SQLite and more.

        with options.opened(journal, create=False) as record:
            rows += [entry_row(entry) for entry in overview(record)]
        read.append(f"in the journal {path}")
    known = {_task(row) for row in rows if row["state"] != "planned"}
    statuses = []
    for instance in dict.fromkeys(instances):
        try:
            found = _paused(setup, instance)
        except ReplicationError as error:
            setup.output.warn(f"{instance} was not checked. {line_of(error)}")
            statuses.append(status_of(error))
        else:
            new = [row for row in found if _task(row) not in known]
            listed = {_task(row) for row in new}
            rows = [row for row in rows if _task(row) not in listed] + new
            read.append(f"on {instance}")
    none = f"Nothing is paused {', '.join(read)}." if read else ""
    if not instances:
        none += " The service was not queried: pass an INSTANCE."
    setup.output.rows(PAUSES, rows, none=none)
    paused = any(row["state"] != "planned" for row in rows)
    return PAUSED if paused else max(statuses, default=DONE)


def _task(row: Row) -> tuple[Any, Any]:
    """What identifies the task of a row."""
    return row["instance_id"], row["task_name"]


def _paused(setup: Setup, instance: str) -> list[dict[str, Any]]:
    """The tasks that the service lists as paused, in rows like those of the journal."""
    with setup.client(instance) as client:
        return [
            {
                "instance_id": instance,
                "task_name": task.name,
                "kind": None,
                "owner": None,
                "reason": None,
                "since": None,
                "until": None,
                "state": "not in the journal",
                "guarded": False,
                "trouble": "",
            }
            for task in client.tasks(instance)
            if task.stage is Stage.PAUSED
        ]
