"""Commands for the tasks of many instances: fleet pause, resume, window and report."""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taurusdb_starrocks.cli import PROGRAM, options
from taurusdb_starrocks.cli.changing import lease
from taurusdb_starrocks.cli.options import Function, Setup, common, example
from taurusdb_starrocks.cli.output import Columns, Output, console, cursor_shown
from taurusdb_starrocks.cli.statuses import (
    DONE,
    INTERRUPTED,
    MAY_BE_PAUSED,
    REFUSED,
    TIMED_OUT,
    UNKNOWN,
)
from taurusdb_starrocks.cli.times import duration, local
from taurusdb_starrocks.cli.window import Execution, WithCommand

if TYPE_CHECKING:
    from taurusdb_starrocks.durable import Journal
    from taurusdb_starrocks.fleet import Event, FleetWindow, Options, Result, Row

MOST_SHOWN = 10  # Causes of failures that are shown.
MOST_NAMED = 3  # Targets that are named for each.
WORDS = {"planned": "not tried"}
COUNTS: Columns = {
    "STATE": lambda row: row["state"],
    "TARGETS": lambda row: row["targets"],
}
REPORT: Columns = {
    "INSTANCE": lambda row: row["instance_id"],
    "TASK": lambda row: row["task_name"],
    "LAST": lambda row: row["verb"] or "",
    "STATE": lambda row: row["state"] or "not in the journal",
    "WHEN": lambda row: row["when"] or "",
    "JOB": lambda row: row["job_id"] or "",
    "ERROR": lambda row: row["error"],
}


@click.group(epilog=example("fleet report targets.csv"))
def fleet() -> None:
    """Pause or resume the tasks of many instances.

    TARGETS is a file: CSV with a header, or JSON Lines, with instance_id and task_name, and
    optionally region or endpoint, and project_id. All targets are checked before anything is sent.
    If a command was stopped or killed, run it again: it continues where it left off.

    Exit status: 0 done; 1 some targets were not paused; 2 wrong usage or targets, nothing was
    sent; 3 an outcome is unknown; 5 timed out; 122 some targets may still be paused (resume). For
    window, see fleet window --help.
    """


def _shared(function: Function) -> Function:
    """The options of the commands that send requests."""
    for option in (
        click.option(
            "--left",
            metavar="FILE",
            callback=_writable,
            help="Write a targets file for the next run: targets that failed or were not tried.",
        ),
        click.option(
            "--rate",
            type=float,
            default=20.0,
            help="Maximum requests per second to each project (default: 20).",
        ),
        click.option(
            "--concurrency",
            type=int,
            default=16,
            help="Maximum requests in flight (default: 16).",
        ),
        click.option("--timeout", type=duration, help="Maximum time to wait (default: 1h)."),
        options.interval,
    ):
        function = option(function)
    return _targets(function)


def _writable(_context: click.Context, _option: click.Parameter, path: str | None) -> str | None:
    """Refuse a file that cannot be written, before anything is sent."""
    if path is not None:
        new = not Path(path).exists()
        try:
            with Path(path).open("a", encoding="utf-8"):
                pass
            if new:
                Path(path).unlink()
        except OSError as error:
            raise click.BadParameter(f"{path} cannot be written: {error.strerror}.") from error
    return path


def _targets(function: Function) -> Function:
    for option in (
        options.journal,
        click.option(
            "--allow-endpoint",
            "allowed",
            metavar="URL",
            multiple=True,
            help="Allow this endpoint in TARGETS. Those of known regions are allowed.",
        ),
        click.argument("targets", type=click.Path(exists=True, dir_okay=False)),
    ):
        function = option(function)
    return function


@fleet.command(epilog=example("fleet pause targets.csv --max 6h --max-errors 2% --yes"))
@options.longest
@options.until
@click.option("--no-limit", is_flag=True, help="Keep the tasks paused until someone resumes them.")
@click.option(
    "--max-errors",
    metavar="N|N%",
    help="Stop if more targets fail than this number or percentage.",
)
@options.reason
@options.yes
@_shared
@common
def pause(
    setup: Setup,
    targets: str,
    longest: float | None,
    until: datetime | None,
    no_limit: bool,
    max_errors: str | None,
    reason: str,
    journal: str | None,
    **given: Any,
) -> int:
    """Pause all targets, and wait until they are paused.

    Pausing also stops if the first ten requests all fail in the same way. At the time limit,
    recover resumes the tasks: run it from cron.
    """
    limit = lease(longest, until, no_limit=no_limit)
    _confirm("Pause", targets, yes=given["yes"])
    from taurusdb_starrocks import fleet as many  # noqa: PLC0415  # SQLite and more.

    with options.opened(journal) as record:
        seconds = limit.seconds()
        end = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
        try:
            with _progress(setup.output, "Pausing", targets) as events:
                result = many.pause(
                    targets,
                    journal=record,
                    lease=seconds,
                    max_errors=max_errors,
                    reason=reason,
                    **_options(setup, events, **given),
                )
        except KeyboardInterrupt:
            counts = _recorded(setup, targets, record, "pause", given["allowed"])
            setup.output.warn(f"Interrupted. {_standing(targets, end=end, **counts)}")
            return INTERRUPTED
    _tell(setup.output, result, given["left"])
    if not result.complete:
        done = result.counts["confirmed"] + result.counts["accepted"]
        unknown = result.counts["unknown"]
        other = sum(result.counts.values()) - done - unknown
        setup.output.warn(_standing(targets, done=done, unknown=unknown, other=other, end=end))
    return _status(result)


def _standing(targets: str, *, done: int, unknown: int, other: int, end: datetime | None) -> str:
    """What is paused after a pause that is not complete, until when, and what to do next."""
    if not done and not unknown:
        return f"No target was paused. Not changed: {other}."
    until = "someone resumes them" if end is None else local(end)
    return (
        f"Targets paused or being paused: {done}; unknown: {unknown}; not changed: {other}. Paused "
        f"targets stay paused until {until}. To continue, run the same command again. To undo: "
        f"{PROGRAM} fleet resume {targets}"
    )


def _status(result: Result) -> int:
    """The exit status of a pause."""
    if result.complete:
        return DONE
    if result.counts["unknown"]:
        return UNKNOWN
    return TIMED_OUT if result.counts["accepted"] else REFUSED


@fleet.command(epilog=example("fleet resume targets.csv --yes"))
@click.option(
    "--everything",
    is_flag=True,
    help="Also resume targets that the journal does not list as paused.",
)
@options.yes
@_shared
@common
def resume(setup: Setup, targets: str, everything: bool, journal: str | None, **given: Any) -> int:
    """Resume the targets that the journal lists as paused.

    The command waits until they are running, and retries failures until --timeout. Then it lists
    the targets that are still not running.
    """
    _confirm("Resume", targets, yes=given["yes"])
    from taurusdb_starrocks import fleet as many  # noqa: PLC0415  # As above.

    with options.opened(journal, create=everything) as record:
        try:
            with _progress(setup.output, "Resuming", targets) as events:
                result = many.resume(
                    targets,
                    journal=record,
                    everything=everything,
                    **_options(setup, events, **given),
                )
        except KeyboardInterrupt:
            counts = _recorded(setup, targets, record, "resume", given["allowed"])
            setup.output.warn(
                f"Interrupted. Targets running or being resumed: {counts['done']}. MAY STILL BE "
                f"PAUSED: {counts['unknown'] + counts['other']}. To continue, run the same command "
                f"again. To list what is still paused: {PROGRAM} check"
            )
            return MAY_BE_PAUSED
    _tell(setup.output, result, given["left"])
    return DONE if result.complete else MAY_BE_PAUSED


@fleet.command(cls=WithCommand, epilog=example("fleet window targets.csv --max 2h -- ./migrate.sh"))
@options.longest
@options.until
@options.grace
@options.reason
@options.dry_run
@_shared
@common
def window(
    setup: Setup,
    targets: str,
    longest: float | None,
    until: datetime | None,
    grace: float,
    reason: str,
    dry: bool,
    journal: str | None,
    left: str | None,
    command: tuple[str, ...],
    **given: Any,
) -> int:
    """Run a command while all targets are paused, then resume them.

    The command runs only if all targets are paused: a single failure stops the pausing. The
    targets are resumed no matter how the command ends. It runs in the foreground of the terminal.
    Only the command receives Ctrl-C; SIGTERM and SIGHUP end it. At --max, counted from before the
    pause, it is ended and the targets are resumed. A guardian process does both even if this
    process is killed.

    Exit status: that of the command, or: 121 the command never ran; 122 tasks may still be paused;
    124 the command was still running at --max; 126 and 127 the command cannot be executed or was
    not found; 128+n it was ended by signal n.
    """
    limit = lease(longest, until)
    execution = Execution(setup.output, command, grace)
    shows = _Shows(setup.output)

    def pause_and_run() -> int | None:
        from taurusdb_starrocks import fleet as many  # noqa: PLC0415  # SQLite and more.

        def tasks_of(paused: FleetWindow) -> tuple[str, str]:
            counts = paused.result.counts
            found = counts["found"]
            if not found:
                return f"the targets of {targets}", ""
            others = f"the other targets of {targets}" if counts["confirmed"] else ""
            return others, f"{found} target{'' if found == 1 else 's'}"

        with options.opened(journal) as record:
            how = _options(setup, shows, **given)
            if dry:
                rows = many.report(
                    targets,
                    journal=record,
                    connect=how["connect"],
                    allow_endpoints=how["allow_endpoints"],
                )
                count = sum(1 for _ in rows)
                would = f"Targets that would be paused, and resumed: {count}. Nothing was sent."
                setup.output.say(would)
                return DONE
            seconds = limit.seconds()
            assert seconds is not None
            opening = many.window(
                targets,
                journal=record,
                lease=seconds,
                reason=reason or f"window for {execution.name}",
                **how,
            )
            try:
                execution.inside(opening, f"the targets of {targets}", tasks_of, progress=shows.bar)
            except many.FleetError as error:
                _tell_left(setup.output, error.result, left)
                raise
        return None

    return execution.status_of(pause_and_run)


@fleet.command(epilog=example("fleet report targets.csv"))
@_targets
@common
def report(setup: Setup, targets: str, journal: str | None, allowed: tuple[str, ...]) -> int:
    """Show the last request for each target in the journal. Nothing is sent."""
    from taurusdb_starrocks import fleet as many  # noqa: PLC0415  # As above.

    with options.opened(journal, create=False) as record:
        rows = many.report(
            targets,
            journal=record,
            connect=setup.settings.fleet_connect(),
            allow_endpoints=allowed,
        )
        setup.output.rows(REPORT, map(_row, rows))
    return DONE


def _recorded(
    setup: Setup, targets: str, record: Journal, verb: str, allowed: tuple[str, ...]
) -> dict[str, int]:
    """How many targets the journal has as done, as of unknown outcome, and as anything else."""
    from taurusdb_starrocks import fleet as many  # noqa: PLC0415  # As above.

    counts = {"done": 0, "unknown": 0, "other": 0}
    connect = setup.settings.fleet_connect()
    for _, last in many.report(targets, journal=record, connect=connect, allow_endpoints=allowed):
        state = last.state if last and last.verb == verb else ""
        counts[_REACHED.get(state, "other")] += 1
    return counts


_REACHED = {"accepted": "done", "confirmed": "done", "sent": "unknown", "unknown": "unknown"}


def _row(row: Row) -> dict[str, Any]:
    """The last request about a target, as JSON shows it."""
    target, last = row
    return {
        "endpoint": target.endpoint,
        "project_id": target.project_id,
        "instance_id": target.instance_id,
        "task_name": target.task_name,
        "verb": last and last.verb,
        "state": last and last.state,
        "when": last and local(last.sent),
        "job_id": last and last.job_id,
        "request_id": last and last.request_id,
        "error": last.error if last else "",
    }


def _confirm(doing: str, targets: str, *, yes: bool) -> None:
    what = f"{doing} the targets of {targets}"
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}? There is no terminal to prompt on: pass --yes.")
    click.confirm(f"{what}?", abort=True, err=True)


def _options(
    setup: Setup,
    events: Callable[[Event], object],
    *,
    allowed: tuple[str, ...],
    concurrency: int,
    rate: float,
    timeout: float | None,
    interval: float | None,
    **_others: Any,
) -> Options:
    return {
        "connect": setup.settings.fleet_connect(),
        "allow_endpoints": allowed,
        "concurrency": concurrency,
        "rate": rate,
        "events": events,
        **options.waiting(timeout, interval),  # type: ignore[typeddict-item]  # They are of them.
    }


def shown(output: Output) -> bool:
    """Whether to show progress."""
    return not output.quiet and sys.stderr.isatty()


class _Shows:
    """Shows the events of a window, whose command has the standard output, on a terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._show: Callable[[Event], object] = _nothing

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self._show(event)

    @contextmanager
    def bar(self, doing: str) -> Iterator[None]:
        """Have them shown in a bar."""
        if not shown(self._output):
            self._output.say(f"{doing}.")
            yield
            return
        with _bar(doing) as self._show:
            yield
        self._show = _nothing


@contextmanager
def _progress(output: Output, doing: str, targets: str) -> Iterator[Callable[[Event], object]]:
    """Show progress on a terminal; in JSON, write each target as soon as it has an outcome."""
    if output.form != "json" and shown(output):
        with _bar(doing) as show:
            yield show
    else:
        output.say(f"{doing} the targets of {targets}.")
        yield _nothing if output.form != "json" else lambda event: output.line(_event_row(event))


@contextmanager
def _bar(doing: str) -> Iterator[Callable[[Event], object]]:
    """A bar on a terminal with rate, counts by state and time left."""
    from rich.progress import (  # noqa: PLC0415  # Only a terminal needs it.
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(doing, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    counts: dict[str, int] = {}
    stderr = console(stderr=True)
    with cursor_shown(2), Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(doing, total=None, rate="", counts="")

        def show(event: Event) -> None:
            counts[event.state] = counts.get(event.state, 0) + 1
            speed = bar.tasks[0].speed
            bar.update(
                task,
                completed=event.done,
                total=event.total,
                rate=f"{speed:.1f}/s" if speed else "",
                counts=", ".join(f"{count} {state}" for state, count in counts.items()),
            )

        yield show


def _event_row(event: Event) -> dict[str, Any]:
    """The outcome of a target, as JSON shows it."""
    return {
        "endpoint": event.target.endpoint,
        "project_id": event.target.project_id,
        "instance_id": event.target.instance_id,
        "task_name": event.target.task_name,
        "state": event.state,
        "error": "" if event.error is None else str(event.error),
    }


def _nothing(_event: Event) -> None:
    """Show nothing."""


def _tell(output: Output, result: Result, left: str | None) -> None:
    """Show the outcome of all targets."""
    if output.form != "json":
        counts = [
            {"state": WORDS.get(state, state), "targets": count}
            for state, count in result.counts.items()
            if count
        ]
        output.rows(COUNTS, counts)
    _tell_left(output, result, left)


def _tell_left(output: Output, result: Result, left: str | None) -> None:
    """Show what failed or was not tried, and write it to a file."""
    causes: dict[tuple[str, str], str] = {}  # With the first error of each.
    names: dict[tuple[str, str], list[str]] = defaultdict(list)  # The first of each.
    counts: Counter[tuple[str, str]] = Counter()
    for target, state, error in result.outcomes():
        # Without what differs: the task, and the request in the parentheses at the end.
        cause = (state, re.sub(r" \([^()]*\)$", "", error).replace(target.task_name, ""))
        if cause not in causes and len(causes) > MOST_SHOWN:
            continue
        causes.setdefault(cause, error)
        counts[cause] += 1
        if counts[cause] <= MOST_NAMED:
            names[cause].append(f"{target.task_name} of {target.instance_id}")
    for cause, error in islice(causes.items(), MOST_SHOWN):
        count, word = counts[cause], WORDS.get(cause[0], cause[0])
        first = ", ".join(names[cause])
        more = f", and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
        told = f"{first} is {word}" if count == 1 else f"{count} targets are {word}: {first}{more}"
        output.warn(f"{told}. {error}".rstrip())
    if len(causes) > MOST_SHOWN:
        output.warn("There are more. To list all of them, use --left FILE or fleet report.")
    if result.stopped:
        output.warn(f"Stopped before the last target: {result.stopped}")
    if left is not None:
        output.say(f"Targets left: {result.write_left(left)}, in {left}.")
