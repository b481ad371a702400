"""The command that pauses tasks while another command runs."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

from taurusdb_starrocks import ReplicationError
from taurusdb_starrocks.cli import PROGRAM, options
from taurusdb_starrocks.cli.changing import check_connection, chosen, dry_run, lease
from taurusdb_starrocks.cli.options import Setup, common, example
from taurusdb_starrocks.cli.statuses import (
    MAX_REACHED,
    MAY_BE_PAUSED,
    NEVER_RAN,
    NOT_EXECUTABLE,
    NOT_FOUND,
    line_of,
    line_of_system,
    may_be_paused,
)
from taurusdb_starrocks.cli.times import soon, spoken

if TYPE_CHECKING:
    from taurusdb_starrocks.cli.foreground import Foreground, Signals
    from taurusdb_starrocks.cli.output import Output
    from taurusdb_starrocks.durable import DurableWindow

P = TypeVar("P", bound="Paused")

# The seconds left at which a terminal shows them.
MARKS = (3600, 1800, 600, 300, 60, 30, 10)
# Seconds that the guardian has in addition to the grace, before the command is ended here.
LATE = 5.0
AGAIN = 1.0  # Seconds until it is killed again.
INTERRUPT = "Interrupted. This command left no task paused."


class WithCommand(click.Command):
    """A command whose arguments after ``--`` are another command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments before ``--``, and keep those after it."""
        at = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:at])
        ctx.params["command"] = tuple(args[at + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The parts of the usage line, with the other command."""
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
@options.grace
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
    """Run a command while tasks are paused, then resume them.

    The tasks are resumed no matter how the command ends. It runs in the foreground of the
    terminal. Only the command receives Ctrl-C; SIGTERM and SIGHUP end it. At --max, counted from
    before the pause, it is ended and the tasks are resumed. A guardian process does both even if
    this process is killed.

    Exit status: that of the command, or: 121 the command never ran; 122 tasks may still be paused;
    124 the command was still running at --max; 126 and 127 the command cannot be executed or was
    not found; 128+n it was ended by signal n.
    """
    limit = lease(longest, until)
    execution = Execution(setup.output, command, grace)

    def pause_and_run() -> int | None:
        with setup.client(instance) as client:
            picked = chosen(client, instance, names, every=every)
            if dry:
                would = {False: "be paused, and resumed", True: "be left paused"}
                return dry_run(setup, client, instance, picked, would)
            check_connection(client, instance)
            from taurusdb_starrocks import durable  # noqa: PLC0415  # SQLite and more.

            def tasks_of(paused: DurableWindow) -> tuple[str, str]:
                found = paused.found_paused
                return ", ".join(name for name in picked if name not in found), ", ".join(found)

            seconds = limit.seconds()
            assert seconds is not None
            with options.opened(journal) as record:
                paused = durable.window(
                    client,
                    instance,
                    picked,
                    journal=record,
                    lease=seconds,
                    reason=reason or f"window for {execution.name}",
                    accepted=execution.accepted,
                    **options.waiting(timeout, interval),
                )
                execution.inside(paused, ", ".join(picked), tasks_of)
        return None

    return execution.status_of(pause_and_run)


class Paused(Protocol):
    """An open window, of one instance or of many."""

    @property
    def expires(self) -> datetime:
        """When the lease ends."""

    @property
    def remaining(self) -> float:
        """Seconds until the lease ends; 0 when it has ended."""

    def guard(self, process_group: int, *, grace: float = 10.0) -> None:
        """Have the guardian end a process group before it resumes the tasks."""


class Execution:
    """A command that runs while tasks are paused.

    Args:
        output: Where messages go.
        command: The command and its arguments.
        grace: Seconds between SIGTERM and SIGKILL when the command must end.

    Attributes:
        name: File name of the command.
        status: Exit status of the command, or 124 if it was ended at ``--max``; None if it never
            ran.

    Raises:
        click.UsageError: There is no command.
    """

    def __init__(self, output: Output, command: Sequence[str], grace: float) -> None:
        if not command:
            raise click.UsageError("Give the command after --.")
        self.name = Path(command[0]).name
        self.status: int | None = None
        self._output = output
        self._command = command
        self._grace = grace
        self._resuming: Callable[[], None] = _nothing  # Shows that tasks are being resumed.
        self._over = False  # Whether the lease had ended when the command was last seen to run.

    def status_of(self, pause_and_run: Callable[[], int | None]) -> int:
        """The exit status of the window, after errors were shown.

        Args:
            pause_and_run: Opens a window and calls ``inside``. It returns an exit status if there
                was no window to open.
        """
        cannot = _cannot_run(self._command[0])
        if cannot is not None:
            status, why = cannot
            self._output.warn(f"{self._command[0]}: {why}. Nothing was paused.")
            return status
        try:
            with _signals_interrupt():
                status_without = pause_and_run()
        except ReplicationError as error:
            self._output.warn(line_of(error))
            return NEVER_RAN if self._runs_again(error) else MAY_BE_PAUSED
        except OSError as error:
            self._output.warn(line_of_system(error))
            return NEVER_RAN if self._runs_again(error) else MAY_BE_PAUSED
        except (KeyboardInterrupt, click.Abort) as interrupt:
            left = _not_resumed(interrupt)
            self._output.warn(INTERRUPT if left is None else line_of(left))
            if left is not None:
                return MAY_BE_PAUSED
        else:
            if status_without is not None:
                return status_without
        return NEVER_RAN if self.status is None else self.status

    def inside(
        self,
        window: AbstractContextManager[P],
        tasks: str,
        tasks_of: Callable[[P], tuple[str, str]],
        *,
        progress: Callable[[str], AbstractContextManager[None]] | None = None,
    ) -> None:
        """Open a window, run the command in it, and close it.

        Args:
            window: The window.
            tasks: The tasks, as messages name them.
            tasks_of: Returns the tasks that the open window resumes, and those that it leaves
                paused because they were paused before, as messages name them. Either can be empty.
            progress: Shows on a terminal that tasks are being paused or resumed; the default is
                that of all commands.
        """
        progress = progress or self._output.progress
        from taurusdb_starrocks.cli.foreground import Foreground, Signals  # noqa: PLC0415  # POSIX.
        from taurusdb_starrocks.durable import LeaseExpiredError  # noqa: PLC0415  # SQLite and more.

        ours = left = ""
        with ExitStack() as shown:

            def resuming() -> None:
                self._resuming = _nothing
                shown.close()
                shown.enter_context(progress("Interrupted: resuming the tasks"))

            self._resuming = resuming
            shown.enter_context(progress(f"Pausing {tasks}"))
            try:
                with window as paused, Signals() as signals, Foreground(self._command) as command:
                    shown.close()
                    ours, left = tasks_of(paused)
                    if left:
                        self._output.warn(f"Already paused, and left paused afterwards: {left}.")
                    if ours:
                        self._output.say(
                            f"Paused: {ours}. Resumes when {self.name} exits, or at "
                            f"{soon(paused.expires)} at the latest."
                        )
                    paused.guard(command.group, grace=self._grace)
                    self._run(command, signals, paused, ours or tasks)
                    if ours:
                        shown.enter_context(progress(f"Resuming {ours}"))
            except LeaseExpiredError:  # The tasks run.
                if self.status is None:
                    raise
        if self._over:
            resumed = ", and the tasks were resumed" if ours else ""
            self._output.warn(f"The time is over: {self.name} was ended{resumed}.")
        elif ours:
            self._output.say(f"Resumed: {ours}.")
        if left:
            self._output.say(f"Left paused, as found: {left}.")

    def accepted(self, *_job: object) -> None:
        """A callback for accepted requests. After an interrupt, they resume tasks: show that."""
        if isinstance(sys.exc_info()[1], KeyboardInterrupt):
            self._resuming()

    def _run(self, command: Foreground, signals: Signals, paused: Paused, tasks: str) -> None:
        def stopped(waits: bool) -> None:
            self._output.say(
                f"\n{self.name} is stopped. Paused until {soon(paused.expires)}: {tasks}."
                if waits
                else f"{self.name} continues: no shell here can continue a stopped job."
            )

        self.status = command.run(
            signals, grace=self._grace, tick=self._countdown(paused, command), stopped=stopped
        )
        if self._over:
            self.status = MAX_REACHED
            command.end_rest(self._grace)

    def _runs_again(self, error: Exception) -> bool:
        """Whether tasks run after an error, because the command never ran."""
        return self.status is None and not may_be_paused(error)

    def _countdown(self, paused: Paused, command: Foreground) -> Callable[[], float]:
        """What to do each time that the command is checked.

        It shows on a terminal how much time is left. The guardian ends the command when none is
        left; if the guardian is late, it is done here.
        """
        shows = sys.stderr.isatty()
        marks = [mark for mark in MARKS if mark < paused.remaining]
        over_since = 0.0

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
            if not self._over:
                self._over, over_since = True, time.monotonic()
            wait = over_since + self._grace + LATE - time.monotonic()
            if wait <= 0:
                command.send(signal.SIGKILL)
                return AGAIN
            return wait

        return tick


def _nothing() -> None:
    """Show nothing."""


def _not_resumed(error: BaseException | None) -> ReplicationError | None:
    """The error that an interrupt replaced, if it says that tasks may still be paused."""
    while error is not None:
        if isinstance(error, ReplicationError) and may_be_paused(error):
            return error
        error = error.__context__
    return None


def _cannot_run(name: str) -> tuple[int, str] | None:
    """The exit status and the reason if a command cannot be executed; else None."""
    if shutil.which(name) is not None:
        return None
    if os.sep in name and Path(name).exists():
        return NOT_EXECUTABLE, "cannot be executed"
    return NOT_FOUND, "not found"


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Make SIGTERM and SIGHUP do what Ctrl-C does: the window resumes its tasks.

    A signal that is ignored stays ignored, as under nohup.
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
