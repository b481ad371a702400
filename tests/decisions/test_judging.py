"""What a response means: the document it carries, or one typed error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReplicationError,
    ServerError,
    ServiceError,
    UnsupportedOperationError,
)
from taurusdb_starrocks._decisions.verdict import judge, retry_after
from taurusdb_starrocks._messages import Reply
from taurusdb_starrocks._operations import CONFIGURATION, LIST, LOGIN, PAUSE, PROJECTS, RESUME
from taurusdb_starrocks._redaction import Cleaned

NOW = 1_800_000_000.0
OWN = {"error_code": "DBS.108000", "error_msg": "It is broken."}
GATEWAY = {"error_code": "APIGW.0301", "error_msg": "It is broken."}
NO_REASON = "The response gives no reason."


def reply(status: int, body: Any = b"", **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def judged(answer: Reply, operation: Any = PAUSE, hidden: Any = ()) -> Any:
    return judge(operation, answer, hidden, NOW)


# --- Usable responses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        (PAUSE, 200, {"job_id": "a"}),
        (RESUME, 200, {"job_id": "a", "more": 1}),
        (LIST, 200, {"total_count": 0, "replications": []}),
        (LIST, 200, {"total_count": 0, "replications": None}),
        (PROJECTS, 200, {"projects": [{}]}),
        (LOGIN, 201, {"token": {}}),
    ],
)
def test_a_usable_response_is_its_document(operation: Any, status: int, body: Any) -> None:
    """Parsed once, and as it is."""
    document = judged(reply(status, body), operation)
    assert document == body
    assert type(document) is dict


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        " application/json ",
    ],
)
def test_the_media_type_is_json(media_type: str) -> None:
    """In any case, with parameters; without a header it is presumed."""
    assert judged(reply(200, {"job_id": "a"}, content_type=media_type)) == {"job_id": "a"}
    assert judged(reply(200, {"job_id": "a"})) == {"job_id": "a"}


def test_a_byte_order_mark_is_no_fault() -> None:
    """JSON in UTF-8 may begin with one."""
    assert judged(reply(200, b'\xef\xbb\xbf{"job_id": "a"}')) == {"job_id": "a"}


# --- Responses that cannot be used --------------------------------------------------------------

UNUSABLE = [
    (reply(200, {"job_id": " "}), "200 has no usable job_id"),
    (reply(200, {}), "200 has no usable job_id"),
    (
        reply(200, {"job_id": "a", "error_code": "DBS.7", "error_msg": "No."}),
        "200 has an error beside or in place of its job_id: DBS.7 No",
    ),
    (reply(200, []), "200 has no JSON object"),
    (reply(200), "200 has no JSON object"),
    (reply(200, b'{"job_id": "a"'), "200 has no JSON object"),
    (reply(200, b'{"job_id": "\xff"}'), "200 has no JSON object"),
    (reply(200, b"[" * 100_000), "200 has no JSON object"),
    (reply(200, {"job_id": "a"}, content_type="text/html"), "200 has no JSON object"),
    (reply(201, {"job_id": "a"}), "201 does not come from the service"),
    (reply(204), "204 does not come from the service"),
    (reply(299, {"job_id": "a"}), "299 does not come from the service"),
    (reply(300), "300 is a redirect, and redirects are not followed; check the endpoint"),
    (reply(399), "399 is a redirect, and redirects are not followed; check the endpoint"),
    (reply(500), "500 does not come from the service"),
    (reply(599), "599 does not come from the service"),
    (reply(600, OWN), "600 does not come from the service: DBS.108000 It is broken"),
    (reply(199, OWN), "199 does not come from the service: DBS.108000 It is broken"),
    (reply(502, GATEWAY), "502 does not come from the service: APIGW.0301 It is broken"),
    (reply(500, {"error_code": "APIG.1"}), "500 does not come from the service: APIG.1"),
    (reply(500, {"error_msg": "Oh. "}), "500 does not come from the service:  Oh"),
    (Reply(200, {}, b"", "is too long"), "200 has a body that is too long"),
]


@pytest.mark.parametrize(("answer", "says"), UNUSABLE, ids=[says for _, says in UNUSABLE])
def test_an_unusable_response_leaves_open_what_happened(answer: Reply, says: str) -> None:
    """A change may have been made; what only reads is harmless."""
    error = judged(answer)
    assert type(error) is OutcomeUnknownError
    assert error.message == (
        f"The response with status {says}. The task may have changed: read its stage before you "
        "repeat it."
    )
    assert error.status == answer.status
    assert not error.harmless
    if answer.status != 200:
        assert judged(answer, LIST).harmless
        assert judged(answer, LIST).status == answer.status


def test_what_an_unusable_response_says_of_itself() -> None:
    """Code and request ID are kept."""
    error = judged(reply(502, GATEWAY | {"request_id": "r"}))
    assert (error.code, error.request_id, error.status) == ("APIGW.0301", "r", 502)
    bare = judged(reply(200))
    assert (bare.code, bare.request_id) == (None, None)


def test_an_error_under_200_is_no_list() -> None:
    """It is harmless, and so is retried."""
    error = judged(reply(200, {"error_code": "DBS.200011", "error_msg": "busy"}), LIST)
    assert type(error) is OutcomeUnknownError
    assert error.harmless
    assert error.code == "DBS.200011"


@pytest.mark.parametrize("total", [{}, [], "", 1.5, True, None])
def test_a_total_of_any_type(total: Any) -> None:
    """Without a list it is unusable, and never an exception of Python."""
    error = judged(reply(200, {"total_count": total}), LIST)
    assert type(error) is OutcomeUnknownError
    assert "has no replications" in error.message


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, ConflictError),
        (429, RateLimitError),
        (402, ServiceError),
        (418, ServiceError),
        (499, ServiceError),
    ],
)
@pytest.mark.parametrize("body", [OWN, GATEWAY, b"", b"<html>"], ids=["own", "gateway", "", "html"])
def test_a_refusal(status: int, kind: type[ServiceError], body: Any) -> None:
    """The status alone decides, and nothing changed. A change is refused with a known code."""
    error = judged(reply(status, body), PAUSE if isinstance(body, dict) else PROJECTS)
    assert type(error) is kind
    assert error.status == status
    assert error.harmless
    assert error.message == (body["error_msg"] if isinstance(body, dict) else NO_REASON)
    assert error.code == (body["error_code"] if isinstance(body, dict) else None)
    assert error.retry_after is None


@pytest.mark.parametrize("operation", [PAUSE, RESUME])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        {},
        {"message": "Forbidden"},
        {"code": 403, "message": "Forbidden"},
        {"error_code": "1020"},
        {"error_code": "access.denied"},
        {"error_code": "DBS"},
        {"error_code": "DBS.1 or so"},
        {"error": {"code": 401, "message": "Unauthorized"}},
    ],
    ids=str,
)
def test_a_refusal_from_somebody_in_between(operation: Any, body: Any) -> None:
    """A firewall may block the response to a change, so nothing is known about the task."""
    for status in (400, 401, 403, 404, 405, 409, 418, 429, 499):
        error = judged(reply(status, body), operation)
        assert type(error) is OutcomeUnknownError
        assert not error.harmless
        assert error.status == status
        said = f"The response with status {status} has no error code of the service"
        assert error.message.startswith(said)


@pytest.mark.parametrize("body", [OWN, GATEWAY, b"", b"<html>"], ids=["own", "gateway", "", "html"])
def test_a_408(body: Any) -> None:
    """A gateway that got no response in time may send it, so a change may have been made."""
    error = judged(reply(408, body, retry_after="7"))
    assert type(error) is OutcomeUnknownError
    assert error.message.startswith("The response with status 408 says that a request timed out")
    assert not error.harmless
    assert judged(reply(408, body), LIST).harmless
    assert judged(reply(408, body), LOGIN).harmless


@pytest.mark.parametrize("body", [OWN, GATEWAY, b"", b"<html>"], ids=["own", "gateway", "", "html"])
def test_a_429_with_retry_after_changed_nothing(body: Any) -> None:
    """It says so, whoever sends it, as a 503 does."""
    error = judged(reply(429, body, retry_after="7"))
    assert type(error) is RateLimitError
    assert error.harmless
    assert error.retry_after == 7.0


@pytest.mark.parametrize("code", ["DBS.200022", "DBS.05000044", "DBS.270022", "DBS.05000091"])
def test_a_400_that_means_not_found(code: str) -> None:
    """By its code; with another status the code says nothing."""
    assert type(judged(reply(400, {"error_code": code}))) is NotFoundError
    assert type(judged(reply(403, {"error_code": code}))) is PermissionDeniedError
    assert type(judged(reply(409, {"error_code": code}))) is ConflictError


def test_a_failure_of_the_service() -> None:
    """The task may have changed, if it was a change."""
    for status in (500, 501, 503, 599):
        error = judged(reply(status, OWN))
        assert type(error) is ServerError
        assert not error.harmless
        assert judged(reply(status, OWN), LOGIN).harmless


@pytest.mark.parametrize("body", [OWN, GATEWAY, b"<html>"], ids=["own", "gateway", "html"])
def test_a_503_with_retry_after_changed_nothing(body: Any) -> None:
    """It says so, whoever sends it; no other status does."""
    error = judged(reply(503, body, retry_after="7"))
    assert type(error) is ServerError
    assert error.harmless
    assert error.retry_after == 7.0
    for status in (500, 502, 504):
        other = judged(reply(status, body, retry_after="7"))
        assert not other.harmless
        assert type(other) is (ServerError if body is OWN else OutcomeUnknownError)
    assert not judged(reply(503, OWN, retry_after="soon")).harmless


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize(("operation", "since"), [(LIST, "1.1"), (CONFIGURATION, "1.2")])
def test_a_call_that_the_service_does_not_have(status: int, operation: Any, since: str) -> None:
    """An older contract, said in words; the two calls of the first contract are always there."""
    error = judged(reply(status, GATEWAY | {"request_id": "r"}), operation)
    assert type(error) is UnsupportedOperationError
    assert error.message == (
        f"It is broken. This service does not have the call {operation.name}: it implements an "
        f"API version older than {since}, or it is another service. Its other calls keep working."
    )
    assert (error.status, error.code, error.request_id) == (status, "APIGW.0301", "r")
    assert judged(reply(status), operation).message.startswith(f"{NO_REASON} This service")
    assert type(judged(reply(status, OWN), operation)) is not UnsupportedOperationError
    assert type(judged(reply(status, GATEWAY), PAUSE)) is not UnsupportedOperationError
    assert type(judged(reply(400, GATEWAY), operation)) is BadRequestError


# --- What is read of an error -------------------------------------------------------------------

SHAPES = [
    ({"error_code": "A", "error_msg": "b"}, "A", "b"),
    ({"errorCode": "A", "errorMsg": "b"}, "A", "b"),
    ({"code": "A", "message": "b"}, "A", "b"),
    ({"error_code": "A", "errorCode": "B", "error_msg": "b", "message": "c"}, "A", "b"),
    ({"errorCode": "A", "code": "B", "errorMsg": "b", "message": "c"}, "A", "b"),
    ({"error_code": "", "code": "A", "error_msg": " ", "message": "b"}, "A", "b"),
    ({"error_code": 7, "error_msg": 8}, "7", "8"),
    ({"error_code": " A ", "error_msg": " b "}, "A", "b"),
    ({"error_code": True, "error_msg": 1.5}, None, NO_REASON),
    ({"error_code": None, "error_msg": ["b"]}, None, NO_REASON),
    ({"error": {"code": "A", "message": "b"}}, None, "b"),
    ({"error": {}, "error_code": "A", "error_msg": "b"}, None, NO_REASON),
    ({"error": "x", "error_code": "A", "error_msg": "b"}, "A", "b"),
]


@pytest.mark.parametrize(("body", "code", "message"), SHAPES)
def test_the_shapes_of_an_error(body: dict[str, Any], code: str | None, message: str) -> None:
    """The service's, the gateway's, IAM's and those of siblings; the first name that has a text."""
    error = judged(reply(400, body | {"request_id": "r"}), LOGIN)
    assert (error.code, error.message, error.request_id) == (code, message, "r")


def test_the_request_id() -> None:
    """The header wins, then the body."""
    assert judged(reply(400, {"request_id": "b"}, x_request_id="h")).request_id == "h"
    assert judged(reply(400, {"request_id": "b"}, x_request_id="")).request_id == "b"
    assert judged(reply(400, {"request_id": 5})).request_id == "5"
    assert judged(reply(400)).request_id is None


SECRET = "MIIEtoken0123456789"


def test_no_secret_is_repeated() -> None:
    """Neither in a message, a code or an ID, nor in a usable document."""
    body = {"error_code": SECRET, "error_msg": f"bad {SECRET}", "request_id": SECRET}
    for status in (400, 404, 502):
        for operation in (PAUSE, LIST):
            error = judged(reply(status, body, x_request_id=SECRET), operation, [SECRET])
            assert SECRET not in f"{error} {error.code} {error.request_id} {vars(error)}"
            assert error.request_id == "[hidden]"
    document = judged(reply(200, {"job_id": f"a {SECRET}"}), hidden=[SECRET])
    assert document == {"job_id": "a [hidden]"}
    assert isinstance(document, Cleaned)
    lacking = judged(Reply(200, {}, b"", f"repeats {SECRET}"), hidden=[SECRET])
    assert SECRET not in str(lacking)


def test_a_secret_in_the_escapes_of_json_is_found() -> None:
    """Some servers escape what needs no escape."""
    secret = "a/b/c/d/e/f/g/h"
    for written in (secret.replace("/", "\\/"), secret.replace("a", "\\u0061")):
        body = f'{{"job_id": "{written}"}}'.encode()
        assert judged(reply(200, body), hidden=[secret]) == {"job_id": "[hidden]"}
    plain = judged(reply(200, {"job_id": "a"}), hidden=[secret])
    assert type(plain) is dict


def test_what_is_long_is_cut() -> None:
    """A code and an ID after 128 characters, a message after 500."""
    body = {"error_code": "c" * 1000, "error_msg": "m" * 1000}
    error = judged(reply(400, body, x_request_id="r" * 1000), LOGIN)
    assert error.code == "c" * 128 + "…"
    assert error.request_id == "r" * 128 + "…"
    assert error.message == "m" * 500 + "…"


# --- Retry-After --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("9" * 100, float("9" * 100)),
        ("9" * 101, None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Fri, 15 Jan 2027 08:00:10 GMT", 10.0),
        ("Fri, 15 Jan 2027 09:00:10 +0100", 10.0),
        ("Fri Jan 15 08:00:10 2027", 10.0),
        ("Fri, 15 Jan 2027 08:00:10 -0000", 10.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("Fri, 15 Jan 99999 08:00:10 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """Seconds or a date, in GMT unless it says otherwise, and never less than 0."""
    assert retry_after(value, NOW) == seconds


def test_retry_after_is_on_the_error() -> None:
    """With every refusal."""
    for status in (400, 409, 429):
        assert judged(reply(status, OWN, retry_after="9")).retry_after == 9.0
        date = "Fri, 15 Jan 2027 08:00:10 GMT"
        assert judged(reply(status, OWN, retry_after=date)).retry_after == 10.0


def test_every_error_is_of_one_tree() -> None:
    """Whatever comes, it is a document or one of the package's errors."""
    for status in range(100, 700):
        for body in (b"", b"{}", OWN, GATEWAY):
            verdict = judged(reply(status, body))
            assert isinstance(verdict, ReplicationError)
