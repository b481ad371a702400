"""What is passed in wrongly is refused with a typed error before anything is sent."""

from __future__ import annotations

import asyncio
import enum
import math
from typing import Any

import httpx
import pytest
from faces import INSTANCE, SETTINGS, TASK, TOKEN, Maker, Wire
from taurusdb_starrocks import AsyncClient, ConfigurationError, Poll, RetryPolicy, TokenAuth

BAD_OPTIONS: list[dict[str, Any]] = [
    {"poll": None},
    {"poll": 3},
    {"progress": 5},
    {"timeout": math.nan},
    {"timeout": math.inf},
    {"timeout": "5"},
    {"timeout": None},
    {"timeout": 0},
    {"timeout": -1},
    {"timeout": True},
]


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=str)
@pytest.mark.parametrize("verb", ["pause", "wait_until_paused"])
def test_options_of_a_wait(make: Maker, verb: str, options: dict[str, Any]) -> None:
    """Nothing is asked for when the wait that follows cannot be."""
    wire = Wire()
    more = {"wait": True} if verb == "pause" else {}
    with pytest.raises(ConfigurationError):
        make(transport=wire).do(verb, INSTANCE, TASK, **more, **options)
    assert wire.sent == []


@pytest.mark.parametrize("times", [{"first": "x"}, {"first": math.inf}, {"interval": math.nan}])
def test_a_poll_of_no_time(times: dict[str, Any]) -> None:
    """Times that are no numbers, or that cannot pass."""
    with pytest.raises(ConfigurationError):
        Poll(**times)


@pytest.mark.parametrize("names", [[], ()])
def test_a_window_of_nothing(make: Maker, names: Any) -> None:
    """A block that would begin with nothing paused does not begin."""
    with pytest.raises(ConfigurationError, match="at least one"):
        make().client.paused(INSTANCE, names)


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
    """It is shown as far as a header can carry it; the job is a job."""
    reply = httpx.Response(
        200, json={"job_id": "1"}, headers=[(b"X-Request-Id", b"\xe9" + b"a" * 600)]
    )
    job = make(transport=Wire(reply)).pause()
    assert job.id == "1"
    assert job.request_id is not None
    assert job.request_id.isascii()


def test_an_async_client_in_a_second_loop() -> None:
    """It would answer with a closed loop's error after the task had changed: it is refused."""
    wire = Wire()
    client = AsyncClient(**{**SETTINGS, "auth": TokenAuth(TOKEN), "transport": wire})
    asyncio.run(client.pause(INSTANCE, TASK))
    with pytest.raises(ConfigurationError, match="event loop"):
        asyncio.run(client.resume(INSTANCE, TASK))
    assert len(wire.sent) == 1


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
