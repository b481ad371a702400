"""The identity service: logging in, and looking up projects."""

import re
from typing import Any

import httpx
import pytest
from emulator_calls import Clock, ask, open_client, path_of
from taurusdb_starrocks_emulator import Emulator

TOKENS = "/v3/auth/tokens"


def login_body(emulator: Emulator, *, project: Any = None, **user: Any) -> Any:
    """What a login sends; `user` replaces parts of it."""
    who = {
        "name": emulator.user,
        "password": emulator.password,
        "domain": {"name": emulator.account},
        **user,
    }
    identity = {"methods": ["password"], "password": {"user": who}}
    scope = {"project": project or {"name": emulator.region}}
    return {"auth": {"identity": identity, "scope": scope}}


def login(emulator: Emulator, **settings: Any) -> Any:
    """Log in without any other identity."""
    return httpx.post(emulator.url + TOKENS, json=login_body(emulator, **settings))


def test_a_login_gives_a_token_that_opens(emulator: Emulator) -> None:
    """201, the token in its header, and what Keystone's v3 API has in the body."""
    answer = login(emulator)
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", token["expires_at"])
    assert token["methods"] == ["password"]
    assert token["user"]["name"] == emulator.user
    assert token["user"]["domain"]["name"] == emulator.account
    assert (token["project"]["id"], token["catalog"]) == (emulator.project_id, [])
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    answer = httpx.get(emulator.url + path_of(emulator), headers=headers)
    assert answer.status_code == 200
    assert [call.operation for call in emulator.journal()] == ["login", "list"]
    assert [call.caller for call in emulator.journal()] == ["demo", "demo"]


def test_tokens_are_random_and_live_side_by_side(emulator: Emulator) -> None:
    """A new token does not end the old one."""
    tokens = [login(emulator).headers["X-Subject-Token"] for _ in range(3)]
    assert len(set(tokens)) == 3
    for token in tokens:
        headers = {"X-Auth-Token": token}
        assert httpx.get(emulator.url + path_of(emulator), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "project",
    [
        {"id": "0483b6b16e954cb88930a360d2c4e663"},
        {"name": "ap-southeast-3"},
        {"name": "ap-southeast-3", "domain": {"name": "demo-account"}},
    ],
)
def test_a_project_is_named_in_any_way(emulator: Emulator, project: Any) -> None:
    """By ID or by name, with its account or without."""
    answer = login(emulator, project=project)
    assert answer.json()["token"]["project"]["id"] == emulator.project_id


def test_a_token_of_another_project_is_refused(emulator: Emulator) -> None:
    """401 `APIGW.0301`: a token is good for its own project."""
    token = login(emulator, project={"name": "cn-north-4"}).headers["X-Subject-Token"]
    answer = httpx.get(emulator.url + path_of(emulator), headers={"X-Auth-Token": token})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")


def test_a_token_without_a_project_opens_none(emulator: Emulator) -> None:
    """A login without a scope works, and its token is good for the look-up of projects alone."""
    body = login_body(emulator)
    del body["auth"]["scope"]
    answer = httpx.post(emulator.url + TOKENS, json=body)
    assert "project" not in answer.json()["token"]
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    assert httpx.get(emulator.url + path_of(emulator), headers=headers).status_code == 401
    assert httpx.get(emulator.url + "/v3/projects", headers=headers).status_code == 200


def test_a_token_ends(clock: Clock) -> None:
    """At the end of its life it is refused; a new login helps."""
    with Emulator(clock=clock, token_lifetime=60) as emulator:
        answer = login(emulator)
        assert answer.json()["token"]["expires_at"] == "2025-01-01T00:01:00.000000Z"
        headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
        clock.now += 59.9
        assert httpx.get(emulator.url + path_of(emulator), headers=headers).status_code == 200
        clock.now += 0.1
        assert httpx.get(emulator.url + path_of(emulator), headers=headers).status_code == 401
        headers = {"X-Auth-Token": login(emulator).headers["X-Subject-Token"]}
        assert httpx.get(emulator.url + path_of(emulator), headers=headers).status_code == 200


def test_a_login_has_the_content_type_of_the_vendors_page(emulator: Emulator) -> None:
    """`utf8` without a hyphen, as in the documentation of IAM."""
    headers = {"Content-Type": "application/json;charset=utf8"}
    body = login(emulator).request.content
    assert httpx.post(emulator.url + TOKENS, content=body, headers=headers).status_code == 201


def iam_error(answer: httpx.Response, status: int) -> Any:
    """Whether it is an error in Keystone's shape."""
    error = answer.json()["error"]
    title = {400: "Bad Request", 401: "Unauthorized"}[status]
    assert "X-Subject-Token" not in answer.headers
    return (answer.status_code, error["code"], error["title"]) == (status, status, title)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "nobody"},
        {"password": "wrong"},
        {"password": ""},
        {"domain": {"name": "another-account"}},
        {"project": {"name": "nowhere"}},
        {"project": {"id": "f" * 32}},
        {"project": {"name": "ap-southeast-3", "domain": {"name": "another-account"}}},
        {"project": {"id": None}},
    ],
)
def test_a_wrong_login_is_refused(emulator: Emulator, wrong: Any) -> None:
    """401 in Keystone's shape, and no token."""
    assert iam_error(login(emulator, **wrong), 401)
    assert emulator.journal()[-1].status == 401


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"{}", b'{"auth":null}', b'{"auth":{}}',
        b'{"auth":{"identity":{"methods":["token"],"token":{"id":"x"}}}}',
        b'{"auth":{"identity":{"methods":"password"}}}',
        b'{"auth":{"identity":{"methods":["password"]}}}',
        b'{"auth":{"identity":{"methods":["password"],"password":{"user":{}}}}}',
        b'{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":1}}}}}',
        b'{"auth":{},"auth":{}}', b"[" * 50000, b" " * 70000, b"\xff\xfe", b'{"auth":"\\ud800"}',
    ],
)  # fmt: skip
def test_a_malformed_login_is_refused(emulator: Emulator, body: bytes) -> None:
    """400 in Keystone's shape."""
    headers = {"Content-Type": "application/json"}
    assert iam_error(httpx.post(emulator.url + TOKENS, content=body, headers=headers), 400)


def test_a_login_with_a_project_of_the_wrong_type_is_refused(emulator: Emulator) -> None:
    """400: a project is an object."""
    assert iam_error(login(emulator, project="ap-southeast-3"), 400)


def test_a_user_of_no_project_cannot_log_in_to_one() -> None:
    """An empty list in the seed is not the same as no list."""
    project = {"id": "1" * 32, "name": "one"}
    user = {"name": "ann", "password": "secret", "account": "acme", "projects": []}
    with Emulator(seed={"projects": [project], "users": [user]}) as emulator:
        assert iam_error(login(emulator), 401)


def test_the_look_up_of_projects(emulator: Emulator) -> None:
    """The caller's projects, all or by name; nobody else's."""
    with open_client(emulator) as client:
        everything = client.get("/v3/projects").json()
        assert everything["links"] == {}
        assert [project["name"] for project in everything["projects"]] == [
            "ap-southeast-3",
            "cn-north-4",
        ]
        one = client.get("/v3/projects", params={"name": emulator.region}).json()["projects"]
        assert [(project["id"], project["enabled"]) for project in one] == [
            (emulator.project_id, True)
        ]
        assert client.get("/v3/projects?name=nowhere").json()["projects"] == []
    assert iam_error(httpx.get(emulator.url + "/v3/projects"), 401)


def test_identity_survives_a_call(emulator: Emulator, client: httpx.Client) -> None:
    """A login does not disturb what other callers do."""
    login(emulator)
    assert ask(emulator, client).status_code == 200


def test_the_other_methods_of_the_identity_service(emulator: Emulator) -> None:
    """405 with `Allow`."""
    for path, allow in ((TOKENS, "POST"), ("/v3/projects", "GET")):
        answer = httpx.delete(emulator.url + path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allow)
