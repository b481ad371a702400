"""When a call is tried again: never when the task may have changed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
import trustme
from faces import SETTINGS, Maker, Wire
from loopback import Server, always, closed_port, read_request, reply
from taurusdb_starrocks import (
    Client,
    ConflictError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    RetryPolicy,
    ServerError,
    ServiceError,
    TokenAuth,
    _attempts,
    _connections,
    _http,
)
from taurusdb_starrocks._call import calling

OWN = {"error_code": "DBS.1", "error_msg": "No."}


class Bench:
    """The retrying transport alone, with a clock that does not run and dice that show 0.5."""

    def __init__(self, kind: type, wire: Wire, *, chance: float = 0.5, **settings: Any) -> None:
        self.slept: list[float] = []
        plan = _http.plan("https://e.com", TokenAuth("t"), **settings)
        attempts = _attempts.Attempts(
            plan.retry, lambda: chance, connect=plan.connect, read=plan.read
        )
        routes: Any = _connections.Routes(_connections.given(wire), trust_env=False, traced=False)
        self._total = plan.total
        self._transport: Any
        if kind is Client:
            self._transport = _attempts.RetryingTransport(routes, attempts, self.slept.append)
        else:

            async def sleep(seconds: float) -> None:
                self.slept.append(seconds)

            self._transport = _attempts.AsyncRetryingTransport(routes, attempts, sleep)

    def call(self, method: str = "POST") -> Any:
        """What one call comes to: a reply or an error."""
        request = httpx.Request(method, "https://e.com/v3/p/instances/i/starrocks")
        with calling(request, self._total):
            try:
                if isinstance(self._transport, httpx.BaseTransport):
                    return self._transport.handle_request(request)
                return asyncio.run(self._transport.handle_async_request(request))
            except ReplicationError as error:
                return error


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
]
RETRIED = [
    (httpx.ConnectError("refused"), [0.25, 0.5]),
    (httpx.ConnectTimeout("timed out"), [0.25, 0.5]),
    (httpx.PoolTimeout("full"), [0.25, 0.5]),
    (httpx.ProxyError("407"), [0.25, 0.5]),
    (httpx.Response(409, json=OWN), [0.25, 0.5]),
    (httpx.Response(429), [0.25, 0.5]),
    (httpx.Response(429, headers={"Retry-After": "rubbish"}), [0.25, 0.5]),
    (httpx.Response(429, headers={"Retry-After": "-1"}), [0.25, 0.5]),
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
    """What was refused, or may have changed the task, is asked once."""
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
    """What never left or says to come back is asked three times, with the waits of the policy."""
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
    wire = Wire(httpx.ConnectError("x"), httpx.Response(429), httpx.Response(200, json={}))
    assert Bench(make.kind, wire).call().status_code == 200


def test_looking_is_tried_again_without_an_answer(make: Maker) -> None:
    """A request that changes nothing may be repeated when no usable answer came."""
    for answer in (httpx.ReadTimeout("x"), httpx.Response(502), httpx.Response(200)):
        wire = Wire(answer)
        outcome = Bench(make.kind, wire).call("GET")
        assert len(wire.sent) == 3
        if isinstance(outcome, Exception):
            assert isinstance(outcome, OutcomeUnknownError)
            assert outcome.harmless
            assert "safe to repeat" in str(outcome)


@pytest.mark.parametrize("asked", ["60", "61", "999999999999999"])
def test_wait_beyond_the_deadline_is_not_begun(make: Maker, asked: str) -> None:
    """A Retry-After past the deadline ends the call at once, with the answer."""
    wire = Wire(httpx.Response(429, headers={"Retry-After": asked}))
    bench = Bench(make.kind, wire)
    assert bench.call().status_code == 429
    assert bench.slept == []


def test_delays_double_up_to_the_longest(make: Maker) -> None:
    """Full jitter: between nothing and a limit that doubles from 0.5 s to 8 s."""
    policy = RetryPolicy(attempts=8)
    for chance in (0.0, 1.0):
        bench = Bench(make.kind, Wire(httpx.Response(429)), chance=chance, retry=policy)
        bench.call()
        assert bench.slept == [chance * limit for limit in (0.5, 1, 2, 4, 8, 8, 8)]


def test_budget_is_the_clients(make: Maker) -> None:
    """All calls of a client share its retries; successes earn them back, a tenth each."""
    policy = RetryPolicy(budget=3)
    answers = [httpx.Response(429)] * (3 + 2 + 1)
    wire = Wire(*answers, *[httpx.Response(200, json={})] * 10, httpx.Response(429))
    bench = Bench(make.kind, wire, retry=policy)
    asked = []
    for _ in range(3):
        before = len(wire.sent)
        bench.call()
        asked.append(len(wire.sent) - before)
    assert asked == [3, 2, 1]
    for _ in range(10):
        assert bench.call().status_code == 200
    before = len(wire.sent)
    bench.call()
    # Ten tenths are one, but for what tenths lose in binary.
    assert len(wire.sent) - before in {1, 2}


@attrs.frozen
class Eager(RetryPolicy):
    """Tries everything again at once, up to its attempts."""

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
        with pytest.raises(NotSentError, match="ConnectError") as caught:
            client.pause()
    assert caught.value.attempts == 3
    assert 0 < caught.value.elapsed < 5
    assert "3 attempts in 0.0 s" in str(caught.value) or "3 attempts in 0.1 s" in str(caught.value)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_unknown_host_is_not_sent(make: Maker) -> None:
    """A name that cannot be resolved: nothing was sent."""
    client = make(endpoint="https://nowhere.invalid", retry=RetryPolicy(attempts=1))
    with pytest.raises(NotSentError):
        client.pause()


def test_connection_lost_after_sending_is_unknown(make: Maker) -> None:
    """A server that reads the request and hangs up may have acted on it: asked once."""
    asked = []

    def hang_up(sock: Any) -> None:
        asked.append(read_request(sock))

    with Server(hang_up) as server:
        client = make(endpoint=server.url, retry=RetryPolicy())
        with pytest.raises(OutcomeUnknownError, match="RemoteProtocolError") as caught:
            client.pause()
    assert len(asked) == caught.value.attempts == 1


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
    """A certificate of an unknown authority: nothing was sent, and asking again heals nothing."""
    client = make(endpoint=tls_server.url, retry=RetryPolicy())
    with pytest.raises(NotSentError, match="certificate verify failed") as caught:
        client.pause()
    assert caught.value.attempts == tls_server.connections == 1


def test_retry_sleeps_for_real(make: Maker) -> None:
    """The waits are real ones: a Retry-After of a second takes a second."""
    wire = Wire(
        httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(200, json={"job_id": "j"})
    )
    client = make(transport=wire, timeout=SETTINGS.get("timeout", 5))
    assert client.pause().id == "j"
    assert len(wire.sent) == 2
