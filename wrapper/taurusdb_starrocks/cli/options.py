"""The options and arguments that commands share."""

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
    """What every command is given.

    Attributes:
        settings: Where requests go, and on whose behalf.
        output: Where it writes, and how.
    """

    settings: Settings
    output: Output

    @contextmanager
    def client(self, instance_id: str, **options: Any) -> Iterator[Client]:
        """A client for the tasks of a StarRocks instance.

        Raises:
            ConfigurationError: The ID is that of a TaurusDB instance; the message has those of its
                StarRocks instances.
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
    """Give a command the options that every command has."""

    @click.option("--region", help="Region, like ap-southeast-3.")
    @click.option("--endpoint", metavar="URL", help="Endpoint, in place of a region.")
    @click.option("--project-id", metavar="ID", help="Project of the instance.")
    @click.option(
        "--profile",
        metavar="NAME",
        help="Section of the credentials file to take an access key from.",
    )
    @click.option("--prompt", is_flag=True, help="Ask for an access key on the terminal.")
    @click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        help="A table, or JSON Lines.",
    )
    @click.option("-q", "--quiet", is_flag=True, help="Show only data, warnings and errors.")
    @click.option("-v", "--verbose", count=True, help="Show changes (-v), or each request (-vv).")
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
every = click.option("--all", "every", is_flag=True, help="Every task that was not cancelled.")
longest = click.option(
    "--max", "longest", type=duration, help="Longest time that they may be paused, like 2h."
)
until = click.option(
    "--until", type=time, help="Time at which they are resumed at the latest, like 06:00."
)
reason = click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")
grace = click.option(
    "--grace",
    type=duration,
    default="10s",
    help="Time between SIGTERM and SIGKILL, when the command must end (10s).",
)
wait = click.option("--wait/--no-wait", default=True, help="Whether to wait until it is done.")
accepted_fd = click.option("--accepted-fd", type=int, hidden=True)  # For behind.py.
timeout = click.option("--timeout", type=duration, help="Longest time to wait (30m).")
interval = click.option(
    "--interval", type=duration, help="How often to look at the tasks while waiting (10s)."
)
journal = click.option(
    "--journal", metavar="FILE", help="Journal, in place of the one in the state folder."
)
dry_run = click.option("--dry-run", "dry", is_flag=True, help="Show what would be done.")
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


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
    from taurusdb_starrocks.durable import Journal  # noqa: PLC0415  # SQLite and more.

    path = journal_path(given, os.environ)
    if create and not given:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder of the journal, {path.parent}, cannot be created: {error.strerror}. "
                f"Nothing was sent. Give --journal FILE, or set {STATE_HOME}."
            ) from None
    with Journal(path, create=create) as record:
        yield record


def waiting(timeout: float | None, interval: float | None) -> dict[str, Any]:
    """How to wait, as the client takes it."""
    given: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
    if interval is not None:
        from taurusdb_starrocks import Poll  # noqa: PLC0415  # Completion and help need none.

        given["poll"] = Poll(
            first=min(interval, 5.0), interval=interval, longest=max(interval, 60.0)
        )
    return given


def example(line: str) -> str:
    """The end of a command's help: a command line that works, without the program's name."""
    return f"\b\nExample:\n  {PROGRAM} {line}"


def confirm(doing: str, task_names: Sequence[str], *, yes: bool) -> None:
    """Ask before more than one task is touched.

    Raises:
        click.UsageError: There is no terminal to ask on.
        click.Abort: The answer was no.
    """
    if yes or len(task_names) < 2:
        return
    what = f"{doing} {len(task_names)} tasks: {', '.join(task_names)}"
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}? There is no terminal to ask on: give --yes.")
    click.confirm(f"{what}?", abort=True, err=True)
