"""The command that pauses tasks while another command runs."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from taurusdb_starrocks import NotResumedError, ReplicationError
from taurusdb_starrocks.cli import PROGRAM, options
from taurusdb_starrocks.cli.changing import chosen, dry_run, lease
from taurusdb_starrocks.cli.options import Setup, common, example
from taurusdb_starrocks.cli.statuses import (
    MAX_REACHED,
    MAY_BE_PAUSED,
    NEVER_RAN,
    NOT_EXECUTABLE,
    NOT_FOUND,
    line_of,
)
from taurusdb_starrocks.cli.times import duration, soon, spoken

if TYPE_CHECKING:
    from taurusdb_starrocks import Client
    from taurusdb_starrocks.cli.foreground import Foreground
    from taurusdb_starrocks.durable import DurableWindow

# Seconds left at which a person is told so.
MARKS = (3600, 1800, 600, 300, 60, 30, 10)
# Seconds, beside the grace, that the guardian has to end the command before it is done here.
LATE = 5.0


class WithCommand(click.Command):
    """A command whose arguments after ``--`` are another command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before ``--``, and keep what stands after it."""
        at = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:at])
        ctx.params["command"] = tuple(args[at + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The pieces of the usage line, with the other command."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


@click.command(
    cls=WithCommand,
    epilog=example(
        "window 9ac58f9b88744f8a87893d22f6ef9a28in17 orders_sync --max 2h -- ./migrate.sh"
    ),
)
@options.instance
@options.tasks
@options.every
@options.longest
@options.until
@click.option(
    "--grace",
    type=duration,
    default="10s",
    help="Time between SIGTERM and SIGKILL, when the command must end (10s).",
)
@options.reason
@options.timeout
@options.interval
@options.journal
@options.dry_run
@common
def window(
    setup: Setup,
    instance: str,
    names: tuple[str, ...],
    every: bool,
    longest: float | None,
    until: datetime | None,
    grace: float,
    reason: str,
    timeout: float | None,
    interval: float | None,
    journal: str | None,
    dry: bool,
    command: tuple[str, ...],
) -> int:
    """Pause tasks, run a command, and resume the tasks whatever happens.

    The command has the terminal. Ctrl-C goes to it alone; SIGTERM and SIGHUP end it. After --max,
    which counts from before the pause, it is ended and the tasks are resumed. A guardian process
    sees to that also when this one is killed.

    Exit status: the command's own, but 121 not paused, the command never ran; 122 tasks may still
    be paused; 124 --max was reached; 126 and 127 the command cannot be executed, or is not found;
    128+n it was ended by signal n.
    """
    if not command:
        raise click.UsageError("Give the command after --.")
    seconds = lease(longest, until)
    assert seconds is not None
    cannot = _cannot_run(command[0])
    if cannot is not None:
        status, why = cannot
        setup.output.warn(f"{command[0]}: {why}. Nothing was paused.")
        return status
    run = _Run(setup, command, grace)
    try:
        with _signals_interrupt(), setup.client(instance) as client:
            picked = chosen(client, instance, names, every=every)
            if dry:
                would = {False: "be paused, and resumed", True: "be left as it is"}
                return dry_run(setup, client, instance, picked, would)
            with options.opened(journal) as record:
                run.inside(
                    client,
                    instance,
                    picked,
                    journal=record,
                    lease=seconds,
                    reason=reason or f"window for {Path(command[0]).name}",
                    **options.waiting(timeout, interval),
                )
    except ReplicationError as error:
        status = run.status_after(error)
        over = f"The time is over: {run.name} was ended, and the tasks were resumed."
        setup.output.warn(over if status == MAX_REACHED else line_of(error))
        return status
    except (KeyboardInterrupt, click.Abort) as interrupt:
        left = _not_resumed(interrupt)
        setup.output.warn("Interrupted." if left is None else line_of(left))
        if left is not None:
            return MAY_BE_PAUSED
    return NEVER_RAN if run.status is None else run.status


def _not_resumed(error: BaseException | None) -> NotResumedError | None:
    """The error that an interrupt took the place of, if there is one that names tasks."""
    while error is not None and not isinstance(error, NotResumedError):
        error = error.__context__
    return error


def _cannot_run(name: str) -> tuple[int, str] | None:
    """The exit status and the reason, if a command cannot be executed."""
    if shutil.which(name) is not None:
        return None
    if os.sep in name and Path(name).exists():
        return NOT_EXECUTABLE, "cannot be executed"
    return NOT_FOUND, "not found"


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Have SIGTERM and SIGHUP do what Ctrl-C does: a window resumes its tasks then.

    One that is ignored stays so, as under nohup.
    """
    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # In the background of a script.
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


class _Run:
    """One command in one window.

    Attributes:
        name: Name of the command.
        status: Exit status of the command; None if it never ran.
    """

    def __init__(self, setup: Setup, command: Sequence[str], grace: float) -> None:
        self.status: int | None = None
        self._output = setup.output
        self._command = command
        self.name = Path(command[0]).name
        self._grace = grace

    def inside(self, client: Client, instance: str, names: list[str], **window: Any) -> None:
        """Run it while tasks are paused."""
        from taurusdb_starrocks import durable  # noqa: PLC0415  # SQLite and more.
        from taurusdb_starrocks.cli.foreground import Foreground, Signals  # noqa: PLC0415  # POSIX.

        several = ", ".join(names)
        with ExitStack() as shown:
            shown.enter_context(self._output.progress(f"Pausing {several}"))
            with (
                durable.window(client, instance, names, **window) as paused,
                Signals() as signals,
                Foreground(self._command) as command,
            ):
                shown.close()
                self._begins(paused, several)
                paused.guard(command.group, grace=self._grace)
                self.status = command.run(
                    signals,
                    grace=self._grace,
                    tick=self._countdown(paused, command),
                    stopped=lambda: self._output.say(
                        f"\n{self.name} is stopped. Paused until {soon(paused.expires)}: {several}."
                    ),
                )
                if paused.remaining <= 0:
                    self.status = MAX_REACHED
                    command.end_rest(self._grace)
                shown.enter_context(self._output.progress(f"Resuming {several}"))
        self._output.say(f"Running again: {several}.")

    def status_after(self, error: ReplicationError) -> int:
        """The exit status when the window ended with an error."""
        if isinstance(error, NotResumedError):
            return MAY_BE_PAUSED
        if self.status is None:
            return NEVER_RAN
        from taurusdb_starrocks.durable import LeaseExpiredError  # noqa: PLC0415  # As above.

        return MAX_REACHED if isinstance(error, LeaseExpiredError) else MAY_BE_PAUSED

    def _begins(self, paused: DurableWindow, several: str) -> None:
        if paused.found_paused:
            self._output.warn(
                f"Paused before, and left paused afterwards: {', '.join(paused.found_paused)}."
            )
        self._output.say(
            f"Paused: {several}. Resumed when {self.name} ends, or at {soon(paused.expires)} "
            "at the latest."
        )

    def _countdown(self, paused: DurableWindow, command: Foreground) -> Callable[[], float]:
        """What is done whenever time has passed while the command runs.

        It tells on a terminal how much is left. The guardian ends the command when nothing is; if
        that is late, it is done here.
        """
        shows = sys.stderr.isatty()
        marks = [mark for mark in MARKS if mark < paused.remaining]
        over_since: float | None = None

        def tick() -> float:
            nonlocal over_since
            left = paused.remaining
            if left > 0:
                if marks and left <= marks[0]:
                    while marks and left <= marks[0]:
                        marks.pop(0)
                    if shows:
                        self._output.say(f"{PROGRAM}: {spoken(left)} left.\r")
                return left - (marks[0] if marks else 0.0)
            if over_since is None:
                over_since = time.monotonic()
            if time.monotonic() - over_since > self._grace + LATE:
                command.send(signal.SIGKILL)
            return 1.0

        return tick
