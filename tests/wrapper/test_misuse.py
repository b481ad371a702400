"""What is passed in wrongly is refused with a typed error before anything is sent."""

from __future__ import annotations

import asyncio
import enum
import math
from typing import Any

import httpx
import pytest
from clients import INSTANCE, SETTINGS, TASK, TOKEN, Maker, Wire
from taurusdb_starrocks import AsyncClient, ConfigurationError, Poll, RetryPolicy, TokenAuth

BAD_OPTIONS: list[dict[str, Any]] = [
    {"poll": None},
    {"poll": 3},
    {"progress": 5},
    {"accepted": 5},
    {"recorder": print},
    {"timeout": math.nan},
    {"timeout": math.inf},
    {"timeout": "5"},
    {"timeout": None},
    {"timeout": 0},
    {"timeout": -1},
    {"timeout": True},
    {"settle": 0},
    {"settle": math.nan},
    {"settle": None},
    {"wait": True},
    {"intervall": 5},
]
WAITING = ["ensure_paused", "ensure_running", "wait_until_paused", "wait_until_running"]


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=str)
@pytest.mark.parametrize("verb", [*WAITING, "paused"])
def test_options_of_a_wait(make: Maker, verb: str, options: dict[str, Any]) -> None:
    """Nothing is sent when the wait that follows cannot be."""
    wire = Wire()
    client = make(transport=wire)
    with pytest.raises(ConfigurationError):
        if verb == "paused":
            client.client.paused(INSTANCE, TASK, **options)
        else:
            client.do(verb, INSTANCE, TASK, **options)
    assert wire.sent == []


def test_unknown_option_is_named(make: Maker) -> None:
    """With those that there are."""
    options = "timeout, poll, settle, progress, accepted, recorder"
    words = rf"^Unknown argument: intervall\. The arguments for waiting are {options}\.$"
    with pytest.raises(ConfigurationError, match=words):
        make().do("ensure_paused", INSTANCE, TASK, intervall=5)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_pause_and_resume_only_request(make: Maker, verb: str) -> None:
    """They take no option of a wait."""
    wire = Wire()
    with pytest.raises(TypeError):
        make(transport=wire).do(verb, INSTANCE, TASK, wait=True)
    assert wire.sent == []


@pytest.mark.parametrize("mode", ["", "leave", None, True])
def test_what_to_do_about_paused_tasks(make: Maker, mode: Any) -> None:
    """One of three words, which the error names."""
    with pytest.raises(ConfigurationError, match="must be one of keep, resume, error"):
        make().client.paused(INSTANCE, TASK, already_paused=mode)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"first": "x"}, "Poll.first must be a number of seconds, at least 0 and at most 1000000"),
        ({"first": -1}, "Poll.first must be a number of seconds, at least 0 and at most 1000000"),
        (
            {"first": math.inf},
            "Poll.first must be a number of seconds, at least 0 and at most 1000000",
        ),
        ({"interval": math.nan}, "Poll.interval must be a number of seconds, more than 0"),
        ({"interval": 0}, "Poll.interval must be a number of seconds, more than 0"),
        ({"longest": 0}, "Poll.longest must be a number of seconds, more than 0"),
        ({"interval": 20, "longest": 10}, "Poll.interval must not be longer than Poll.longest"),
    ],
    ids=str,
)
def test_a_poll_of_no_time(times: dict[str, Any], words: str) -> None:
    """Times that are no numbers, or that cannot pass; the error says what can."""
    with pytest.raises(ConfigurationError, match=f"^{words}"):
        Poll(**times)


def test_a_poll_at_once() -> None:
    """The first poll need not wait."""
    assert Poll(first=0).first == 0


@pytest.mark.parametrize("names", [[], ()])
def test_a_window_of_nothing(make: Maker, names: Any) -> None:
    """A block that would begin with nothing paused does not begin, nor any other wait."""
    with pytest.raises(ConfigurationError, match="at least one"):
        make().client.paused(INSTANCE, names)
    for verb in ("ensure_paused", "ensure_running"):
        with pytest.raises(ConfigurationError, match="at least one"):
            make().do(verb, INSTANCE, names)


@pytest.mark.parametrize("names", [5, None, b"orders_sync", [TASK, "no good"], [TASK, None]])
def test_names_that_are_none(make: Maker, names: Any) -> None:
    """A mistake in one of several names, or in what holds them, is named; nothing is sent."""
    wire = Wire()
    client = make(transport=wire)
    for verb in ("ensure_paused", "ensure_running"):
        with pytest.raises(ConfigurationError, match="task_name must be"):
            client.do(verb, INSTANCE, names)
    with pytest.raises(ConfigurationError, match="task_name must be"):
        client.client.paused(INSTANCE, names)
    assert wire.sent == []


@pytest.mark.parametrize(
    "settings",
    [
        {"attempts": "3"},
        {"attempts": None},
        {"attempts": 0},
        {"first_delay": -1.0},
        {"first_delay": math.nan},
        {"longest_delay": math.inf},
        {"budget": "x"},
    ],
    ids=str,
)
def test_a_policy_that_cannot_be(settings: dict[str, Any]) -> None:
    """A mistake in it would come up in place of the error it is to judge."""
    with pytest.raises(ConfigurationError):
        RetryPolicy(**settings)


def test_a_text_that_shows_as_another(make: Maker) -> None:
    """An enum of texts is sent as the text that was checked, not as its name."""

    class Names(str, enum.Enum):  # noqa: UP042  # A StrEnum would show as what it is.
        INSTANCE_ID = INSTANCE
        TASK_NAME = TASK

    wire = Wire()
    make(transport=wire).pause(Names.INSTANCE_ID, Names.TASK_NAME)
    assert f"/instances/{INSTANCE}/" in wire.sent[0].url.path
    assert TASK.encode() in wire.sent[0].content


def test_a_request_id_beyond_ascii(make: Maker) -> None:
    """It is shown as far as it can be; the job is a job."""
    reply = httpx.Response(
        200, json={"job_id": "1"}, headers=[(b"X-Request-Id", b"\xe9" + b"a" * 600)]
    )
    job = make(transport=Wire(reply)).pause()
    assert job.id == "1"
    assert job.request_id == "é" + "a" * 127 + "…"


def test_an_async_client_in_a_second_loop() -> None:
    """Its connections are of the first: the call is refused before anything is sent."""
    wire = Wire()
    client = AsyncClient(**{**SETTINGS, "auth": TokenAuth(TOKEN), "transport": wire})
    asyncio.run(client.pause(INSTANCE, TASK))
    with pytest.raises(ConfigurationError, match="event loop"):
        asyncio.run(client.resume(INSTANCE, TASK))
    assert len(wire.sent) == 1


def test_an_async_client_without_a_loop() -> None:
    """The error says that asyncio does not run."""
    wire = Wire()
    client = AsyncClient(**{**SETTINGS, "auth": TokenAuth(TOKEN), "transport": wire})
    call = client.pause(INSTANCE, TASK)
    with pytest.raises(ConfigurationError, match="needs an asyncio event loop"):
        call.send(None)
    assert wire.sent == []


def test_a_window_as_a_decorator(make: Maker) -> None:
    """Each use is a window of its own: the second does not resume what only the first paused."""

    def stage(name: str) -> httpx.Response:
        task = {"task_name": TASK, "stage": name, "status": "Yes"}
        return httpx.Response(200, json={"total_count": 1, "replications": [task]})

    job = httpx.Response(200, json={"job_id": "1"})
    wire = Wire(
        stage("Full"), job, stage("Paused"), job, stage("Full"), httpx.Response(403, json={})
    )
    face = make(transport=wire)
    window = face.client.paused(INSTANCE, TASK, poll=Poll(first=0, interval=0.001))

    async def used() -> None:
        @window
        async def work() -> None:
            return None

        await work()

    def use() -> None:
        if isinstance(face.client, AsyncClient):
            face._runner.run(used())
        else:
            window(lambda: None)()

    use()
    with pytest.raises(Exception, match="403"):
        use()
    assert len(wire.sent) == 6
