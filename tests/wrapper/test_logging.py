"""The line that every call leaves in the log."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import httpx
import pytest
from clients import INSTANCE, PROJECT, SETTINGS, TASK, TOKEN, Maker, Wire
from loopback import Server, always, reply
from taurusdb_starrocks import (
    AsyncClient,
    Client,
    ConfigurationError,
    IamPasswordAuth,
    ReplicationError,
    TokenAuth,
)

ABOUT = f"host=gaussdb.example.com instance={INSTANCE} task={TASK}"
OK = httpx.Response(200, json={"job_id": "j"}, headers={"X-Request-Id": "r-1"})


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged under the package's name, each with its level before it."""
    return [
        f"{record.levelname} " + re.sub(r"duration=\d+\.\d{3}s", "duration=*", record.getMessage())
        for record in caplog.records
        if record.name == "taurusdb_starrocks"
    ]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="taurusdb_starrocks")
    return caplog


def test_one_line_a_call(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """Operation, host, instance, task, status, attempts, duration and request ID, at INFO."""
    client = make(transport=Wire(OK))
    client.pause()
    client.resume()
    assert lines(log) == [
        f"INFO {verb} {ABOUT} status=200 attempts=1 duration=* request_id=r-1"
        for verb in ("pause", "resume")
    ]


def test_line_of_a_reading_call(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """What only reads is for DEBUG; the list names no task, the configuration does."""
    client = make(transport=Wire(httpx.Response(200, json={"replications": []})))
    client.tasks()
    client.do("configuration", INSTANCE, TASK)
    rest = "status=200 attempts=1 duration=* request_id=-"
    assert lines(log) == [
        f"DEBUG list {ABOUT.replace(TASK, '-')} {rest}",
        f"DEBUG configuration {ABOUT} {rest}",
    ]


def test_line_of_a_login(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """A login is a part of its call and leaves no line; one that was retried makes it a WARNING."""
    good = httpx.Response(
        201,
        json={"token": {"expires_at": "2999-01-01T00:00:00Z"}},
        headers={"X-Subject-Token": "t"},
    )
    for answers, level in (([good, OK], "INFO"), ([httpx.Response(429), good, OK], "WARNING")):
        log.clear()
        auth = IamPasswordAuth("u", "pass-word", "a", project_id=PROJECT)
        make(transport=Wire(*answers), auth=auth).pause()
        expected = f"{level} pause {ABOUT} status=200 attempts=1 duration=* request_id=r-1"
        assert lines(log) == [expected]


def test_line_of_a_retried_call(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """A call that succeeds after a retry is a WARNING, of a reading call as well."""
    empty = httpx.Response(200, json={"replications": []})
    make(transport=Wire(httpx.Response(429, json={"error_code": "APIGW.0308"}), OK)).pause()
    make(transport=Wire(httpx.ReadTimeout("x"), empty)).tasks()
    assert lines(log) == [
        f"WARNING pause {ABOUT} status=200 attempts=2 duration=* request_id=r-1",
        f"WARNING list {ABOUT.replace(TASK, '-')} status=200 attempts=2 duration=* request_id=-",
    ]


def test_line_of_a_cancelled_call(log: pytest.LogCaptureFixture) -> None:
    """A change that is cancelled may have been made: a WARNING. What only reads cannot."""

    async def cancelled() -> None:
        async def hang(_: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        settings = SETTINGS | {"auth": TokenAuth("t"), "transport": httpx.MockTransport(hang)}
        async with AsyncClient(**settings) as client:
            for call in (client.pause(INSTANCE, TASK), client.task(INSTANCE, TASK)):
                task = asyncio.ensure_future(call)
                await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.wait([task])

    asyncio.run(cancelled())
    rest = "status=- CancelledError attempts=1 duration=* request_id=-"
    assert lines(log) == [
        f"WARNING pause {ABOUT} {rest}",
        f"DEBUG list {ABOUT.replace(TASK, '-')} {rest}",
    ]


@pytest.mark.parametrize(
    ("request_id", "shown"),
    [
        (f"r {TOKEN} {TOKEN[:12]}", "r [hidden] [hidden]"),
        ("a\x9b31m\u2028é".encode(), "a 31m é"),
        ("r" * 50_000, "r" * 128 + "…"),
    ],
    ids=["secret", "unprintable", "long"],
)
def test_request_id_in_a_line(
    make: Maker, log: pytest.LogCaptureFixture, request_id: Any, shown: str
) -> None:
    """It is the service's own text: bounded, printable, on one line, and free of secrets."""
    reply = httpx.Response(200, json={"job_id": "j"}, headers={b"X-Request-Id": request_id})
    assert make(transport=Wire(reply)).pause().request_id == shown
    expected = f"INFO pause {ABOUT} status=200 attempts=1 duration=* request_id={shown}"
    assert lines(log) == [expected]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            httpx.Response(400, json={"error_code": "DBS.200001"}),
            "status=400 BadRequestError attempts=1 duration=* request_id=-",
        ),
        (
            httpx.Response(429, json={"error_code": "APIGW.0308"}, headers={"X-Request-Id": "r"}),
            "status=429 RateLimitError attempts=3 duration=* request_id=r",
        ),
        (httpx.Response(200), "status=200 OutcomeUnknownError attempts=1 duration=* request_id=-"),
        (
            httpx.Response(200, json={}),
            "status=200 OutcomeUnknownError attempts=1 duration=* request_id=-",
        ),
        (
            httpx.ReadTimeout("x"),
            "status=- OutcomeUnknownError attempts=1 duration=* request_id=-",
        ),
        (httpx.ConnectError("x"), "status=- NotSentError attempts=3 duration=* request_id=-"),
    ],
)
def test_line_of_a_failure(
    make: Maker, log: pytest.LogCaptureFixture, answer: Any, words: str
) -> None:
    """A call that fails leaves the same line, with the error's name."""
    with pytest.raises(ReplicationError):
        make(transport=Wire(answer)).pause()
    assert lines(log) == [f"WARNING pause {ABOUT} {words}"]


def test_no_line_without_a_call(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """What is refused before anything is sent is no call."""
    with pytest.raises(ConfigurationError):
        make(transport=Wire()).pause(task_name="no good")
    assert lines(log) == []


def test_quiet_while_all_is_well(make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    """A program that shows warnings sees the calls that failed or were retried, and no others."""
    caplog.set_level(logging.WARNING)
    client = make(transport=Wire(OK, httpx.Response(400)))
    client.pause()
    assert caplog.records == []
    with pytest.raises(ReplicationError):
        client.pause()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_one_logger(make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    """All records are the package's: nothing else logs what goes over the wire."""
    caplog.set_level(logging.DEBUG)
    with Server(always(reply())) as server:
        make(endpoint=server.url).pause()
    assert {record.name for record in caplog.records} - {"asyncio"} == {"taurusdb_starrocks"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"5", b"{}", b'{"task_name": 5}', b'{"task_name": "a\\nb"}', b"[" * 100_000],
)
def test_line_of_a_call_by_hand(log: pytest.LogCaptureFixture, content: bytes) -> None:
    """Through ``api`` anything can be sent; its line is as good as it can be, and one line."""
    with Client(
        endpoint="https://e.com",
        project_id=PROJECT,
        transport=Wire(OK),
        environ={"TAURUSDB_STARROCKS_AUTH_TOKEN": "t"},
    ) as client:
        by_hand = client.api.get_httpx_client()
        by_hand.post("/v3/p/instances/i/starrocks/databases/replication/pause", content=content)
        by_hand.get("/other")
        by_hand.get("/v3/p/instances/i/starrocks/databases/replication/configuration?task_name=abc")
    rest = "status=200 attempts=1 duration=* request_id=r-1"
    assert lines(log) == [
        f"INFO pause host=e.com instance=i task=- {rest}",
        f"DEBUG GET host=e.com instance=- task=- {rest}",
        f"DEBUG configuration host=e.com instance=i task=abc {rest}",
    ]


def test_line_of_a_streamed_call_by_hand(log: pytest.LogCaptureFixture) -> None:
    """A body that can be read only once is sent whole, and leaves the same line."""
    sent = Wire(OK)
    with Client(
        endpoint="https://e.com",
        project_id=PROJECT,
        transport=sent,
        environ={"TAURUSDB_STARROCKS_AUTH_TOKEN": "t"},
    ) as client:
        path = "/v3/p/instances/i/starrocks/databases/replication/pause"
        client.api.get_httpx_client().post(path, content=iter([b"{", b"}"]))
    assert sent.sent[0].content == b"{}"
    expected = ["INFO pause host=e.com instance=i task=-"]
    assert [line.split(" status")[0] for line in lines(log)] == expected
