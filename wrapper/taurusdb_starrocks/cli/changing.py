"""Commands that change tasks: pause and resume. Each pause is recorded in the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from taurusdb_starrocks import (
    ConflictError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    Stage,
)
from taurusdb_starrocks.cli import PROGRAM, options
from taurusdb_starrocks.cli.behind import stay_behind, telling
from taurusdb_starrocks.cli.options import Setup, common, confirm, example
from taurusdb_starrocks.cli.output import Columns
from taurusdb_starrocks.cli.reading import TASKS, task_row
from taurusdb_starrocks.cli.statuses import DONE, INTERRUPTED, MAY_BE_PAUSED, REFUSED
from taurusdb_starrocks.cli.times import local, spoken

if TYPE_CHECKING:
    from taurusdb_starrocks import Client

PLANNED: Columns = {**TASKS, "WOULD": lambda row: row["would"]}


class Limit(NamedTuple):
    """How long tasks may be paused: a duration, until a time, or without limit.

    Attributes:
        longest: Seconds from the pause.
        until: The time, instead of a duration.
    """

    longest: float | None
    until: datetime | None

    def seconds(self) -> float | None:
        """The seconds from now; None for no limit.

        Call it directly before the pause: answers to prompts take time.

        Raises:
            click.UsageError: The time has passed.
        """
        if self.until is None:
            return self.longest
        left = (self.until - datetime.now(UTC)).total_seconds()
        if left <= 0:
            raise click.UsageError(f"--until {local(self.until)} has passed. Nothing was paused.")
        return left


def lease(longest: float | None, until: datetime | None, *, no_limit: bool | None = None) -> Limit:
    """The limit that the options give.

    Args:
        longest: Value of ``--max``.
        until: Value of ``--until``.
        no_limit: Whether ``--no-limit`` is given; None for a command without that option.

    Raises:
        click.UsageError: Not exactly one of the options is given.
    """
    if [longest is not None, until is not None, no_limit is True].count(True) != 1:
        rather = "." if no_limit is None else ", or --no-limit."
        raise click.UsageError(f"Give a time limit: --max 2h or --until 06:00{rather}")
    return Limit(longest, until)


def check_connection(client: Client, instance: str) -> None:
    """Read once before a pause, to fail now and not after ``--timeout`` if nothing can be sent.

    Raises:
        ReplicationError: The service cannot be reached, or rejects the request.
    """
    with suppress(ConflictError, OutcomeUnknownError, RateLimitError, ServerError):  # Temporary.
        next(client.tasks(instance), None)


def chosen(client: Client, instance: str, names: Sequence[str], *, every: bool) -> list[str]:
    """The named tasks, or with ``--all`` all tasks of the instance that were not cancelled.

    Raises:
        click.UsageError: Neither names nor ``--all`` are given, or both are.
    """
    if bool(names) == every:
        raise click.UsageError("Name the tasks, or pass --all.")
    if every:
        return [t.name for t in client.tasks(instance) if t.stage is not Stage.CANCELLED]
    return list(dict.fromkeys(names))


def dry_run(
    setup: Setup, client: Client, instance: str, names: Sequence[str], would: Mapping[bool, str]
) -> int:
    """Show what would be done to each task.

    Args:
        setup: Settings and output.
        client: Lists the tasks.
        instance: The instance.
        names: The tasks.
        would: What would be done to a task, by whether it is paused.
    """
    found = {task.name: task for task in client.tasks(instance)}
    rows = []
    for name in names:
        if name in found:
            paused = found[name].stage is Stage.PAUSED
            rows.append({**task_row(instance, found[name]), "would": would[paused]})
        else:
            setup.output.warn(f"{instance} has no task {name}.")
    setup.output.rows(PLANNED, rows)
    return DONE if len(rows) == len(names) else REFUSED


def _without_waiting(
    setup: Setup,
    verb: str,
    instance: str,
    names: Sequence[str],
    given: Sequence[str],
    journal: str | None,
    how: Mapping[str, Any],
) -> int:
    """Change the tasks in a background process; return once each request is accepted."""
    arguments = [verb, instance, *names, *given, "--yes", *setup.settings.options()]
    if journal:
        arguments += ["--journal", journal]
    if "timeout" in how:
        arguments += ["--timeout", f"{how['timeout']}s"]
    if "poll" in how:
        arguments += ["--interval", f"{how['poll'].interval}s"]
    status = stay_behind(arguments, len(names))
    if status == DONE:
        setup.output.say(
            f"Requested. See the result: {PROGRAM} status {instance} {' '.join(names)}"
        )
    return status


@click.command(
    epilog=example(
        "pause 9ac58f9b88744f8a87893d22f6ef9a28in17 orders_sync --max 2h --reason 'load of orders'"
    )
)
@options.instance
@options.tasks
@options.every
@options.longest
@options.until
@click.option("--no-limit", is_flag=True, help="Keep the tasks paused until someone resumes them.")
@options.reason
@options.wait
@options.timeout
@options.interval
@options.journal
@options.dry_run
@options.yes
@options.accepted_fd
@common
def pause(
    setup: Setup,
    instance: str,
    names: tuple[str, ...],
    every: bool,
    longest: float | None,
    until: datetime | None,
    no_limit: bool,
    reason: str,
    wait: bool,
    timeout: float | None,
    interval: float | None,
    journal: str | None,
    dry: bool,
    yes: bool,
    accepted_fd: int | None,
) -> int:
    """Pause tasks, and wait until they are paused.

    The journal records who paused them, and until when. At that time a background process resumes
    them; if it was killed, recover does. See also: check.
    """
    limit = lease(longest, until, no_limit=no_limit)
    with setup.client(instance) as client:
        picked = chosen(client, instance, names, every=every)
        if dry:
            would = {False: "be paused", True: "be left paused"}
            return dry_run(setup, client, instance, picked, would)
        confirm("Pause", picked, yes=yes)
        how = options.waiting(timeout, interval)
        seconds = limit.seconds()
        if not wait:
            given = ("--no-limit",) if seconds is None else ("--max", f"{seconds:.3f}s")
            given = (*given, "--reason", reason)
            return _without_waiting(setup, "pause", instance, picked, given, journal, how)
        if accepted_fd is not None:
            how["accepted"] = telling(accepted_fd, len(picked))
        from taurusdb_starrocks import durable  # noqa: PLC0415  # SQLite and more.

        progress = setup.output.progress(f"Pausing {', '.join(picked)}")
        try:
            with options.opened(journal) as record, progress:
                check_connection(client, instance)
                seen = durable.pause(
                    client,
                    instance,
                    picked,
                    journal=record,
                    lease=seconds,
                    reason=reason,
                    **how,
                )
        except KeyboardInterrupt:
            setup.output.warn(f"Interrupted. To see what is paused: {PROGRAM} check {instance}")
            return INTERRUPTED
        setup.output.rows(TASKS, [task_row(instance, task) for task in seen])
        if seconds is not None:
            setup.output.say(f"The tasks will be resumed in {spoken(seconds)}.")
    return DONE


@click.command(
    epilog=example("resume 9ac58f9b88744f8a87893d22f6ef9a28in17 orders_sync billing_sync --yes")
)
@options.instance
@options.tasks
@options.every
@options.wait
@options.timeout
@options.interval
@options.journal
@options.dry_run
@options.yes
@options.accepted_fd
@common
def resume(
    setup: Setup,
    instance: str,
    names: tuple[str, ...],
    every: bool,
    wait: bool,
    timeout: float | None,
    interval: float | None,
    journal: str | None,
    dry: bool,
    yes: bool,
    accepted_fd: int | None,
) -> int:
    """Resume tasks, and wait until they are running."""
    with setup.client(instance) as client:
        picked = chosen(client, instance, names, every=every)
        if dry:
            would = {False: "be resumed, because a pause may be in progress", True: "be resumed"}
            return dry_run(setup, client, instance, picked, would)
        confirm("Resume", picked, yes=yes)
        how = options.waiting(timeout, interval)
        if not wait:
            return _without_waiting(setup, "resume", instance, picked, (), journal, how)
        if accepted_fd is not None:
            how["accepted"] = telling(accepted_fd, len(picked))
        from taurusdb_starrocks import durable  # noqa: PLC0415  # As above.

        progress = setup.output.progress(f"Resuming {', '.join(picked)}")
        try:
            with options.opened(journal) as record, progress:
                seen = durable.resume(client, instance, picked, journal=record, **how)
        except KeyboardInterrupt:
            setup.output.warn(
                f"Interrupted. MAY STILL BE PAUSED: {', '.join(picked)}. To continue, run the same "
                "command again."
            )
            return MAY_BE_PAUSED
        setup.output.rows(TASKS, [task_row(instance, task) for task in seen])
    return DONE
