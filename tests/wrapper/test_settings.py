"""How a client is set up: arguments, environment, and what neither may be."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from faces import INSTANCE, PROJECT, TASK, TOKEN, Maker, Wire
from taurusdb_starrocks import AsyncClient, Client, ConfigurationError, TokenAuth

HOME = {"HOME": "/nonexistent"}
REGION = {"TAURUSDB_STARROCKS_REGION": "ap-southeast-3"}
ENDPOINT = {"TAURUSDB_STARROCKS_ENDPOINT": "https://elsewhere.example.com"}
PROJECT_ID = {"HUAWEICLOUD_SDK_PROJECT_ID": PROJECT}
IDENTITY = {"TAURUSDB_STARROCKS_AUTH_TOKEN": TOKEN}


def host(make: Maker, **settings: Any) -> str:
    """Where a call goes."""
    wire = Wire()
    make(transport=wire, **settings).pause()
    return str(wire.sent[0].url.copy_with(path="/"))


def test_region_names_the_host(make: Maker) -> None:
    """A region stands for its endpoint, whose prefix differs from region to region."""
    for region, prefix in (("cn-north-4", "gaussdb"), ("cn-east-5", "gaussdb-mysql")):
        found = host(make, region=region, endpoint=None)
        assert found == f"https://{prefix}.{region}.myhuaweicloud.com/"


def test_everything_from_the_environment(make: Maker) -> None:
    """A client without arguments takes its settings from the environment given."""
    wire = Wire()
    environ = HOME | REGION | PROJECT_ID | IDENTITY
    make(environ=environ, endpoint=None, project_id=None, auth=None, transport=wire).pause()
    (request,) = wire.sent
    assert request.url.host == "gaussdb.ap-southeast-3.myhuaweicloud.com"
    assert request.url.path.startswith(f"/v3/{PROJECT}/instances/{INSTANCE}/")
    assert request.headers["X-Auth-Token"] == TOKEN


def test_everything_from_the_process_environment(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no environment given, it is the process's own, read when the client is made."""
    for name, value in (ENDPOINT | PROJECT_ID | IDENTITY).items():
        monkeypatch.setenv(name, value)
    wire = Wire()
    make(environ=None, endpoint=None, project_id=None, auth=None, transport=wire).pause()
    assert wire.sent[0].url.host == "elsewhere.example.com"


def test_argument_comes_before_environment(make: Maker) -> None:
    """An argument wins over the variable for the same thing."""
    environ = HOME | ENDPOINT | REGION | {"HUAWEICLOUD_SDK_PROJECT_ID": "f" * 32} | IDENTITY
    wire = Wire()
    make(environ=environ, endpoint=None, region="cn-north-4", transport=wire).pause()
    assert wire.sent[0].url.host == "gaussdb.cn-north-4.myhuaweicloud.com"
    assert PROJECT in wire.sent[0].url.path
    assert host(make, environ=environ, endpoint=None) == "https://elsewhere.example.com/"


def test_empty_variable_is_no_variable(make: Maker) -> None:
    """A variable that is set to nothing counts as not set."""
    environ = HOME | REGION | {"TAURUSDB_STARROCKS_ENDPOINT": ""}
    assert "ap-southeast-3" in host(make, environ=environ, endpoint=None)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("region", ["region=", "endpoint=", "TAURUSDB_STARROCKS_REGION", "STARROCKS_ENDPOINT"]),
        ("project", ["project_id=", "HUAWEICLOUD_SDK_PROJECT_ID"]),
        ("auth", ["auth=", "TAURUSDB_STARROCKS_AUTH_TOKEN", "HUAWEICLOUD_SDK_AK", "OS_AUTH_URL"]),
    ],
)
def test_missing_setting_names_argument_and_variable(
    make: Maker, missing: str, named: list[str]
) -> None:
    """What is missing is named as the argument it is and as the variable it can be."""
    environ = dict(HOME)
    environ |= {} if missing == "region" else REGION
    environ |= {} if missing == "project" else PROJECT_ID
    environ |= {} if missing == "auth" else IDENTITY
    with pytest.raises(ConfigurationError) as caught:
        make(environ=environ, endpoint=None, project_id=None, auth=None)
    for name in named:
        assert name in str(caught.value)


@pytest.mark.parametrize("region", ["", "nowhere-1", "AP-SOUTHEAST-3", 3, ["cn-north-4"]], ids=repr)
def test_unknown_region_lists_the_known(make: Maker, region: Any) -> None:
    """An unknown region is answered with the known ones and with the way to give any other."""
    with pytest.raises(ConfigurationError, match="Unknown region") as caught:
        make(region=region, endpoint=None)
    assert "af-south-1, ap-southeast-1" in str(caught.value)
    assert "endpoint='https://…'" in str(caught.value)


def test_region_and_endpoint_are_alternatives(make: Maker) -> None:
    """Both at once is a contradiction, not a preference."""
    with pytest.raises(ConfigurationError, match="not both"):
        make(region="cn-north-4", endpoint="https://example.com")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://example.com",
        "https://example.com/",
        "https://example.com:8443/gateway/",
        "https://bücher.example",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "http://localhost:1",
    ],
)
def test_good_endpoint(make: Maker, endpoint: str) -> None:
    """HTTPS to anywhere and plain HTTP to loopback; a path before the call's is kept."""
    wire = Wire()
    make(endpoint=endpoint, transport=wire).pause()
    url = str(wire.sent[0].url)
    base = str(httpx.URL(endpoint)).rstrip("/")
    assert url.startswith(f"{base}/v3/{PROJECT}/")


BAD_ENDPOINTS = [
    "",
    "example.com",
    "//example.com",
    "ftp://example.com",
    "http://example.com",
    "http://127.0.0.1.example.com",
    "http://localhost.example.com",
    "https://",
    "https:///path",
    "https://example.com\n",
    "https://exa\x00mple.com",
    "https://example.com?a=b",
    "https://example.com?",
    "https://example.com#a",
    "https://example.com#",
    "https://example.com:0",
    "https://example.com:65536",
    "https://example.com:port",
    "https://[::1",
    "https://a..b",
    f"https://{'a' * 64}.example.com",
    "https://xn--a.example",
    "https://" + "a" * 70_000,
    5,
    b"https://example.com",
]


@pytest.mark.parametrize("endpoint", BAD_ENDPOINTS, ids=lambda value: repr(value)[:40])
def test_bad_endpoint_is_refused(make: Maker, endpoint: Any) -> None:
    """Where a secret would travel in the clear, or which is no place at all, is refused."""
    with pytest.raises(ConfigurationError, match=r"^endpoint|No region"):
        make(endpoint=endpoint, transport=Wire())


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://user:hunter2@example.com",
        "https://hunter2@example.com",
        "http://user:hunter2@127.0.0.1",
        "user:hunter2@example.com",
        "https://user:hunter2/x@example.com",
        "https://user:hun#hunter2@example.com",
        "https://example.com/?key=hunter2",
        "//user:hunter2@host",
    ],
)
def test_credentials_in_an_endpoint_are_not_shown(make: Maker, endpoint: str) -> None:
    """An endpoint with a password in it is refused without repeating it."""
    with pytest.raises(ConfigurationError) as caught:
        make(endpoint=endpoint)
    assert "hunter2" not in f"{caught.value!s}{caught.value!r}{caught.value.__context__!r}"


def test_settings_of_the_wrong_kind(make: Maker) -> None:
    """A bare token, a switched-off verification or a number of retries are told what is wanted."""
    for argument, value in (
        ("auth", "a-bare-token"),
        ("ssl_context", False),
        ("ssl_context", "/etc/ssl"),
        ("retry", 3),
        ("transport", object()),
    ):
        with pytest.raises(ConfigurationError, match=argument) as caught:
            make(**{argument: value})
        assert "a-bare-token" not in str(caught.value)


class Sync(httpx.BaseTransport):
    pass


class Async(httpx.AsyncBaseTransport):
    pass


def test_transport_of_the_other_kind_is_refused(make: Maker) -> None:
    """A transport for coroutines cannot carry a sync client's calls, nor the other way round."""
    other = Async() if make.kind is Client else Sync()
    with pytest.raises(ConfigurationError, match="transport must be an httpx"):
        make(transport=other)


def test_repr_shows_where_and_not_who(make: Maker) -> None:
    """A client shows its endpoint and project, and nothing secret."""
    shown = repr(make(endpoint="https://example.com/").client)
    kind = make.kind.__name__
    assert shown == f"{kind}(endpoint='https://example.com', project_id='{PROJECT}')"


def test_closed_client_says_so(make: Maker) -> None:
    """A call after closing is a ConfigurationError, and closing twice does no harm."""
    wire = Wire()
    client = make(transport=wire)
    client.pause()
    client.close()
    client.close()
    with pytest.raises(ConfigurationError, match="closed"):
        client.pause()
    assert len(wire.sent) == 1


def test_context_manager_closes() -> None:
    """Leaving the block closes the client, of either kind."""
    settings: dict[str, Any] = {"endpoint": "https://e.com", "project_id": PROJECT}
    settings |= {"auth": TokenAuth("t"), "transport": Wire()}
    with Client(**settings) as client:
        assert client.pause(INSTANCE, TASK).id == "job-1"
    with pytest.raises(ConfigurationError, match="closed"):
        client.pause(INSTANCE, TASK)

    async def body() -> None:
        async with AsyncClient(**settings) as client:
            assert (await client.pause(INSTANCE, TASK)).id == "job-1"
        with pytest.raises(ConfigurationError, match="closed"):
            await client.pause(INSTANCE, TASK)

    asyncio.run(body())


def test_unused_client_closes(make: Maker) -> None:
    """A client that made no call opens nothing and closes quietly."""
    make().close()


def test_request_is_the_contracts(make: Maker) -> None:
    """Both verbs send what the vendor's pages show, and a User-Agent that tells nothing else."""
    wire = Wire()
    client = make(transport=wire)
    client.pause()
    client.resume()
    pause, resume = wire.sent
    path = f"/v3/{PROJECT}/instances/{INSTANCE}/starrocks/databases/replication"
    assert (pause.method, pause.url.path) == ("POST", f"{path}/pause")
    assert (resume.method, resume.url.path) == ("POST", f"{path}/resume")
    assert pause.content == resume.content
    assert json.loads(pause.content) == {"task_name": "orders_sync"}
    assert pause.headers["Content-Type"] == "application/json"
    assert pause.headers["X-Language"] == "en-us"
    assert pause.headers["User-Agent"].startswith("taurusdb-starrocks/")
    assert set(pause.headers) == {
        *("host", "accept", "accept-encoding", "connection", "content-length", "content-type"),
        *("user-agent", "x-auth-token", "x-language"),
    }


def test_low_level_client_is_the_same_client(make: Maker) -> None:
    """Generated functions run over ``api`` with the same identity, endpoint and errors."""
    from taurusdb_starrocks_api.api.data_synchronization import (  # noqa: PLC0415
        pause_star_rocks_data_replication as call,
    )
    from taurusdb_starrocks_api.models import SyncTask  # noqa: PLC0415

    wire = Wire()
    client = make(transport=wire)
    arguments: dict[str, Any] = {"project_id": PROJECT, "instance_id": INSTANCE}
    arguments |= {"client": client.client.api, "body": SyncTask(task_name=TASK)}
    if make.kind is Client:
        reply = call.sync_detailed(**arguments)
    else:
        reply = make.runner.run(call.asyncio_detailed(**arguments))
    assert reply.parsed.job_id == "job-1"
    assert wire.sent[0].headers["X-Auth-Token"] == TOKEN


def test_cookies_of_the_service_are_not_sent_back(make: Maker) -> None:
    """A client keeps nothing of one call for the next."""
    wire = Wire(httpx.Response(200, json={"job_id": "1"}, headers={"Set-Cookie": "a=b"}))
    client = make(transport=wire)
    client.pause()
    client.pause()
    assert "Cookie" not in wire.sent[1].headers
