"""Pauses and resumes tasks on an embedded emulator, and shows two errors."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from taurusdb_starrocks import (
    AsyncClient,
    Client,
    ConfigurationError,
    NotFoundError,
    Poll,
    TokenAuth,
)
from taurusdb_starrocks_emulator import Emulator

POLL = Poll(first=0.1, interval=0.1)


def say(text: str) -> None:
    """Print one plain line."""
    print(text)  # noqa: T201  # What a demo is for.


def with_sync_client(emulator: Emulator) -> None:
    """Pause and resume one task, and fail in two ways."""
    instance = emulator.instance_id
    auth = TokenAuth(emulator.token)
    with Client(endpoint=emulator.url, project_id=emulator.project_id, auth=auth) as client:
        job = client.pause(instance, "orders_sync")
        say(f"pause   orders_sync   accepted as job {job.id}")
        task = client.wait_until_paused(instance, "orders_sync", poll=POLL)
        say(f"list    orders_sync   stage {task.stage_text}")
        task = client.ensure_running(instance, "orders_sync", poll=POLL)
        say(f"resume  orders_sync   stage {task.stage_text}")

        with client.paused(instance, "orders_sync", poll=POLL) as paused:
            say(f"window  {paused.name}   stage {paused.stage_text}: safe to change the source")
        say(f"list    orders_sync   stage {client.task(instance, 'orders_sync').stage_text}")

        try:
            client.pause(instance, "no_such_task")
        except NotFoundError as error:
            say(f"refused no_such_task  {error}")
        try:
            client.pause(instance, "orders-sync")
        except ConfigurationError as error:
            say(f"refused orders-sync   {error}")


async def with_async_client(emulator: Emulator) -> None:
    """Pause and resume another task."""
    instance = emulator.instance_id
    auth = TokenAuth(emulator.token)
    async with AsyncClient(
        endpoint=emulator.url, project_id=emulator.project_id, auth=auth
    ) as client:
        task = await client.ensure_paused(instance, "billing_sync", poll=POLL)
        say(f"pause   billing_sync  stage {task.stage_text} (async)")
        task = await client.ensure_running(instance, "billing_sync", poll=POLL)
        say(f"resume  billing_sync  stage {task.stage_text} (async)")


def main() -> None:
    """Run the whole demo. All stages that it prints are read from the emulator."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "state.sqlite"
        with Emulator(db=database, delay=0.2) as emulator:
            say(f"emulator at {emulator.url}, state in a temporary folder")
            with_sync_client(emulator)
            asyncio.run(with_async_client(emulator))
            say(f"the emulator's journal holds {len(emulator.journal())} calls")
    say("demo: done, nothing left running")


if __name__ == "__main__":
    main()
