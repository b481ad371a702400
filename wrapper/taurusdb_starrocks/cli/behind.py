"""Not waiting for a change: a process in the background waits for it and writes the journal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from taurusdb_starrocks.cli.output import discard
from taurusdb_starrocks.cli.statuses import DONE


def stay_behind(arguments: Sequence[str], requests: int) -> int:
    """Run this program in the background; return once the service has accepted its requests.

    The process then continues by itself. If it ends earlier, its exit status is returned, and its
    messages are on stderr. Ctrl-C before that interrupts the process, as if it ran in the
    foreground.

    Args:
        arguments: The arguments of a command that waits.
        requests: How many requests must be accepted.
    """
    read, write = os.pipe()
    command = [sys.executable, "-m", "taurusdb_starrocks.cli", *arguments]
    process = subprocess.Popen(  # noqa: S603  # This program.
        [*command, "--accepted-fd", str(write)],
        pass_fds=(write,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(write)
    accepted = 0
    try:
        with os.fdopen(read, "rb", buffering=0) as told:
            while accepted < requests and (said := told.read(requests)):
                accepted += len(said)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        accepted = 0
    if accepted < requests:
        return _end_of(process)
    process.returncode = DONE  # Nobody waits for it any more.
    return DONE


def _end_of(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end, and return its exit status as shells show it. Ctrl-C interrupts it too."""
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
        else:
            return status if status >= 0 else 128 - status


def telling(descriptor: int, requests: int) -> Callable[..., None]:
    """A callback for accepted requests, which reports each to the program that started this one.

    After the last request that program ends, so messages are discarded. If it is killed earlier,
    the requests are sent all the same.

    Args:
        descriptor: Where to report.
        requests: How many requests must be accepted.
    """
    left = requests

    def accepted(*_job: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            discard(2)
        with suppress(BrokenPipeError):
            os.write(descriptor, b"+")

    return accepted
