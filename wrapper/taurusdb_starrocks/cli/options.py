"""Options and arguments that several commands have."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from taurusdb_starrocks import ConfigurationError, ReplicationError
from taurusdb_starrocks.cli import PROGRAM
from taurusdb_starrocks.cli.output import Output
from taurusdb_starrocks.cli.settings import STATE_HOME, Settings, journal_path
from taurusdb_starrocks.cli.times import duration, time

if TYPE_CHECKING:
    from taurusdb_starrocks import Client
    from taurusdb_starrocks.durable import Journal

Function = Callable[..., Any]


class Setup(NamedTuple):
    """What every command receives.

    Attributes:
        settings: Endpoint, project and credentials.
        output: Writes data and messages.
    """

    settings: Settings
    output: Output

    @contextmanager
    def client(self, instance_id: str, **options: Any) -> Iterator[Client]:
        """A client for the tasks of a StarRocks instance.

        Raises:
            ConfigurationError: The ID is that of a TaurusDB instance. The message lists the IDs of
                its StarRocks instances.
        """
        with self.settings.client(**options) as client:
            if instance_id.endswith("in07"):
                raise _another_instance(client, instance_id)
            yield client


def _another_instance(client: Client, instance_id: str) -> ConfigurationError:
    try:
        found = [each for each in client.instances(instance_id) if each.is_starrocks]
    except ReplicationError as error:
        meant = f"Its StarRocks instances could not be listed: {error}"
    else:
        names = ", ".join(f"{each.id} ({each.name})" for each in found)
        meant = f"You probably mean: {names}." if names else "It has no StarRocks instance."
    return ConfigurationError(
        f"{instance_id} is a TaurusDB instance. Tasks belong to a StarRocks instance, whose ID "
        f"ends in in17. {meant}"
    )


def common(function: Function) -> Function:
    """Add the options that all commands have."""

    @click.option(
        "--region", metavar="NAME", help="Region of the instance, for example ap-southeast-3."
    )
    @click.option("--endpoint", metavar="URL", help="Endpoint of the service, instead of a region.")
    @click.option("--project-id", metavar="ID", help="Project of the instance.")
    @click.option(
        "--profile",
        metavar="NAME",
        help="Profile in the credentials file that has the access key.",
    )
    @click.option("--prompt", is_flag=True, help="Prompt for an access key.")
    @click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        help="Output format: a table or JSON Lines.",
    )
    @click.option("-q", "--quiet", is_flag=True, help="Show only data, warnings, and errors.")
    @click.option("-v", "--verbose", count=True, help="Log changes (-v) or all requests (-vv).")
    @wraps(function)
    def command(
        region: str | None,
        endpoint: str | None,
        project_id: str | None,
        profile: str | None,
        prompt: bool,
        form: Literal["table", "json"],
        quiet: bool,
        verbose: int,
        **arguments: Any,
    ) -> int:
        if verbose:
            level = logging.INFO if verbose == 1 else logging.DEBUG
            for name in ("taurusdb_starrocks", "taurusdb_starrocks.durable"):
                logging.getLogger(name).setLevel(level)
        settings = Settings(region, endpoint, project_id, profile, prompt)
        status = function(Setup(settings, Output(form, quiet=quiet)), **arguments)
        return status or 0

    return command


instance = click.argument("instance")
names = click.argument("names", metavar="TASK...", nargs=-1, required=True)
tasks = click.argument("names", metavar="[TASK...]", nargs=-1)
every = click.option("--all", "every", is_flag=True, help="All tasks except cancelled ones.")
longest = click.option(
    "--max",
    "longest",
    type=duration,
    help="Maximum time to keep the tasks paused, for example 45s, 2h, 1h30m, or 1d.",
)
until = click.option(
    "--until",
    type=time,
    help="Latest time to resume the tasks: the next 06:00, or 2026-11-25T06:00, in local time.",
)
reason = click.option(
    "--reason", default="", metavar="TEXT", help="Reason, recorded in the journal."
)
grace = click.option(
    "--grace",
    type=duration,
    default="10s",
    help="Time between SIGTERM and SIGKILL when the command must end (default: 10s).",
)
wait = click.option(
    "--wait/--no-wait",
    default=True,
    help="Wait for the result (the default), or return when the requests are accepted.",
)
accepted_fd = click.option("--accepted-fd", type=int, hidden=True)  # For behind.py.
timeout = click.option("--timeout", type=duration, help="Maximum time to wait (default: 30m).")
interval = click.option(
    "--interval", type=duration, help="Time between polls while waiting (default: 10s)."
)
journal = click.option(
    "--journal", metavar="FILE", help="Journal file, instead of the one in the state folder."
)
dry_run = click.option("--dry-run", "dry", is_flag=True, help="Only show what would be done.")
yes = click.option("-y", "--yes", is_flag=True, help="Do not prompt for confirmation.")


@contextmanager
def opened(given: str | None, *, create: bool = True) -> Iterator[Journal]:
    """The journal that is given, or the user's.

    Args:
        given: Its path, if the command line has one.
        create: Whether to create it if it does not exist. Otherwise the disk may be read-only.

    Raises:
        ConfigurationError: It does not exist, its folder cannot be created, or it must not be
            stored there.
        JournalError: It cannot be used.
    """
    from taurusdb_starrocks.durable import Journal, JournalError  # noqa: PLC0415  # SQLite and more.

    path = journal_path(given, os.environ)
    if create and not given:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder of the journal, {path.parent}, cannot be created: {error.strerror}. "
                f"Nothing was sent. Give --journal FILE, or set {STATE_HOME}."
            ) from None
    try:
        record = Journal(path, create=create)
    except JournalError as error:
        unwritable = error.__cause__
        if not isinstance(unwritable, JournalError):
            raise
        raise JournalError(  # Without the advice for programs.
            f"{unwritable} Nothing was sent. To resume tasks without it, give resume another file: "
            f"--journal OTHER. {PROGRAM} recover only has to read it."
        ) from error
    with record:
        yield record


def waiting(timeout: float | None, interval: float | None) -> dict[str, Any]:
    """The options for waiting, as arguments of the client's methods."""
    given: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    if interval is not None:
        from taurusdb_starrocks import Poll  # noqa: PLC0415  # Completion and help need none.

        given["poll"] = Poll(
            first=min(interval, 5.0), interval=interval, longest=max(interval, 60.0)
        )
    return given


def example(line: str) -> str:
    """The example at the end of a command's help.

    Args:
        line: A command line that works, without the program's name.
    """
    return f"\b\nExample:\n  {PROGRAM} {line}"


def confirm(doing: str, task_names: Sequence[str], *, yes: bool) -> None:
    """Prompt for confirmation before more than one task is changed.

    Raises:
        click.UsageError: There is no terminal to prompt on.
        click.Abort: The answer was no.
    """
    if yes or len(task_names) < 2:
        return
    what = f"{doing} {len(task_names)} tasks: {', '.join(task_names)}"
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}? There is no terminal to prompt on: pass --yes.")
    click.confirm(f"{what}?", abort=True, err=True)
