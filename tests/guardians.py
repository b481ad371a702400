"""The guardians that live: a test that leaves one leaves it to poll until its lease ends."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

_seen: dict[Path, set[int]] = {}


def living(journals: Path) -> list[int]:
    """Processes of guardians whose journal's path begins so, by what they hold open.

    One that was killed counts until its locks are released, which is a little later.
    """
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    seen = _seen.setdefault(journals, set())
    seen.update(pid for pid in pids if _is_guardian(pid) and _holds(pid, journals))
    seen.difference_update({pid for pid in seen if _has_ended(pid)})
    return sorted(seen)


def _has_ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie, whose memory, files and locks are gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}


def end(journals: Path) -> None:
    """Kill them."""
    for pid in living(journals):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _is_guardian(pid: int) -> bool:
    try:
        return b"._guardian" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _holds(pid: int, path: Path) -> bool:
    """Whether a process has a file open whose path begins so."""
    try:
        handles = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for handle in handles:
        with suppress(OSError):
            if str(handle.readlink()).startswith(str(path)):
                return True
    return False
