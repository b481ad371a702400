"""The program: its commands, and how it shows errors, warnings and the log."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from click.shell_completion import get_completion_class

from taurusdb_starrocks import ReplicationError, __version__
from taurusdb_starrocks.cli import PROGRAM, changing, journal, reading, window
from taurusdb_starrocks.cli.checking import check
from taurusdb_starrocks.cli.doctor import doctor
from taurusdb_starrocks.cli.fleet import fleet
from taurusdb_starrocks.cli.options import example
from taurusdb_starrocks.cli.output import UnwrittenError, discard, tell
from taurusdb_starrocks.cli.statuses import (
    DONE,
    INTERRUPTED,
    NEVER_RAN,
    REFUSED,
    UNKNOWN,
    WRONG_USE,
    line_of,
    line_of_system,
    status_of,
)

NAME = "taurusdb_starrocks"
COMPLETE = "_TAURUSDB_STARROCKS_COMPLETE"


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=example("doctor"))
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Pause and resume the data synchronization tasks of StarRocks instances in TaurusDB.

    INSTANCE is the ID of a StarRocks instance; it ends in in17. Region, project, and
    credentials come from options, a profile, or the environment.

    Exit status: 0 done, 1 rejected, 2 wrong usage or configuration, 3 outcome unknown,
    4 credentials rejected, 5 timed out, 6 tasks are paused (check), 122 tasks may still be paused,
    130 interrupted. For window, it is the exit status of your command: see window --help.
    """


@click.command(epilog=example("completion bash > completion.sh"))
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script for tab completion in bash, zsh, or fish."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(program, {}, PROGRAM, COMPLETE).source())


for command in (
    reading.tasks,
    reading.status,
    reading.instances,
    changing.pause,
    changing.resume,
    window.window,
    check,
    journal.recover,
    doctor,
    fleet,
    completion,
):
    program.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run the program; return the exit status. Each error and warning is one line on stderr."""
    with _words_on_stderr():
        try:
            status = program.main(
                list(arguments), PROGRAM, complete_var=COMPLETE, standalone_mode=False
            )
        except click.Abort:  # Ctrl-C, or no.
            return INTERRUPTED
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            path = context.command_path if context else PROGRAM
            _say(f"{error.format_message()} See {path} --help")
            return NEVER_RAN if path.endswith(" window") else WRONG_USE
        except ReplicationError as error:
            _say(line_of(error))
            return status_of(error)
        except UnwrittenError as error:
            return _unwritten(error.__cause__)
        except OSError as error:
            _say(f"{line_of_system(error)} What is paused now: {PROGRAM} check")
            return UNKNOWN
    return int(status or DONE)


def _unwritten(cause: BaseException | None) -> int:
    """Say that data could not be written, unless its reader has seen enough, like ``head``."""
    if not isinstance(cause, BrokenPipeError):
        _say(f"The output could not be written: {cause}. The command was carried out.")
    discard(sys.stdout.fileno())  # What is still buffered must not fail again at exit.
    return REFUSED


def _say(text: str) -> None:
    tell(f"{PROGRAM}: {' '.join(text.split())}\n")


class _Lines(logging.Handler):
    """Writes the log to stderr as it is now: above the progress that a terminal shows."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        tell(f"{self.format(record)}\n")


@contextmanager
def _words_on_stderr() -> Iterator[None]:
    """Show warnings and the important part of the log; -v and -vv show more of it.

    Failed calls and tasks that may still be paused are not part of it: the command shows them.
    """
    log, durable = logging.getLogger(NAME), logging.getLogger(f"{NAME}.durable")
    levels = log.level, durable.level
    handler = _Lines()
    handler.setFormatter(logging.Formatter(f"{PROGRAM}: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.CRITICAL + 1)
    durable.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *_details: _say(str(message))
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(levels[0])
        durable.setLevel(levels[1])
        try:
            sys.stderr.flush()
        except OSError:
            discard(sys.stderr.fileno())  # Python would exit with status 120.
