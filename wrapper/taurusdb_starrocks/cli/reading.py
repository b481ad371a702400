"""Commands that change nothing: tasks, status, instances."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import click

from taurusdb_starrocks import (
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    UnsupportedOperationError,
)
from taurusdb_starrocks.cli import options
from taurusdb_starrocks.cli.options import Setup, common, example
from taurusdb_starrocks.cli.output import Columns, Row, console, cursor_shown, table
from taurusdb_starrocks.cli.statuses import DONE, REFUSED, line_of
from taurusdb_starrocks.cli.times import duration, spoken

if TYPE_CHECKING:
    from taurusdb_starrocks import Client, Task


def task_row(instance_id: str, task: Task) -> dict[str, Any]:
    """A task as a row of JSON."""
    return {
        "instance_id": instance_id,
        "task_name": task.name,
        "stage": task.stage_text,
        "status": task.status,
        "percentage": task.percentage,
        "source_database": task.source_database,
        "target_database": task.target_database,
        "needs_repair": task.needs_repair,
        "main_task": task.main_task,
    }


def _health(row: Mapping[str, Any]) -> str:
    words = {"yes": "normal", "no": "ABNORMAL"}
    health = words.get(row["status"].strip().casefold(), row["status"])
    if row["main_task"] is False:
        health += ", repair task"
    return f"{health}, needs repair" if row["needs_repair"] else health


TASKS: Columns = {
    "TASK": lambda row: row["task_name"],
    "STAGE": lambda row: row["stage"],
    "%": lambda row: "" if row["percentage"] is None else f"{row['percentage']:g}",
    "HEALTH": _health,
    "DATABASES": lambda row: f"{row['source_database'] or '?'} > {row['target_database'] or '?'}",
}
STATUS: Columns = {
    **TASKS,
    "BINARY LOG": lambda row: (
        spoken(row["binlog_retention_seconds"]) if row["binlog_retention_seconds"] else "?"
    ),
}
INSTANCES: Columns = {
    "INSTANCE": lambda row: row["instance_id"],
    "NAME": lambda row: row["name"] or "",
    "ENGINE": lambda row: f"{row['engine_name'] or '?'} {row['engine_version'] or ''}".rstrip(),
    "STATUS": lambda row: row["status"] + (", frozen" if row["frozen"] else ""),
}


@click.command(epilog=example("tasks 9ac58f9b88744f8a87893d22f6ef9a28in17"))
@options.instance
@click.option("-w", "--watch", is_flag=True, help="Show changes until you press Ctrl-C.")
@click.option(
    "--interval", type=duration, default="5s", help="Time between polls with --watch (default: 5s)."
)
@common
def tasks(setup: Setup, instance: str, watch: bool, interval: float) -> None:
    """List the synchronization tasks of a StarRocks instance."""
    with setup.client(instance) as client:
        if watch:
            _watch(setup, client, instance, interval)
        rows = (task_row(instance, task) for task in client.tasks(instance))
        setup.output.rows(TASKS, rows, none=f"{instance} has no tasks.")


def _watch(setup: Setup, client: Client, instance: str, interval: float) -> NoReturn:
    """Poll and show the tasks until Ctrl-C; without a terminal only those that changed."""
    if setup.output.form == "json" or not sys.stdout.isatty():
        before: dict[str, Any] = {}

        def show_changed(rows: Sequence[Row]) -> None:
            changed = [row for row in rows if before.get(row["task_name"]) != row]
            before.update({row["task_name"]: row for row in changed})
            setup.output.rows(TASKS, changed)
            sys.stdout.flush()

        _look_again(setup, client, instance, interval, show_changed)
    from rich.console import Group  # noqa: PLC0415  # Only a terminal needs it.
    from rich.live import Live  # noqa: PLC0415  # As above.

    with cursor_shown(1), Live(console=console(), auto_refresh=False) as live:

        def show(rows: Sequence[Row]) -> None:
            now = f"{datetime.now().astimezone():%H:%M:%S}"
            footer = f"\n{now}, refreshing in {spoken(interval)}. Press Ctrl-C to stop."
            live.update(Group(table(TASKS, rows), footer), refresh=True)

        _look_again(setup, client, instance, interval, show)


def _look_again(
    setup: Setup,
    client: Client,
    instance: str,
    interval: float,
    show: Callable[[Sequence[Row]], None],
) -> NoReturn:
    """Poll and show the tasks. A temporary failure is shown as a warning, once a poll worked."""
    seen = False
    while True:
        try:
            show([task_row(instance, task) for task in client.tasks(instance)])
            seen = True
        except (NotSentError, OutcomeUnknownError, RateLimitError, ServerError) as error:
            if not seen:
                raise
            setup.output.warn(line_of(error))
        time.sleep(interval)


@click.command(epilog=example("status 9ac58f9b88744f8a87893d22f6ef9a28in17 orders_sync"))
@options.instance
@options.names
@common
def status(setup: Setup, instance: str, names: tuple[str, ...]) -> int:
    """Show tasks, and the binlog retention period of their source.

    A task that stays paused for longer than that cannot catch up.
    """
    with setup.client(instance) as client:
        found = {task.name: task for task in client.tasks(instance)}
        rows = []
        for name in dict.fromkeys(names):
            if name in found:
                row = task_row(instance, found[name])
                row["binlog_retention_seconds"] = _retention(client, instance, name)
                rows.append(row)
            else:
                setup.output.warn(f"{instance} has no task {name}.")
        setup.output.rows(STATUS, rows)
    return DONE if len(rows) == len(set(names)) else REFUSED


def _retention(client: Client, instance: str, name: str) -> int | None:
    """Seconds for which the source keeps its binary log; None if the service does not say."""
    try:
        return client.configuration(instance, name).binlog_retention_seconds
    except UnsupportedOperationError:
        return None


@click.command(epilog=example("instances 61a4ea66210545909d74a05c27a7179ein07"))
@click.argument("source", metavar="IN07_ID")
@common
def instances(setup: Setup, source: str) -> None:
    """List the StarRocks instances of a TaurusDB instance."""
    with setup.settings.client() as client:
        rows = [
            {
                "instance_id": each.id,
                "name": each.name,
                "engine_name": each.engine_name,
                "engine_version": each.engine_version,
                "status": each.status,
                "frozen": each.frozen,
            }
            for each in client.instances(source)
        ]
        setup.output.rows(INSTANCES, rows, none=f"Nothing replicates from {source}.")
