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
    """End the command. Another signal does not interrupt the cleanup."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status: 0, or 2 if it could not start."""
    parser = _parser()
    options = parser.parse_args(arguments)
    variables = os.environ if environment is None else environment
    given = options.token if options.token is not None else variables.get(TOKEN) or None
    try:
        # Before the imports, which take a moment.
        for number in _SIGNALS:
            signal.signal(number, _interrupt)
        # The command exists even if the extra is not installed.
        from . import Emulator  # noqa: PLC0415
        from .request_log import log_to_stderr  # noqa: PLC0415

        if options.log:
            log_to_stderr()
        emulator = Emulator(
            seed=options.seed,
            db=options.db,
            token=given,
            mode=options.mode,
            delay=options.delay,
            realistic=options.realistic,
            token_lifetime=options.token_lifetime,
            faults=() if options.faults is None else options.faults,
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
    except (ModuleNotFoundError, OSError, ValueError, sqlite3.Error) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return 0


class _Version(argparse.Action):
    """Show the version. Looking it up is slow, so it is done on demand."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - see above

        sys.stdout.write(f"{parser.prog} {version('taurusdb-starrocks')}\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="taurusdb-starrocks-emulator",
        description="An emulator of the TaurusDB StarRocks replication service. Prints its URL "
        "when it is ready, then a token if you did not set one, and runs until interrupted.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on (default: a free port)")
    add(
        "--db", help="SQLite file for the state; an existing file is continued (default: in memory)"
    )
    add("--seed", help="YAML file with the initial data")
    add("--token", help=f"token for all projects (default: ${TOKEN}, or a random one)")
    add(
        "--token-lifetime",
        type=float,
        default=86_400.0,
        metavar="SECONDS",
        help="lifetime of tokens issued for a password (default: %(default)s)",
    )
    add(
        "--mode",
        choices=["lenient", "strict"],
        default="lenient",
        help="strict refuses to pause a paused task (default: %(default)s)",
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
        help="2 to 15 seconds instead, a range consistent with known live tests",
    )
    add(
        "--contract",
        choices=["1.0", "1.1", "1.2"],
        default="1.2",
        help="API version to implement; older versions lack calls (default: %(default)s)",
    )
    add("--faults", help="YAML file with faults to inject")
    add("--ssl-certfile", help="certificate, for HTTPS")
    add("--ssl-keyfile", help="key of the certificate")
    add("--log", action="store_true", help="write a line for each call to standard error")
    add("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
