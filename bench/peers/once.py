"""One call, from nothing to its result: what a script costs that runs once.

    python -c 'from once import ours; ours(URL)'

Each client is as it comes: it trusts the authorities of certifi. Each writes the most memory that
its process has had, in MB.
"""

from __future__ import annotations

from measure import ACCESS_KEY, INSTANCE, PATH, PROJECT, SECRET_KEY, TASK, TOKEN, peak


def ours(url: str) -> None:
    """This project's client."""
    from taurusdb_starrocks import Client, TokenAuth

    with Client(endpoint=url, project_id=PROJECT, auth=TokenAuth(TOKEN)) as client:
        assert client.pause(INSTANCE, TASK).id
    print(peak())


def ours_refusing(url: str) -> None:
    """The same, where the response is too large to be read."""
    import logging

    from taurusdb_starrocks import Client, OutcomeUnknownError, TokenAuth

    logging.disable()
    with Client(endpoint=url, project_id=PROJECT, auth=TokenAuth(TOKEN)) as client:
        try:
            client.pause(INSTANCE, TASK)
        except OutcomeUnknownError as error:
            refused = str(error)
    assert "larger than" in refused
    print(peak())


def official(url: str) -> None:
    """The vendor's client, with explicit dummy keys."""
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkgaussdb import v3

    client = (
        v3.GaussDBClient.new_builder()
        .with_credentials(BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT))
        .with_endpoint(url)
        .build()
    )
    body = v3.PauseStarRocksDataReplication(task_name=TASK)
    client.pause_star_rocks_data_replication(
        v3.PauseStarRocksDataReplicationRequest(body=body, instance_id=INSTANCE, x_language="en-us")
    )
    print(peak())


def bare_httpx(url: str) -> None:
    """Bare httpx."""
    import httpx

    with httpx.Client(headers={"X-Auth-Token": TOKEN}) as client:
        client.post(url + PATH, json={"task_name": TASK}).raise_for_status()
    print(peak())


def standard(url: str) -> None:
    """http.client, with the same authorities."""
    import http.client
    import json
    import ssl
    from urllib.parse import urlsplit

    import certifi

    connection = http.client.HTTPSConnection(
        urlsplit(url).netloc, context=ssl.create_default_context(cafile=certifi.where())
    )
    headers = {"X-Auth-Token": TOKEN, "Content-Type": "application/json"}
    connection.request("POST", PATH, json.dumps({"task_name": TASK}), headers)
    connection.getresponse().read()
    print(peak())
