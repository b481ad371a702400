"""How a typed program uses the public API: checked by mypy --strict, never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

import httpx
from taurusdb_starrocks import (
    AccessKeyAuth,
    AsyncClient,
    AsyncWindow,
    Client,
    Configuration,
    Credentials,
    IamPasswordAuth,
    Instance,
    Job,
    NotResumedError,
    OutcomeUnknownError,
    Poll,
    ReplicationError,
    Request,
    RetryPolicy,
    ServiceError,
    Stage,
    Task,
    TokenAuth,
    Waiting,
    Window,
    find_project_id,
    spec,
)
from taurusdb_starrocks_api.api.task_status import list_star_rocks_data_replications

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"


def synchronous() -> None:
    with Client(region="ap-southeast-3", auth=TokenAuth(lambda: "token"), timeout=10) as client:
        assert_type(client, Client)
        assert_type(client.pause(INSTANCE, "orders_sync"), Job)
        assert_type(client.resume(INSTANCE, "orders_sync").id, str)
        assert_type(client.ensure_paused(INSTANCE, "orders_sync", poll=Poll(first=1)), Task)
        assert_type(client.ensure_paused(INSTANCE, ["orders_sync"], timeout=60), list[Task])
        assert_type(client.ensure_running(INSTANCE, "orders_sync", settle=5), Task)
        assert_type(client.ensure_running(INSTANCE, ("orders_sync",)), list[Task])
        assert_type(client.instances(INSTANCE), list[Instance])
        assert_type(client.configuration(INSTANCE, "orders_sync"), Configuration)
        assert_type(client.sources, Mapping[str, str])
        assert_type([task.stage for task in client.tasks(INSTANCE)], list[Stage])
        assert_type(client.task(INSTANCE, "orders_sync").percentage, float | None)
        assert_type(client.wait_until_paused(INSTANCE, "orders_sync", progress=print), Task)
        with client.paused(INSTANCE, "orders_sync", timeout=60) as task:
            assert_type(task, Task)
        window = client.paused(INSTANCE, ["orders_sync", "billing_sync"], already_paused="resume")
        assert_type(window, Window[list[Task]])
        with window as tasks:
            assert_type(tasks, list[Task])
        assert_type(window.found_paused, tuple[str, ...])

        @client.paused(INSTANCE, "orders_sync")
        def load(rows: int) -> str:
            return str(rows)

        assert_type(load(5), str)
        list_star_rocks_data_replications.sync("0" * 32, INSTANCE, client=client.api)


async def asynchronous() -> None:
    auth = IamPasswordAuth("user", "password", "account", project_id=find_project_id("region"))
    async with AsyncClient(
        endpoint="https://example.com", auth=auth, retry=RetryPolicy(1)
    ) as client:
        assert_type(client, AsyncClient)
        assert_type(await client.pause(INSTANCE, "orders_sync"), Job)
        assert_type([task async for task in client.tasks(INSTANCE)], list[Task])
        assert_type(await client.ensure_paused(INSTANCE, "orders_sync"), Task)
        assert_type(await client.ensure_paused(INSTANCE, ["orders_sync"]), list[Task])
        assert_type(await client.ensure_running(INSTANCE, "orders_sync"), Task)
        assert_type(await client.ensure_running(INSTANCE, ["orders_sync"]), list[Task])
        assert_type(await client.instances(INSTANCE), list[Instance])
        assert_type(await client.configuration(INSTANCE, "orders_sync"), Configuration)
        async with client.paused(INSTANCE, "orders_sync") as task:
            assert_type(task, Task)
        async with client.paused(INSTANCE, ("orders_sync",)) as tasks:
            assert_type(tasks, list[Task])


class OwnCredentials(Credentials):
    """Credentials of one's own are a class with one method."""

    def headers(self, request: Request, /) -> dict[str, str]:
        return {"X-Auth-Token": f"for {request.method} {request.origin}{request.target}"}


def mocked() -> None:
    """The one place where a type of httpx is passed."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"job_id": "1"}))
    environ = {"HTTPS_PROXY": "http://proxy.example.com"}
    Client(auth=OwnCredentials(), transport=transport, poll=Poll(), environ=environ)
    AsyncClient(transport=transport, wait_timeout=60, settle=10, max_connections=8)


def reusable(client: Client | AsyncClient, waiting: Waiting) -> Window[Task] | AsyncWindow[Task]:
    """Options of a wait can be kept, and passed on."""
    return client.paused(INSTANCE, "orders_sync", **waiting)


def failing(client: Client) -> None:
    try:
        client.pause(INSTANCE, "orders_sync")
    except NotResumedError as error:
        assert_type(error.task_names, tuple[str, ...])
        assert_type(error.block_error, BaseException | None)
    except ServiceError as error:
        assert_type(error.retry_after, float | None)
    except OutcomeUnknownError as error:
        assert_type(error.status, int | None)
    except ReplicationError as error:
        assert_type(error.attempts, int)
        assert_type(error.operation, str | None)


assert_type(spec(), str)
AccessKeyAuth("AK", "SK", security_token=None)
