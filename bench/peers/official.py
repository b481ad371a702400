"""The vendor's client, always with explicit dummy keys."""

from __future__ import annotations

import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkgaussdb import v3
from measure import ACCESS_KEY, INSTANCE, PROJECT, SECRET_KEY, TASK, sequential, threads, work


def connect() -> v3.GaussDBClient:
    credentials = BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT)
    return (
        v3.GaussDBClient.new_builder()
        .with_credentials(credentials)
        .with_endpoint(sys.argv[1])
        .build()
    )


def call(client: v3.GaussDBClient) -> str:
    body = v3.PauseStarRocksDataReplication(task_name=TASK)
    request = v3.PauseStarRocksDataReplicationRequest(
        body=body, instance_id=INSTANCE, x_language="en-us"
    )
    return client.pause_star_rocks_data_replication(request).job_id


def one_by_one(calls: int) -> dict[str, float]:
    client = connect()
    return sequential(lambda: call(client), calls)


def by_threads(calls: int) -> dict[str, float]:
    client = connect()
    return threads(lambda: call(client), calls)


work({"sequential": one_by_one, "threads": by_threads})
