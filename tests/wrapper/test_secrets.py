"""No secret is in anything that a failure leaves behind, not even with a server that echoes it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import pickle
import socket
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from clients import INSTANCE, ONCE, PROJECT, TASK, Maker, Wire
from loopback import Server, closed_port, read_request, reply
from taurusdb_starrocks import (
    AccessKeyAuth,
    AuthenticationError,
    ConfigurationError,
    Credentials,
    IamPasswordAuth,
    NotSentError,
    OutcomeUnknownError,
    Poll,
    ReplicationError,
    Request,
    TaskFailedError,
    TokenAuth,
    WaitTimeoutError,
    find_project_id,
)
from taurusdb_starrocks._redaction import clean

TOKEN = "MIIEtok.enWith/Many+Parts=0123'456\"789\\abcdef-ghijklmnop"
PASSWORD = "zebra horse~battery staple!"
ACCESS_KEY = "AKIDSECRETEXAMPLE123"
SECRET_KEY = "SKneverLeavesThisMachine"
SECURITY_TOKEN = "temporary/SecurityToken+0123456789"
OTHER = "Basic " + base64.b64encode(b"somebody:something-secret").decode()
SECRETS = {
    "token": TOKEN,
    "password": PASSWORD,
    "access key": ACCESS_KEY,
    "secret key": SECRET_KEY,
    "security token": SECURITY_TOKEN,
    "credentials": OTHER.partition(" ")[2],
}


class Custom(Credentials):
    """Credentials of the user's own."""

    def headers(self, _request: Request, /) -> dict[str, str]:
        return {"Authorization": OTHER}


class Malformed(Credentials):
    """Credentials whose header cannot be sent."""

    def headers(self, _request: Request, /) -> dict[str, str]:
        return {"X-Auth-Token": f" {TOKEN}\n"}


class Foreign(Credentials):
    """The same with a character that is not ASCII."""

    def headers(self, _request: Request, /) -> dict[str, str]:
        return {"X-Auth-Token": f"{TOKEN}é"}


class Failing(Credentials):
    """Credentials that fail, and say with what."""

    def headers(self, _request: Request, /) -> dict[str, str]:
        raise OSError(TOKEN)


def iam_auth(url: str) -> IamPasswordAuth:
    return IamPasswordAuth("user", PASSWORD, "account", project_id=PROJECT, iam_endpoint=url)


CREDENTIALS: dict[str, Callable[[str], Credentials]] = {
    "token": lambda _: TokenAuth(TOKEN),
    "callable": lambda _: TokenAuth(lambda: TOKEN),
    "access key": lambda _: AccessKeyAuth(ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN),
    "password": iam_auth,
    "custom": lambda _: Custom(),
    "malformed": lambda _: Malformed(),
    "foreign": lambda _: Foreign(),
}


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def echoes(request: bytes) -> list[str]:
    """What a server could repeat of a request: its secrets, whole, cut, and among others."""
    headers = headers_of(request)
    names = ("x-auth-token", "authorization", "x-security-token")
    values = [headers[name] for name in names if name in headers]
    body = request.partition(b"\r\n\r\n")[2].decode()
    if "password" in body:
        values.append(PASSWORD)
    return [
        *values,
        *(value[3:-3] for value in values),
        *(value[: len(value) // 2] for value in values),
        *(f"key={value[5:25]}&x" for value in values),
        " ".join(values),
        body,
    ]


def in_document(request: bytes) -> bytes:
    said = " | ".join(echoes(request))
    document = {"error_code": said, "error_msg": said, "request_id": said}
    return reply(401, document)


def in_error(request: bytes) -> bytes:
    return reply(400, {"error": {"message": " | ".join(echoes(request)), "code": 400}})


def in_headers(request: bytes) -> bytes:
    said = echoes(request)[0].replace("\n", " ")
    names = ("X-Request-Id", "Content-Encoding", "Retry-After", "X-Echo", "X-Auth-Token")
    return reply(500, {}, tuple(f"{name}: {said}" for name in names))


def in_encoding(request: bytes) -> bytes:
    return reply(200, {}, (f"Content-Encoding: {echoes(request)[0]}",))


def in_good_reply(request: bytes) -> bytes:
    said = echoes(request)[0]
    return reply(200, {}, (f"X-Request-Id: {said}", f"Set-Cookie: a={said}", f"X-Echo: {said}"))


def in_reason(request: bytes) -> bytes:
    return f"HTTP/1.1 403 {echoes(request)[0]}\r\nContent-Length: 0\r\n\r\n".encode()


def in_redirect(request: bytes) -> bytes:
    return reply(302, {}, (f"Location: https://example.com/?token={echoes(request)[0]}",))


def in_status_line(request: bytes) -> bytes:
    return echoes(request)[0].encode() + b"\r\n\r\n"


def in_broken_header(request: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nX-Auth-Token : " + echoes(request)[0].encode() + b"\r\n\r\n"


def back_as_it_came(request: bytes) -> bytes:
    return request


def gateway(request: bytes) -> bytes:
    said = f"Incorrect IAM authentication information: {echoes(request)[0]}"
    return reply(502, {"error_code": "APIGW.0301", "error_msg": said})


ANSWERS: list[Callable[[bytes], bytes]] = [
    in_document,
    in_error,
    in_headers,
    in_encoding,
    in_good_reply,
    in_reason,
    in_redirect,
    in_status_line,
    in_broken_header,
    back_as_it_came,
    gateway,
    lambda _: b"",
]


class Collector(logging.Handler):
    """Keeps every record of every logger as text, with its arguments and its exception."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {record.getMessage()} {vars(record)!r}")


@contextmanager
def everything_logged() -> Iterator[Collector]:
    """Every logger at DEBUG, asyncio's too."""
    collector, root = Collector(), logging.getLogger()
    before = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield collector
    finally:
        root.removeHandler(collector)
        root.setLevel(before)


def remains(error: BaseException) -> Iterator[str]:
    """All that can be seen of an error and of those behind it, variables included."""
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        chain += [link.__cause__, link.__context__, *getattr(link, "exceptions", ())]
        yield str(link)
        yield repr(link)
        yield repr(link.args)
        yield repr(vars(link))
        yield "".join(ours(traceback.TracebackException.from_exception(link, capture_locals=True)))
        if isinstance(link, ReplicationError):
            yield pickle.dumps(link).decode("latin-1")


def ours(shown: traceback.TracebackException) -> Iterator[str]:
    """A traceback as text, without the frames of the tests, which know their own secrets."""
    kept = [frame for frame in shown.stack if "/tests/" not in frame.filename]
    shown.stack = traceback.StackSummary.from_list(kept)
    for frame, given in zip(shown.stack, kept, strict=True):
        frame.locals = given.locals
    shown.__cause__ = shown.__context__ = None
    yield from shown.format()


def assert_clean(text: str, secrets: Mapping[str, str] = SECRETS) -> None:
    """No secret, nor a piece of one of eight characters or more, is in the text."""
    for name, secret in secrets.items():
        for start in range(len(secret) - 7):
            piece = secret[start : start + 8]
            for form in {piece, json.dumps(piece)[1:-1], repr(piece)[1:-1]}:
                if form in text:
                    at = text.index(form)
                    pytest.fail(f"{name} in …{text[max(0, at - 300) : at + 100]}…")


def check(make: Maker, auth: Credentials, endpoint: str) -> int:
    """Let a client fail and look at all it leaves; returns how many calls failed."""
    failures = 0
    with everything_logged() as log, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        client = make(endpoint=endpoint, auth=auth, retry=ONCE, read_timeout=0.3)
        for call in (client.pause, client.resume, client.tasks, client.pause):
            try:
                result = call()
            except ReplicationError as error:
                failures += 1
                text = "\n".join(remains(error))
                assert_clean(text)
            else:
                assert_clean(repr(result))
        client.close()
        assert_clean(repr(client.client) + repr(auth) + repr(client.client.api))
    assert log.lines
    for line in [*log.lines, *(str(warning.message) for warning in warned)]:
        assert_clean(line)
    return failures


@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_echoing_service(make: Maker, kind: str, answer: Callable[[bytes], bytes]) -> None:
    """A service that repeats what it was sent, anywhere in its reply, makes nobody see it."""

    def service(sock: socket.socket) -> None:
        while request := read_request(sock):
            assert PASSWORD.encode() not in request
            sock.sendall(answer(request))
            if not answer(request):
                return

    def iam(sock: socket.socket) -> None:
        while read_request(sock):
            body = {"token": {"expires_at": "2999-01-01T00:00:00Z"}}
            sock.sendall(reply(201, body, (f"X-Subject-Token: {TOKEN}",)))

    with Server(service) as server, Server(iam) as login:
        assert check(make, CREDENTIALS[kind](login.url), server.url) >= 3


@pytest.mark.parametrize("answer", ANSWERS)
def test_echoing_login(make: Maker, answer: Callable[[bytes], bytes]) -> None:
    """An IAM that repeats the password makes nobody see it."""

    def iam(sock: socket.socket) -> None:
        while request := read_request(sock):
            sock.sendall(answer(request))
            if not answer(request):
                return

    with Server(iam) as login:
        assert check(make, iam_auth(login.url), "http://127.0.0.1:1") == 4


PASSWORDS = [
    'quote"of a quote"d word',
    "back\\slashes\\and \\n more",
    "tab\tand\ttabs within it",
    "double  blanks  in  a  row",
    "line\nbreaks\r\nand such",
    "umlauts ä and 名前 and 🔑 keys",
    "slashes/in/the/password",
    'a"\\\t  b',  # Too short to be found by its pieces.
]


def as_text(login: bytes) -> object:
    return login.decode()


def as_document(login: bytes) -> object:
    return json.dumps(json.loads(login), ensure_ascii=False, indent=2)


def as_text_in_text(login: bytes) -> object:
    return json.dumps({"request": login.decode()}, ensure_ascii=False)


def as_words(login: bytes) -> object:
    return f"user u, password {json.loads(login)['auth']['identity']['password']['user']}"


def as_value(login: bytes) -> object:
    return json.loads(login)["auth"]["identity"]["password"]["user"]["password"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("repeat", [as_text, as_document, as_text_in_text, as_words, as_value])
def test_login_that_is_repeated(
    make: Maker, repeat: Callable[[bytes], object], password: str
) -> None:
    """A password is hidden in whatever form an IAM repeats the login's body."""

    def answer(request: httpx.Request) -> httpx.Response:
        said = repeat(request.content)
        return httpx.Response(401, json={"error": {"message": said, "code": 401}})

    auth = IamPasswordAuth("u", password, "a", project_id=PROJECT, iam_endpoint="https://i.com")
    with everything_logged() as log, pytest.raises(AuthenticationError) as caught:
        make(transport=Wire(answer), auth=auth).pause()
    assert "[hidden]" in str(caught.value)
    collapsed = " ".join(password.split())
    for text in [*remains(caught.value), *log.lines]:
        assert_clean(text, {"password": password, "collapsed": collapsed})
        assert password not in text
        assert collapsed not in text


def plainly(document: object) -> bytes:
    return json.dumps(document).encode()


def with_slashes_escaped(document: object) -> bytes:
    return plainly(document).replace(b"/", b"\\/")


def for_html(document: object) -> bytes:
    escapes = {"=": r"\u003d", "+": r"\u002B", "'": r"\u0027", "&": r"\u0026"}
    return json.dumps(document).translate(str.maketrans(escapes)).encode()


def with_a_mark(document: object) -> bytes:
    return b"\xef\xbb\xbf" + plainly(document)


def in_utf_16(document: object) -> bytes:
    return json.dumps(document).encode("utf-16")


GOOD: dict[str, Callable[[str], object]] = {
    "job": lambda said: {"job_id": said},
    "tasks": lambda said: {
        "total_count": 1,
        "replications": [{"task_name": said, "stage": said, "status": said}],
    },
    "instances": lambda said: {"instances": [{"id": said, "name": said}]},
    "configuration": lambda said: {
        "target_database_name": said,
        "last_error_of_alter_table": said,
        "database_info": {"database_name": said, "db_config_check_results": []},
    },
}


@pytest.mark.parametrize("write", [plainly, with_slashes_escaped, for_html, with_a_mark, in_utf_16])
@pytest.mark.parametrize("token", [TOKEN, "=/+'" * 8, TOKEN.replace("\\", "") * 200])
@pytest.mark.parametrize("kind", GOOD)
def test_good_response_that_repeats_a_token(
    make: Maker, kind: str, token: str, write: Callable[[object], bytes]
) -> None:
    """What a usable response gives holds no secret, in whatever way its JSON is written."""
    content = write(GOOD[kind](f"a {token} b {token[:20]}"))
    wire = Wire(httpx.Response(200, content=content, headers={"X-Request-Id": token}))
    client = make(transport=wire, auth=TokenAuth(token), retry=ONCE)
    calls: dict[str, Callable[[], object]] = {
        "job": client.pause,
        "tasks": client.tasks,
        "instances": lambda: client.do("instances", INSTANCE.replace("in17", "in07")),
        "configuration": lambda: client.do("configuration", INSTANCE, TASK),
    }
    with everything_logged() as log:
        try:
            given = calls[kind]()
        except OutcomeUnknownError as error:
            assert write is in_utf_16  # Which JSON may not be in.
            given = "\n".join(remains(error))
        else:
            assert "a [hidden]" in repr(given)
    for text in [repr(given), pickle.dumps(given).decode("latin-1"), *log.lines]:
        assert_clean(text, {"token": token})


@pytest.mark.parametrize("field", ["stage", "status"])
@pytest.mark.parametrize("failing", [False, True])
def test_task_that_repeats_a_token(make: Maker, field: str, failing: bool) -> None:
    """A wait that fails shows neither a token in a task's fields nor fields without end."""
    entry = {"task_name": TASK, "stage": "Incremental", "status": "Yes"}
    if failing:
        entry |= {"status": "No"} if field == "stage" else {"stage": "Cancelled"}
    entry[field] = f"{TOKEN} {'x' * 900_000}"
    wire = Wire(httpx.Response(200, json={"total_count": 1, "replications": [entry]}))
    client = make(transport=wire, auth=TokenAuth(TOKEN))
    kind = TaskFailedError if failing else WaitTimeoutError
    with everything_logged() as log, pytest.raises(kind) as caught:
        client.do(
            "wait_until_paused", INSTANCE, TASK, timeout=1.0, poll=Poll(first=0, interval=0.5)
        )
    assert isinstance(caught.value, (TaskFailedError, WaitTimeoutError))
    assert caught.value.task is not None
    for text in [*remains(caught.value), *log.lines]:
        assert_clean(text)
    assert len(str(caught.value)) < 1000
    assert len(pickle.dumps(caught.value)) < 2000


@pytest.mark.parametrize("answer", ANSWERS)
def test_waits_and_windows_that_fail(make: Maker, answer: Callable[[bytes], bytes]) -> None:
    """A wait or a window against a service that repeats what it was sent shows nothing either."""

    def service(sock: socket.socket) -> None:
        while request := read_request(sock):
            # The first polls are good, so that windows open, and requests are sent.
            good = request.startswith(b"GET") and len(polls) < 2
            polls.append(request)
            sock.sendall(listed if good else answer(request))
            if not (good or answer(request)):
                return

    task = {"task_name": TASK, "stage": "Incremental", "status": "Yes"}
    listed = reply(200, {"total_count": 1, "replications": [task]})
    waiting: Any = {"timeout": 0.06, "settle": 0.03, "poll": Poll(first=0, interval=0.01)}
    with Server(service) as server:
        client = make(endpoint=server.url, auth=TokenAuth(TOKEN), retry=ONCE, read_timeout=0.1)

        def window() -> None:
            with client.do("paused", INSTANCE, TASK, **waiting):
                pytest.fail("It must not open.")

        for call in (
            lambda: client.do("ensure_paused", INSTANCE, TASK, **waiting),
            lambda: client.do("ensure_running", INSTANCE, [TASK], **waiting),
            lambda: client.do("wait_until_paused", INSTANCE, TASK, **waiting),
            window,
        ):
            polls: list[bytes] = []
            with everything_logged() as log, pytest.raises(ReplicationError) as caught:
                call()
            for text in [*remains(caught.value), *log.lines]:
                assert_clean(text)


def test_credentials_that_fail(make: Maker) -> None:
    """What the user's own code raised stays the cause; its words are in nothing of ours."""
    with everything_logged() as log, pytest.raises(NotSentError) as caught:
        make(transport=Wire(), auth=Failing()).pause()
    assert str(caught.value.__cause__) == TOKEN
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    for text in [shown, pickle.dumps(caught.value).decode("latin-1"), *log.lines]:
        assert_clean(text)


@pytest.mark.parametrize(
    "broken",
    [
        (201, {"token": {"expires_at": TOKEN}}, (f"X-Subject-Token: {TOKEN}",)),
        (201, {"token": TOKEN}, (f"X-Subject-Token: {TOKEN}",)),
        (201, {}, (f"X-Subject-Token: {TOKEN}",)),
        (
            201,
            {"token": {"expires_at": "2999-01-01T00:00:00Z"}},
            ("X-Subject-Token: \xff" + TOKEN,),
        ),
    ],
)
def test_login_with_a_broken_answer(make: Maker, broken: Any) -> None:
    """A login whose answer cannot be used does not show the token in it."""

    def iam(sock: socket.socket) -> None:
        while read_request(sock):
            sock.sendall(reply(*broken))

    with Server(iam) as login:
        assert check(make, iam_auth(login.url), "http://127.0.0.1:1") == 4


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_unreachable_service(make: Maker, kind: str) -> None:
    """A service that is not there makes nobody see a secret."""

    def iam(sock: socket.socket) -> None:
        while read_request(sock):
            body = {"token": {"expires_at": "2999-01-01T00:00:00Z"}}
            sock.sendall(reply(201, body, (f"X-Subject-Token: {TOKEN}",)))

    with closed_port() as port, Server(iam) as login:
        auth = CREDENTIALS[kind](login.url)
        assert check(make, auth, f"http://127.0.0.1:{port}") == 4
        assert check(make, auth, f"https://127.0.0.1:{port}") == 4


def test_hanging_service(make: Maker) -> None:
    """Neither does one that hangs."""
    with Server(lambda sock: server.over.wait()) as server:
        assert check(make, CREDENTIALS["token"](""), server.url) == 4


def test_renewal_that_fails(make: Maker) -> None:
    """A token that is refused and cannot be renewed stays unseen, as does the refusal repeated."""
    logins: list[bytes] = []

    def iam(sock: socket.socket) -> None:
        while request := read_request(sock):
            logins.append(request)
            body = {"token": {"expires_at": "2999-01-01T00:00:00Z"}}
            good = reply(201, body, (f"X-Subject-Token: {TOKEN}",))
            sock.sendall(good if len(logins) == 1 else in_error(request))

    def service(sock: socket.socket) -> None:
        while request := read_request(sock):
            sock.sendall(in_document(request))

    with Server(iam) as login, Server(service) as server:
        assert check(make, iam_auth(login.url), server.url) == 4
    assert len(logins) == 2


BAD = [TOKEN + "\n", " " + TOKEN, TOKEN + " ", TOKEN + "\x7f", TOKEN + "é", "\ud800" + TOKEN]


@pytest.mark.parametrize("bad", BAD)
def test_malformed_secret_is_not_shown(make: Maker, bad: str) -> None:
    """A secret that cannot be used is refused when it is given, and not shown."""
    environ = {"HOME": "/nonexistent", "TAURUSDB_STARROCKS_AUTH_TOKEN": bad, "OS_PASSWORD": bad}
    keys = {"HUAWEICLOUD_SDK_AK": "A", "HUAWEICLOUD_SDK_SK": bad}
    url = "https://e.com"
    attempts: list[Callable[[], object]] = [
        lambda: TokenAuth(bad),
        lambda: AccessKeyAuth(bad, SECRET_KEY),
        lambda: AccessKeyAuth(ACCESS_KEY, bad),
        lambda: AccessKeyAuth(ACCESS_KEY, SECRET_KEY, bad),
        lambda: IamPasswordAuth("u", "\ud800" + bad, "a", project_id=PROJECT),
        lambda: IamPasswordAuth("u", bad, "a", project_id="malformed"),
        lambda: IamPasswordAuth("u", bad, "a"),
        lambda: IamPasswordAuth("u", bad, "a", project_id=PROJECT, iam_endpoint=f"http://{url}"),
        lambda: make(auth=bad),
        lambda: make.kind(bad),  # type: ignore[call-arg]
        lambda: make(auth=None, environ=environ),
        lambda: make(auth=None, environ=keys),
        lambda: make(auth=None, environ=environ, project_id="malformed"),
        lambda: make(auth=TokenAuth("t"), environ=environ, region="nowhere", endpoint=None),
        lambda: make(auth=None, environ={"HUAWEICLOUD_SDK_SK": bad, "HOME": "/nonexistent"}),
        lambda: find_project_id("r", environ=environ),
        lambda: find_project_id("r", auth=bad),
        lambda: find_project_id("r", auth=TokenAuth("t"), iam_endpoint=f"https://u:{TOKEN}@x"),
        lambda: make(endpoint=f"https://user:{TOKEN}@example.com"),
        lambda: make(endpoint=f"user:{TOKEN}@example.com"),
    ]
    for attempt in attempts:
        with pytest.raises(ConfigurationError) as caught:
            attempt()
        assert_clean("\n".join(remains(caught.value)))


def test_callable_that_gives_a_malformed_token(make: Maker) -> None:
    """A token that a callable returns is checked like any other."""
    wire = Wire()
    client = make(auth=TokenAuth(lambda: TOKEN + "\n"), transport=wire)
    with pytest.raises(ConfigurationError) as caught:
        client.pause()
    assert_clean("\n".join(remains(caught.value)))
    assert wire.sent == []


def test_project_search_that_fails() -> None:
    """Looking up a project shows no more than a call does."""
    environ = {"TAURUSDB_STARROCKS_AUTH_TOKEN": TOKEN, "OTHER": PASSWORD}
    wire = Wire(httpx.Response(401, json={"error": {"message": TOKEN}}))
    with pytest.raises(ReplicationError) as caught:
        find_project_id("r", environ=environ, transport=wire)
    assert_clean("\n".join(remains(caught.value)))


def test_cancelled_call() -> None:
    """A call that is cancelled leaves a traceback without secrets."""
    from clients import SETTINGS  # noqa: PLC0415
    from taurusdb_starrocks import AsyncClient  # noqa: PLC0415

    async def body(url: str) -> asyncio.CancelledError:
        settings = SETTINGS | {"endpoint": url, "auth": TokenAuth(TOKEN)}
        async with AsyncClient(**settings) as client:
            task = asyncio.create_task(client.pause(INSTANCE, TASK))
            await asyncio.sleep(0.1)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError as error:
                return error
        raise AssertionError

    with Server(lambda sock: server.over.wait()) as server:
        error = asyncio.run(body(server.url))
    text = str(error) + repr(vars(error))
    text += "".join(traceback.TracebackException.from_exception(error).format())
    assert_clean(text)


def test_words_are_left_alone() -> None:
    """Hiding takes what is secret and nothing else."""
    authorization = (
        f"SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders=host;x-sdk-date, Signature=ab"
    )
    message = "The header x-sdk-date is missing: content-type;host"
    assert clean(message, [authorization, ACCESS_KEY, "ab"]) == message
    assert clean("abc ab", ["ab"]) == "abc ab"
    assert clean("wrong token abcd", ["abcd"]) == "wrong token [hidden]"
    assert clean("12345678 x", ["1234567890"]) == "[hidden] x"
    assert clean("1234567 x", ["1234567890"]) == "1234567 x"
    assert clean("a 34567890 12345678 b", ["1234567890"]) == "a [hidden] [hidden] b"


def test_credentials_do_not_show_themselves() -> None:
    """The repr of credentials has no secret in it."""
    for make_credentials in CREDENTIALS.values():
        assert_clean(repr(make_credentials("https://iam.example.com")))
    assert repr(TokenAuth("t")) == "TokenAuth(…)"
    assert repr(AccessKeyAuth("a", "s")) == "AccessKeyAuth(…)"
    shown = repr(iam_auth("https://iam.example.com"))
    assert shown == "IamPasswordAuth(user='user', account='account', …)"


def test_others_logs_are_left_alone() -> None:
    """Outside of a call of ours, httpcore's records are as they always are."""
    with Server(lambda sock: sock.sendall(reply(200, {}, ("X-A: b",)))) as server:
        with everything_logged() as log, suppress(httpx.HTTPError):
            httpx.get(server.url, trust_env=False)
    assert any("X-A" in line for line in log.lines)


def test_secrets_are_found_by_the_check() -> None:
    """The check of this module does see a secret, also a cut one."""
    out = io.StringIO()
    print(f"… {TOKEN[4:14]} …", file=out)
    with pytest.raises(pytest.fail.Exception):
        assert_clean(out.getvalue())
