"""``ensure_paused`` and ``ensure_running``: safe to repeat, and right about where the tasks are."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from scripted_service import INSTANCE, LOST, Answer, Service, refusal
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    Earlier,
    NotFoundError,
    NotResumedError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    Poll,
    RateLimitError,
    ServerError,
    Stage,
    TaskFailedError,
    WaitTimeoutError,
)


def test_ensure_paused(client: Any, service: Service) -> None:
    """The task comes back once it has been seen paused, and not before."""
    service.slow["orders_sync"] = 3
    seen: list[Stage] = []
    task = client.ensure_paused(
        INSTANCE, "orders_sync", progress=lambda task: seen.append(task.stage)
    )
    assert (task.name, task.stage) == ("orders_sync", Stage.PAUSED)
    assert seen == [Stage.INCREMENTAL] * 3 + [Stage.PAUSED]
    assert service.asked[:2] == [("list", ""), ("pause", "orders_sync")]


@pytest.mark.parametrize("stage", ["Full", "Incremental", "FULL", "incremental"])
def test_ensure_running(client: Any, service: Service, stage: str) -> None:
    """Full or incremental, in any case, is running."""
    service.scripts["list"] = [service.list, lambda: service.stages.update(archive_sync=stage)]
    service.scripts["resume archive_sync"] = [httpx.Response(200, json={"job_id": "7"})]
    task = client.ensure_running(INSTANCE, "archive_sync")
    assert task.stage_text == stage
    assert task.stage.running


@pytest.mark.parametrize("verb", ["ensure_paused", "ensure_running"])
def test_several(client: Any, service: Service, verb: str) -> None:
    """A list in the order given, each task once; those that are paused are not paused again."""
    names = ["archive_sync", "orders_sync", "billing_sync", "orders_sync"]
    tasks = getattr(client, verb)(INSTANCE, names)
    assert [task.name for task in tasks] == names[:3]
    assert all((task.stage is Stage.PAUSED) == (verb == "ensure_paused") for task in tasks)
    assert service.count("pause") == (2 if verb == "ensure_paused" else 0)
    assert service.count("resume") == (0 if verb == "ensure_paused" else 3)


def test_pausing_what_is_paused(client: Any, service: Service) -> None:
    """It only reads: a service that refuses to pause a paused task is not asked to."""
    service.scripts["pause archive_sync"] = [refusal(400, "DBS.200086")]
    for _ in range(2):
        assert client.ensure_paused(INSTANCE, "archive_sync").stage is Stage.PAUSED
    assert service.asked == [("list", "")] * 2


def test_pausing_what_is_being_paused(client: Any, service: Service) -> None:
    """An earlier run requested it and died: that a second pause is refused is no failure."""
    service.slow["orders_sync"] = 5
    service.change("pause", "orders_sync")
    service.scripts["pause orders_sync"] = [refusal(400, "DBS.200086")] * 100
    assert client.ensure_paused(INSTANCE, "orders_sync").stage is Stage.PAUSED


def test_running_always_sends_a_request(client: Any, service: Service) -> None:
    """That a task runs proves nothing while a pause is under way: it is resumed all the same."""
    service.slow["orders_sync"] = 2
    service.change("pause", "orders_sync")
    client.ensure_running(INSTANCE, "orders_sync")
    for _ in range(5):
        service.list()
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 1


def test_running_what_runs(client: Any, service: Service) -> None:
    """Refused and seen running twice is good enough, and safe to repeat."""
    service.scripts["resume orders_sync"] = [refusal(400, "DBS.200086")] * 2
    for _ in range(2):
        service.asked.clear()
        assert client.ensure_running(INSTANCE, "orders_sync").stage.running
        assert service.asked == [("resume", "orders_sync"), ("list", ""), ("list", "")]


def test_running_what_is_then_paused(client: Any, service: Service) -> None:
    """A pause under way makes the service refuse: once it is seen, the task is resumed."""
    service.firm, service.slow["orders_sync"] = "refused", 1
    service.change("pause", "orders_sync")
    assert client.ensure_running(INSTANCE, "orders_sync").stage.running
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 2


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_lost_response_is_settled_by_polling(client: Any, service: Service, verb: str) -> None:
    """The change was made: the stage shows it, and a pause is not requested again."""
    name, ensure = {
        "pause": ("orders_sync", client.ensure_paused),
        "resume": ("archive_sync", client.ensure_running),
    }[verb]
    service.slow[name] = 1
    service.scripts[f"{verb} {name}"] = [service.lose(verb, name)]
    ensure(INSTANCE, name)
    assert service.stages[name] == ("Paused" if verb == "pause" else "Incremental")
    # That it runs does not prove that the resume came through: it is requested once more.
    assert service.count(verb) == (1 if verb == "pause" else 2)


@pytest.mark.parametrize(
    "answer", [LOST, refusal(500, "DBS.108000"), httpx.Response(200, text="")], ids=str
)
def test_a_lost_request_is_repeated(client: Any, service: Service, answer: Answer) -> None:
    """The stage shows, twice, that nothing happened."""
    service.scripts["pause orders_sync"] = [answer]
    client.ensure_paused(INSTANCE, "orders_sync")
    assert service.asked[:5] == [
        ("list", ""),
        ("pause", "orders_sync"),
        ("list", ""),
        ("list", ""),
        ("pause", "orders_sync"),
    ]


def test_a_repeated_request_may_be_refused(client: Any, service: Service) -> None:
    """The first one worked, slowly: that the second is refused is no failure."""
    service.slow["orders_sync"] = 3
    service.scripts["pause orders_sync"] = [
        service.lose("pause", "orders_sync"),
        refusal(400, "DBS.200086"),
    ]
    client.ensure_paused(INSTANCE, "orders_sync")
    assert service.stages["orders_sync"] == "Paused"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([refusal(400, "DBS.05000091")], NotFoundError),
        ([refusal(429)] * 3, RateLimitError),
        ([refusal(503, Retry_After="0")] * 3, ServerError),
        ([httpx.ConnectError("refused")] * 3, NotSentError),
        ([refusal(401)], AuthenticationError),
        ([LOST, refusal(401)], AuthenticationError),
    ],
)
def test_a_refusal_is_raised(
    client: Any, service: Service, answers: list[Answer], error: type[Exception]
) -> None:
    """What a repetition would not mend, or changed nothing, is the caller's to know: at once."""
    service.scripts["pause orders_sync"] = list(answers)
    with pytest.raises(error) as caught:
        client.ensure_paused(INSTANCE, "orders_sync", settle=5)
    assert service.stages["orders_sync"] == "Incremental"
    assert caught.value.task_name == "orders_sync"


@pytest.mark.parametrize(
    ("answer", "error"),
    [(refusal(400, "DBS.200086"), BadRequestError), (LOST, OutcomeUnknownError)],
)
def test_what_cannot_be_settled_is_raised_after_settle(
    client: Any, service: Service, answer: Answer, error: type[Exception]
) -> None:
    """The request goes on to be refused or lost: long before the timeout, its error is raised."""
    service.scripts["pause orders_sync"] = [answer] * 10_000
    started = time.monotonic()
    with pytest.raises(error):
        client.ensure_paused(INSTANCE, "orders_sync", settle=0.2, timeout=30)
    assert 0.2 <= time.monotonic() - started < 2


def test_a_lost_request_and_no_list_is_raised_after_settle(client: Any, service: Service) -> None:
    """Nothing can be seen either: what became of the request stays unknown, and that is said."""
    service.scripts["pause orders_sync"] = [LOST]
    service.scripts["list"] = [service.list] + [LOST] * 10_000
    started = time.monotonic()
    with pytest.raises(OutcomeUnknownError, match="may have changed") as caught:
        client.ensure_paused(INSTANCE, "orders_sync", settle=0.2, timeout=30)
    assert caught.value.operation == "pause"
    assert time.monotonic() - started < 2


def test_once_a_request_was_lost_it_is_not_called_unsent(client: Any, service: Service) -> None:
    """A later one that never left does not make the first one harmless."""
    unsent = httpx.ConnectError("refused")
    service.scripts["pause orders_sync"] = [LOST] + [unsent] * 10_000
    with pytest.raises(OutcomeUnknownError, match="may have changed"):
        client.ensure_paused(INSTANCE, "orders_sync", settle=0.1)


def test_the_timeout_bounds_settling(client: Any, service: Service) -> None:
    """A wait that is shorter than settling ends as a wait."""
    service.scripts["pause orders_sync"] = [LOST] * 10_000
    with pytest.raises(WaitTimeoutError, match="not paused") as caught:
        client.ensure_paused(INSTANCE, "orders_sync", settle=60, timeout=0.1)
    assert isinstance(caught.value.__cause__, OutcomeUnknownError)


@pytest.mark.parametrize(("stage", "status"), [("Cancelled", "Yes"), ("Incremental", "No")])
def test_a_task_that_is_not_well_is_not_touched(
    client: Any, service: Service, stage: str, status: str
) -> None:
    """It would not become paused, and the others are left alone too."""
    service.stages["orders_sync"], service.status["orders_sync"] = stage, status
    with pytest.raises(TaskFailedError, match="orders_sync"):
        client.ensure_paused(INSTANCE, ["billing_sync", "orders_sync"])
    assert service.asked == [("list", "")]


def test_many_tasks_and_one_poll_schedule(client: Any, service: Service) -> None:
    """All are requested first, and then polled for together."""
    names = [f"task_{number}" for number in range(150)]
    service.stages.update(dict.fromkeys(names, "Incremental"))
    service.status.update(dict.fromkeys(names, "Yes"))
    tasks = client.ensure_paused(INSTANCE, names, poll=Poll(first=0.0, interval=0.01))
    assert {task.stage for task in tasks} == {Stage.PAUSED}
    assert [verb for verb, _ in service.asked].index("list", 2) > 150


def test_what_somebody_else_requested_is_not_requested_again(client: Any, service: Service) -> None:
    """A resume that was accepted before is waited for, and no other one is sent."""
    earlier = Earlier(paused=["orders_sync"], accepted=["orders_sync"])
    task = client.ensure_running(INSTANCE, "orders_sync", earlier=earlier)
    assert task.stage is Stage.INCREMENTAL
    assert service.count("resume") == 0


def test_the_others_are_resumed_if_one_is_refused(client: Any, service: Service) -> None:
    """The error has the one that may still be paused."""
    service.stages.update(orders_sync="Paused", billing_sync="Paused")
    service.scripts["resume archive_sync"] = [refusal(403)]
    with pytest.raises(NotResumedError) as caught:
        client.ensure_running(INSTANCE, ["archive_sync", "orders_sync", "billing_sync"])
    assert caught.value.task_names == ("archive_sync",)
    assert service.stages["orders_sync"] == service.stages["billing_sync"] == "Incremental"


def test_what_may_be_paused_is_in_the_error(client: Any, service: Service) -> None:
    """A task earlier in the list was paused before the next one was refused."""
    service.scripts["pause billing_sync"] = [refusal(403)]
    with pytest.raises(PermissionDeniedError, match="May be paused now: orders_sync") as caught:
        client.ensure_paused(INSTANCE, ["orders_sync", "billing_sync"])
    assert caught.value.possibly_paused == ("orders_sync",)
