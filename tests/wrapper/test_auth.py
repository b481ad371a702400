"""What each kind of credentials sends, on both clients."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import pickle
import re
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, NoReturn
from urllib.parse import quote

import attrs
import httpx
import pytest
from clients import AT_ONCE, INSTANCE, ONCE, PROJECT, SETTINGS, TASK, TOKEN, Maker, Wire
from hypothesis import given
from hypothesis import strategies as st
from taurusdb_starrocks import (
    AccessKeyAuth,
    AsyncClient,
    AuthenticationError,
    Client,
    ConfigurationError,
    Credentials,
    IamPasswordAuth,
    NotFoundError,
    NotSentError,
    Origin,
    OutcomeUnknownError,
    ReplicationError,
    Request,
    RetryPolicy,
    TokenAuth,
    find_project_id,
)
from taurusdb_starrocks._credentials import signature
from taurusdb_starrocks._credentials.bought import Latch
from taurusdb_starrocks._decisions.steps import Wait

NOW = 1_700_000_000.0
JOB = httpx.Response(200, json={"job_id": "job-1"})
THROTTLED = httpx.Response(429, json={"error_code": "APIGW.0308"})
REFUSED = httpx.Response(401, json={"error_code": "APIGW.0301", "error_msg": "bad"})


def test_token_is_sent(make: Maker) -> None:
    """A token goes out with every call, and a 401 on it is final."""
    wire = Wire(REFUSED)
    with pytest.raises(AuthenticationError) as caught:
        make(transport=wire).pause()
    assert [request.headers["X-Auth-Token"] for request in wire.sent] == [TOKEN]
    assert caught.value.code == "APIGW.0301"


@pytest.mark.parametrize(
    "token", ["", " ", "a\nb", "a\r", "\ta", " a", "a ", "é", "a\x00", None, 5, b"token"], ids=repr
)
def test_bad_token_is_refused(token: Any) -> None:
    """A token that a header cannot carry is refused when it is given."""
    with pytest.raises(ConfigurationError, match=r"^token must be .* not shown here"):
        TokenAuth(token)


def test_callable_is_called_for_every_attempt(make: Maker) -> None:
    """A callable's token of the moment is used, and one more after a 401."""
    tokens = iter(["first", "second", "third", "fourth"])
    wire = Wire(JOB, REFUSED, JOB, JOB)
    client = make(auth=TokenAuth(lambda: next(tokens)), transport=wire)
    for _ in range(3):
        client.pause()
    sent = [request.headers["X-Auth-Token"] for request in wire.sent]
    assert sent == ["first", "second", "third", "fourth"]


def test_same_token_is_not_sent_twice(make: Maker) -> None:
    """After a 401, a callable with nothing new to offer does not make the call go out again."""
    wire = Wire(REFUSED)
    with pytest.raises(AuthenticationError):
        make(auth=TokenAuth(lambda: "same"), transport=wire).pause()
    assert len(wire.sent) == 1


def test_renewed_token_that_is_refused(make: Maker) -> None:
    """A second 401 is the answer; there is no third try."""
    tokens = iter("abc")
    wire = Wire(REFUSED)
    with pytest.raises(AuthenticationError) as caught:
        make(auth=TokenAuth(lambda: next(tokens)), transport=wire).pause()
    assert len(wire.sent) == caught.value.attempts == 2


class VaultError(Exception):
    """What a user's own code raises, and this package knows nothing of."""


@attrs.frozen
class Own(Credentials):
    """Credentials of the user's own: whatever a function of the request gives, or raises."""

    give: Callable[[Request], Any]

    def headers(self, request: Request, /) -> Any:
        return self.give(request)


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [OSError("vault is sealed"), VaultError(), KeyError("token")], ids=repr
)
@pytest.mark.parametrize("kind", [TokenAuth, Own])
def test_what_credentials_raise(make: Maker, kind: Any, error: Exception) -> None:
    """It is a NotSentError with the original as its cause; nothing was sent, nothing is retried."""
    wire = Wire()
    with pytest.raises(
        NotSentError, match=f"{kind.__name__} failed with {type(error).__name__}"
    ) as it:
        make(auth=kind(raising(error)), transport=wire).pause()
    assert it.value.__cause__ is error
    assert (it.value.attempts, it.value.operation, it.value.task_name) == (0, "pause", TASK)
    assert "vault is sealed" not in str(it.value)
    assert wire.sent == []


def caused_by_itself() -> NoReturn:
    error = VaultError()
    raise error from error


def caused_by_each_other() -> NoReturn:
    error, other = VaultError(), OSError()
    other.__cause__ = error
    raise error from other


def with_context_and_cause() -> NoReturn:
    try:
        raising(OSError())()
    except OSError:
        raise VaultError from KeyError()


def in_a_group() -> NoReturn:
    try:
        raising(OSError())()
    except OSError as error:
        raise ExceptionGroup("both", [error, VaultError()]) from None


@pytest.mark.parametrize(
    "fail", [caused_by_itself, caused_by_each_other, with_context_and_cause, in_a_group]
)
def test_causes_have_no_traceback(make: Maker, fail: Callable[..., Any]) -> None:
    """The variables of their frames can have secrets. Causes can go round in a circle."""
    with pytest.raises(NotSentError) as caught:
        make(auth=TokenAuth(fail)).pause()
    behind = caught.value.__cause__
    assert behind is not None
    for link in (behind, behind.__cause__, behind.__context__, *getattr(behind, "exceptions", ())):
        assert link is None or link.__traceback__ is None


@pytest.mark.parametrize("refused", [True, False])
def test_exception_of_the_program_keeps_its_traceback(make: Maker, refused: bool) -> None:
    """Also if a call fails while the program handles that exception, as a window does."""
    settings: dict[str, Any] = {"transport": Wire(httpx.ConnectError("x"))}
    client = make(retry=ONCE, **({"endpoint": "http://127.0.0.1:1"} if refused else settings))
    mine = VaultError()
    try:
        raising(mine)()
    except VaultError:
        with pytest.raises(NotSentError):
            client.pause()
    assert mine.__traceback__ is not None


def test_typed_error_of_credentials_stays(make: Maker) -> None:
    """A ReplicationError that credentials raise is the call's."""
    wire = Wire()
    with pytest.raises(ConfigurationError, match="no vault"):
        make(auth=TokenAuth(raising(ConfigurationError("no vault"))), transport=wire).pause()
    assert wire.sent == []


@pytest.mark.parametrize(
    "headers", [5, "text", [1], {"X-Auth-Token": None}, {"X-Auth-Token": b"a"}, {5: "a"}], ids=repr
)
def test_headers_that_are_none(make: Maker, headers: Any) -> None:
    """What is no mapping of texts to texts is not sent."""
    wire = Wire()
    with pytest.raises(NotSentError, match="Own failed with"):
        make(auth=Own(lambda _: headers), transport=wire).pause()
    assert wire.sent == []


@pytest.mark.parametrize("value", ["é", " a", "a\n", "a\x00"], ids=repr)
def test_header_that_cannot_be_sent(make: Maker, value: str) -> None:
    """A mock does not get what the network would refuse; it would not be sent better again."""
    wire = Wire()
    with pytest.raises(NotSentError, match="a header is malformed") as caught:
        make(auth=Own(lambda _: {"X-Auth-Token": value}), transport=wire).pause()
    assert (caught.value.lasting, caught.value.attempts) == (True, 1)
    assert wire.sent == []


def test_own_credentials(make: Maker) -> None:
    """A subclass sees the request as it will be sent, and its headers go along."""
    seen: list[Request] = []

    def give(request: Request) -> dict[str, str]:
        seen.append(request)
        return {"X-Number": str(len(seen))}

    wire = Wire(THROTTLED, JOB)
    make(auth=Own(give), transport=wire).pause()
    assert [request.headers["X-Number"] for request in wire.sent] == ["1", "2"]
    assert (seen[0].method, seen[0].body) == ("POST", wire.sent[0].content)
    assert f"{seen[0].origin}{seen[0].target}" == str(wire.sent[0].url)
    assert seen[0].headers["Content-Type"] == "application/json"


# Both vectors were recomputed with the vendor's own signer.
VECTORS = [
    (
        ("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "GET"),
        (
            "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2"
            "&marker=13551d6b-755d-4757-b956-536f674975c0"
        ),
        [
            ("Content-Type", "application/json"),
            ("Host", "service.region.example.com"),
            ("X-Sdk-Date", "20191115T033655Z"),
        ],
        b"",
        "content-type;host;x-sdk-date",
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
    ),
    (
        ("SKEXAMPLE", "POST"),
        f"/v3/{PROJECT}/instances/{INSTANCE}/starrocks/databases/replication/pause",
        [
            ("User-Agent", "ua"),
            ("Content-Type", "application/json;charset=UTF-8"),
            ("X-Sdk-Date", "20250101T000000Z"),
            ("X-Project-Id", PROJECT),
            ("X-Language", " en-us "),
            ("Host", "gaussdb.cn-north-4.myhuaweicloud.com"),
        ],
        b'{"task_name": "task_name"}',
        "content-type;host;user-agent;x-language;x-project-id;x-sdk-date",
        "cb58331d6d7a8f0205dfdca4038d8baf804f2b2f1e971fbee53b90663184b881",
    ),
]


@pytest.mark.parametrize(("key", "target", "headers", "body", "signed", "expected"), VECTORS)
def test_signature_vectors(  # The columns of the table.
    key: tuple[str, str],
    target: str,
    headers: list[tuple[str, str]],
    body: bytes,
    signed: str,
    expected: str,
) -> None:
    """The signature of known requests is the known one."""
    date = dict(headers)["X-Sdk-Date"]
    assert signature.sign(*key, target, headers, body, date) == (signed, expected)


@given(st.text(min_size=1, max_size=20))
def test_signature_does_not_depend_on_the_encoding_of_the_path(segment: str) -> None:
    """A path percent-encoded in another way is the same path to the verifier."""
    plain = "/" + quote(segment, safe="")
    encoded = "/" + "".join(f"%{byte:02x}" for byte in segment.encode())

    def sign(path: str) -> tuple[str, str]:
        return signature.sign("s", "GET", path, [("X-Sdk-Date", "d")], b"", "d")

    assert sign(plain) == sign(encoded)


def verify(request: httpx.Request, access_key: str, secret_key: str) -> set[str]:
    """Check a signature as the gateway would, from what came; the names that were signed."""
    found = re.fullmatch(
        r"SDK-HMAC-SHA256 Access=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        request.headers["Authorization"],
    )
    assert found is not None
    names = found[2].split(";")
    assert found[1] == access_key
    expected = signature.sign(
        secret_key,
        request.method,
        request.url.raw_path.decode(),
        [(name, request.headers[name]) for name in names],
        request.content,
        request.headers["X-Sdk-Date"],
    )
    assert expected == (found[2], found[3])
    return set(names)


@pytest.mark.parametrize("endpoint", ["https://e.com", "https://e.com:8443/behind/a/gateway"])
def test_access_key_signs_what_is_sent(make: Maker, endpoint: str) -> None:
    """Host, date, type and project are signed with the body; the secret key is not sent."""
    wire = Wire()
    auth = AccessKeyAuth("AKID", "the-secret", clock=lambda: NOW)
    client = make(auth=auth, transport=wire, endpoint=endpoint)
    client.pause()
    (request,) = wire.sent
    names = verify(request, "AKID", "the-secret")
    assert names == {"content-type", "host", "x-project-id", "x-sdk-date"}
    assert request.headers["X-Sdk-Date"] == "20231114T221320Z"
    assert request.headers["X-Project-Id"] == PROJECT
    assert "X-Auth-Token" not in request.headers
    assert "the-secret" not in str(request.headers.raw)


def test_signed_look_has_its_query_signed(make: Maker) -> None:
    """A look at the tasks, which has a query and no body, is signed as well."""
    wire = Wire(httpx.Response(200, json={"total_count": 0, "replications": []}))
    make(auth=AccessKeyAuth("AKID", "the-secret"), transport=wire).tasks()
    (request,) = wire.sent
    assert request.url.query
    assert verify(request, "AKID", "the-secret") >= {"host", "x-sdk-date"}


def test_security_token_is_sent_and_signed(make: Maker) -> None:
    """A temporary key's token goes along, under the signature."""
    wire = Wire()
    make(auth=AccessKeyAuth("AKID", "the-secret", "temporary"), transport=wire).pause()
    assert wire.sent[0].headers["X-Security-Token"] == "temporary"
    assert "x-security-token" in verify(wire.sent[0], "AKID", "the-secret")


def test_refused_signature_is_never_sent_again(make: Maker) -> None:
    """Five wrong signatures lock a key: a 401 is final."""
    wire = Wire(REFUSED)
    with pytest.raises(AuthenticationError):
        make(auth=AccessKeyAuth("AKID", "the-secret"), transport=wire).pause()
    assert len(wire.sent) == 1


def test_each_attempt_is_signed_anew(make: Maker) -> None:
    """A retry is dated and signed when it is sent: the service refuses what is 15 minutes old."""
    now = NOW

    def later() -> float:
        nonlocal now
        now += 1200
        return now

    wire = Wire(THROTTLED, httpx.ConnectError("x"), JOB)
    make(auth=AccessKeyAuth("AKID", "the-secret", clock=later), transport=wire).pause()
    for request in wire.sent:
        verify(request, "AKID", "the-secret")
    dates = [request.headers["X-Sdk-Date"] for request in wire.sent]
    assert dates == ["20231114T223320Z", "20231114T225320Z", "20231114T231320Z"]
    assert len({request.headers["Authorization"] for request in wire.sent}) == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("", "s"), "access_key"),
        (("a", ""), "secret_key"),
        (("a", "s", ""), "security_token"),
        (("a", "s\n"), "secret_key"),
        (("a", None), "secret_key"),
    ],
)
def test_bad_access_key(arguments: Any, named: str) -> None:
    """A part of an access key that is missing or malformed is named."""
    with pytest.raises(ConfigurationError, match=f"^{named} must be"):
        AccessKeyAuth(*arguments)


class Iam:
    """An IAM on the same transport as the service: answers logins, and counts them."""

    def __init__(self, *, life: float = 86_400.0) -> None:
        self.now = NOW
        self.logins: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.life = life
        self.refused: set[str] = set()
        self.answer: Callable[[], httpx.Response | Exception] = self.good
        self.wire = Wire(self._answer)

    def good(self) -> httpx.Response:
        end = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(self.now + self.life))
        headers = {"X-Subject-Token": f"token-{len(self.logins)}"}
        return httpx.Response(201, json={"token": {"expires_at": end}}, headers=headers)

    def _answer(self, request: httpx.Request) -> httpx.Response | Exception:
        if request.url.path.endswith("/auth/tokens"):
            self.logins.append(json.loads(request.content))
            return self.answer()
        self.calls.append(request.headers["X-Auth-Token"])
        return REFUSED if self.calls[-1] in self.refused else JOB

    def auth(self, **settings: Any) -> IamPasswordAuth:
        defaults = {"project_id": PROJECT, "iam_endpoint": "https://iam.example.com"}
        defaults |= {"clock": lambda: self.now}
        return IamPasswordAuth("me", "pass-word", "acme", **(defaults | settings))


def test_login_on_first_use_and_kept(make: Maker) -> None:
    """The password is sent once, on first use, scoped to the project; the token is kept."""
    iam = Iam()
    client = make(auth=iam.auth(), transport=iam.wire)
    assert iam.logins == []
    for _ in range(3):
        client.pause()
    assert iam.calls == ["token-1"] * 3
    user = {"name": "me", "password": "pass-word", "domain": {"name": "acme"}}
    assert iam.logins == [
        {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"id": PROJECT}},
            }
        }
    ]
    assert str(iam.wire.sent[0].url) == "https://iam.example.com/v3/auth/tokens"
    assert "X-Auth-Token" not in iam.wire.sent[0].headers


def test_login_does_not_count_as_an_attempt(make: Maker) -> None:
    """The call after a login has all its attempts, and its error counts them alone."""
    iam = Iam()
    auth = iam.auth()
    wire = Wire(
        lambda request: (
            iam._answer(request) if "tokens" in request.url.path else httpx.ConnectError("x")
        )
    )
    with pytest.raises(NotSentError) as caught:
        make(auth=auth, transport=wire).pause()
    assert caught.value.attempts == 3
    assert len(wire.sent) == 4


@pytest.mark.parametrize(
    ("settings", "url", "scope"),
    [
        ({"region": "cn-north-4"}, "https://iam.cn-north-4.myhuaweicloud.com", "cn-north-4"),
        ({"region": "nowhere-1"}, "https://iam.myhuaweicloud.com", "nowhere-1"),
        ({"project_id": PROJECT}, "https://iam.myhuaweicloud.com", None),
        (
            {"project_id": PROJECT, "region": "tr-west-1"},
            "https://iam.tr-west-1.myhuaweicloud.com",
            None,
        ),
        ({"region": "r", "iam_endpoint": "https://k.org:5000/v3/"}, "https://k.org:5000", "r"),
    ],
)
def test_login_host_and_scope(
    make: Maker, settings: dict[str, Any], url: str, scope: str | None
) -> None:
    """The region names the IAM host and, without a project, the scope; an endpoint wins."""
    iam = Iam()
    settings = {"project_id": None, "iam_endpoint": None} | settings
    make(auth=iam.auth(**settings), transport=iam.wire).pause()
    assert str(iam.wire.sent[0].url) == f"{url}/v3/auth/tokens"
    expected = {"id": PROJECT} if scope is None else {"name": scope}
    assert iam.logins[0]["auth"]["scope"]["project"] == expected


def test_token_is_renewed_before_it_expires(make: Maker) -> None:
    """Five minutes before the end of a day, a tenth before that of a short life."""
    for life, kept in ((86_400.0, 86_400.0 - 301), (100.0, 89.0)):
        iam = Iam(life=life)
        client = make(auth=iam.auth(), transport=iam.wire)
        client.pause()
        iam.now += kept
        client.pause()
        assert len(iam.logins) == 1
        iam.now += 2
        client.pause()
        assert iam.calls == ["token-1", "token-1", "token-2"]


def test_token_is_renewed_once_after_a_401(make: Maker) -> None:
    """A token that died early is renewed once, and the call goes on."""
    iam = Iam()
    client = make(auth=iam.auth(), transport=iam.wire)
    client.pause()
    iam.refused.add("token-1")
    assert client.pause().id == "job-1"
    assert iam.calls == ["token-1", "token-1", "token-2"]
    iam.refused |= {"token-2", "token-3"}
    with pytest.raises(AuthenticationError):
        client.pause()
    assert len(iam.logins) == 3


def test_login_that_brings_the_refused_token_again(make: Maker) -> None:
    """A renewal with nothing new ends the call with the 401, after one more login."""
    iam = Iam()
    iam.answer = lambda: told("2999-01-01T00:00:00Z")
    iam.refused.add("t")
    with pytest.raises(AuthenticationError) as caught:
        make(auth=iam.auth(), transport=iam.wire).pause()
    assert caught.value.code == "APIGW.0301"
    assert (iam.calls, len(iam.logins)) == (["t"], 2)


def test_token_that_ends_at_once(make: Maker) -> None:
    """A life too short to be used before its renewal is due costs a login per call, not more."""
    iam = Iam(life=1e-9)
    client = make(auth=iam.auth(clock=time.time), transport=iam.wire)
    iam.now = time.time()
    iam.answer = lambda: told("2023-11-20T00:00:00.000001Z", "2023-11-20T00:00:00.000000Z")
    client.pause()
    client.pause()
    assert len(iam.logins) == 2


def test_hundred_calls_make_one_login(make: Maker) -> None:
    """Calls that begin together share one login, and after a 401 one renewal."""
    iam = Iam()

    def slowly() -> httpx.Response:
        time.sleep(0.05)
        return iam.good()

    iam.answer = slowly
    client = make(auth=iam.auth(), transport=iam.wire)
    assert {job.id for job in client.all_at_once(100)} == {"job-1"}
    assert len(iam.logins) == 1
    iam.refused.add("token-1")
    assert {job.id for job in client.all_at_once(100)} == {"job-1"}
    assert len(iam.logins) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_login_is_remembered(make: Maker, status: int) -> None:
    """A login that IAM refuses is said to be one, and is not repeated: it could lock the user."""
    iam = Iam()
    body = {"error": {"code": status, "message": "The password is wrong: pass-word."}}
    iam.answer = lambda: httpx.Response(status, json=body, headers={"X-Request-Id": "r"})
    client = make(auth=iam.auth(), transport=iam.wire)
    for attempts in (1, 0):
        with pytest.raises(
            AuthenticationError, match=r"login at iam\.example\.com was rejected"
        ) as it:
            client.pause()
        assert (it.value.status, it.value.request_id) == (status, "r")
        assert it.value.attempts == attempts
        assert "The password is wrong: [hidden]. Nothing else was sent." in str(it.value)
    outcomes = client.all_at_once(20)
    assert {type(outcome) for outcome in outcomes} == {AuthenticationError}
    assert len(iam.logins) == 1
    assert iam.calls == []


# A server in front of IAM answers in place of IAM, or IAM is not there.
NOT_OF_IAM = [
    httpx.Response(400),
    httpx.Response(401, html="<p>Who are you?</p>"),
    httpx.Response(403, html="<p>Blocked.</p>"),
    httpx.Response(403, json={"error_code": "APIGW.0302", "error_msg": "Not in the whitelist."}),
    httpx.Response(404, html="<p>No route.</p>"),
    httpx.Response(404, json={"error": {"code": 404, "message": "Not here."}}),
]
FAILED = [
    *NOT_OF_IAM,
    httpx.Response(500),
    httpx.Response(500, json={"error_code": "IAM.0001", "error_msg": "No."}),
    httpx.Response(502),
    httpx.Response(200, json={"token": {}}),
    httpx.Response(302, headers={"Location": "https://elsewhere.example.com"}),
    httpx.Response(405),
    httpx.Response(201, json={"token": {"expires_at": "2999-01-01T00:00:00Z"}}),
    httpx.Response(201, headers={"X-Subject-Token": "t"}),
    httpx.Response(201, headers={"X-Subject-Token": "t"}, content=b"[" * 100_000),
    httpx.Response(201, headers={"X-Subject-Token": "t"}, json=[]),
    httpx.Response(201, headers={"X-Subject-Token": "t"}, json={"token": {"expires_at": "soon"}}),
    httpx.Response(201, headers={"X-Subject-Token": "t"}, json={"token": {"expires_at": 5}}),
    httpx.ReadTimeout("timed out"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("server disconnected"),
]


@pytest.mark.parametrize("answer", FAILED, ids=str)
def test_failed_login_is_not_sent_and_may_be_repeated(make: Maker, answer: Any) -> None:
    """A login without a usable answer: the call's own request never left. The next call asks."""
    iam = Iam()
    iam.answer = lambda: answer
    client = make(auth=iam.auth(), transport=iam.wire, retry=ONCE)
    with pytest.raises(NotSentError):
        client.pause()
    assert len(iam.logins) == 1
    assert iam.calls == []
    iam.answer = iam.good
    assert client.pause().id == "job-1"


@pytest.mark.parametrize(
    "answer", [*NOT_OF_IAM, httpx.Response(503), httpx.ReadTimeout("timed out")], ids=str
)
def test_token_that_cannot_be_renewed(
    make: Maker, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is used until it expires, and every half minute the next call tries to renew it."""
    iam = Iam(life=3600.0)
    client = make(auth=iam.auth(), transport=iam.wire, retry=ONCE)
    client.pause()
    iam.now += 3600 - 200
    iam.answer = lambda: answer
    for logins in (2, 2):
        client.pause()
        assert len(iam.logins) == logins
    iam.now += 31
    client.pause()
    assert (len(iam.logins), iam.calls) == (3, ["token-1"] * 4)
    (line, _) = [each.getMessage() for each in caplog.records if "renewed" in each.getMessage()]
    assert line.startswith("the token could not be renewed and is used until it expires: The login")
    assert "pass-word" not in line
    iam.now += 170
    with pytest.raises(NotSentError):
        client.pause()
    assert len(iam.calls) == 4
    iam.answer = iam.good
    client.pause()
    assert iam.calls[-1] == "token-5"


def test_token_whose_renewal_is_refused(make: Maker) -> None:
    """It is used until it expires, without another login, which could lock the user."""
    iam = Iam(life=3600.0)
    client = make(auth=iam.auth(), transport=iam.wire)
    client.pause()
    iam.now += 3600 - 200
    body = {"error": {"code": 401, "message": "The password is wrong."}}
    iam.answer = lambda: httpx.Response(401, json=body)
    for wait in (0, 100, 99):
        iam.now += wait
        client.pause()
    iam.now += 2
    with pytest.raises(AuthenticationError, match=r"The password is wrong"):
        client.pause()
    assert (len(iam.logins), iam.calls) == (2, ["token-1"] * 4)


def test_call_of_a_signal_handler_during_a_login() -> None:
    """It does not wait for the login of the call that it interrupts: that one cannot go on."""
    iam = Iam()

    def handler() -> httpx.Response:
        iam.answer = iam.good
        assert client.resume(INSTANCE, TASK).id == "job-1"
        return iam.good()

    iam.answer = handler
    settings = SETTINGS | {"auth": iam.auth(), "transport": iam.wire, "timeout": 5.0}
    with Client(**settings) as client:
        began = time.monotonic()
        assert client.pause(INSTANCE, TASK).id == "job-1"
        assert time.monotonic() - began < 4
    assert len(iam.logins) == 2


class Interrupted:
    """A lock; an interrupt comes when it is released for the first time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._interrupts = [KeyboardInterrupt()]

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_exception: object) -> None:
        self._lock.release()
        if self._interrupts:
            raise self._interrupts.pop()


def test_interrupt_just_before_a_login(make: Maker) -> None:
    """Later calls do not wait for that login."""
    iam = Iam()
    auth = iam.auth()
    auth._lock = Interrupted()  # type: ignore[assignment]  # It does what a lock does.
    client = make(auth=auth, transport=iam.wire, timeout=2.0)
    with pytest.raises(KeyboardInterrupt):
        client.pause()
    assert client.pause().id == "job-1"


def test_login_that_never_ends(make: Maker) -> None:
    """A call that has waited until its deadline ends; the next one makes its own login."""
    iam = Iam()
    auth = iam.auth()
    client = make(auth=auth, transport=iam.wire, timeout=0.1)
    auth._login = lost = Latch()
    lost._owner = 0  # Of another thread.
    with pytest.raises(NotSentError, match=r"The login at iam\.example\.com failed: .*deadline"):
        client.pause()
    assert client.pause().id == "job-1"


@pytest.mark.parametrize(
    "auth",
    [TokenAuth("secret-1"), AccessKeyAuth("secret-1", "secret-1"), Iam().auth()],
    ids=lambda auth: type(auth).__name__,
)
def test_credentials_are_not_pickled(auth: Credentials) -> None:
    """A pickle would show the secrets."""
    with pytest.raises(TypeError, match=f"{type(auth).__name__} cannot be pickled"):
        pickle.dumps(auth)


def test_throttled_login_is_tried_again(make: Maker) -> None:
    """A login is retried by the same policy as any request, and its throttling is no refusal."""
    iam = Iam()
    answers = [httpx.Response(429), httpx.ConnectError("x")]
    iam.answer = lambda: answers.pop(0) if answers else iam.good()
    make(auth=iam.auth(), transport=iam.wire).pause()
    assert len(iam.logins) == 3
    iam = Iam()
    iam.answer = lambda: httpx.Response(429)
    with pytest.raises(NotSentError, match="failed: 429 ") as caught:
        make(auth=iam.auth(), transport=iam.wire).pause()
    assert len(iam.logins) == caught.value.attempts == 3


class Everything(RetryPolicy):
    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        return 0.0 if attempt < 3 else None


def test_good_login_is_no_failure_to_the_policy(make: Maker) -> None:
    """A policy that tries everything again does not log in again after a good login."""
    iam = Iam()
    make(auth=iam.auth(), transport=iam.wire, retry=Everything()).pause()
    assert len(iam.logins) == 1


@pytest.mark.parametrize(
    "expires_at",
    [
        "2999-02-13T06:52:13.855000Z",
        "2999-02-13T06:52:13Z",
        "2999-02-13T06:52:13+08:00",
        "2999-02-13T06:52:13",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_forms_of_expiry(make: Maker, expires_at: str) -> None:
    """The end of a token's life is understood with and without fractions and time zone."""
    iam = Iam()
    headers = {"X-Subject-Token": "t"}
    iam.answer = lambda: httpx.Response(
        201, headers=headers, json={"token": {"expires_at": expires_at}}
    )
    client = make(auth=iam.auth(), transport=iam.wire)
    client.pause()
    client.pause()
    assert len(iam.logins) == 1


def told(expires_at: str, issued_at: object = None, date: str | None = None) -> httpx.Response:
    """A login's response that says when its token was issued, and when it was sent itself."""
    token = {"expires_at": expires_at} | ({} if issued_at is None else {"issued_at": issued_at})
    headers = {"X-Subject-Token": "t"} | ({} if date is None else {"Date": date})
    return httpx.Response(201, headers=headers, json={"token": token})


LIVES = [
    # By the IAM's clock a token lives for two hours, whatever ours says.
    (told("2023-11-10T02:00:00Z", "2023-11-10T00:00:00Z"), 6900),
    (told("2023-11-20T02:00:00Z", "2023-11-20T00:00:00.000000Z"), 6900),
    (told("2023-11-20T02:00:00Z", None, "Mon, 20 Nov 2023 00:00:00 GMT"), 6900),
    (told("2023-11-20T02:00:00Z", "soon", "Mon, 20 Nov 2023 00:00:00 GMT"), 6900),
    (told("2023-11-20T02:00:00Z", 5, "Mon, 20 Nov 2023 00:00:00 GMT"), 6900),
    # Nothing else says when it was issued: now.
    (told("2023-11-15T00:13:20Z", None, "rubbish"), 6900),
    (told("2023-11-15T00:13:20Z"), 6900),
]


@pytest.mark.parametrize(("response", "kept"), LIVES, ids=range(len(LIVES)))
def test_life_of_a_token_by_the_clock_of_the_iam(
    make: Maker, response: httpx.Response, kept: float
) -> None:
    """A clock that is days ahead or behind makes neither a login per call nor a dead token."""
    iam = Iam()
    iam.answer = lambda: response
    client = make(auth=iam.auth(), transport=iam.wire)
    client.pause()
    iam.now += kept - 1
    client.pause()
    assert len(iam.logins) == 1
    iam.now += 2
    client.pause()
    assert len(iam.logins) == 2


def test_token_that_is_old_already(make: Maker) -> None:
    """A token of the past, by a clock that is wrong, is used until it is refused."""
    iam = Iam(life=-1000.0)
    client = make(auth=iam.auth(), transport=iam.wire)
    client.pause()
    client.pause()
    assert iam.calls == ["token-1", "token-1"]
    iam.refused.add("token-1")
    client.pause()
    assert iam.calls[2:] == ["token-1", "token-2"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "needs project_id or region"),
        ({"project_id": "x"}, "project_id must be"),
        ({"region": ""}, "region must be"),
        ({"region": 5}, "region must be"),
        ({"project_id": PROJECT, "iam_endpoint": "http://iam.example.com"}, "iam_endpoint must"),
        ({"project_id": PROJECT, "iam_endpoint": 5}, "iam_endpoint must"),
    ],
)
def test_bad_login_settings(settings: dict[str, Any], words: str) -> None:
    """What a login lacks is named when it is set up."""
    with pytest.raises(ConfigurationError, match=words):
        IamPasswordAuth("me", "pass-word", "acme", **settings)


@pytest.mark.parametrize("bad", ["", None, 5, "\udcff"])
def test_bad_login_names(bad: Any) -> None:
    """User, password and account are texts that can be sent."""
    for at, name in enumerate(("user", "password", "account")):
        arguments = ["me", "pass-word", "acme"]
        arguments[at] = bad
        with pytest.raises(ConfigurationError, match=f"^{name} must be"):
            IamPasswordAuth(*arguments, project_id=PROJECT)


def test_any_password_can_be_sent(make: Maker) -> None:
    """A password may hold line breaks, quotes and any character there is."""
    password = 'ü\n"\\\x00🔑'
    iam = Iam()
    auth = IamPasswordAuth(
        "me", password, "acme", project_id=PROJECT, iam_endpoint="https://iam.example.com"
    )
    make(auth=auth, transport=iam.wire).pause()
    user = iam.logins[0]["auth"]["identity"]["password"]["user"]
    assert user["password"] == password


def test_login_does_not_survive_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child does not wait for a login, nor for a lock, that a thread of its parent was in."""
    auth = Iam().auth()
    request = Request("POST", Origin("https", "e.com", 443), "/")

    def login(_request: Request, _hidden: list[str]) -> Generator[Any, Any, Any]:
        yield "login"

    parents = auth.authenticate(request, None, login)
    assert next(parents) == "login"
    assert isinstance(next(auth.authenticate(request, None, login)), Wait)
    assert auth._lock.acquire(blocking=False)
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    childs = auth.authenticate(request, None, login)
    assert next(childs) == "login"


def test_login_of_a_thread_outlives_the_loop_that_waits_for_it() -> None:
    """A thread's login ends well when a loop that shared it is gone by then."""
    iam = Iam()
    waits, ends = threading.Event(), threading.Event()

    def slowly() -> httpx.Response:
        waits.set()
        assert ends.wait(5)
        return iam.good()

    iam.answer = slowly
    auth = iam.auth()
    settings = SETTINGS | {"auth": auth, "transport": iam.wire}

    async def give_up() -> None:
        async with AsyncClient(**settings) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.pause(INSTANCE, TASK)

    with Client(**settings) as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(client.pause, INSTANCE, TASK)
        assert waits.wait(5)
        asyncio.run(give_up())
        ends.set()
        assert job.result().id == "job-1"
    assert len(iam.logins) == 1


def test_latch_that_is_open_calls_back_at_once() -> None:
    """Who comes after the login has ended does not wait for another."""
    latch = Latch()
    called = []
    latch.then(lambda: called.append("before"))
    assert not latch.wait(0)
    latch.open()
    latch.then(lambda: called.append("after"))
    assert latch.wait(0)
    assert called == ["before", "after"]


def find(wire: Wire, **options: Any) -> str:
    return find_project_id("cn-north-4", auth=TokenAuth(TOKEN), transport=wire, **options)


def test_project_of_a_region() -> None:
    """IAM is asked once for the project that has the region's name."""
    wire = Wire(httpx.Response(200, json={"projects": [{"id": PROJECT, "name": "cn-north-4"}]}))
    assert find(wire) == PROJECT
    (request,) = wire.sent
    url = "https://iam.cn-north-4.myhuaweicloud.com/v3/projects?name=cn-north-4"
    assert (request.method, str(request.url)) == ("GET", url)
    assert request.headers["X-Auth-Token"] == TOKEN
    find(wire, iam_endpoint="http://127.0.0.1:5000/v3")
    assert str(wire.sent[1].url) == "http://127.0.0.1:5000/v3/projects?name=cn-north-4"


@pytest.mark.parametrize(
    ("projects", "words"),
    [
        ([], "IAM has no project named cn-north-4"),
        (None, "IAM has no project named cn-north-4"),
        ([{"id": PROJECT}, {"id": PROJECT}], "IAM has 2 projects named cn-north-4"),
    ],
)
def test_project_that_is_not_one(projects: Any, words: str) -> None:
    """None or several projects are no answer."""
    wire = Wire(httpx.Response(200, json={"projects": projects}))
    with pytest.raises(NotFoundError, match=f"^{words}"):
        find(wire)


@pytest.mark.parametrize("projects", ["x", [1], {}, 5])
def test_projects_that_are_no_list(projects: Any) -> None:
    """Neither is anything else, which is retried as any reading is."""
    wire = Wire(httpx.Response(200, json={"projects": projects}))
    with pytest.raises(OutcomeUnknownError, match="safe to repeat"):
        find(wire, retry=AT_ONCE)
    assert len(wire.sent) == 3


@pytest.mark.parametrize("project_id", [None, 5, "", "../.."])
def test_project_with_an_impossible_id(project_id: Any) -> None:
    """An ID that no project can have is not handed on."""
    wire = Wire(httpx.Response(200, json={"projects": [{"id": project_id}]}))
    with pytest.raises(OutcomeUnknownError, match="returned an invalid project ID"):
        find(wire)


def test_project_search_with_an_access_key() -> None:
    """A request of no project is signed without one."""
    wire = Wire(httpx.Response(200, json={"projects": [{"id": PROJECT}]}))
    auth = AccessKeyAuth("AKID", "the-secret")
    assert find_project_id("cn-north-4", auth=auth, transport=wire) == PROJECT
    assert verify(wire.sent[0], "AKID", "the-secret") == {"host", "x-sdk-date"}


def test_project_search_looks_for_credentials() -> None:
    """They are found where a client would find them, and missed with the same words."""
    wire = Wire(httpx.Response(200, json={"projects": [{"id": PROJECT}]}))
    environ = {"HOME": "/nonexistent"}
    with pytest.raises(ConfigurationError, match="No credentials"):
        find_project_id("r", environ=environ, transport=wire)
    environ["TAURUSDB_STARROCKS_AUTH_TOKEN"] = "from-environ"
    assert find_project_id("r", environ=environ, transport=wire) == PROJECT
    assert wire.sent[0].headers["X-Auth-Token"] == "from-environ"


class Malformed(Credentials):
    """Credentials of the user's own with a header that no request can carry."""

    def headers(self, _request: Request, /) -> dict[str, str]:
        return {"X-Auth-Token": "line\nbreak"}


def test_mock_transport_refuses_what_the_network_refuses(make: Maker) -> None:
    """A test with a mock transport does not pass with a header that is never sent."""
    wire = Wire()
    with pytest.raises(NotSentError, match="a header is malformed"):
        make(transport=wire, auth=Malformed()).pause()
    assert wire.sent == []
