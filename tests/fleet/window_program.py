"""A program with a window over a fleet: it says when its block begins, and what ended it."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from taurusdb_starrocks import AsyncClient, Poll, ReplicationError, TokenAuth
from taurusdb_starrocks.durable import Journal
from taurusdb_starrocks.fleet import window

_, url, project, token, targets, journal, lease = sys.argv
OPTIONS: dict[str, Any] = {
    "rate": 100_000.0,
    "poll": Poll(first=0.02, interval=0.05, longest=0.2),
    "settle": 0.5,
}


def connect(endpoint: str | None, project_id: str | None) -> AsyncClient:
    return AsyncClient(
        endpoint=endpoint or url,
        project_id=project_id or project,
        auth=TokenAuth(token),
        timeout=1.0,
    )


logging.disable()
with Journal(journal) as record:
    try:
        with window(targets, journal=record, lease=float(lease), connect=connect, **OPTIONS):
            print("begun", flush=True)  # noqa: T201  # It is what the test reads.
            sys.stdin.readline()
            time.sleep(0.1)
        print("over", flush=True)  # noqa: T201  # As above.
    except ReplicationError as error:
        print(type(error).__name__, flush=True)  # noqa: T201  # As above.
