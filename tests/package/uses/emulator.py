"""The stand-in: it serves its own client."""

from __future__ import annotations

from taurusdb_starrocks import Client, Poll, Stage, TokenAuth
from taurusdb_starrocks_emulator import Emulator

with (
    Emulator() as emulator,
    Client(
        endpoint=emulator.url, project_id=emulator.project_id, auth=TokenAuth(emulator.token)
    ) as client,
):
    poll = Poll(first=0.05, interval=0.05)
    with client.paused(emulator.instance_id, "orders_sync", poll=poll) as task:
        assert task.stage is Stage.PAUSED, task
    assert {call.operation for call in emulator.journal()} == {"pause", "list", "resume"}
