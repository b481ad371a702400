"""The attempts of a call in virtual time: what is sent again, when, and what it comes to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from taurusdb_starrocks import (
    AccessKeyAuth,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    Credentials,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    Request,
    RetryPolicy,
    ServerError,
    TokenAuth,
)
from taurusdb_starrocks._decisions.retry import Attempts
from taurusdb_starrocks._decisions.steps import Send, Sleep
from taurusdb_starrocks._messages import Origin, Reply, Unanswered
from taurusdb_starrocks._operations import LIST, LOGIN, PAUSE, Call, Operation
from virtual_time import INSTANCE, drive

REQUEST = Request("POST", Origin("https", "example.com", 443), "/v3/p", {"Accept": "x"}, b"{}")
OWN = {"error_code": "DBS.1", "error_msg": "No."}
JOB = {"job_id": "a"}


def reply(status: int, body: Any = OWN, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def unsent(*, lasting: bool = False) -> Unanswered:
    return Unanswered("the connection was refused", sent=False, lasting=lasting)


def lost() -> Unanswered:
    return Unanswered("the connection was reset", sent=True)


class Bench:
    """The attempts of one client, on a network that gives the answers it is told.

    Attributes:
        sent: The requests that were sent.
        slept: The seconds that were slept.
    """

    def __init__(
        self,
        *answers: Any,
        policy: RetryPolicy | None = None,
        auth: Credentials | None = None,
        chance: float = 0.5,
    ) -> None:
        self.now = 100.0
        self.answers = list(answers)
        self.sent: list[Request] = []
        self.slept: list[float] = []
        self.attempts = Attempts(
            policy or RetryPolicy(),
            auth or TokenAuth("token-0"),
            clock=lambda: self.now,
            wall_clock=lambda: 1_800_000_000.0,
            chance=lambda: chance,
        )

    def call(self, operation: Operation = PAUSE, timeout: float = 60.0) -> Call:
        return Call(operation, "example.com", INSTANCE, "orders", self.now, self.now + timeout)

    def perform(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            self.slept.append(step.seconds)
            self.now += step.seconds
            return None
        assert isinstance(step, Send)
        self.sent.append(step.request)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def come_to(self, call: Call | None = None) -> Any:
        """The document of a call, or its error."""
        try:
            _, document = drive(self.attempts.of(call or self.call(), REQUEST), self.perform)
        except ReplicationError as error:
            return error
        return document


# --- The policy ---------------------------------------------------------------------------------


def failure(kind: type[Any], **options: Any) -> Any:
    return kind("no", **({"status": 400} | options if kind is not NotSentError else options))


REPEATABLE = [
    (NotSentError("no"), True),
    (NotSentError("no", lasting=True), False),
    (failure(ConflictError), True),
    (failure(RateLimitError), True),
    (OutcomeUnknownError("no"), False),
    (OutcomeUnknownError("no", harmless=True), True),
    (failure(ServerError, harmless=True), True),
    (failure(ServerError, harmless=False), False),
    (failure(BadRequestError), False),
    (failure(NotFoundError), False),
    (failure(AuthenticationError), False),
    (ConfigurationError("no"), False),
]


@pytest.mark.parametrize(("error", "repeated"), REPEATABLE, ids=str)
def test_what_is_repeated(error: ReplicationError, repeated: bool) -> None:
    """Only what cannot have changed a task, and may pass."""
    assert (RetryPolicy().delay(error, 1, 0.5) is not None) == repeated


def test_delays() -> None:
    """They double from the first to the longest, times chance."""
    policy = RetryPolicy(attempts=100, first_delay=0.5, longest_delay=8.0)
    delays = [policy.delay(NotSentError("no"), attempt, 1.0) for attempt in range(1, 8)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert policy.delay(NotSentError("no"), 2, 0.25) == 0.25
    assert policy.delay(NotSentError("no"), 3, 0.0) == 0.0
    huge = RetryPolicy(attempts=10**6, first_delay=1e-30, longest_delay=1e300)
    assert huge.delay(NotSentError("no"), 10**5, 1.0) == 1e-30 * 2.0**60


def test_the_number_of_attempts() -> None:
    """The last one is not followed by another."""
    assert RetryPolicy().attempts == 3
    assert RetryPolicy().delay(NotSentError("no"), 2, 0.5) is not None
    assert RetryPolicy().delay(NotSentError("no"), 3, 0.5) is None
    assert RetryPolicy(attempts=1).delay(NotSentError("no"), 1, 0.5) is None


@pytest.mark.parametrize("asked", [0.0, 7.0, 1e9])
def test_the_service_says_how_long(asked: float) -> None:
    """In place of the policy."""
    error = failure(RateLimitError, retry_after=asked)
    assert RetryPolicy().delay(error, 1, 0.5) == asked


@pytest.mark.parametrize("attempts", [0, -1, 1.0, True, "3"])
def test_attempts_that_cannot_be(attempts: Any) -> None:
    """They are a whole number from 1."""
    with pytest.raises(
        ConfigurationError, match=r"^attempts must be an integer of at least 1, not "
    ):
        RetryPolicy(attempts=attempts)


@pytest.mark.parametrize("name", ["first_delay", "longest_delay", "budget"])
@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan, True, "1", None])
def test_times_that_cannot_be(name: str, value: Any) -> None:
    """They are numbers from 0, and 0 is one."""
    with pytest.raises(ConfigurationError, match=f"^{name} must be a number of at least 0, not "):
        RetryPolicy(**{name: value})
    assert getattr(RetryPolicy(**{name: 0}), name) == 0
    assert getattr(RetryPolicy(**{name: 2.5}), name) == 2.5


def test_the_default_policy() -> None:
    """As documented."""
    assert RetryPolicy() == RetryPolicy(attempts=3, first_delay=0.5, longest_delay=8.0, budget=20.0)


# --- Attempts -----------------------------------------------------------------------------------


def test_one_attempt() -> None:
    """A usable response ends the call; the reply comes with its document."""
    answer = reply(200, JOB)
    bench = Bench(answer)
    call = bench.call()
    got, document = drive(bench.attempts.of(call, REQUEST), bench.perform)
    assert got is answer
    assert document == JOB
    assert (call.attempts, call.logins) == (1, 0)
    (sent,) = bench.sent
    assert dict(sent.headers) == {"Accept": "x", "X-Auth-Token": "token-0"}
    assert call.secrets == ["token-0"]


def test_attempts_until_one_succeeds() -> None:
    """With the policy's waits in between."""
    bench = Bench(unsent(), reply(429), reply(200, JOB))
    call = bench.call()
    assert bench.come_to(call) == JOB
    assert bench.slept == [0.25, 0.5]
    assert call.attempts == 3


def test_attempts_until_none_is_left() -> None:
    """The last error is raised."""
    bench = Bench(unsent(), unsent(), reply(409), reply(200, JOB))
    error = bench.come_to()
    assert type(error) is ConflictError
    assert len(bench.sent) == 3


@pytest.mark.parametrize(
    "answer",
    [lost(), reply(500), reply(400), reply(200, {}), reply(429, b""), reply(408)],
    ids=str,
)
def test_a_change_that_may_have_been_made_is_not_repeated(answer: Any) -> None:
    """Nor one that was refused."""
    bench = Bench(answer, reply(200, JOB))
    assert isinstance(bench.come_to(), ReplicationError)
    assert len(bench.sent) == 1
    assert bench.slept == []


@pytest.mark.parametrize(
    "answer", [lost(), reply(500), reply(200, b"<html>"), reply(408), reply(429, b"")], ids=str
)
def test_what_only_reads_is_repeated(answer: Any) -> None:
    """It changes nothing."""
    page = {"replications": []}
    bench = Bench(answer, answer, reply(200, page))
    assert bench.come_to(bench.call(LIST)) == page


def test_a_request_that_was_not_answered() -> None:
    """Whether it left decides; the failure below is the cause."""
    gone = lost()
    error = Bench(gone).come_to()
    assert type(error) is OutcomeUnknownError
    assert error.message == (
        "the connection was reset. The task may have changed: read its stage before you repeat it."
    )
    assert error.__cause__ is gone
    assert not error.harmless
    assert Bench(*(lost() for _ in range(3))).come_to(Bench().call(LIST)).harmless
    kept = unsent(lasting=True)
    error = Bench(kept).come_to()
    assert type(error) is NotSentError
    assert error.message == (
        "the connection was refused. The request was not sent: it is safe to repeat."
    )
    assert error.lasting
    assert error.__cause__ is kept


def test_no_secret_is_repeated() -> None:
    """Of this attempt or of one before it."""
    tokens = iter(["first-secret", "second-secret"])
    auth = Changing(lambda: {"X-Auth-Token": next(tokens)})
    bench = Bench(
        unsent(), Unanswered("407 first-secret second-secret", sent=False, lasting=True), auth=auth
    )
    call = bench.call()
    assert "secret" not in str(bench.come_to(call))
    assert call.secrets == ["first-secret", "second-secret"]
    judged = Bench(reply(400, {"error_msg": "no token-0"})).come_to()
    assert "token-0" not in str(judged)


def test_a_secret_is_kept_once() -> None:
    """However many attempts were sent with it."""
    bench = Bench(unsent(), unsent(), unsent())
    call = bench.call()
    bench.come_to(call)
    assert call.secrets == ["token-0"]


@pytest.mark.parametrize(("timeout", "attempts"), [(7.0, 1), (7.1, 2)])
def test_a_wait_beyond_the_deadline_is_not_begun(timeout: float, attempts: int) -> None:
    """The error is raised at once."""
    bench = Bench(reply(429, OWN, retry_after="7"), reply(200, JOB))
    bench.come_to(bench.call(timeout=timeout))
    assert len(bench.sent) == attempts
    assert bench.slept == [7.0] * (attempts - 1)


def test_a_date_to_wait_for() -> None:
    """Is compared with the time of day."""
    bench = Bench(reply(429, OWN, retry_after="Fri, 15 Jan 2027 08:00:10 GMT"), reply(200, JOB))
    assert bench.come_to() == JOB
    assert bench.slept == [10.0]


def test_the_deadline_is_that_of_the_call() -> None:
    """The time that its attempts took counts."""
    bench = Bench(unsent(), unsent(), unsent())
    call = bench.call(timeout=0.6)
    assert type(bench.come_to(call)) is NotSentError
    assert bench.slept == [0.25]


def test_the_budget() -> None:
    """It is the client's: retries in a row use it up, and a success gives back a tenth of one."""
    bench = Bench(policy=RetryPolicy(budget=2.0, attempts=100), chance=0.0)
    bench.answers = [unsent() for _ in range(9)]
    bench.come_to()
    assert len(bench.sent) == 3
    bench.come_to()
    assert len(bench.sent) == 4
    for _ in range(9):
        bench.answers = [reply(200, JOB)]
        bench.come_to()
    bench.answers = [unsent(), unsent()]
    bench.come_to()
    assert len(bench.sent) == 14
    bench.answers = [reply(200, JOB)]
    bench.come_to()
    bench.answers = [reply(200, JOB)]
    bench.come_to()
    bench.answers = [unsent(), reply(200, JOB)]
    assert bench.come_to() == JOB


def test_the_budget_does_not_grow() -> None:
    """Beyond what it began with."""
    bench = Bench(policy=RetryPolicy(budget=1.0, attempts=100), chance=0.0)
    for _ in range(30):
        bench.answers = [reply(200, JOB)]
        bench.come_to()
    bench.sent.clear()
    bench.answers = [unsent() for _ in range(9)]
    bench.come_to()
    assert len(bench.sent) == 2


def test_a_policy_of_ones_own() -> None:
    """It is given the error, the number of the attempt, and a chance."""
    asked = []

    class Policy(RetryPolicy):
        def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
            asked.append((type(error), attempt, chance))
            return 1.0 if attempt < 3 else None

    bench = Bench(reply(400), lost(), reply(403), policy=Policy(), chance=0.75)
    bench.come_to()
    assert [(attempt, chance) for _, attempt, chance in asked] == [(1, 0.75), (2, 0.75), (3, 0.75)]
    assert asked[0][0] is BadRequestError
    assert bench.slept == [1.0, 1.0]


def test_a_policy_that_fails() -> None:
    """What the attempt came to is raised, with a note."""

    class Broken(RetryPolicy):
        def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
            raise LookupError

    error = Bench(lost(), policy=Broken()).come_to()
    assert type(error) is OutcomeUnknownError
    assert error.__notes__ == ["Broken failed with LookupError."]


@pytest.mark.parametrize("delay", [-1.0, math.nan, math.inf])
def test_a_delay_that_cannot_be(delay: float) -> None:
    """It is taken for none."""

    class Odd(RetryPolicy):
        def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
            return delay

    bench = Bench(unsent(), reply(200, JOB), policy=Odd())
    assert type(bench.come_to()) is NotSentError
    assert bench.slept == []


# --- Doubt --------------------------------------------------------------------------------------


class Always(RetryPolicy):
    """Repeats everything twice."""

    def delay(self, error: ReplicationError, attempt: int, chance: float) -> float | None:
        return 0.0 if attempt < 3 else None


@pytest.mark.parametrize("first", [lost(), reply(500)], ids=str)
@pytest.mark.parametrize("last", [unsent(), reply(429), reply(400, OWN | {"request_id": "r"})])
def test_doubt_stays(first: Any, last: Any) -> None:
    """If the outcome of one attempt at a change is unknown, so is the outcome of the call."""
    error = Bench(first, last, last, policy=Always()).come_to()
    assert type(error) is OutcomeUnknownError
    assert not error.harmless
    assert isinstance(error.__cause__, ReplicationError)
    assert error.status == getattr(error.__cause__, "status", None)
    assert error.code == getattr(error.__cause__, "code", None)
    assert error.request_id == error.__cause__.request_id


def test_the_words_of_doubt() -> None:
    """They name the last unknown attempt and the last one."""
    error = Bench(reply(500), lost(), reply(400), policy=Always()).come_to()
    assert error.message == (
        "The outcome of an earlier attempt is unknown (the connection was reset), and the last "
        "attempt failed: No. "
        "The task may have changed: read its stage before you repeat it."
    )


def test_an_unknown_last_attempt_is_raised_as_it_is() -> None:
    """It says the same."""
    error = Bench(lost(), lost(), reply(500), policy=Always()).come_to()
    assert type(error) is ServerError


def test_doubt_ends_with_a_usable_response() -> None:
    """The change was accepted."""
    assert Bench(lost(), reply(200, JOB), policy=Always()).come_to() == JOB


def test_no_doubt_about_what_only_reads() -> None:
    """Nothing can have changed."""
    bench = Bench(lost(), lost(), reply(400), policy=Always())
    assert type(bench.come_to(bench.call(LIST))) is BadRequestError


def test_doubt_stays_when_the_credentials_fail() -> None:
    """A change was sent before."""
    headers = iter([{"X-Auth-Token": "abcd"}])
    bench = Bench(lost(), policy=Always(), auth=Changing(lambda: next(headers)))
    error = bench.come_to()
    assert type(error) is OutcomeUnknownError
    assert isinstance(error.__cause__, NotSentError)


# --- What an instance that is not found may be --------------------------------------------------


def test_an_instance_that_is_not_found() -> None:
    """One that is no StarRocks instance is told which it may be."""
    bench = Bench(reply(404), reply(404), reply(404))
    source = bench.call()
    source.instance_id = INSTANCE.replace("in17", "in07")
    assert bench.come_to(source).message.startswith("No.")
    assert len(bench.come_to(bench.call()).message) < len("No. ") + 1
    nobody = bench.call()
    nobody.instance_id = None
    assert bench.come_to(nobody).message == "No."
    advised = Bench(reply(404)).come_to(source).message
    assert len(advised) > len("No.")
    assert Bench(reply(400)).come_to(source).message == "No."


# --- Credentials --------------------------------------------------------------------------------


class Changing(Credentials):
    """Credentials whose headers are made anew for each attempt."""

    def __init__(self, make: Callable[[], Mapping[str, str]], *, renewable: bool = True) -> None:
        self._make = make
        self.renewable = renewable
        self.seen: list[Request] = []

    def headers(self, request: Request) -> Mapping[str, str]:
        self.seen.append(request)
        return self._make()


def test_each_attempt_is_authenticated_as_it_is_sent() -> None:
    """A signature has a date."""
    numbers = iter(range(9))
    auth = Changing(lambda: {"X-Auth-Token": f"token-{next(numbers)}"})
    bench = Bench(unsent(), reply(429), reply(200, JOB), auth=auth)
    bench.come_to()
    assert [sent.headers["X-Auth-Token"] for sent in bench.sent] == [
        "token-0",
        "token-1",
        "token-2",
    ]
    assert auth.seen == [REQUEST] * 3


def test_a_rejected_token_is_renewed_once() -> None:
    """At once, and beside the attempts of the policy; the second rejection is raised."""
    numbers = iter(range(9))
    auth = Changing(lambda: {"X-Auth-Token": f"token-{next(numbers)}"})
    bench = Bench(reply(401), reply(200, JOB), auth=auth)
    call = bench.call()
    assert bench.come_to(call) == JOB
    assert bench.slept == []
    assert [sent.headers["X-Auth-Token"] for sent in bench.sent] == ["token-0", "token-1"]
    assert auth.seen == [REQUEST] * 2
    assert call.attempts == 2
    bench.answers = [reply(401), reply(401), reply(200, JOB)]
    assert type(bench.come_to()) is AuthenticationError
    assert len(bench.sent) == 4


def test_a_token_that_is_rejected_without_a_known_code() -> None:
    """It is renewed as well, but the outcome of the first request stays unknown."""
    numbers = iter(range(9))
    auth = Changing(lambda: {"X-Auth-Token": f"token-{next(numbers)}"})
    bench = Bench(reply(401, b"<html>"), reply(200, JOB), auth=auth)
    assert bench.come_to() == JOB
    bench.answers = [reply(401, b"<html>"), reply(401)]
    assert type(bench.come_to()) is OutcomeUnknownError
    assert len(bench.sent) == 4
    bench = Bench(reply(401, b"<html>"), reply(200, JOB))
    assert type(bench.come_to()) is OutcomeUnknownError
    assert len(bench.sent) == 1


def test_a_renewal_counts_as_an_attempt() -> None:
    """Of the policy's three."""
    numbers = iter(range(9))
    auth = Changing(lambda: {"X-Auth-Token": f"token-{next(numbers)}"})
    bench = Bench(unsent(), reply(401), unsent(), reply(200, JOB), auth=auth)
    assert type(bench.come_to()) is NotSentError
    assert len(bench.sent) == 3


@pytest.mark.parametrize(
    "auth",
    [
        TokenAuth("token-0"),
        Changing(lambda: {"X-Auth-Token": "same"}),
        Changing(lambda: {"X-Auth-Token": "same"}, renewable=False),
    ],
    ids=["token", "same", "not renewable"],
)
def test_a_rejected_token_that_cannot_be_renewed(auth: Credentials) -> None:
    """It is not sent again."""
    bench = Bench(reply(401), reply(200, JOB), auth=auth)
    assert type(bench.come_to()) is AuthenticationError
    assert len(bench.sent) == 1


def test_credentials_that_fail() -> None:
    """Anything they raise is an error of the package, before anything is sent."""

    def broken() -> Mapping[str, str]:
        raise OSError("the disk is gone")

    bench = Bench(auth=Changing(broken))
    error = bench.come_to()
    assert type(error) is NotSentError
    assert error.message == "Changing failed with OSError. Nothing was sent."
    assert isinstance(error.__cause__, OSError)
    assert not error.lasting
    assert bench.sent == []


def test_credentials_that_fail_in_a_known_way() -> None:
    """The error goes on as it is."""
    error = ConfigurationError("no")

    def broken() -> Mapping[str, str]:
        raise error

    assert Bench(auth=Changing(broken)).come_to() is error


@pytest.mark.parametrize("headers", [7, {"X-Auth-Token": 7}, {7: "x"}], ids=str)
def test_headers_that_are_none(headers: Any) -> None:
    """As any other failure of credentials of one's own."""
    error = Bench(auth=Changing(lambda: headers)).come_to()
    assert type(error) is NotSentError
    assert error.message.startswith("Changing failed with ")


def test_no_headers() -> None:
    """They are none."""
    bench = Bench(reply(200, JOB), auth=Changing(lambda: None))  # type: ignore[arg-type,return-value]
    assert bench.come_to() == JOB
    assert dict(bench.sent[0].headers) == {"Accept": "x"}


def test_a_signature() -> None:
    """Its parts are hidden, the request is not."""
    bench = Bench(reply(200, JOB), auth=AccessKeyAuth("AKAKAKAKAK", "sksksksksksksk"))
    call = bench.call()
    assert bench.come_to(call) == JOB
    assert any("AKAKAKAKAK" in secret for secret in call.secrets)


# --- Logins -------------------------------------------------------------------------------------


def login(bench: Bench, call: Call) -> Any:
    try:
        _, document = drive(bench.attempts.login(call, REQUEST, ["password"]), bench.perform)
    except ReplicationError as error:
        return error
    return document


def test_a_login() -> None:
    """It is a part of the call, counted apart, and nothing in its body is shown."""
    bench = Bench(reply(201, {"token": {}}))
    call = bench.call()
    call.secrets += ["token"]
    assert login(bench, call) == {"token": {}}
    assert (call.attempts, call.logins) == (0, 1)
    assert call.secrets == ["token", "password"]
    assert dict(bench.sent[0].headers) == {"Accept": "x"}


def test_a_login_is_retried() -> None:
    """As what only reads, within the call's deadline."""
    for answer in (lost(), reply(500)):
        bench = Bench(unsent(), answer, reply(201, {"token": {}}))
        call = bench.call()
        assert login(bench, call) == {"token": {}}
        assert call.logins == 3
        assert bench.slept == [0.25, 0.5]


def test_a_login_that_fails() -> None:
    """After all attempts with the last error; at once if it is refused."""
    bench = Bench(unsent(), unsent(), reply(500))
    error = login(bench, bench.call())
    assert type(error) is ServerError
    assert error.harmless
    assert len(bench.sent) == 3
    bench = Bench(reply(401, {"error": {"message": "wrong password"}}))
    call = bench.call()
    assert login(bench, call).message == "wrong [hidden]"
    assert call.logins == 1


def test_a_login_on_the_way_of_a_call() -> None:
    """Credentials send it, and the call goes on with what it gave."""

    class Logging(Changing):
        def authenticate(self, request: Any, rejected: Any, login: Any, /) -> Any:
            answer, document = yield from login(REQUEST, ["password"])
            assert answer.status == LOGIN.status
            return {"X-Auth-Token": document["token"]}

    bench = Bench(reply(201, {"token": "t-1234"}), reply(200, JOB), auth=Logging(dict))
    call = bench.call()
    assert bench.come_to(call) == JOB
    assert (call.attempts, call.logins) == (1, 1)
    assert call.secrets == ["password", "t-1234"]
    assert bench.sent[0] == REQUEST
    assert bench.sent[1].headers["X-Auth-Token"] == "t-1234"
