"""Lists as they come over the wire: entries of any type, pages of any kind, no end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from taurusdb_starrocks import (
    Client,
    NotFoundError,
    OutcomeUnknownError,
    Poll,
    RetryPolicy,
    Stage,
    Task,
    TokenAuth,
)
from taurusdb_starrocks._decisions.paging import MOST_PAGES
from taurusdb_starrocks_emulator import Emulator, Fault

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
SETTINGS: dict[str, Any] = {
    "endpoint": "http://127.0.0.1:1",
    "project_id": "0" * 32,
    "auth": TokenAuth("token"),
}


def entry(name: object, **fields: object) -> dict[str, Any]:
    return {"task_name": name, "stage": "Incremental", "status": "Yes", **fields}


def test_a_list_without_end_is_an_error(open_client: Any) -> None:
    """New tasks for ever, in both clients: an error after a bounded number of pages."""
    numbers = itertools.count()

    def serve(request: httpx.Request) -> httpx.Response:
        page = [entry(f"task_{next(numbers)}") for _ in range(2)]
        return httpx.Response(200, json={"total_count": 10**9, "replications": page})

    with (
        open_client(**SETTINGS, transport=httpx.MockTransport(serve)) as client,
        pytest.raises(OutcomeUnknownError, match="did not end"),
    ):
        list(client.tasks(INSTANCE))
    assert next(numbers) <= 2 * (MOST_PAGES + 1)


WIRE = [
    ({"stage": "Paused"}, {"stage": Stage.PAUSED, "stage_text": "Paused"}),
    ({"stage": " iNCREMENTAL "}, {"stage": Stage.INCREMENTAL}),
    ({"stage": "Rebuilding"}, {"stage": Stage.UNKNOWN, "stage_text": "Rebuilding"}),
    ({"stage": None}, {"stage": Stage.UNKNOWN, "stage_text": ""}),
    ({"stage": 7}, {"stage": Stage.UNKNOWN}),
    ({"percentage": 100}, {"percentage": 100.0}),
    ({"percentage": "42.5"}, {"percentage": 42.5}),
    ({"percentage": "nearly"}, {"percentage": None}),
    ({"percentage": True}, {"percentage": None}),
    ({"percentage": "nan"}, {"percentage": None}),
    ({"percentage": None}, {"percentage": None}),
    ({"status": "No"}, {"abnormal": True}),
    ({"status": "Yes"}, {"abnormal": False}),
    ({"status": "Wait"}, {"abnormal": False, "status": "Wait"}),
    ({"status": None}, {"abnormal": False, "status": ""}),
    (
        {"source_database": "a", "target_database": None},
        {"source_database": "a", "target_database": None},
    ),
]


@pytest.mark.parametrize(("wire", "read"), WIRE)
def test_entries_are_read_leniently(
    open_client: Any, wire: dict[str, Any], read: dict[str, Any]
) -> None:
    """Any case of a stage, numbers as text, nulls and stages not heard of."""
    body = {"total_count": "1", "replications": [entry("orders_sync", **wire)], "ext_text": None}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    with open_client(**SETTINGS, transport=transport) as client:
        (task,) = client.tasks(INSTANCE)
    assert isinstance(task, Task)
    assert {name: getattr(task, name) for name in read} == read


@pytest.mark.parametrize(
    "body",
    [
        {"total_count": 0, "replications": None},
        {"replications": []},
        {"total_count": 1, "replications": [{}]},
        {"total_count": 1, "replications": [entry(None)]},
    ],
)
def test_a_list_of_nothing_is_empty(open_client: Any, body: dict[str, Any]) -> None:
    """An empty list, null in its place, and entries without a name are no tasks."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    with open_client(**SETTINGS, transport=transport) as client:
        assert list(client.tasks(INSTANCE)) == []


@pytest.mark.parametrize(
    "body", [{}, {"replications": {}}, {"replications": [1]}, {"total_count": 2}, []]
)
def test_a_list_that_is_none_is_an_error(open_client: Any, body: object) -> None:
    """A look that cannot be read says so, and says that it changed nothing."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    with (
        open_client(**SETTINGS, transport=transport) as client,
        pytest.raises(OutcomeUnknownError, match="safe to repeat") as caught,
    ):
        list(client.tasks(INSTANCE))
    assert caught.value.harmless
    assert caught.value.attempts == 3


# What a service may do to its pages, and what both clients then do


MANY = {
    "projects": [
        {
            "id": "0483b6b16e954cb88930a360d2c4e663",
            "name": "ap-southeast-3",
            "instances": [
                {
                    "id": INSTANCE,
                    "tasks": [
                        {"name": f"task_{number}", "source_database": "db"} for number in range(120)
                    ],
                }
            ],
        }
    ]
}
EVERYTHING = {f"task_{number}" for number in range(120)}


@pytest.fixture(scope="module")
def many() -> Iterator[Emulator]:
    with Emulator(seed=MANY) as emulator:
        yield emulator
    emulator.close()


def emulated(open_client: Any, emulator: Emulator, *faults: Fault) -> Any:
    emulator.reset()
    emulator.faults.add(*faults)
    return open_client(
        endpoint=emulator.url,
        project_id=emulator.project_id,
        auth=TokenAuth(emulator.token),
        retry=RetryPolicy(attempts=1),
    )


# The fault; whether all tasks can be known to have been read; and requests for all tasks, for one
# that is there, and for one that is not.
PAGING: list[tuple[str, dict[str, Any], bool, tuple[int, int, int]]] = [
    ("none", {}, True, (3, 3, 4)),
    ("short-pages", {"limit": 50}, True, (3, 3, 4)),
    ("short-pages", {"limit": 20}, True, (7, 7, 8)),
    ("offset-in-pages", {"first": 0}, True, (5, 2, 6)),
    ("offset-in-pages", {"first": 1}, True, (6, 2, 7)),
    ("misses", {"task": "task_70"}, False, (18, 4, 18)),
    ("repeats", {"task": "task_7"}, True, (3, 3, 4)),
    ("contradicts", {"task": "task_7"}, False, (18, 4, 18)),
]


@pytest.mark.parametrize(("kind", "parameters", "whole", "requests"), PAGING)
def test_pages_of_every_kind(
    open_client: Any,
    many: Emulator,
    kind: str,
    parameters: dict[str, Any],
    whole: bool,
    requests: tuple[int, int, int],
) -> None:
    """Each task once, no task that is there is not found, in as many requests as it takes."""
    faults = [] if kind == "none" else [Fault(kind, **parameters)]
    hidden = {"task_70"} if kind == "misses" else set()
    with emulated(open_client, many, *faults) as client:
        shown: list[str] = []
        ends = nullcontext() if whole else pytest.raises(OutcomeUnknownError, match="completely")
        if isinstance(client, Client):  # A list is gone with its error; what came is counted here.
            with ends:
                shown.extend(task.name for task in client.tasks(INSTANCE))
            assert len(shown) == len(set(shown))
            assert set(shown) == EVERYTHING - hidden
        else:
            with ends:
                assert {task.name for task in client.tasks(INSTANCE)} == EVERYTHING - hidden
        sent = [len(many.journal())]
        assert client.task(INSTANCE, "task_0").stage is Stage.INCREMENTAL
        sent.append(len(many.journal()) - sum(sent))
        with pytest.raises(NotFoundError if whole else OutcomeUnknownError):
            client.task(INSTANCE, "no_such_task")
        sent.append(len(many.journal()) - sum(sent))
        assert tuple(sent) == requests
        if hidden:
            with pytest.raises(OutcomeUnknownError, match="119 of 120 were seen"):
                client.task(INSTANCE, "task_70")


@pytest.mark.parametrize("kind", ["short-pages", "offset-in-pages", "misses", "repeats"])
@pytest.mark.parametrize("name", ["task_0", "task_49", "task_50", "task_119"])
def test_a_task_is_paused_wherever_it_is_listed(
    open_client: Any, many: Emulator, kind: str, name: str
) -> None:
    """Waiting for it works, whatever is wrong with the pages, or with other tasks on them."""
    parameters = {"misses": {"task": "task_70"}, "repeats": {"task": "task_7"}}.get(kind, {})
    with emulated(open_client, many, Fault(kind, **parameters)) as client:
        client.ensure_paused(INSTANCE, name, timeout=30, poll=Poll(first=0, interval=0.01))
        assert many.task(INSTANCE, name).stage == "Paused"


def test_a_contradiction_pauses_nothing_and_proves_nothing(
    open_client: Any, many: Emulator
) -> None:
    """A task that is shown running and paused is not known to be paused: the block never begins."""
    fault = Fault("contradicts", task="task_7", times=4)
    with emulated(open_client, many, fault) as client:
        assert client.task(INSTANCE, "task_7").stage is Stage.UNKNOWN
        with client.paused(
            INSTANCE, "task_7", timeout=30, poll=Poll(first=0, interval=0.01)
        ) as task:
            assert task.stage is Stage.PAUSED
            assert many.task(INSTANCE, "task_7").stage == "Paused"
    assert many.task(INSTANCE, "task_7").changes == 2


def test_an_error_under_200_is_no_list(open_client: Any, many: Emulator) -> None:
    """It does not say that a task is gone, and a wait goes on."""
    fault = Fault("error", operation="list", status=200, code="DBS.200011", times=3)
    with emulated(open_client, many, fault) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            client.task(INSTANCE, "task_0")
        assert caught.value.code == "DBS.200011"
        many.set_stage(INSTANCE, "task_0", "Paused")
        task = client.wait_until_paused(
            INSTANCE, "task_0", timeout=30, poll=Poll(first=0, interval=0.01)
        )
        assert task.stage is Stage.PAUSED
