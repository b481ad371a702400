"""The request log: a line for each call that the emulator handled."""

from __future__ import annotations

import json
import logging

from .records import Call

__all__ = ["log_call", "log_to_stderr"]

_requests = logging.getLogger("taurusdb_starrocks_emulator.requests")
_requests.addHandler(logging.NullHandler())
# Else a handler of the program's own would show every call of every test.
_requests.setLevel(logging.WARNING)


def log_call(call: Call, seconds: float) -> None:
    """Log a call; `seconds` is what handling it took, without the time that a fault takes."""
    if not _requests.isEnabledFor(logging.INFO):
        return
    more = {"task": call.task_name, "job": call.job_id, "fault": call.fault, "by": call.caller}
    _requests.info(
        "%s %s %s %.1f ms request=%s%s",
        call.method,
        call.path + (f"?{call.query}" if call.query else ""),
        call.status or "-",
        seconds * 1000,
        call.request_id,
        # As JSON, because a task's name may hold whatever a caller sent.
        "".join(f" {name}={json.dumps(value)}" for name, value in more.items() if value),
    )


def log_to_stderr() -> None:
    """Write the log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    _requests.addHandler(handler)
    _requests.setLevel(logging.INFO)
