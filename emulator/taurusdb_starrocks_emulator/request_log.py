"""The request log: one line for each call."""

from __future__ import annotations

import json
import logging

from .records import Call

__all__ = ["log_call", "log_to_stderr"]

_requests = logging.getLogger("taurusdb_starrocks_emulator.requests")
_requests.addHandler(logging.NullHandler())
# Otherwise the root logger's handlers would show every call of every test.
_requests.setLevel(logging.WARNING)


def log_call(call: Call, seconds: float) -> None:
    """Log a call. `seconds` is the time to handle it, without the time of faults."""
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
        # As JSON, because the task name may contain anything that a caller sent.
        "".join(f" {name}={json.dumps(value)}" for name, value in more.items() if value),
    )


def log_to_stderr() -> None:
    """Write the log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    _requests.addHandler(handler)
    _requests.setLevel(logging.INFO)
