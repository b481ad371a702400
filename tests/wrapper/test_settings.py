"""How a client is set up: arguments, environment, and what neither may be."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients import INSTANCE, PROJECT, SETTINGS, TASK, TOKEN, Maker, Wire
from taurusdb_starrocks import (
    AsyncClient,
    Client,
    ConfigurationError,
    Credentials,
    IamPasswordAuth,
    Request,
    TokenAuth,
)
from taurusdb_starrocks_api.api.data_synchronization import pause_star_rocks_data_replication
from taurusdb_starrocks_api.models import Language, SyncTask

HOME = {"HOME": "/nonexistent"}
REGION = {"TAURUSDB_STARROCKS_REGION": "ap-southeast-3"}
ENDPOINT = {"TAURUSDB_STARROCKS_ENDPOINT": "https://elsewhere.example.com"}
PROJECT_ID = {"HUAWEICLOUD_SDK_PROJECT_ID": PROJECT}
CREDENTIALS = {"TAURUSDB_STARROCKS_AUTH_TOKEN": TOKEN}


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
    environ = HOME | REGION | PROJECT_ID | CREDENTIALS
    make(environ=environ, endpoint=None, project_id=None, auth=None, transport=wire).pause()
    (request,) = wire.sent
    assert request.url.host == "gaussdb.ap-southeast-3.myhuaweicloud.com"
    assert request.url.path.startswith(f"/v3/{PROJECT}/instances/{INSTANCE}/")
    assert request.headers["X-Auth-Token"] == TOKEN


def test_everything_from_the_process_environment(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no environment given, it is the process's own, read when the client is made."""
    for name, value in (ENDPOINT | PROJECT_ID | CREDENTIALS).items():
        monkeypatch.setenv(name, value)
    wire = Wire()
    make(environ=None, endpoint=None, project_id=None, auth=None, transport=wire).pause()
    assert wire.sent[0].url.host == "elsewhere.example.com"


def test_argument_comes_before_environment(make: Maker) -> None:
    """An argument wins over the variable for the same thing."""
    environ = HOME | ENDPOINT | REGION | {"HUAWEICLOUD_SDK_PROJECT_ID": "f" * 32} | CREDENTIALS
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
    environ |= {} if missing == "auth" else CREDENTIALS
    with pytest.raises(ConfigurationError) as caught:
        make(environ=environ, endpoint=None, project_id=None, auth=None)
    for name in named:
        assert name in str(caught.value)


def test_sources_say_where_each_setting_was_found(make: Maker, tmp_path: Path) -> None:
    """The names of arguments and variables, or the profile's file; never a value."""
    environ = HOME | REGION | PROJECT_ID | CREDENTIALS
    assert make().client.sources == {
        "endpoint": "endpoint=",
        "project_id": "project_id=",
        "auth": "auth=",
    }
    found = make(environ=environ, endpoint=None, project_id=None, auth=None).client.sources
    assert found == {
        "endpoint": "TAURUSDB_STARROCKS_REGION",
        "project_id": "HUAWEICLOUD_SDK_PROJECT_ID",
        "auth": "TAURUSDB_STARROCKS_AUTH_TOKEN",
    }
    assert make(region="cn-north-4", endpoint=None).client.sources["endpoint"] == "region="
    found = make(environ=HOME | ENDPOINT, endpoint=None).client.sources
    assert found["endpoint"] == "TAURUSDB_STARROCKS_ENDPOINT"
    profile = tmp_path / ".huaweicloud" / "credentials"
    profile.parent.mkdir()
    profile.write_text(f"[basic]\nak = A\nsk = S\nproject_id = {PROJECT}\n")
    profile.chmod(0o600)
    found = make(environ={"HOME": str(tmp_path)}, project_id=None, auth=None).client.sources
    assert (found["project_id"], found["auth"]) == (str(profile), str(profile))
    login = IamPasswordAuth("me", "pass-word", "acme", project_id=PROJECT)
    found = make(auth=login, project_id=None).client.sources
    assert (found["project_id"], found["auth"]) == ("the credentials", "auth=")


def test_project_of_the_credentials_is_the_clients(make: Maker) -> None:
    """A login for a project gives it to a client that is given none, after all other places."""
    login = IamPasswordAuth("me", "pass-word", "acme", project_id=PROJECT)
    assert PROJECT in repr(make(auth=login, project_id=None).client)
    other = {"HUAWEICLOUD_SDK_PROJECT_ID": "f" * 32}
    assert "f" * 32 in repr(make(auth=login, project_id=None, environ=HOME | other).client)
    assert "e" * 32 in repr(make(auth=login, project_id="e" * 32).client)
    without = IamPasswordAuth("me", "pass-word", "acme", region="cn-north-4")
    with pytest.raises(ConfigurationError, match="No project"):
        make(auth=without, project_id=None)


def test_own_credentials_may_name_a_project(make: Maker) -> None:
    """The project of any credentials is the client's, and must be one."""

    class Own(Credentials):
        def headers(self, _request: Request, /) -> Mapping[str, str]:
            return {}

    auth = Own()
    with pytest.raises(ConfigurationError, match="No project"):
        make(auth=auth, project_id=None)
    auth.project_id = PROJECT
    assert PROJECT in repr(make(auth=auth, project_id=None).client)
    auth.project_id = "malformed"
    with pytest.raises(ConfigurationError, match="project_id must be"):
        make(auth=auth, project_id=None)


@pytest.mark.parametrize(
    ("region", "near"),
    [
        ("ap-southeast3", "ap-southeast-3"),
        ("AP-SOUTHEAST-3", "ap-southeast-3"),
        ("cn-north4", "cn-north-4"),
        ("somewhere", None),
        (3, None),
    ],
)
def test_region_with_a_slip_is_told_the_near_one(
    make: Maker, region: Any, near: str | None
) -> None:
    """A region that looks like a known one is answered with that one."""
    with pytest.raises(ConfigurationError) as caught:
        make(region=region, endpoint=None)
    suggestion = "" if near is None else f" (did you mean {near!r}?)"
    assert str(caught.value).startswith(f"Unknown region {region!r}{suggestion}. Known regions: ")


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
    "https://a..b",
    "https://1..2",
    "https://example.com ",
    " https://example.com",
    "https://exam ple.com",
    "https://example.com\t/a",
    "https://example.com\\@evil.example",
    "https://example.com/v3",
    "https://example.com/v3/",
    "https://example.com/gateway/v3",
    "https://[fe80::1%25eth0]",
    "https://[::1",
    "https://[v1.a]",
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
        ("ca_file", True),
        ("ca_file", b"/etc/ssl"),
        ("retry", 3),
        ("transport", object()),
    ):
        with pytest.raises(ConfigurationError, match=argument) as caught:
            make(**{argument: value})
        assert "a-bare-token" not in str(caught.value)


def test_a_file_of_authorities_that_cannot_be_used(make: Maker, tmp_path: Path) -> None:
    """The error names the argument or the variable, and the file."""
    with pytest.raises(ConfigurationError, match="ca_file: /nowhere cannot be read: No such"):
        make(ca_file="/nowhere")
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    words = r"ca_file \(TAURUSDB_STARROCKS_CA_FILE\): /.*ca\.pem contains no valid certificate"
    with pytest.raises(ConfigurationError, match=words):
        make(environ={"TAURUSDB_STARROCKS_CA_FILE": str(file)})
    with pytest.raises(ConfigurationError, match="Give ca_file or ssl_context, not both"):
        make(ca_file=file, ssl_context=ssl.create_default_context())


class Sync(httpx.BaseTransport):
    pass


class Async(httpx.AsyncBaseTransport):
    pass


def test_arguments_are_named(make: Maker) -> None:
    """A region or a token in the first place is told what is wanted."""
    with pytest.raises(ConfigurationError, match=f"{make.kind.__name__} takes keyword arguments"):
        make.kind("ap-southeast-3")  # type: ignore[misc]


@pytest.mark.parametrize("number", [0, -1, 1.5, "8", True, None], ids=repr)
def test_most_connections_are_a_number(make: Maker, number: Any) -> None:
    """A client has one connection at least."""
    with pytest.raises(
        ConfigurationError, match="max_connections must be an integer of at least 1"
    ):
        make.kind(**SETTINGS, auth=TokenAuth("t"), max_connections=number)


@pytest.mark.parametrize("argument", ["wait_timeout", "settle"])
@pytest.mark.parametrize("value", [0, -1, "5", None, float("nan"), True], ids=repr)
def test_bad_time_to_wait_is_refused(make: Maker, argument: str, value: Any) -> None:
    """The defaults of all waiting are numbers of seconds, and the error names the argument."""
    with pytest.raises(ConfigurationError, match=f"^{argument} must be a number of seconds"):
        make.kind(**SETTINGS, auth=TokenAuth("t"), **{argument: value})


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
        *("host", "accept", "accept-encoding", "content-length", "content-type"),
        *("user-agent", "x-auth-token", "x-language"),
    }


class Low:
    """The generated functions over ``api``, in the way of either client."""

    def __init__(self, make: Maker) -> None:
        self._make = make
        self.wire = Wire(lambda _: httpx.Response(200, json={"job_id": "job-1"}))
        self.face = make(transport=self.wire)
        self.api = self.face.client.api

    def pause(self, api: Any = None, *, other: bool = False) -> Any:
        """The parsed job; by the function for the other client, if told so."""
        arguments: dict[str, Any] = {"project_id": PROJECT, "instance_id": INSTANCE}
        arguments |= {"client": api or self.api, "body": SyncTask(task_name=TASK)}
        arguments |= {"x_language": Language.EN_US}
        if (self._make.kind is Client) != other:
            return pause_star_rocks_data_replication.sync(**arguments)
        return self._make.runner.run(pause_star_rocks_data_replication.asyncio(**arguments))

    def get(self, url: str, **options: Any) -> httpx.Response:
        """A request by hand."""
        if self._make.kind is Client:
            response: httpx.Response = self.api.get_httpx_client().get(url, **options)
            return response
        return self._make.runner.run(self._get(url, options))

    async def _get(self, url: str, options: Any) -> httpx.Response:
        response: httpx.Response = await self.api.get_async_httpx_client().get(url, **options)
        return response


def test_low_level_client_is_the_same_client(make: Maker) -> None:
    """Generated functions run over ``api`` with the same credentials, endpoint and errors."""
    low = Low(make)
    assert low.pause().job_id == "job-1"
    assert low.wire.sent[0].headers["X-Auth-Token"] == TOKEN
    low.face.close()
    with pytest.raises(ConfigurationError, match="closed"):
        low.pause()


def test_low_level_client_of_the_other_kind(make: Maker) -> None:
    """A function for coroutines over a ``Client``'s api, and the other way round, is told so."""
    low = Low(make)
    with pytest.raises(ConfigurationError, match="This is the api of a"):
        low.pause(other=True)
    assert low.wire.sent == []


def test_copies_with_headers_and_cookies(make: Maker) -> None:
    """They send them over the same connections; the client that they are of does not."""
    low = Low(make)
    copy = low.api.with_headers({"X-Tenant": "a"}).with_cookies({"b": "c"})
    copy = copy.with_headers({"x-tenant": "d"}).with_cookies({"e": "f"})
    assert "'b'" not in repr(copy)  # A cookie may be a session's.
    assert low.pause(copy).job_id == low.pause().job_id == "job-1"
    first, second = low.wire.sent
    assert first.headers.get_list("X-Tenant") == ["d"]
    assert first.headers["Cookie"] == "b=c; e=f"
    assert first.headers["X-Auth-Token"] == TOKEN
    assert not {"x-tenant", "cookie"} & set(second.headers)
    low.face.close()
    with pytest.raises(ConfigurationError, match="closed"):
        low.pause(copy)


def test_copy_with_a_header_that_the_call_has_too(make: Maker) -> None:
    """It is sent once: the call's own wins, whatever the case of its name."""
    low = Low(make)
    low.pause(low.api.with_headers({"x-language": "zh-cn", "x-auth-token": "mine"}))
    (request,) = low.wire.sent
    assert request.headers.get_list("X-Language") == ["en-us"]
    assert request.headers.get_list("X-Auth-Token") == [TOKEN]


@pytest.mark.parametrize("value", ["é", "a\nb", " a", 5])
def test_copy_with_a_header_that_cannot_be_sent(make: Maker, value: Any) -> None:
    """It is refused when it is given, and not shown."""
    low = Low(make)
    with pytest.raises(ConfigurationError, match="header 'X-A' must be a non-empty string"):
        low.api.with_headers({"X-A": value})
    with pytest.raises(ConfigurationError, match="header 'Cookie' must be a non-empty string"):
        low.api.with_cookies({"a": f"{value}\n"})


def test_limits_are_the_clients(make: Maker) -> None:
    """A copy with another timeout is refused: the call's deadline is the client's."""
    with pytest.raises(ConfigurationError, match="Create a client with timeout="):
        Low(make).api.with_timeout(httpx.Timeout(5))


def test_request_by_hand(make: Maker) -> None:
    """Any path of the endpoint can be read, with the headers of every call and credentials."""
    low = Low(make)
    response = low.get("/v3/p/other?a=b", params={"c": "ä ö"}, headers={"x-a": "b"})
    assert response.json() == {"job_id": "job-1"}
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert str(response.request.url) == str(low.wire.sent[0].url)
    (request,) = low.wire.sent
    assert str(request.url) == "https://gaussdb.example.com/v3/p/other?c=%C3%A4+%C3%B6"
    assert request.headers["User-Agent"].startswith("taurusdb-starrocks/")
    assert request.headers["Accept"] == "application/json"
    assert request.headers["X-A"] == "b"
    assert request.headers["X-Auth-Token"] == TOKEN
    low.get("https://gaussdb.example.com/ä b")
    assert low.wire.sent[1].url.raw_path == b"/%C3%A4%20b"


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example.com/v3",
        "http://gaussdb.example.com/",
        "https://gaussdb.example.com:1/",
    ],
)
def test_request_by_hand_to_another_place(make: Maker, url: str) -> None:
    """Credentials are for the client's endpoint: nothing is sent to any other."""
    low = Low(make)
    with pytest.raises(ConfigurationError, match="is not for the client's endpoint"):
        low.get(url)
    assert low.wire.sent == []


def test_job_is_fit_to_be_shown(make: Maker) -> None:
    """A job's ID and the request's hold nothing that a terminal would act on."""
    job = "a\nb\x1b[31m\x00\u202ec"
    content = json.dumps({"job_id": job + "\ud800"}).encode()
    wire = Wire(httpx.Response(200, content=content, headers={b"X-Request-Id": b"r\x1b\xe9"}))
    made = make(transport=wire).pause()
    assert made.id == "a b [31m  c "
    assert made.request_id == "r é"


def test_cookies_of_the_service_are_not_sent_back(make: Maker) -> None:
    """A client keeps nothing of one call for the next."""
    wire = Wire(httpx.Response(200, json={"job_id": "1"}, headers={"Set-Cookie": "a=b"}))
    client = make(transport=wire)
    client.pause()
    client.pause()
    assert "Cookie" not in wire.sent[1].headers


def test_low_level_client_is_closed_by_its_block() -> None:
    """The client for coroutines is closed with it: both have the same connections."""

    async def main() -> None:
        client = AsyncClient(
            endpoint="http://127.0.0.1:1", project_id="0" * 32, auth=TokenAuth("t"), environ={}
        )
        async with client.api.get_async_httpx_client():
            pass
        with pytest.raises(ConfigurationError, match="closed"):
            await client.pause("9ac58f9b88744f8a87893d22f6ef9a28in17", "orders_sync")

    asyncio.run(main())
