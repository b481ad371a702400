"""Lists that behave, change while they are read, or never end."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taurusdb_starrocks import OutcomeUnknownError, Stage, Task, TokenAuth
from taurusdb_starrocks._pages import MOST_PAGES, Pages

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
SETTINGS: dict[str, Any] = {
    "endpoint": "http://127.0.0.1:1",
    "project_id": "0" * 32,
    "auth": TokenAuth("token"),
}


def entry(name: object, **fields: object) -> dict[str, Any]:
    return {"task_name": name, "stage": "Incremental", "status": "Yes", **fields}


def read_all(serve: Callable[[int, int], tuple[object, list[dict[str, Any]]]]) -> list[str]:
    """The names that a list gives, whatever ``serve(offset, limit)`` answers."""
    pages, names = Pages(INSTANCE), []
    while pages.next is not None:
        names += [task.name for task in pages.take(*serve(pages.next.offset, 100))]
    return names


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 199, 200, 201, 900])
@pytest.mark.parametrize("total", ["right", "text", None, -1, "many"])
@pytest.mark.parametrize("cap", [100, 50, 7, 1])
def test_every_task_once(count: int, total: object, cap: int) -> None:
    """However many there are, what the total says, and how short the service cuts its pages."""
    names = [f"task_{number}" for number in range(count)]
    said = {"right": count, "text": str(count)}.get(str(total), total)
    got = read_all(
        lambda offset, limit: (said, [entry(n) for n in names[offset:][: min(cap, limit)]])
    )
    if said == -1:
        assert got == names[:cap]  # A service that counts wrong is believed.
    else:
        assert got == names


@given(st.integers(2, 400), st.randoms(use_true_random=False))
def test_a_task_that_disappears_hides_no_other(count: int, chance: random.Random) -> None:
    """Whichever task goes while the list is read, all that stay are seen."""
    names = [f"task_{number}" for number in range(count)]
    gone = chance.choice(names)
    calls = itertools.count()
    when = chance.randrange(1, 5)

    def serve(offset: int, limit: int) -> tuple[object, list[dict[str, Any]]]:
        if next(calls) == when and gone in names:
            names.remove(gone)
        return len(names), [entry(name) for name in names[offset : offset + limit]]

    got = read_all(serve)
    assert set(names) <= set(got)
    assert len(got) == len(set(got))


def test_a_task_that_comes_while_another_goes_hides_no_other() -> None:
    """The count stays the same, and the overlap of the pages still tells."""
    names = [f"task_{number}" for number in range(250)]
    calls = itertools.count()

    def serve(offset: int, limit: int) -> tuple[object, list[dict[str, Any]]]:
        if next(calls) == 1:
            names.remove("task_3")
            names.append("late")
        return len(names), [entry(name) for name in names[offset : offset + limit]]

    got = read_all(serve)
    assert set(names) <= set(got)
    assert len(got) == len(set(got))


def test_a_list_that_repeats_itself_ends() -> None:
    """The same page again and again, with a total that is never reached."""
    calls = []

    def serve(offset: int, limit: int) -> tuple[object, list[dict[str, Any]]]:
        calls.append(offset)
        return 10**9, [entry("one_task"), entry("two_task")]

    assert read_all(serve) == ["one_task", "two_task"]
    assert len(calls) < 20


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
        {"replications": [{}]},
        {"replications": [entry(None)]},
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
