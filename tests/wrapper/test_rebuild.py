"""How clients and credentials are built again in another process, without showing a secret."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
from taurusdb_starrocks import (
    AccessKeyAuth,
    AsyncClient,
    Client,
    ConfigurationError,
    Credentials,
    IamPasswordAuth,
    Origin,
    Poll,
    Rebuild,
    Request,
    RetryPolicy,
    TokenAuth,
)

PROJECT = "0483b6b16e954cb88930a360d2c4e663"
REQUEST = Request("GET", Origin("https", "gaussdb.example.com", 443), f"/v3/{PROJECT}/instances")
SETTINGS: dict[str, Any] = {
    "endpoint": "https://gaussdb.example.com",
    "project_id": PROJECT,
    "environ": {"HTTPS_PROXY": "http://proxy:3128", "SECRET_OF_OTHERS": "x"},
}


IAM: dict[str, Any] = {"region": "ap-southeast-3"}


class Own(Credentials):
    """Of a user, which says how it is rebuilt."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def headers(self, _request: Request, /) -> Mapping[str, str]:
        return {"X-Auth-Token": self.name}

    def rebuild(self) -> Rebuild | None:
        return Rebuild(f"{__name__}:Own", {"name": self.name})


def again(rebuild: Rebuild | None) -> Any:
    """What it builds after a way through a pipe."""
    assert rebuild is not None
    return Rebuild.from_document(json.loads(json.dumps(rebuild.to_document()))).build()


@pytest.mark.parametrize(
    ("auth", "lasting"),
    [
        (TokenAuth("secret-token"), False),
        (AccessKeyAuth("AK", "secret-key"), True),
        (AccessKeyAuth("AK", "secret-key", "secret-token"), False),
        (IamPasswordAuth("user", "secret-word", "account", project_id=PROJECT, **IAM), True),
        (Own("secret-name"), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_credentials_are_built_again(auth: Credentials, lasting: bool) -> None:
    """With all that they were made of, which is not shown."""
    rebuild = auth.rebuild()
    assert rebuild is not None
    assert rebuild.lasting is lasting
    assert "secret" not in repr(rebuild)
    other = again(rebuild)
    assert type(other) is type(auth)
    assert other.rebuild() == rebuild
    assert other.project_id == auth.project_id


def test_what_says_no_way() -> None:
    """A function cannot be had elsewhere, nor a clock, nor what a subclass does."""

    class Derived(AccessKeyAuth):
        pass

    class DerivedToken(TokenAuth):
        pass

    class Plain(Credentials):
        def headers(self, _request: Request, /) -> Mapping[str, str]:
            return {}

    for auth in (
        TokenAuth(lambda: "token"),
        DerivedToken("token"),
        Derived("AK", "SK"),
        AccessKeyAuth("AK", "SK", clock=time.monotonic),
        IamPasswordAuth("u", "p", "a", **IAM, clock=lambda: 0.0),
        Plain(),
    ):
        assert auth.rebuild() is None


def test_a_token_is_replaced() -> None:
    """From the next attempt on; that of a function is not."""
    auth = TokenAuth("first")
    auth.replace("second")
    assert auth.headers(REQUEST) == {"X-Auth-Token": "second"}
    with pytest.raises(ConfigurationError, match="not shown"):
        auth.replace("bad\ntoken")
    assert auth.headers(REQUEST) == {"X-Auth-Token": "second"}
    with pytest.raises(ConfigurationError, match="comes from a function"):
        TokenAuth(lambda: "token").replace("other")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_is_built_again(kind: type[Client | AsyncClient]) -> None:
    """As a `Client` with the same settings, and with no variable but those of proxies."""
    client = kind(
        **SETTINGS,
        auth=AccessKeyAuth("AK", "secret-key"),
        language="zh-cn",
        timeout=7.0,
        connect_timeout=2.0,
        read_timeout=3.0,
        retry=RetryPolicy(attempts=2),
        poll=Poll(first=1.0),
        wait_timeout=99.0,
        settle=11.0,
        max_connections=5,
    )
    assert (client.endpoint, client.project_id) == (SETTINGS["endpoint"], PROJECT)
    assert (client.timeout, client.settle) == (7.0, 11.0)
    rebuild = client.rebuild()
    assert "secret" not in repr(rebuild)
    assert "SECRET_OF_OTHERS" not in json.dumps(rebuild.to_document())
    with again(rebuild) as other:
        assert type(other) is Client
        assert other.rebuild() == rebuild


def test_a_file_of_authorities_is_given_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The absolute one, because another process has another current folder."""
    file = Path(certifi.where())
    monkeypatch.chdir(file.parent)
    with Client(**SETTINGS, auth=TokenAuth("token"), ca_file=file.name) as client:
        rebuild = client.rebuild()
    assert rebuild.arguments["ca_file"] == str(file)
    with again(rebuild) as other:
        assert other.rebuild() == rebuild


def test_a_retry_policy_of_ones_own_is_left_out() -> None:
    """It may be any code."""

    class Never(RetryPolicy):
        pass

    with Client(**SETTINGS, auth=TokenAuth("token"), retry=Never()) as client:
        assert "retry" not in client.rebuild().arguments
        assert not client.rebuild().lasting


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ssl_context": ssl.create_default_context()}, "ssl_context=.* pass ca_file= instead"),
        ({"transport": httpx.MockTransport(lambda _: httpx.Response(200))}, "transport="),
        ({"auth": TokenAuth(lambda: "token")}, "TokenAuth cannot be created in another process"),
    ],
)
def test_a_client_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    """The error says what keeps it from being built elsewhere."""
    with Client(**{**SETTINGS, "auth": TokenAuth("token"), **settings}) as client:
        with pytest.raises(ConfigurationError, match=words):
            client.rebuild()


@pytest.mark.parametrize("factory", ["nowhere:Auth", "os:nothing", "os", ""])
def test_a_factory_that_is_not_there(factory: str) -> None:
    """It is an error of configuration."""
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        Rebuild(factory).build()


def test_a_recorder_has_all_methods() -> None:
    """That of a window more than that of a request."""

    class OfRequests:
        def sending(self, verb: str, task_name: str, /) -> None: ...

        def answered(self, verb: str, task_name: str, answer: Any, /) -> None: ...

        def reached(self, verb: str, task_names: Any, /) -> None: ...

    instance = "9ac58f9b88744f8a87893d22f6ef9a28in17"
    with Client(**SETTINGS, auth=TokenAuth("token")) as client:
        recorder: Any = OfRequests()
        with pytest.raises(ConfigurationError, match="WindowRecorder"):
            client.paused(instance, "orders_sync", recorder=recorder)
        with pytest.raises(ConfigurationError, match="methods of a Recorder"):
            client.ensure_paused(instance, "orders_sync", recorder=print)  # type: ignore[arg-type]
