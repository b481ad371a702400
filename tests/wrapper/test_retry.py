"""When a call is retried: never when the task may have changed."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
import trustme
from clients import INSTANCE, SETTINGS, TASK, Maker, Wire
from loopback import Server, always, closed_port, read_request, reply
from taurusdb_starrocks import (
    Client,
    ConflictError,
    Credentials,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    Poll,
    RateLimitError,
    ReplicationError,
    Request,
    RetryPolicy,
    ServerError,
    ServiceError,
    Stage,
    TokenAuth,
    _regions,
    _settings,
)
from taurusdb_starrocks._decisions.retry import Attempts
from taurusdb_starrocks._decisions.steps import Sleep, run
from taurusdb_starrocks._transport.async_mock import AsyncMockNetwork
from taurusdb_starrocks._transport.calls import Calls
from taurusdb_starrocks._transport.mock import MockNetwork

OWN = {"error_code": "DBS.1", "error_msg": "No."}
THROTTLED = httpx.Response(429, json=OWN)


class Bench:
    """The attempts alone, with a clock that does not run and chances that are all the same."""

    def __init__(self, kind: type, wire: Wire, *, chance: float = 0.5, **settings: Any) -> None:
        self.slept: list[float] = []
        endpoint = _regions.endpoint("endpoint", "https://e.com")
        plan = _settings.plan(endpoint, TokenAuth("t"), environ={}, **settings)
        now = float(int(time.monotonic()))  # Whole, so that adding a timeout is exact.
        self._calls = Calls(plan, clock=lambda: now)
        self._attempts = Attempts(
            plan.retry, plan.auth, clock=lambda: now, wall_clock=time.time, chance=lambda: chance
        )
        self._network: Any = MockNetwork(wire) if kind is Client else AsyncMockNetwork(wire)

    def call(self, method: str = "POST") -> Any:
        """What one call comes to: a response or an error."""
        call, request = self._calls.request(method, "/v3/p/instances/i/starrocks", {})

        def perform(step: Any) -> Any:
            if isinstance(step, Sleep):
                return self.slept.append(step.seconds)
            reply = self._network.exchange(step.request, call.deadline)
            return asyncio.run(reply) if asyncio.iscoroutine(reply) else reply

        with contextlib.suppress(ReplicationError), self._calls.report(call, request) as report:
            try:
                report.reply, _ = run(self._attempts.of(call, request), perform)
            except ReplicationError as error:
                report.reply = error
                raise
        return report.reply


NOT_RETRIED = [
    httpx.Response(200, json={"job_id": "j"}),
    httpx.Response(200),
    httpx.Response(204),
    httpx.Response(302, headers={"Location": "/"}),
    httpx.Response(400, json=OWN),
    httpx.Response(401, json=OWN),
    httpx.Response(403, json=OWN),
    httpx.Response(404, json=OWN),
    httpx.Response(400, json=OWN, headers={"Retry-After": "1"}),
    httpx.Response(500, json=OWN),
    httpx.Response(500, json=OWN, headers={"Retry-After": "1"}),
    httpx.Response(502),
    httpx.Response(503, json=OWN),
    httpx.Response(503, json=OWN, headers={"Retry-After": "rubbish"}),
    httpx.Response(504),
    httpx.ReadTimeout("timed out"),
    httpx.WriteTimeout("timed out"),
    httpx.ReadError("reset"),
    httpx.WriteError("reset"),
    httpx.CloseError("reset"),
    httpx.RemoteProtocolError("server disconnected"),
    httpx.DecodingError("rubbish"),
    httpx.TooManyRedirects("twenty"),
]
RETRIED = [
    (httpx.ConnectError("refused"), [0.25, 0.5]),
    (httpx.ConnectTimeout("timed out"), [0.25, 0.5]),
    (httpx.PoolTimeout("full"), [0.25, 0.5]),
    (httpx.ProxyError("407"), [0.25, 0.5]),
    (httpx.Response(409, json=OWN), [0.25, 0.5]),
    (THROTTLED, [0.25, 0.5]),
    (httpx.Response(429, json=OWN, headers={"Retry-After": "rubbish"}), [0.25, 0.5]),
    (httpx.Response(429, json=OWN, headers={"Retry-After": "-1"}), [0.25, 0.5]),
    (httpx.Response(429, headers={"Retry-After": "3"}), [3.0, 3.0]),
    (httpx.Response(503, headers={"Retry-After": "4"}), [4.0, 4.0]),
    (httpx.Response(429, headers={"Retry-After": "0"}), [0.0, 0.0]),
]


def label(answer: Any) -> str:
    if not isinstance(answer, httpx.Response):
        return type(answer).__name__ if isinstance(answer, Exception) else ""
    return f"{answer.status_code}-{answer.headers.get('Retry-After')}"


@pytest.mark.parametrize("answer", NOT_RETRIED, ids=label)
def test_not_tried_again(make: Maker, answer: Any) -> None:
    """What was refused, or may have changed the task, is sent once.

    A mock's error that does not say whether the request had left is taken for one after it had.
    """
    wire = Wire(answer)
    bench = Bench(make.kind, wire)
    outcome = bench.call()
    assert len(wire.sent) == 1
    assert bench.slept == []
    if isinstance(answer, Exception):
        assert type(outcome) is OutcomeUnknownError
        assert outcome.attempts == 1


@pytest.mark.parametrize(("answer", "waits"), RETRIED, ids=label)
def test_tried_again(make: Maker, answer: Any, waits: list[float]) -> None:
    """What never left or says to come back is sent three times, with the waits of the policy."""
    wire = Wire(answer)
    bench = Bench(make.kind, wire)
    outcome = bench.call()
    assert len(wire.sent) == 3
    assert bench.slept == waits
    if isinstance(answer, Exception):
        assert type(outcome) is NotSentError
        assert outcome.attempts == 3
        assert "safe to repeat" in str(outcome)


def test_success_after_failures(make: Maker) -> None:
    """A call that gets through in the end is a success like any other."""
    wire = Wire(httpx.ConnectError("x"), THROTTLED, httpx.Response(200, json={}))
    assert Bench(make.kind, wire).call().status == 200


@pytest.mark.parametrize(
    "answer", [httpx.ReadTimeout("x"), httpx.Response(502), httpx.Response(200)], ids=label
)
def test_reading_is_retried_without_a_usable_response(make: Maker, answer: Any) -> None:
    """A request that changes nothing may be repeated, and its error says so."""
    wire = Wire(answer)
    outcome = Bench(make.kind, wire).call("GET")
    assert len(wire.sent) == 3
    assert type(outcome) is OutcomeUnknownError
    assert outcome.harmless
    assert "safe to repeat" in str(outcome)


@pytest.mark.parametrize("status", [500, 503, 520])
def test_reading_is_retried_when_the_service_fails(make: Maker, status: int) -> None:
    """A failure of the service is harmless to what only reads."""
    wire = Wire(httpx.Response(status, json=OWN))
    outcome = Bench(make.kind, wire).call("GET")
    assert len(wire.sent) == 3
    assert type(outcome) is ServerError
    assert outcome.harmless


@pytest.mark.parametrize("verb", ["task", "configuration", "tasks", "instances"])
@pytest.mark.parametrize(
    "failure", [httpx.Response(500, json=OWN), httpx.ReadTimeout("x")], ids=label
)
def test_one_failure_does_not_end_a_verb_that_reads(make: Maker, verb: str, failure: Any) -> None:
    """A poll that fails once is repeated, whichever verb it is for."""
    task = {"task_name": TASK, "stage": "Paused", "status": "Yes"}
    listed = {"total_count": 1, "replications": [task], "instances": [{"id": INSTANCE}]}
    wire = Wire(failure, httpx.Response(200, json=listed))
    client = make(transport=wire)
    if verb == "tasks":
        assert len(client.tasks()) == 1
    elif verb == "instances":
        assert len(client.do(verb, INSTANCE.replace("in17", "in07"))) == 1
    else:
        assert client.do(verb, INSTANCE, TASK)
    assert len(wire.sent) == 2


@pytest.mark.parametrize("asked", ["60", "61", "999999999999999"])
def test_wait_beyond_the_deadline_is_not_begun(make: Maker, asked: str) -> None:
    """A Retry-After past the deadline ends the call at once, with the answer."""
    wire = Wire(httpx.Response(429, headers={"Retry-After": asked}))
    bench = Bench(make.kind, wire)
    assert bench.call().status == 429
    assert bench.slept == []


def test_delays_double_up_to_the_longest(make: Maker) -> None:
    """Full jitter: between nothing and a limit that doubles from 0.5 s to 8 s."""
    policy = RetryPolicy(attempts=8)
    for chance in (0.0, 1.0):
        bench = Bench(make.kind, Wire(THROTTLED), chance=chance, retry=policy)
        bench.call()
        assert bench.slept == [chance * limit for limit in (0.5, 1, 2, 4, 8, 8, 8)]


def test_budget_is_the_clients(make: Maker) -> None:
    """All calls of a client share its retries; successes earn them back, a tenth each."""
    policy = RetryPolicy(budget=3)
    answers = [THROTTLED] * (3 + 2 + 1)
    wire = Wire(*answers, *[httpx.Response(200, json={})] * 10, THROTTLED)
    bench = Bench(make.kind, wire, retry=policy)
    asked = []
    for _ in range(3):
        before = len(wire.sent)
        bench.call()
        asked.append(len(wire.sent) - before)
    assert asked == [3, 2, 1]
    for _ in range(10):
        assert bench.call().status == 200
    before = len(wire.sent)
    bench.call()
    # Ten tenths are one, but for what tenths lose in binary.
    assert len(wire.sent) - before in {1, 2}


@attrs.frozen
class Eager(RetryPolicy):
    """Retries everything at once, up to its attempts."""

    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        return 0.0 if attempt < self.attempts else None


def test_policy_is_replaceable(make: Maker) -> None:
    """A policy of the user's own decides alone."""
    wire = Wire(httpx.Response(500, json=OWN))
    with pytest.raises(ServerError) as caught:
        make(transport=wire, retry=Eager(attempts=4)).pause()
    assert len(wire.sent) == caught.value.attempts == 4
    wire = Wire(httpx.Response(409, json=OWN))
    with pytest.raises(ConflictError) as conflict:
        make(transport=wire, retry=RetryPolicy(attempts=1)).pause()
    assert len(wire.sent) == conflict.value.attempts == 1


@attrs.frozen
class Broken(RetryPolicy):
    """Answers with what is no delay, or raises."""

    answer: Any = None

    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]  # That it is no number is the point.


@pytest.mark.parametrize("answer", [-1.0, math.nan, "1", ZeroDivisionError(), StopIteration()])
def test_policy_that_fails(make: Maker, answer: Any) -> None:
    """It cannot hide what the attempt came to: a task that may have changed."""
    wire = Wire(httpx.ReadTimeout("x"))
    with pytest.raises(OutcomeUnknownError, match="may have changed") as caught:
        make(transport=wire, retry=Broken(answer=answer)).pause()
    assert len(wire.sent) == caught.value.attempts == 1
    notes = getattr(caught.value, "__notes__", [])
    assert bool(notes) is not isinstance(answer, float)


UNKNOWN = [
    httpx.ReadTimeout("x"),
    httpx.Response(502),
    httpx.Response(200),
    httpx.Response(302),
    httpx.Response(500, json=OWN),
]
CERTAIN = [
    httpx.ConnectError("refused"),
    httpx.Response(400, json=OWN),
    httpx.Response(401, json=OWN),
    httpx.Response(404, json=OWN),
    httpx.Response(409, json=OWN),
    httpx.Response(429, json=OWN),
    httpx.Response(503, json=OWN, headers={"Retry-After": "0"}),
]


@pytest.mark.parametrize("first", UNKNOWN, ids=label)
@pytest.mark.parametrize("last", CERTAIN, ids=label)
def test_doubt_stays(make: Maker, first: Any, last: Any) -> None:
    """If the outcome of one attempt at a change is unknown, so is the outcome of the call."""
    client = make(transport=Wire(first, last), retry=Eager(attempts=2))
    with pytest.raises(
        OutcomeUnknownError, match="The outcome of an earlier attempt is unknown"
    ) as caught:
        client.pause()
    assert not caught.value.harmless
    assert caught.value.attempts == 2
    assert "The task may have changed" in str(caught.value)
    assert isinstance(caught.value.__cause__, (NotSentError, ServiceError))
    if isinstance(last, httpx.Response):
        assert (caught.value.status, caught.value.code) == (last.status_code, "DBS.1")


def test_doubt_stays_when_credentials_fail(make: Maker) -> None:
    """Also where no further attempt could be authenticated."""
    tokens = ["one"]
    wire = Wire(httpx.ReadTimeout("x"))
    client = make(auth=TokenAuth(tokens.pop), transport=wire, retry=Eager(attempts=3))
    with pytest.raises(OutcomeUnknownError, match="TokenAuth failed with IndexError") as caught:
        client.pause()
    assert not caught.value.harmless
    assert len(wire.sent) == 1
    # The same after a refused token, which settles only its own attempt.
    tokens = ["one", "two"]
    wire = Wire(httpx.ReadTimeout("x"), httpx.Response(401, json=OWN))
    client = make(auth=TokenAuth(tokens.pop), transport=wire, retry=Eager(attempts=3))
    with pytest.raises(OutcomeUnknownError, match="TokenAuth failed with IndexError"):
        client.pause()
    assert len(wire.sent) == 2


def test_doubt_ends_with_a_job(make: Maker) -> None:
    """A later attempt that is accepted is a job; of what only reads there is no doubt."""
    client = make(transport=Wire(UNKNOWN[0], httpx.Response(200, json={"job_id": "j"})))
    with pytest.raises(OutcomeUnknownError):
        client.pause()  # The usual policy does not repeat it.
    wire = Wire(UNKNOWN[0], httpx.Response(200, json={"job_id": "j"}))
    assert make(transport=wire, retry=Eager(attempts=2)).pause().id == "j"
    wire = Wire(UNKNOWN[0], httpx.Response(403, json=OWN))
    with pytest.raises(PermissionDeniedError):
        make(transport=wire, retry=Eager(attempts=2)).tasks()


class Once(Credentials):
    """Credentials that must not be called again."""

    renewable = True

    def __init__(self) -> None:
        self.called = 0

    def headers(self, _request: Request, /) -> dict[str, str]:
        self.called += 1
        assert self.called == 1
        return {"X-Auth-Token": "t"}


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, json={"job_id": "j"}), *NOT_RETRIED], ids=label
)
def test_credentials_are_not_called_after_the_response(make: Maker, answer: Any) -> None:
    """What an attempt came to is not the credentials' to change, but for a 401."""
    if getattr(answer, "status_code", None) == 401:
        return
    auth = Once()
    with contextlib.suppress(OutcomeUnknownError, ServiceError):
        make(transport=Wire(answer), auth=auth).pause()
    assert auth.called == 1


def test_policy_is_a_pure_function() -> None:
    """The same error, attempt and chance give the same wait; nothing is remembered."""
    policy = RetryPolicy()
    limit = RateLimitError("", status=429, retry_after=2.5)
    assert [policy.delay(limit, attempt, 0.9) for attempt in (1, 2, 3, 1)] == [2.5, 2.5, None, 2.5]
    unknown = OutcomeUnknownError("x", harmless=True)
    assert policy.delay(unknown, 2, 1.0) == 1.0
    assert policy.delay(OutcomeUnknownError("x"), 1, 1.0) is None
    assert policy.delay(ServiceError("x", status=418), 1, 1.0) is None
    assert RetryPolicy(attempts=10_000).delay(limit, 5_000, 1.0) == 2.5
    assert RetryPolicy(attempts=10_000).delay(NotSentError("x"), 5_000, 1.0) == 8.0


def test_refused_connection_is_not_sent(make: Maker) -> None:
    """A port that nobody listens on: tried three times, and the error says how often and long."""
    with closed_port() as port:
        client = make(endpoint=f"http://127.0.0.1:{port}", retry=RetryPolicy(first_delay=0.02))
        with pytest.raises(
            NotSentError, match=f"to 127.0.0.1:{port}: connection refused"
        ) as caught:
            client.pause()
    assert caught.value.attempts == 3
    assert 0 < caught.value.elapsed < 5
    assert re.search(r"\(pause orders_sync, 3 attempts in \d\.\d s\)$", str(caught.value))


def test_unknown_host_is_not_sent(make: Maker) -> None:
    """A name that cannot be resolved: nothing was sent, and the name is in the error."""
    client = make(endpoint="https://nowhere.invalid", retry=RetryPolicy(attempts=1))
    words = r"^Could not connect to nowhere\.invalid:443: the name could not be resolved\. "
    with pytest.raises(NotSentError, match=words) as caught:
        client.pause()
    assert caught.value.host == "nowhere.invalid"


def test_connection_lost_after_sending_is_unknown(make: Maker) -> None:
    """A server that reads the request and hangs up may have acted on it: it is sent once."""
    asked = []

    def hang_up(sock: Any) -> None:
        asked.append(read_request(sock))

    with Server(hang_up) as server:
        client = make(endpoint=server.url, retry=RetryPolicy())
        with pytest.raises(
            OutcomeUnknownError, match="closed the connection before a complete response"
        ) as caught:
            client.pause()
    assert len(asked) == caught.value.attempts == 1


def test_reset_after_sending_reads_like_one(make: Maker) -> None:
    """A connection that is reset is said to be, and not to have been slow."""

    def reset(sock: socket.socket) -> None:
        read_request(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Server(reset) as server:
        client = make(endpoint=server.url, retry=RetryPolicy())
        with pytest.raises(OutcomeUnknownError, match="connection reset by peer") as caught:
            client.pause()
    assert caught.value.attempts == 1


def test_failing_polls_do_not_keep_a_window_from_opening(make: Maker) -> None:
    """More failures than a call has attempts are no end of a wait, nor of a window's first poll."""

    def stage(name: str) -> httpx.Response:
        task = {"task_name": TASK, "stage": name, "status": "Yes"}
        return httpx.Response(200, json={"total_count": 1, "replications": [task]})

    failures = [httpx.Response(500, json=OWN)] * 4
    job = httpx.Response(200, json={"job_id": "1"})
    wire = Wire(*failures, stage("Full"), job, *failures, stage("Paused"), job, stage("Full"))
    poll = Poll(first=0, interval=0.001)
    with make(transport=wire).do("paused", INSTANCE, TASK, poll=poll, timeout=10) as task:
        assert task.stage is Stage.PAUSED
    assert len(wire.sent) == 13


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Server(always(reply()), context) as server:
        yield server


def test_tls_failure_is_not_tried_again(make: Maker, tls_server: Server) -> None:
    """A certificate of an unknown authority: nothing was sent, and a retry heals nothing."""
    client = make(endpoint=tls_server.url, retry=RetryPolicy())
    with pytest.raises(NotSentError, match="certificate verify failed") as caught:
        client.pause()
    assert caught.value.attempts == tls_server.connections == 1
    assert caught.value.lasting


def test_retry_sleeps_for_real(make: Maker) -> None:
    """The waits are real ones: a Retry-After of a second takes a second."""
    wire = Wire(
        httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(200, json={"job_id": "j"})
    )
    client = make(transport=wire, timeout=SETTINGS.get("timeout", 5))
    assert client.pause().id == "j"
    assert len(wire.sent) == 2
