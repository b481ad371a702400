"""The line that every call leaves in the log."""

from __future__ import annotations

import logging
import re
from typing import Any

import httpx
import pytest
from faces import INSTANCE, PROJECT, TASK, Maker, Wire
from taurusdb_starrocks import Client, ConfigurationError, ReplicationError

OK = httpx.Response(200, json={"job_id": "j"}, headers={"X-Request-Id": "r-1"})


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged under the package's name, all of it at INFO."""
    records = [record for record in caplog.records if record.name == "taurusdb_starrocks"]
    assert {record.levelno for record in records} <= {logging.INFO}
    return [re.sub(r"duration=\d+\.\d{3}s", "duration=*", one.getMessage()) for one in records]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="taurusdb_starrocks")
    return caplog


def test_one_line_a_call(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """Operation, instance, task, status, attempts, duration and request ID, on one line."""
    client = make(transport=Wire(OK))
    client.pause()
    client.resume()
    assert lines(log) == [
        f"{verb} instance={INSTANCE} task={TASK} status=200 attempts=1 duration=* request_id=r-1"
        for verb in ("pause", "resume")
    ]


def test_line_of_a_look(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """A look at the tasks names no task."""
    make(transport=Wire(httpx.Response(200, json={"replications": []}))).tasks()
    expected = f"list instance={INSTANCE} task=- status=200 attempts=1 duration=* request_id=-"
    assert lines(log) == [expected]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(400), "status=400 BadRequestError attempts=1 duration=* request_id=-"),
        (
            httpx.Response(429, headers={"X-Request-Id": "r"}),
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
    assert lines(log) == [f"pause instance={INSTANCE} task={TASK} {words}"]


def test_no_line_without_a_call(make: Maker, log: pytest.LogCaptureFixture) -> None:
    """What is refused before anything is sent is no call."""
    with pytest.raises(ConfigurationError):
        make(transport=Wire()).pause(task_name="no good")
    assert lines(log) == []


def test_quiet_unless_asked(make: Maker, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written above INFO, whatever happens."""
    caplog.set_level(logging.WARNING)
    with pytest.raises(ReplicationError):
        make(transport=Wire(httpx.Response(500))).pause()
    assert caplog.records == []


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
    assert lines(log) == [
        "pause instance=i task=- status=200 attempts=1 duration=* request_id=r-1",
        "GET instance=- task=- status=200 attempts=1 duration=* request_id=r-1",
    ]


def test_line_of_a_streamed_call_by_hand(log: pytest.LogCaptureFixture) -> None:
    """A body that can be read only once is not read for the log."""
    with Client(
        endpoint="https://e.com",
        project_id=PROJECT,
        transport=httpx.MockTransport(lambda _: OK),
        environ={"TAURUSDB_STARROCKS_AUTH_TOKEN": "t"},
    ) as client:
        path = "/v3/p/instances/i/starrocks/databases/replication/pause"
        client.api.get_httpx_client().post(path, content=iter([b"{", b"}"]))
    assert [line.split(" status")[0] for line in lines(log)] == ["pause instance=i task=-"]
