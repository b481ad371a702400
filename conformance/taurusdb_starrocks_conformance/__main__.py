"""The command `taurusdb-starrocks-conformance`.

The last line and the exit status show the result: 0 if the server passed, 1 if it failed, 2 if the
result is unknown, 122 if the task could not be restored to its original stage, and 128 plus the
number of the signal that interrupted the run.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from . import INSTALL

if TYPE_CHECKING:
    from .run import Outcome, Run

__all__ = ["main", "seed_of", "tell"]

PROGRAM = "taurusdb-starrocks-conformance"
EPILOG = """
environment:
  TAURUSDB_FUZZ_TOKEN, TAURUSDB_FUZZ_PROJECT_ID, TAURUSDB_FUZZ_INSTANCE_ID, TAURUSDB_FUZZ_TASK_NAME
                         what to use on the server; the task is paused and resumed many times
  TAURUSDB_FUZZ_OTHER_INSTANCE_ID
                         an instance whose tasks must not change
  TAURUSDB_FUZZ_SOURCE_INSTANCE_ID
                         the TaurusDB instance, for the call that lists its instances
  CONFIRM=yes            required for a server on another machine
  SEED                   seed of all random values
  RATE                   maximum rate of requests, like 2/s or 30/m
  MAX_RESPONSE_SECONDS   a slower response is reported
  SETTLE_SECONDS         maximum time until a pause or a resume takes effect
  HOLD_SECONDS           how long a change is watched, to check that it lasts

exit status:
  0    passed
  1    failed
  2    result unknown
  122  the task could not be restored to its original stage; the last line names it
  130, 143, ...
       interrupted by Ctrl-C (130), SIGTERM (143) or another signal; the task was restored
"""


def main(
    arguments: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Test the server given by the arguments and the environment; return the exit status."""
    options = _parser().parse_args(arguments)
    run: Run | None = None
    environment = os.environ if environment is None else environment
    try:
        from . import run as running  # noqa: PLC0415 - as above
        from .replay import replay  # noqa: PLC0415 - only with the extra
        from .target import CannotRunError, read_target  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        say(f"{PROGRAM}: {INSTALL} ({error})")
        return 2
    try:
        seed = seed_of(environment)
        target = read_target(options.url, environment)
        if options.replay is not None:
            return replay(options.replay, target, say)
        say(f"testing {target.url}, SEED={seed}")
        run = running.Run(target, seed=seed, say=say)
        run.go()
    except CannotRunError as error:
        if run is None or not run.began:
            say(f"conformance: could not run: {error}")
            return 2
    except Exception:
        if run is None or not run.began:
            raise
        traceback.print_exc()
    return tell(run.outcome, options.reports, say, strict=options.strict)


def tell(
    outcome: Outcome, folder: Path, say: Callable[[str], None], *, strict: bool = False
) -> int:
    """Write the reports and print the findings; return the exit status."""
    from .reports import write  # noqa: PLC0415 - only with the extra

    told = write(outcome, folder, strict=strict)
    say(f"{outcome.seconds:.0f} s; reports in {folder}")
    say(told.rstrip("\n"))
    return outcome.exit_status(strict=strict)


def seed_of(environment: Mapping[str, str]) -> int:
    """The seed from the environment, or a random one.

    Raises:
        CannotRunError: The seed is not a number.
    """
    from .run import drawn_seed  # noqa: PLC0415 - only with the extra
    from .target import CannotRunError  # noqa: PLC0415 - as above

    text = environment.get("SEED")
    if not text:
        return drawn_seed()
    if not (text.isascii() and text.isdecimal()):
        raise CannotRunError("SEED is not a number")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Test a server against the OpenAPI contract of TaurusDB StarRocks replication.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", metavar="URL", help="URL of the server, like http://127.0.0.1:8080")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="also fail on warnings (common habits of web frameworks)",
    )
    parser.add_argument(
        "--reports",
        type=Path,
        default=Path("reports"),
        metavar="FOLDER",
        help="folder for the reports (default: %(default)s)",
    )
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="reproduce one finding of a report"
    )
    parser.add_argument("--version", action="version", version=_version())
    return parser


def _version() -> str:
    return f"{PROGRAM} {version('taurusdb-starrocks')}"


if __name__ == "__main__":
    sys.exit(main())
