"""The options and arguments that commands share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from taurusdb_starrocks import ConfigurationError, ReplicationError
from taurusdb_starrocks.cli import PROGRAM
from taurusdb_starrocks.cli.output import Output
from taurusdb_starrocks.cli.settings import Settings

if TYPE_CHECKING:
    from taurusdb_starrocks import Client

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
            logging.getLogger("taurusdb_starrocks").setLevel(level)
        settings = Settings(region, endpoint, project_id, profile, prompt)
        status = function(Setup(settings, Output(form, quiet=quiet)), **arguments)
        return status or 0

    return command


instance = click.argument("instance")
names = click.argument("names", metavar="TASK...", nargs=-1, required=True)


def example(line: str) -> str:
    """The end of a command's help: a command line that works, without the program's name."""
    return f"\b\nExample:\n  {PROGRAM} {line}"
