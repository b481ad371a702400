"""Waiting for a task to be paused or to run: it changes nothing, and ends in time."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from scripted_service import INSTANCE, LOST, Answer, Service, refusal
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    Poll,
    Stage,
    TaskFailedError,
    TokenAuth,
    WaitTimeoutError,
)


@pytest.mark.parametrize(
    "poll", [{"first": -1}, {"interval": 0}, {"interval": 99.0, "longest": 1.0}]
)
def test_a_poll_that_cannot_be(poll: dict[str, float]) -> None:
    """Times that make no sense are refused."""
    with pytest.raises(ConfigurationError, match="Poll"):
        Poll(**poll)


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"settle": -1}, {"poll": 3}, {"progress": "print"}, {"wait": True}],
    ids=str,
)
@pytest.mark.parametrize("verb", ["ensure_paused", "ensure_running", "wait_until_paused", "paused"])
def test_options_that_cannot_be(
    client: Any, service: Service, verb: str, options: dict[str, Any]
) -> None:
    """Every verb that waits refuses them before anything is sent, and names the option."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        getattr(client, verb)(INSTANCE, "orders_sync", **options)
    assert service.asked == []


@pytest.mark.parametrize("settings", [{"poll": 3}, {"wait_timeout": 0}, {"settle": 0}], ids=str)
def test_defaults_that_cannot_be(open_client: Any, settings: dict[str, Any]) -> None:
    """A client refuses them, and names the setting."""
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        with open_client(
            endpoint="http://127.0.0.1:1", project_id="0" * 32, auth=TokenAuth("token"), **settings
        ):
            pytest.fail("it must not open")


def test_task_and_its_absence(client: Any) -> None:
    """One task by its name, or the error that it is not there."""
    assert client.task(INSTANCE, "archive_sync").stage is Stage.PAUSED
    with pytest.raises(NotFoundError, match="has no synchronization task no_such_task") as caught:
        client.task(INSTANCE, "no_such_task")
    assert (caught.value.instance_id, caught.value.task_name) == (INSTANCE, "no_such_task")


def test_one_failed_list_does_not_end_task(client: Any, service: Service) -> None:
    """A 500 of the list is retried."""
    service.scripts["list"] = [refusal(500, "DBS.108000")]
    assert client.task(INSTANCE, "archive_sync").stage is Stage.PAUSED


def test_bad_arguments_send_nothing(client: Any, service: Service) -> None:
    """Every verb checks its arguments first."""
    for verb in (
        client.task,
        client.ensure_paused,
        client.ensure_running,
        client.wait_until_paused,
        client.wait_until_running,
    ):
        with pytest.raises(ConfigurationError):
            verb(INSTANCE, "no-such-task")
    with pytest.raises(ConfigurationError):
        client.tasks("..")
    with pytest.raises(ConfigurationError), client.paused(INSTANCE, ["orders_sync", "x"]):
        pytest.fail("the block must not begin")
    with pytest.raises(ConfigurationError, match="already_paused must be one of"):
        client.paused(INSTANCE, "orders_sync", already_paused="ignore")
    assert service.asked == []


PASSING = [
    LOST,
    httpx.ConnectError("refused"),
    refusal(500, "DBS.108000"),
    refusal(409),
    refusal(429, Retry_After="0"),
    refusal(503, Retry_After="0"),
    httpx.Response(502, text="<html>"),
    httpx.Response(200, text="<html>"),
    httpx.Response(200, json={"error_code": "DBS.200011", "error_msg": "busy"}),
]


@pytest.mark.parametrize("answer", PASSING, ids=str)
@pytest.mark.parametrize("verb", ["wait_until_paused", "ensure_paused"])
def test_a_poll_that_fails_in_passing_does_not_end_the_wait(
    client: Any, service: Service, answer: Answer, verb: str
) -> None:
    """Ten failed lists in a row, and then a good one: the first read included."""
    service.stages["orders_sync"] = "Paused"
    service.scripts["list"] = [answer] * 10
    assert getattr(client, verb)(INSTANCE, "orders_sync").stage is Stage.PAUSED


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(401), AuthenticationError),
        (refusal(400), BadRequestError),
        (refusal(400, "DBS.200022"), NotFoundError),
    ],
)
@pytest.mark.parametrize("verb", ["wait_until_paused", "ensure_paused"])
def test_a_poll_that_is_refused_ends_the_wait(
    client: Any, service: Service, answer: Answer, error: type[Exception], verb: str
) -> None:
    """What another poll cannot mend is raised at once."""
    service.scripts["list"] = [answer] * 5
    with pytest.raises(error):
        getattr(client, verb)(INSTANCE, "orders_sync")
    assert service.count("list") == 1


def test_throttled_polls_come_less_often(client: Any, service: Service) -> None:
    """Each throttled poll doubles the pause before the next, up to the longest."""
    service.stages["orders_sync"] = "Paused"
    service.scripts["list"] = [refusal(429)] * 9  # Three polls of three attempts each.
    started = time.monotonic()
    client.wait_until_paused(
        INSTANCE, "orders_sync", poll=Poll(first=0.0, interval=0.05, longest=0.15)
    )
    assert 0.1 + 0.15 + 0.15 <= time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("verb", "stage"), [("wait_until_paused", "Incremental"), ("wait_until_running", "Paused")]
)
def test_a_wait_that_takes_too_long(client: Any, service: Service, verb: str, stage: str) -> None:
    """The error carries the task as it was last seen, and is a TimeoutError too."""
    service.stages["orders_sync"] = stage
    with pytest.raises(WaitTimeoutError, match=f"last seen in stage '{stage}'") as caught:
        getattr(client, verb)(INSTANCE, "orders_sync", timeout=0.3)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.task is not None
    assert caught.value.task.stage_text == stage
    assert (caught.value.instance_id, caught.value.task_name) == (INSTANCE, "orders_sync")


def test_a_wait_without_a_single_poll(client: Any, service: Service) -> None:
    """The error says that nothing was seen."""
    service.scripts["list"] = [LOST] * 10_000
    with pytest.raises(WaitTimeoutError, match="no poll succeeded") as caught:
        client.wait_until_paused(INSTANCE, "orders_sync", timeout=0.05)
    assert caught.value.task is None


def test_the_clients_own_timeout_is_the_default(open_client: Any, service: Service) -> None:
    """``wait_timeout`` and ``poll`` of the client hold where a verb is not told otherwise."""
    with open_client(
        endpoint="http://127.0.0.1:1",
        project_id="0" * 32,
        auth=TokenAuth("token"),
        transport=httpx.MockTransport(service),
        poll=Poll(first=0.0, interval=0.01),
        wait_timeout=0.5,
    ) as client:
        started = time.monotonic()
        with pytest.raises(WaitTimeoutError):
            client.wait_until_paused(INSTANCE, "orders_sync")
    assert time.monotonic() - started < 20
    assert service.count("list") > 2


@pytest.mark.parametrize(
    ("stage", "status", "says"),
    [("Incremental", "No", "abnormal"), ("Cancelled", "Yes", "cancelled")],
)
@pytest.mark.parametrize("verb", ["wait_until_paused", "wait_until_running"])
def test_a_task_that_fails_ends_the_wait(
    client: Any, service: Service, verb: str, stage: str, status: str, says: str
) -> None:
    """At once, with an error that says so and shows the task."""
    service.stages["orders_sync"] = "Wait"
    service.scripts["list"] = [
        service.list,
        lambda: (
            service.stages.update(orders_sync=stage),
            service.status.update(orders_sync=status),
        ),
    ]
    with pytest.raises(TaskFailedError, match=says) as caught:
        getattr(client, verb)(INSTANCE, "orders_sync")
    assert caught.value.task.stage_text == stage
    assert caught.value.task_name == "orders_sync"


def test_a_task_that_vanishes_ends_the_wait(client: Any, service: Service) -> None:
    """Two polls without it are enough; one may be a list that changed while it was read."""
    stage = service.stages.pop("orders_sync")
    service.scripts["list"] = [service.list, lambda: service.stages.update(orders_sync=stage)]
    with pytest.raises(WaitTimeoutError):
        client.wait_until_paused(INSTANCE, "orders_sync", timeout=0.05)
    del service.stages["orders_sync"]
    with pytest.raises(NotFoundError):
        client.wait_until_paused(INSTANCE, "orders_sync")
