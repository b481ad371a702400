"""The emulator on the command line."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Mapping, Sequence

__all__ = ["main"]

TOKEN = "TAURUSDB_STARROCKS_EMULATOR_TOKEN"  # noqa: S105 - the name of a variable


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _interrupt(*_: object) -> None:
    """End the command; a further signal does not keep it from cleaning up."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Serve until SIGINT or SIGTERM; the exit status: 0, or 2 if it could not begin."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        # Without the extra there is a command all the same.
        from . import Emulator  # noqa: PLC0415
        from .request_log import log_to_stderr  # noqa: PLC0415
    except ModuleNotFoundError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    if options.log:
        log_to_stderr()
    variables = os.environ if environment is None else environment
    given = options.token if options.token is not None else variables.get(TOKEN) or None
    try:
        for number in _SIGNALS:
            signal.signal(number, _interrupt)
        emulator = Emulator(
            seed=options.seed,
            db=options.db,
            token=given,
            mode=options.mode,
            delay=options.delay,
            realistic=options.realistic,
            token_lifetime=options.token_lifetime,
            faults=options.faults or (),
            host=options.host,
            port=options.port,
            contract=options.contract,
            ssl_certfile=options.ssl_certfile,
            ssl_keyfile=options.ssl_keyfile,
        )
        with emulator:
            sys.stdout.write(emulator.url + "\n")
            if given is None:
                sys.stdout.write(emulator.token + "\n")
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (OSError, ValueError, sqlite3.Error) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


class _Version(argparse.Action):
    """Show the version, which takes a moment to find."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - see above

        sys.stdout.write(f"{parser.prog} {version('taurusdb-starrocks')}\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="taurusdb-starrocks-emulator",
        description="An emulator of the TaurusDB StarRocks replication service. Prints its URL "
        "once it is ready, then a token if none was given, and serves until it is interrupted.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on (default: one that is free)")
    add("--db", help="SQLite file to keep everything in; gone on with if it is there")
    add("--seed", help="YAML file with what it holds at first")
    add("--token", help=f"token for all projects (default: ${TOKEN}, or a random one)")
    add(
        "--token-lifetime",
        type=float,
        default=86_400.0,
        metavar="SECONDS",
        help="how long a token lives that was issued for a password (default: %(default)s)",
    )
    add(
        "--mode",
        choices=["lenient", "strict"],
        default="lenient",
        help="whether a paused task may be paused again (default: %(default)s)",
    )
    add(
        "--delay",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="time until a pause or a resume takes effect (default: %(default)s)",
    )
    add(
        "--realistic",
        action="store_true",
        help="take 2 to 15 seconds for that, as the real service was seen to",
    )
    add(
        "--contract",
        choices=["1.0", "1.1", "1.2"],
        default="1.2",
        help="version of the contract; an earlier one lacks operations (default: %(default)s)",
    )
    add("--faults", help="YAML file with what goes wrong")
    add("--ssl-certfile", help="certificate, for HTTPS")
    add("--ssl-keyfile", help="key of the certificate")
    add("--log", action="store_true", help="write a line for each call to standard error")
    add("--version", action=_Version, nargs=0, help="show the version and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
