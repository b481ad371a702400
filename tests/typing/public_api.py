"""How a typed program uses the public API: checked by mypy --strict, never run."""

from __future__ import annotations

from typing import assert_type

from taurusdb_starrocks import (
    AccessKeyAuth,
    AsyncClient,
    Client,
    IamPasswordAuth,
    Job,
    OutcomeUnknownError,
    Poll,
    ReplicationError,
    RetryPolicy,
    ServiceError,
    Stage,
    Task,
    TokenAuth,
    find_project_id,
    spec,
)
from taurusdb_starrocks_api.api.task_status import list_star_rocks_data_replications

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"


def synchronous() -> None:
    with Client(region="ap-southeast-3", auth=TokenAuth(lambda: "token"), timeout=10) as client:
        assert_type(client, Client)
        assert_type(client.pause(INSTANCE, "orders_sync"), Job)
        assert_type(client.resume(INSTANCE, "orders_sync", wait=True, poll=Poll(first=1)).id, str)
        assert_type([task.stage for task in client.tasks(INSTANCE)], list[Stage])
        assert_type(client.task(INSTANCE, "orders_sync").percentage, float | None)
        assert_type(client.wait_until_paused(INSTANCE, "orders_sync", progress=print), Task)
        with client.paused(INSTANCE, "orders_sync", timeout=60) as task:
            assert_type(task, Task)
        with client.paused(INSTANCE, ["orders_sync", "billing_sync"]) as tasks:
            assert_type(tasks, list[Task])
        list_star_rocks_data_replications.sync("0" * 32, INSTANCE, client=client.api)


async def asynchronous() -> None:
    auth = IamPasswordAuth("user", "password", "account", project_id=find_project_id("region"))
    async with AsyncClient(
        endpoint="https://example.com", auth=auth, retry=RetryPolicy(1)
    ) as client:
        assert_type(client, AsyncClient)
        assert_type(await client.pause(INSTANCE, "orders_sync"), Job)
        assert_type([task async for task in client.tasks(INSTANCE)], list[Task])
        async with client.paused(INSTANCE, "orders_sync") as task:
            assert_type(task, Task)
        async with client.paused(INSTANCE, ("orders_sync",)) as tasks:
            assert_type(tasks, list[Task])


def failing(client: Client) -> None:
    try:
        client.pause(INSTANCE, "orders_sync")
    except ServiceError as error:
        assert_type(error.retry_after, float | None)
    except OutcomeUnknownError as error:
        assert_type(error.status, int | None)
    except ReplicationError as error:
        assert_type(error.attempts, int)


assert_type(spec(), str)
AccessKeyAuth("AK", "SK", security_token=None)
