"""Not waiting: a process that stays behind does it, and sees to the journal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from taurusdb_starrocks.cli.statuses import DONE


def stay_behind(arguments: Sequence[str], requests: int) -> int:
    """Run this program with other arguments; return once the service has accepted its requests.

    It goes on by itself then. If it ends before that, its exit status is returned; what it says
    about that is on stderr.

    Args:
        arguments: Arguments of a command that waits.
        requests: How many requests are to be accepted.
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
    with os.fdopen(read, "rb", buffering=0) as told:
        while accepted < requests and (said := told.read(requests)):
            accepted += len(said)
    if accepted < requests:
        return process.wait()
    process.returncode = DONE  # It is nobody's child any more.
    return DONE


def telling(descriptor: int, requests: int) -> Callable[..., None]:
    """What tells the program that started this one of each request that was accepted.

    After the last of them nobody listens any more: stderr leads nowhere then.
    """
    left = requests

    def accepted(*_job: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        os.write(descriptor, b"+")

    return accepted
