"""Who may call: tokens, signatures, and the lock after wrong ones."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from emulator_calls import Clock, ask, open_client, path_of, sdk_sign, send, signed_request
from starlette.datastructures import Headers
from taurusdb_starrocks_emulator import Emulator
from taurusdb_starrocks_emulator.auth import SignedRequest, canonical_request, sign


def is_unproved(answer: httpx.Response) -> Any:
    """Whether it is the gateway's 401."""
    error = answer.json()
    assert error["request_id"] == answer.headers["X-Request-Id"]
    assert error["error_msg"].startswith("Incorrect IAM authentication information: ")
    return answer.status_code == 401 and error["error_code"] == "APIGW.0301"


# Tokens


@pytest.mark.parametrize(
    "headers",
    [
        [], [("X-Auth-Token", "")], [("X-Auth-Token", "wrong")], [("Authorization", "Bearer x")],
        [("X-Auth-Token", "x" * 16384)], [("X-Auth-Token", b"\xff\xfe")],
        [("X-Auth-Token", "a"), ("X-Auth-Token", "b")],
    ],
)  # fmt: skip
def test_no_call_without_identity(emulator: Emulator, headers: Any) -> None:
    """401 `APIGW.0301`, and the journal knows nobody."""
    with httpx.Client(base_url=emulator.url) as client:
        body = b'{"task_name":"orders_sync"}'
        headers = [*headers, ("Content-Type", "application/json")]
        answer = client.post(path_of(emulator, "pause"), content=body, headers=headers)
    assert is_unproved(answer)
    assert emulator.journal()[-1].caller is None
    assert not any(task.changes for task in emulator.tasks())


def test_the_right_token_twice_is_wrong(emulator: Emulator) -> None:
    """One header, one token."""
    headers = [("X-Auth-Token", emulator.token)] * 2
    assert is_unproved(httpx.get(emulator.url + path_of(emulator), headers=headers))


def test_identity_comes_before_everything_else(emulator: Emulator) -> None:
    """A malformed call without identity learns nothing but 401."""
    path = path_of(emulator, "pause", instance_id="..")
    for answer in (
        httpx.post(emulator.url + path_of(emulator, "pause"), content=b"{"),
        httpx.post(emulator.url + path_of(emulator, "pause"), content=b" " * 100_000),
        httpx.get(emulator.url + path_of(emulator) + "?limit=0"),
        httpx.post(emulator.url + path.replace("..", "x"), json={}),
    ):
        assert is_unproved(answer)


def test_the_token_is_for_all_projects_that_are_there(
    emulator: Emulator, client: httpx.Client
) -> None:
    """Both projects of the seed open; a project that is not there is a 401, not a 404."""
    other = "5d1b2f8a0c3e4967a8b9d0e1f2a3b4c5/instances/bfc970d8e9b34a399b4c422aabe11409in17"
    assert client.get(f"/v3/{other}/starrocks/databases/replication").status_code == 200
    nowhere = path_of(emulator).replace(emulator.project_id, "f" * 32)
    assert is_unproved(client.get(nowhere))


def test_a_given_token_is_used(clock: Clock) -> None:
    """The constructor's token opens; without one it is random and new each time."""
    with Emulator(token="my-token") as emulator, open_client(emulator) as client:
        assert emulator.token == "my-token"
        assert ask(emulator, client).status_code == 200
    assert Emulator().token != Emulator().token


# Signatures

VECTOR_1 = {
    "request": SignedRequest(
        method="GET",
        path="/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        query="limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        headers=Headers(
            {
                "Content-Type": "application/json",
                "Host": "service.region.example.com",
                "X-Sdk-Date": "20191115T033655Z",
            }
        ),
        body=b"",
    ),
    "names": "content-type;host;x-sdk-date",
    "key": ("QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"),
    "hash": "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a",
    "signature": "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
}
VECTOR_2 = {
    "request": SignedRequest(
        method="POST",
        path=(
            "/v3/0483b6b16e954cb88930a360d2c4e663/instances/9ac58f9b88744f8a87893d22f6ef9a28in17"
            "/starrocks/databases/replication/pause"
        ),
        query="",
        headers=Headers(
            {
                "Content-Type": "application/json;charset=UTF-8",
                "X-Sdk-Date": "20250101T000000Z",
                "X-Project-Id": "0483b6b16e954cb88930a360d2c4e663",
                "X-Language": "en-us",
                "User-Agent": "ua",
                "Host": "gaussdb.cn-north-4.myhuaweicloud.com",
            }
        ),
        body=b'{"task_name": "task_name"}',
    ),
    "names": "content-type;host;user-agent;x-language;x-project-id;x-sdk-date",
    "key": ("AKIDEXAMPLE", "SKEXAMPLE"),
    "hash": None,
    "signature": "cb58331d6d7a8f0205dfdca4038d8baf804f2b2f1e971fbee53b90663184b881",
}


@pytest.mark.parametrize("vector", [VECTOR_1, VECTOR_2])
def test_the_vectors_of_the_official_signer(vector: Any) -> None:
    """The server's side computes what the official client computed."""
    import hashlib  # noqa: PLC0415 - used here alone

    request = vector["request"]
    canonical = canonical_request(request, vector["names"].split(";"))
    if vector["hash"]:
        assert hashlib.sha256(canonical.encode()).hexdigest() == vector["hash"]
    secret = vector["key"][1]
    date = request.headers["x-sdk-date"]
    assert sign(canonical, date=date, secret_key=secret) == vector["signature"]


def test_a_signed_call_is_accepted_whole(clock: Clock) -> None:
    """The second vector is accepted as it is, by a service whose clock says the same."""
    with Emulator(clock=clock) as emulator:
        request = VECTOR_2["request"]
        authorization = (
            f"SDK-HMAC-SHA256 Access=AKIDEXAMPLE, SignedHeaders={VECTOR_2['names']}, "
            f"Signature={VECTOR_2['signature']}"
        )
        answer = httpx.post(
            emulator.url + request.path,
            content=request.body,
            headers={**request.headers, "Authorization": authorization},
        )
        # Identity is proved: what is wrong is that there is no such task.
        assert answer.json()["error_code"] == "DBS.05000091"
        assert emulator.journal()[-1].caller == "AKIDEXAMPLE"


def test_a_signature_of_another_hand_is_accepted(emulator: Emulator, client: httpx.Client) -> None:
    """The test's own signer and the service agree, also on a query with odd characters."""
    with httpx.Client() as plain:
        assert plain.send(signed_request(emulator)).status_code == 200
        url = emulator.url + path_of(emulator) + "?offset=0&b=%20x%2Fy~&a=%C3%A9&a=&limit=2"
        date = signed_request(emulator).headers["x-sdk-date"]
        headers = {"X-Sdk-Date": date, "Host": urlsplit(url).netloc}
        key = emulator.access_key, emulator.secret_key
        headers["Authorization"] = sdk_sign("GET", url, headers, b"", *key)
        assert plain.get(url, headers=headers).status_code == 200


def test_a_temporary_key_needs_its_token(emulator: Emulator) -> None:
    """`X-Security-Token` must be there and right."""
    keys = {"access_key": "AKIDTEMPORARY", "secret_key": "SKTEMPORARY"}
    right = {"X-Security-Token": "temporary-security-token"}
    with httpx.Client() as plain:
        assert plain.send(signed_request(emulator, **keys, **right)).status_code == 200
        assert is_unproved(plain.send(signed_request(emulator, **keys)))
        wrong = {"X-Security-Token": "another"}
        assert is_unproved(plain.send(signed_request(emulator, **keys, **wrong)))


@pytest.mark.parametrize(
    ("skew", "accepted"), [(0, True), (899, True), (-899, True), (901, False), (-901, False)]
)
def test_a_signature_is_good_for_fifteen_minutes(
    timed: Emulator, clock: Clock, skew: int, accepted: bool
) -> None:
    """Before and after; further off it is refused."""
    answer = send(signed_request(timed, at=clock.now + skew))
    assert (answer.status_code == 200) is accepted
    assert accepted or is_unproved(answer)


def _spoilt(request: httpx.Request, header: str, value: str) -> Any:
    request.headers[header] = value
    return request


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: httpx.Request("POST", r.url, headers=r.headers, content=r.content[:-1] + b" "),
        lambda r: httpx.Request("POST", str(r.url) + "?a=b", headers=r.headers, content=r.content),
        lambda r: _spoilt(r, "X-Project-Id", "another"),
        lambda r: _spoilt(r, "Host", "another"),
        lambda r: _spoilt(r, "X-Sdk-Date", "20250101T000001Z"),
        lambda r: _spoilt(r, "X-Sdk-Date", "yesterday"),
        lambda r: _spoilt(r, "X-Sdk-Date", "20251399T999999Z"),
        lambda r: _spoilt(r, "X-Sdk-Date", "00000101T000000Z"),
        lambda r: _spoilt(r, "Authorization", r.headers["Authorization"][:-1]),
        lambda r: _spoilt(r, "Authorization", r.headers["Authorization"].replace("HMAC", "NONE")),
        lambda r: _spoilt(r, "Authorization", r.headers["Authorization"].replace(";host", "")),
        lambda r: _spoilt(
            r, "Authorization", r.headers["Authorization"].replace(";x-sdk-date", "")
        ),
        lambda r: _spoilt(r, "Authorization", r.headers["Authorization"].replace("host", "HOST")),
        lambda r: _spoilt(
            r, "Authorization", r.headers["Authorization"].replace("host", "host;host")
        ),
        lambda r: _spoilt(r, "Authorization", r.headers["Authorization"].replace("AKID", "BKID")),
        lambda r: _spoilt(r, "Authorization", "SDK-HMAC-SHA256"),
        lambda r: _spoilt(
            r, "Authorization", "SDK-HMAC-SHA256 Access=, SignedHeaders=, Signature="
        ),
        lambda r: _spoilt(r, "Authorization", "SDK-HMAC-SHA256" + " Access=a," * 500),
        lambda r: _spoilt(
            r,
            "Authorization",
            f"SDK-HMAC-SHA256 Access=AKIDEXAMPLE, SignedHeaders=;;, Signature={'0' * 64}",
        ),
    ],
)
def test_a_spoilt_signature_is_refused(timed: Emulator, clock: Clock, spoil: Any) -> None:
    """Whatever is altered after signing, and whatever cannot be read: 401."""
    request = spoil(signed_request(timed, at=clock.now))
    assert is_unproved(send(request))
    assert timed.task(timed.instance_id, timed.task_name).changes == 0


def test_more_than_five_wrong_signatures_lock_the_key(timed: Emulator, clock: Clock) -> Any:
    """Then right ones fail too, for five minutes; another key is not touched."""

    def attempt(**settings: Any) -> Any:
        return send(signed_request(timed, at=clock.now, **settings))

    for _ in range(6):
        wrong = attempt(secret_key="wrong")
        assert is_unproved(wrong)
        assert "locked" not in wrong.json()["error_msg"]
    locked = attempt()
    assert is_unproved(locked)
    assert "locked" in locked.json()["error_msg"]
    other = {"access_key": "AKIDTEMPORARY", "secret_key": "SKTEMPORARY"}
    assert attempt(**other, **{"X-Security-Token": "temporary-security-token"}).status_code == 200
    clock.now += 299
    assert is_unproved(attempt())
    clock.now += 1
    assert attempt().status_code == 200


def test_only_failures_in_a_row_count(timed: Emulator, clock: Clock) -> None:
    """A right signature in between begins the count again."""
    with httpx.Client() as plain:
        for _ in range(3):
            for _ in range(5):
                assert is_unproved(plain.send(signed_request(timed, at=clock.now, secret_key="x")))
            assert plain.send(signed_request(timed, at=clock.now)).status_code == 200


@pytest.mark.parametrize("projects", [["2" * 32], []])
def test_a_key_is_good_for_its_projects(projects: list[str]) -> None:
    """A key of one project does not open another; a key of no project opens none."""
    seed = {
        "projects": [
            {"id": "1" * 32, "name": "one", "instances": [{"id": "a" * 32 + "in17"}]},
            {"id": "2" * 32, "name": "two", "instances": [{"id": "b" * 32 + "in17"}]},
        ],
        "access_keys": [{"access_key": "AK", "secret_key": "SK", "projects": projects}],
    }
    with Emulator(seed=seed) as emulator, httpx.Client() as plain:
        assert is_unproved(plain.send(signed_request(emulator)))


def test_no_secret_gets_into_the_journal(emulator: Emulator, client: httpx.Client) -> None:
    """Neither token nor key nor password stands in what the journal shows."""
    ask(emulator, client)
    send(signed_request(emulator))
    shown = repr(emulator.journal())
    assert emulator.token not in shown
    assert emulator.secret_key not in shown
