"""A program that pauses or resumes a fleet, to be killed: its arguments are a JSON document."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from pathlib import Path
from typing import Any

from taurusdb_starrocks import AsyncClient, Poll, RetryPolicy, TokenAuth
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks.fleet import pause, resume

ONCE = RetryPolicy(attempts=1)


def most_memory() -> float:
    """The most that was in use by this program, in MiB; getrusage counts what forked it, too."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) / 1024


def main() -> None:
    """Do it, and print what it came to and what it cost."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    logging.disable()

    def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
        return AsyncClient(
            endpoint=endpoint or given["endpoint"],
            project_id=project_id or given["project_id"],
            auth=TokenAuth(given["token"]),
            timeout=given["call_timeout"],
            read_timeout=given["call_timeout"],
            retry=ONCE,
        )

    options: dict[str, Any] = {
        "connect": connect,
        "poll": Poll(**given["poll"]),
        "rate": given["rate"],
        "settle": given["settle"],
        "timeout": given["timeout"],
    }
    begun = time.process_time()
    with Journal(given["journal"]) as journal:
        if given["verb"] == "pause":
            result = pause(given["targets"], journal=journal, lease=None, **options)
        else:
            result = resume(given["targets"], journal=journal, **options)
    came_to = {
        "counts": result.counts,
        "stopped": result.stopped,
        "repeated": result.repeated,
        "elapsed": result.elapsed,
        "cpu": time.process_time() - begun,
        "memory": most_memory(),
        "errors": [outcome.error for outcome, _ in zip(result.outcomes(), range(5), strict=False)],
    }
    print(json.dumps(came_to))  # noqa: T201  # It is what the supervisor reads.


if __name__ == "__main__":
    main()
