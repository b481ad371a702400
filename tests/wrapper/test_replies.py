"""What a reply means: every one is a job or a typed error, for both clients."""

from __future__ import annotations

import contextlib
import copy
import email.utils
import json
import pickle
import time
from typing import Any

import attrs
import httpx
import pytest
import taurusdb_starrocks as package
from clients import INSTANCE, TASK, Maker, Wire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    Job,
    NotFoundError,
    NotResumedError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReplicationError,
    RetryPolicy,
    ServerError,
    ServiceError,
    Stage,
    Task,
    TaskFailedError,
    WaitTimeoutError,
    _errors,
)
from taurusdb_starrocks._decisions.verdict import NOT_FOUND_CODES, retry_after

ONCE = RetryPolicy(attempts=1)
HTML = b"<html><body>Bad Gateway</body></html>"


def refusal(make: Maker, *args: Any, **kwargs: Any) -> ReplicationError:
    """The error that a reply becomes."""
    client = make(transport=Wire(lambda _: httpx.Response(*args, **kwargs)), retry=ONCE)
    with pytest.raises(ReplicationError) as caught:
        client.pause()
    return caught.value


def test_good_reply(make: Maker) -> None:
    """A 200 with a job ID is a job, with the ID of the request."""
    reply = httpx.Response(200, json={"job_id": "j"}, headers={"X-Request-Id": "r"})
    client = make(transport=Wire(reply))
    assert client.pause() == client.resume() == Job(id="j", request_id="r")


UNUSABLE = {
    "no job_id": b"{}",
    "null": b'{"job_id": null}',
    "number": b'{"job_id": 5}',
    "NaN": b'{"job_id": NaN}',
    "empty": b'{"job_id": ""}',
    "blank": b'{"job_id": " \\t"}',
    "object": b'{"job_id": {"id": "x"}}',
    "a list": b"[]",
    "a list of one": b'[{"job_id": "x"}]',
    "a text": b'"job_id"',
    "a number": b"1",
    "nothing at all": b"",
    "HTML": HTML,
    "cut JSON": b'{"job_id": "j',
    "two documents": b'{"job_id": "j"}{"job_id": "k"}',
    "not Unicode": b'{"job_id": "\xff"}',
    "nested without end": b'{"job_id": ' + b"[" * 100_000,
    "nested and closed": b'{"job_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number without end": b'{"job_id": ' + b"1" * 5000 + b"}",
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
def test_200_without_a_job_is_an_unknown_outcome(make: Maker, body: bytes) -> None:
    """A 200 that names no job is never a success: the task may have changed."""
    error = refusal(make, 200, content=body, headers={"X-Request-Id": "r"})
    assert type(error) is OutcomeUnknownError
    assert (error.status, error.code, error.request_id) == (200, None, "r")
    assert (error.attempts, error.harmless) == (1, False)
    assert "The task may have changed" in str(error)


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206, 299, 304, 600, 799, 999])
def test_other_status_is_an_unknown_outcome(make: Maker, status: int) -> None:
    """A status that the service does not use says nothing of the task, even with a job in it."""
    error = refusal(make, status, json={"job_id": "j"})
    assert type(error) is OutcomeUnknownError
    assert error.status == status


@pytest.mark.parametrize(
    "location",
    ["https://elsewhere.example.com/x", "/other", "http://[", "https://h:port/", "", "\u00e9:"],
)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirect_is_an_unknown_outcome_and_not_followed(
    make: Maker, status: int, location: str
) -> None:
    """A redirect is an error that says so, wherever it points, and nothing follows it."""
    wire = Wire(
        httpx.Response(status, headers={"Location": location.encode()}, json={"job_id": "j"})
    )
    with pytest.raises(OutcomeUnknownError, match="is a redirect, and redirects are not followed"):
        make(transport=wire).pause()
    assert len(wire.sent) == 1


CLASSES = [
    (400, BadRequestError),
    (401, AuthenticationError),
    (402, ServiceError),
    (403, PermissionDeniedError),
    (404, NotFoundError),
    (405, ServiceError),
    (409, ConflictError),
    (418, ServiceError),
    (422, ServiceError),
    (429, RateLimitError),
    (499, ServiceError),
    (500, ServerError),
    (502, ServerError),
    (503, ServerError),
    (504, ServerError),
    (520, ServerError),
    (599, ServerError),
]


@pytest.mark.parametrize(("status", "kind"), CLASSES)
def test_refusal_by_the_service(make: Maker, status: int, kind: type[ServiceError]) -> None:
    """An answer in the service's own shape has the class of its status, code and message."""
    document = {"error_code": "DBS.999", "error_msg": "No."}
    error = refusal(make, status, json=document, headers={"X-Request-Id": "r"})
    assert type(error) is kind
    assert isinstance(error, ServiceError)
    assert (error.status, error.code, error.message) == (status, "DBS.999", "No.")
    assert (error.request_id, error.retry_after) == ("r", None)
    assert str(error) == f"{status} DBS.999 No. (pause orders_sync, request r)"


@pytest.mark.parametrize("status", [status for status, _ in CLASSES])
@pytest.mark.parametrize("body", [HTML, b"", b"[]", b"{", b'{"error": "text"}'])
def test_refusal_without_the_services_shape(make: Maker, status: int, body: bytes) -> None:
    """Somebody in between may have sent it after the change was made: it settles nothing."""
    error = refusal(make, status, content=body)
    assert type(error) is OutcomeUnknownError
    assert "html" not in str(error)


@pytest.mark.parametrize("prefix", ["APIGW", "APIG"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_gateways_failure_is_an_unknown_outcome(make: Maker, status: int, prefix: str) -> None:
    """The gateway does not know what became of the request behind it; its words are kept."""
    document = {"error_code": f"{prefix}.0201", "error_msg": "Backend", "request_id": "r"}
    error = refusal(make, status, json=document)
    assert type(error) is OutcomeUnknownError
    assert (error.status, error.code, error.request_id) == (status, f"{prefix}.0201", "r")
    assert f"{prefix}.0201 Backend" in str(error)


@pytest.mark.parametrize("body", [HTML, b'{"error_code": "APIGW.0203"}'])
def test_503_with_retry_after_is_a_server_error(make: Maker, body: bytes) -> None:
    """A 503 that says when to come back did nothing, whoever sends it."""
    error = refusal(make, 503, content=body, headers={"Retry-After": "7"})
    assert type(error) is ServerError
    assert error.retry_after == 7


@pytest.mark.parametrize("code", sorted(NOT_FOUND_CODES))
def test_400_that_means_not_found(make: Maker, code: str) -> None:
    """A 400 whose code says that the instance or task is absent is a NotFoundError."""
    error = refusal(make, 400, json={"error_code": code, "error_msg": "absent"})
    assert type(error) is NotFoundError
    assert isinstance(error, BadRequestError)


def test_status_comes_before_code(make: Maker) -> None:
    """The same code under another status means another thing."""
    assert type(refusal(make, 409, json={"error_code": "DBS.200022"})) is ConflictError


NO_REASON = "The response gives no reason."


@pytest.mark.parametrize(
    ("document", "code", "message", "request_id"),
    [
        ({"error_code": "DBS.1", "error_msg": "a"}, "DBS.1", "a", None),
        ({"error_code": "APIG.1", "error_msg": "a", "request_id": "r"}, "APIG.1", "a", "r"),
        ({"error": {"message": "a", "code": 401, "title": "t"}}, None, "a", None),
        (
            {"error_code": "P.1", "error_msg": "a", "encoded_authorization_message": ""},
            "P.1",
            "a",
            None,
        ),
        ({"errorCode": "DBS.1", "errorMsg": "a"}, "DBS.1", "a", None),
        ({"code": "DBS.1", "message": "a"}, "DBS.1", "a", None),
        ({"code": 17, "message": "a"}, "17", "a", None),
        ({"error_code": None, "error_msg": None, "code": "c"}, "c", NO_REASON, None),
        ({"error_code": ["x"], "error_msg": {"y": 1}}, None, NO_REASON, None),
        ({"error_code": True, "error_msg": " "}, None, NO_REASON, None),
        ({"error_code": "c", "error_msg": " two\r\n lines\x1b[31m\u2028"}, "c", None, None),
        ({"error_code": "c", "error_msg": "a\ud800x"}, "c", "a x", None),
    ],
)
def test_shapes_of_an_error_body(
    make: Maker, document: Any, code: str | None, message: str | None, request_id: str | None
) -> None:
    """Code and message are found in every shape that services of the vendor use, as one line."""
    wire = Wire(httpx.Response(401, content=json.dumps(document).encode()))
    with pytest.raises(AuthenticationError) as caught:
        make(transport=wire).tasks()
    error = caught.value
    assert error.code == code
    assert error.request_id == request_id
    if message is None:
        assert error.message.split() == ["two", "lines", "[31m"]
    else:
        assert error.message == message
    assert str(error).isprintable()


HOSTILE = "a\n\r\t\x1b[31m\x00\x7f\x9b\u202e\u2028\ud800b"


def test_texts_of_the_service_are_fit_to_be_shown(make: Maker) -> None:
    """Jobs, tasks, instances and configurations hold nothing that a terminal would act on."""
    names = ("task_name", "stage", "status", "source_database", "target_database")
    task = dict.fromkeys(names, HOSTILE)
    instance = {"id": HOSTILE, "name": HOSTILE, "engine_name": HOSTILE, "engine_version": HOSTILE}
    document = {
        "job_id": HOSTILE,
        "total_count": 1,
        "replications": [task],
        "instances": [{**instance, "instance_state": {"instance_status": HOSTILE}}],
        "source_instance_id": HOSTILE,
        "database_info": {"database_name": HOSTILE, "db_config_check_results": []},
        "target_database_name": HOSTILE,
        "last_error_of_alter_table": HOSTILE,
    }
    content = json.dumps(document).encode()
    client = make(transport=Wire(httpx.Response(200, content=content)))
    given = [
        client.pause(),
        *client.tasks(),
        *client.do("instances", INSTANCE.replace("in17", "in07")),
        client.do("configuration", INSTANCE, TASK),
    ]
    assert len(given) == 4
    for one in given:
        texts = [text for text in attrs.asdict(one).values() if isinstance(text, str)]
        assert any(text.startswith("a") and text.endswith("b") for text in texts)
        assert all(text.isprintable() for text in texts)


def test_header_wins_for_the_request_id(make: Maker) -> None:
    """The ID in the header is the one that support asks for."""
    error = refusal(make, 401, json={"request_id": "body"}, headers={"X-Request-Id": "header"})
    assert error.request_id == "header"


def test_long_message_is_cut(make: Maker) -> None:
    """A page of text does not become an error of a page."""
    error = refusal(make, 400, json={"error_code": "c" * 9999, "error_msg": "long " * 9999})
    assert len(str(error)) < 1100


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("999999999999999", 999999999999999.0),
        ("99999999999999999999", 1e20),
        ("0" * 100, 0.0),
        ("9" * 100, 1e100),
        ("9" * 101, None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0663", None),
        ("9" * 5000, None),
        ("Fri, 99 Foo 20 99:99:99", None),
        ("Fri, 31 Dec 999999999999 23:59:59 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 +9999999", None),
    ],
)
def test_retry_after_forms(make: Maker, value: str, seconds: float | None) -> None:
    """Seconds and dates are understood, a past date is now, and rubbish is no time at all."""
    document = {"error_code": "APIGW.0308"}
    error = refusal(make, 429, json=document, headers={"Retry-After": value.encode()})
    assert isinstance(error, RateLimitError)
    assert error.retry_after == seconds


def test_retry_after_date(make: Maker) -> None:
    """A date to come is the seconds until then."""
    value = email.utils.formatdate(time.time() + 100, usegmt=True)
    error = refusal(make, 429, headers={"Retry-After": value})
    assert isinstance(error, RateLimitError)
    assert error.retry_after is not None
    assert 95 < error.retry_after <= 100


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "UTC"])
@pytest.mark.parametrize("suffix", [" GMT", "", " -0000"])
def test_retry_after_date_is_in_gmt(
    monkeypatch: pytest.MonkeyPatch, zone: str, suffix: str
) -> None:
    """A date of HTTP is in GMT wherever the program runs, whether or not it says so."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        noon = 1_795_608_000.0  # 2026-11-25 12:00 UTC.
        assert retry_after(f"Wed, 25 Nov 2026 12:00:07{suffix}", noon) == 7.0
        assert retry_after(f"Wed Nov 25 12:00:07 2026{suffix}", noon) == 7.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_long_retry_after_is_not_ignored(make: Maker) -> None:
    """A number of seconds that nobody waits for ends the call with the refusal, at once."""
    wire = Wire(httpx.Response(429, headers={"Retry-After": "9" * 20}))
    with pytest.raises(RateLimitError) as caught:
        make(transport=wire).pause()
    assert (caught.value.retry_after, len(wire.sent)) == (1e20, 1)


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9 ]{1,9} [A-Z][a-z]{2} [-+0-9: GMT]{1,30}"))
def test_retry_after_is_never_in_the_way(value: str) -> None:
    """Whatever the header says, it is a time from now on or none."""
    seconds = retry_after(value, 0.0)
    assert seconds is None or seconds >= 0


HEADERS = st.sampled_from(
    ["Retry-After", "X-Request-Id", "Location", "Content-Type", "Content-Encoding", "Set-Cookie"]
)
BODIES = st.binary(max_size=200) | st.sampled_from(list(UNUSABLE.values()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["job_id", "error", "error_code", "error_msg", "replications", "message"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    status=st.integers(200, 999) | st.sampled_from([200, 200, 200, 302, 400, 401, 500]),
    headers=st.lists(st.tuples(HEADERS, st.binary(max_size=30)), max_size=4),
    body=BODIES | JSON,
)
def test_any_reply_is_a_job_or_a_typed_error(
    make: Maker, status: int, headers: list[tuple[str, bytes]], body: Any
) -> None:
    """Nothing but a job or a ReplicationError comes of any status, headers and bytes."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    raw = [(name.encode(), value) for name, value in headers]
    stream = httpx.ByteStream(body)
    wire = httpx.MockTransport(lambda _: httpx.Response(status, headers=raw, stream=stream))
    client = make(transport=wire, retry=ONCE)
    for call in (client.pause, client.resume, client.tasks):
        with contextlib.suppress(ReplicationError):
            outcome: Any = call()
            assert status == 200
            assert isinstance(outcome, list) or outcome.id.strip()


def test_tree_is_the_documented_one() -> None:
    """The tree that the module draws is the tree that it defines."""
    drawn: dict[str, int] = {}
    for line in (_errors.__doc__ or "").splitlines()[2:]:
        name = next(word for word in line.split() if word.endswith("Error"))
        drawn[name] = line.index(name) // 4
    parents: dict[int, str] = {}
    for name, depth in drawn.items():
        parents[depth] = name
        kind = getattr(package, name)
        assert kind.__bases__[0].__name__ == (parents[depth - 1] if depth else "Exception")
    defined = {name for name in package.__all__ if name.endswith("Error")}
    assert set(drawn) == defined
    assert issubclass(package.ConfigurationError, ValueError)
    assert issubclass(WaitTimeoutError, TimeoutError)


A_TASK = Task(TASK, Stage.PAUSED, "Paused", "Yes", None, None, None)
SAMPLES = [
    package.ConfigurationError("x"),
    package.NotSentError("x", lasting=True),
    package.AlreadyPausedError(INSTANCE, [TASK]),
    package.UnsupportedOperationError("x", status=404),
    OutcomeUnknownError("x", status=500, code="c", request_id="r", harmless=True),
    WaitTimeoutError("x", task=A_TASK),
    TaskFailedError("x", task=A_TASK),
    NotResumedError("x", instance_id=INSTANCE, task_names=[TASK]),
    RateLimitError("x", status=429, code="c", request_id="r", retry_after=2.0),
    NotFoundError("x", status=404),
]


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy]
)
def test_errors_pickle_and_copy(error: ReplicationError, again: Any) -> None:
    """An error crosses to another process with all that it says."""
    error.attempts, error.elapsed = 3, 1.25
    error.operation, error.host, error.task_name = "pause", "e.com", TASK
    twin = again(error)
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)
    assert twin.args == error.args


def test_what_ended_the_block_is_not_pickled() -> None:
    """It is the program's own, and may not pickle; the rest of the error crosses."""
    error = NotResumedError("x", instance_id=INSTANCE, task_names=[TASK])
    error.block_error = OSError(lambda: None)
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.task_names, twin.block_error) == ((TASK,), None)
    assert error.block_error is not None


@pytest.mark.parametrize(
    "answer", [httpx.Response(400), httpx.ConnectError("x"), httpx.Response(200)]
)
def test_what_an_error_is_about(make: Maker, answer: Any) -> None:
    """Every error of a call knows operation, host, instance and task, and names the task."""
    client = make(transport=Wire(answer), retry=ONCE)
    for call, operation, task in (
        (client.pause, "pause", TASK),
        (client.resume, "resume", TASK),
        (client.tasks, "list", None),
        (lambda: client.do("configuration", INSTANCE, TASK), "configuration", TASK),
    ):
        if operation == "configuration" and getattr(answer, "status_code", 0) == 200:
            continue  # It is made of whatever there is.
        with pytest.raises(ReplicationError) as caught:
            call()
        error = caught.value
        assert (error.operation, error.host) == (operation, "gaussdb.example.com")
        assert (error.instance_id, error.task_name) == (INSTANCE, task)
        assert str(error).endswith(f" ({operation} {task or INSTANCE})")


def test_words_of_an_error() -> None:
    """An error reads as status, code, message, and then what support and the curious need."""
    error = ServiceError("No.", status=400, code="DBS.1", request_id="1f3c")
    assert str(error) == "400 DBS.1 No. (request 1f3c)"
    error.attempts, error.elapsed = 3, 1.26
    assert str(error) == "400 DBS.1 No. (request 1f3c, 3 attempts in 1.3 s)"
    error.operation, error.instance_id = "list", INSTANCE
    assert str(error) == f"400 DBS.1 No. (list {INSTANCE}, request 1f3c, 3 attempts in 1.3 s)"
    error.operation, error.task_name = "pause", TASK
    assert str(error) == f"400 DBS.1 No. (pause {TASK}, request 1f3c, 3 attempts in 1.3 s)"
    assert str(ServiceError("", status=499)) == "499"
    unknown = OutcomeUnknownError("Timed out.")
    assert str(unknown) == (
        "Timed out. The task may have changed: read its stage before you repeat it."
    )
