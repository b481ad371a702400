"""The command that shows the settings and tests them: doctor."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import click

from taurusdb_starrocks import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    ReplicationError,
    RetryPolicy,
    __version__,
)
from taurusdb_starrocks.cli import options
from taurusdb_starrocks.cli.options import Setup, common, example
from taurusdb_starrocks.cli.output import Columns
from taurusdb_starrocks.cli.settings import journal_path
from taurusdb_starrocks.cli.statuses import DONE, status_of

if TYPE_CHECKING:
    from taurusdb_starrocks import Client

# No such instance exists. The service answers that only if it accepts the credentials.
NO_INSTANCE = f"{'0' * 32}in17"
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
CA_FILE = "TAURUSDB_STARROCKS_CA_FILE"
# A setting or a test, its value or result, and the source.
Finding = tuple[str, str, str]
FINDINGS: Columns = {
    "WHAT": lambda row: row["what"],
    "FOUND": lambda row: row["found"],
    "SOURCE": lambda row: row["source"],
}


@click.command(epilog=example("doctor 9ac58f9b88744f8a87893d22f6ef9a28in17"))
@click.argument("instance", required=False)
@options.journal
@common
def doctor(setup: Setup, instance: str | None, journal: str | None) -> int:
    """Show the settings and where each was found, and test them.

    At most one signed request is sent. It only reads. No secret is shown.
    """
    path = journal_path(journal, os.environ)
    findings: list[Finding] = [
        ("version", f"{__version__}, Python {platform.python_version()}", ""),
        ("journal", f"{path}{'' if path.exists() else ' (does not exist yet)'}", ""),
    ]
    try:
        with setup.settings.client(retry=RetryPolicy(attempts=1), timeout=15.0) as client:
            findings += _settings(setup, client)
            findings += [("proxy", "set", name) for name in PROXIES if os.environ.get(name)]
            if file := os.environ.get(CA_FILE):
                findings.append(("CA file", file, CA_FILE))
            shown, status = _ask(client, instance)
            findings += shown
    except ConfigurationError as error:
        findings += [
            ("settings", str(error), ""),
            ("connection", "not checked: the settings are incomplete", ""),
        ]
        status = status_of(error)
    findings.append(("permission to pause", "not checked: only a pause could test it", ""))
    rows = [dict(zip(("what", "found", "source"), each, strict=True)) for each in findings]
    setup.output.rows(FINDINGS, rows)
    return status


def _settings(setup: Setup, client: Client) -> list[Finding]:
    sources = {name: setup.settings.source(found) for name, found in client.sources.items()}
    return [
        ("endpoint", str(client.endpoint), sources["endpoint"]),
        ("project", client.project_id, sources["project_id"]),
        ("credentials", "found", sources["auth"]),
    ]


def _ask(client: Client, instance: str | None) -> tuple[list[Finding], int]:
    """Test connection, credentials and instance with one request; also the exit status."""
    works = [("connection", "works", ""), ("authentication", "works", "")]
    try:
        next(client.tasks(instance or NO_INSTANCE), None)
    except (NotFoundError, PermissionDeniedError) as error:
        if instance is None:
            return [*works, ("instance", "not checked: none is given", "")], DONE
        return [*works, ("instance", str(error), "")], status_of(error)
    except AuthenticationError as error:
        return [works[0], ("authentication", str(error), "")], status_of(error)
    except ReplicationError as error:
        unknown = ("authentication", "not checked: no usable response", "")
        return [("connection", str(error), ""), unknown], status_of(error)
    return [*works, ("instance", "tasks can be listed", "")], DONE
