"""Every fault of the emulator, in both clients: what the caller sees, what became of the task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    Poll,
    RateLimitError,
    ReplicationError,
    RetryPolicy,
    ServerError,
    TaskFailedError,
    TokenAuth,
    WaitTimeoutError,
)
from taurusdb_starrocks._tasks import Stage
from taurusdb_starrocks_emulator import FAULT_KINDS, Emulator, Fault


class Row(NamedTuple):
    """A fault that meets every call, and what comes of one ``pause``."""

    fault: Fault
    error: type[ReplicationError]
    asked: int  # How often the service was asked.
    changed: int  # How often the task was changed.


def applied(kind: str, error: type[ReplicationError], **settings: Any) -> list[Row]:
    """The fault without and with the change made: the caller sees the same."""
    return [
        Row(Fault(kind, applied=made, **settings), error, 1, int(made)) for made in (False, True)
    ]


LOST = OutcomeUnknownError
TABLE = [
    # The connection.
    Row(Fault("reset-before-read"), LOST, 1, 0),
    *applied("reset-after-read", LOST),
    *applied("close", LOST),
    *applied("hang", LOST, seconds=5.0),
    *applied("drip-headers", LOST, seconds=0.05),
    *applied("drip-body", LOST, seconds=0.05),
    *applied("truncate", LOST),
    *applied("garbage", LOST),
    # Answers that are none.
    *applied("broken-json", LOST),
    *applied("wrong-content-type", LOST),
    *applied("html-502", LOST),
    *applied("blocked", LOST),
    *applied("blocked", LOST, status=404),
    *applied("blocked", LOST, status=408),
    *applied("blocked", LOST, status=429),
    *applied("redirect", LOST),
    *applied("redirect", LOST, status=303),
    *applied("huge-body", LOST),
    *applied("gzip-bomb", LOST),
    *applied("empty", LOST),
    *applied("list", LOST),
    *applied("no-job", LOST),
    *applied("error-in-200", LOST),
    # Refusals: nothing changed. Those that pass are asked for again.
    Row(Fault("throttle"), RateLimitError, 3, 0),
    Row(Fault("throttle", retry_after=0), RateLimitError, 3, 0),
    Row(Fault("throttle", retry_after="Thu, 01 Jan 1970 00:00:00 GMT"), RateLimitError, 3, 0),
    Row(Fault("throttle", retry_after="-5"), RateLimitError, 3, 0),
    Row(Fault("throttle", retry_after="soon"), RateLimitError, 3, 0),
    Row(Fault("throttle", retry_after=10**9), RateLimitError, 1, 0),
    Row(Fault("unavailable", retry_after=0), ServerError, 3, 0),
    Row(Fault("conflict"), ConflictError, 3, 0),
    Row(Fault("expired-token"), AuthenticationError, 1, 0),
    Row(Fault("error", status=403, code="DBS.200010"), PermissionDeniedError, 1, 0),
    Row(Fault("error", status=404, code="DBS.200002"), NotFoundError, 1, 0),
    # The service failed: it may have acted first.
    *applied("unavailable", LOST),
    *applied("error", ServerError),
    *applied("error", ServerError, status=520),
    *applied("error", LOST, status=504, code="APIGW.0203"),
]


def name(row: object) -> str | None:
    fault = row.fault if isinstance(row, Row) else row
    if not isinstance(fault, Fault):
        return None
    extra = [str(x) for x in (fault.status, fault.retry_after) if x is not None]
    return " ".join([fault.kind, *extra, *(["applied"] if fault.applied else [])])


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def client(open_client: Any, emulator: Emulator) -> Iterator[Any]:
    emulator.reset()
    with open_client(
        endpoint=emulator.url,
        project_id=emulator.project_id,
        auth=TokenAuth(emulator.token),
        timeout=1.5,
        retry=RetryPolicy(first_delay=0.001, longest_delay=0.002),
    ) as opened:
        yield opened
    emulator.faults.clear()


@pytest.mark.parametrize("row", TABLE, ids=name)
def test_fault(client: Any, emulator: Emulator, row: Row) -> None:
    """The caller sees a typed error, the service was asked as often and changed as the row says."""
    emulator.faults.add(row.fault)
    with pytest.raises(ReplicationError) as caught:
        client.pause(emulator.instance_id, "orders_sync")
    error = caught.value
    assert type(error) is row.error, error
    assert [call.operation for call in emulator.journal()] == ["pause"] * row.asked
    assert emulator.task(emulator.instance_id, "orders_sync").changes == row.changed
    assert error.attempts == max(row.asked, 1)
    assert 0 < error.elapsed < 2.5
    emulator.faults.clear()
    client.resume(emulator.instance_id, "orders_sync")  # The client is as good as before.


def test_connections_refused_by_the_system(client: Any, emulator: Emulator) -> None:
    """Nobody listens: the request never left, which is said after three attempts."""
    with emulator.refusing(), pytest.raises(NotSentError, match="safe to repeat") as caught:
        client.pause(emulator.instance_id, "orders_sync")
    assert caught.value.attempts == 3
    assert emulator.journal() == []


def test_connections_reset_at_once(client: Any, emulator: Emulator) -> None:
    """Whether the request had left when the reset came is a matter of luck; nothing changed."""
    emulator.faults.add(Fault("refuse"))
    with pytest.raises((NotSentError, OutcomeUnknownError)):
        client.pause(emulator.instance_id, "orders_sync")
    assert emulator.journal() == []
    assert emulator.task(emulator.instance_id, "orders_sync").changes == 0


def test_a_stale_connection(client: Any, emulator: Emulator) -> None:
    """One that the service closes as the next request arrives: the outcome is not known."""
    client.resume(emulator.instance_id, "orders_sync")
    emulator.faults.add(Fault("stale", at=(1,)))
    with pytest.raises(OutcomeUnknownError):
        client.pause(emulator.instance_id, "orders_sync")
    assert client.pause(emulator.instance_id, "orders_sync").id


@pytest.mark.parametrize(
    ("fault", "asked"),
    [
        (Fault("throttle", times=2), 3),
        (Fault("throttle", times=1, retry_after=0), 2),
        (Fault("unavailable", times=2, retry_after=0), 3),
        (Fault("conflict", times=2), 3),
    ],
    ids=name,
)
def test_a_fault_that_passes(client: Any, emulator: Emulator, fault: Fault, asked: int) -> None:
    """A refusal that goes away is not the caller's to know; the task is changed once."""
    emulator.faults.add(fault)
    job = client.pause(emulator.instance_id, "orders_sync")
    journal = emulator.journal()
    assert len(journal) == asked
    assert job.id == journal[-1].job_id
    assert emulator.task(emulator.instance_id, "orders_sync").changes == 1


POLL = Poll(first=0.0, interval=0.01, longest=0.02)
LISTS = {
    "vanishes": NotFoundError,
    "abnormal": TaskFailedError,
    "cancelled": TaskFailedError,
    "never-settles": WaitTimeoutError,
    "contradicts": WaitTimeoutError,
    "short-pages": None,
    "offset-in-pages": None,
    "shuffles": None,
    "never-ends": None,
    "misses": None,
    "repeats": None,
}


@pytest.mark.parametrize(("kind", "error"), LISTS.items())
def test_fault_of_the_list(
    client: Any, emulator: Emulator, kind: str, error: type[ReplicationError] | None
) -> None:
    """A list that lies or changes ends a wait in a typed error, or does not disturb it."""
    parameters = {"task": "billing_sync"} if kind in {"misses", "repeats"} else {}
    emulator.faults.add(Fault(kind, **parameters))
    settings = {"poll": POLL, "timeout": 1.0}
    if error is None:
        client.ensure_paused(emulator.instance_id, "orders_sync", **settings)
        emulator.faults.clear()
        assert client.task(emulator.instance_id, "orders_sync").stage is Stage.PAUSED
    else:
        with pytest.raises(error):
            client.ensure_running(emulator.instance_id, "archive_sync", **settings)


@pytest.mark.parametrize("meanwhile", ["refused", "ignored"])
def test_a_late_pause(client: Any, emulator: Emulator, meanwhile: Any) -> None:
    """Accepted, and waited for until it is there."""
    emulator.faults.add(Fault("late-pause", seconds=0.2, meanwhile=meanwhile))
    client.pause(emulator.instance_id, "orders_sync")
    assert client.task(emulator.instance_id, "orders_sync").stage is Stage.INCREMENTAL
    task = client.wait_until_paused(emulator.instance_id, "orders_sync", poll=POLL, timeout=5)
    assert task.stage is Stage.PAUSED


def test_a_pause_without_effect(client: Any, emulator: Emulator) -> None:
    """Accepted, and never there: the wait ends with an error."""
    emulator.faults.add(Fault("no-effect"))
    assert client.pause(emulator.instance_id, "orders_sync").id
    with pytest.raises(WaitTimeoutError):
        client.wait_until_paused(emulator.instance_id, "orders_sync", poll=POLL, timeout=0.3)


def test_a_configuration_in_the_other_spelling(client: Any, emulator: Emulator) -> None:
    """The retention is read from either; an error passes unchanged."""
    usual = client.configuration(emulator.instance_id, "orders_sync")
    assert usual.binlog_retention_seconds == 86400
    emulator.faults.add(Fault("camel-case"))
    assert client.configuration(emulator.instance_id, "orders_sync") == usual
    with pytest.raises(NotFoundError):
        client.configuration(emulator.instance_id, "no_such_task")


# Faults of one connection, which the tests of connections have.
OF_CONNECTIONS = {
    "refuse",
    "stale",
    "second-reply",
    "tls-plain-text",
    "tls-bad-record",
    "tls-alert",
}


def test_every_fault_is_in_the_tables() -> None:
    """A fault added to the emulator has to be thought about here."""
    tried = {row.fault.kind for row in TABLE} | OF_CONNECTIONS | set(LISTS)
    assert tried | {"late-pause", "no-effect", "camel-case"} == set(FAULT_KINDS)


def test_a_redirect_takes_nothing_along(client: Any, emulator: Emulator) -> None:
    """The other origin is not contacted: a second emulator there stays without a call."""
    with ExitStack() as stack:
        other = stack.enter_context(Emulator())
        emulator.faults.add(Fault("redirect", location=f"{other.url}/anywhere"))
        with pytest.raises(OutcomeUnknownError, match="redirect"):
            client.pause(emulator.instance_id, "orders_sync")
        assert other.journal() == []


def test_no_error_shows_the_token(client: Any, emulator: Emulator) -> None:
    """Neither the text of any of these errors nor its representation."""
    for row in TABLE:
        if row.fault.kind in {"hang", "drip-headers", "drip-body"}:
            continue  # They take long, and bring nothing that could be shown.
        emulator.faults.clear()
        emulator.faults.add(row.fault)
        with pytest.raises(ReplicationError) as caught:
            client.pause(emulator.instance_id, "orders_sync")
        assert emulator.token not in json.dumps([str(caught.value), repr(caught.value)])
