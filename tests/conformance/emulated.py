"""`make fuzz`: the conformance suite on the emulator, or on the server at TARGET."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taurusdb_starrocks_conformance.__main__ import main as conformance
from taurusdb_starrocks_conformance.__main__ import seed_of, tell
from taurusdb_starrocks_conformance.run import Outcome, Run
from taurusdb_starrocks_conformance.target import CannotRunError, Target
from taurusdb_starrocks_emulator import Emulator, Fault

REPORTS = Path("reports")
FAILURES = {
    403: Fault(kind="error", status=403, code="DBS.200010", message="Forbidden."),
    429: Fault(kind="throttle"),
    500: Fault(kind="error", status=500),
}


@contextmanager
def _failing(emulator: Emulator, status: int) -> Iterator[None]:
    """The emulator answers with a status."""
    emulator.faults.add(FAILURES[status])
    try:
        yield
    finally:
        emulator.faults.clear()


def fuzz_emulator(
    *,
    mode: Any = "lenient",
    contract: str = "1.2",
    seed: int,
    say: Callable[[str], None] = lambda _: None,
    **settings: Any,
) -> Outcome:
    """Start the emulator and fuzz it."""
    with Emulator(mode=mode, contract=contract) as emulator:
        target = Target(
            url=emulator.url,
            token=emulator.token,
            project_id=emulator.project_id,
            instance_id=emulator.instance_id,
            task_name=emulator.task_name,
            other_instance_id=emulator.tasks()[-2].instance_id,
            source_instance_id=emulator.source_instance_id,
            all_operations=contract == "1.2",
        )
        return Run(
            target,
            seed=seed,
            provoke=lambda status: _failing(emulator, status),
            say=say,
            **settings,
        ).go()


def _mode(environment: Mapping[str, str]) -> str:
    mode = environment.get("MODE") or "lenient"
    if mode not in ("lenient", "strict"):
        raise CannotRunError("MODE is neither lenient nor strict")
    return mode


def main(environment: Mapping[str, str] | None = None, say: Callable[[str], None] = print) -> int:
    """Fuzz what the environment says; the exit status."""
    environment = os.environ if environment is None else environment
    if environment.get("TARGET"):
        return conformance([environment["TARGET"]], environment, say)
    try:
        seed, mode = seed_of(environment), _mode(environment)
    except CannotRunError as error:
        say(f"conformance: could not run: {error}")
        return 2
    say(f"testing the emulator, MODE={mode}, SEED={seed}")
    return tell(fuzz_emulator(mode=mode, seed=seed, say=say), REPORTS, say)


if __name__ == "__main__":
    sys.exit(main())
