"""Waiting for a task to be paused or to run, against a service whose every answer is scripted."""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    Job,
    NotFoundError,
    NotResumedError,
    NotSentError,
    Poll,
    RateLimitError,
    RetryPolicy,
    Stage,
    TaskFailedError,
    TokenAuth,
    WaitTimeoutError,
)

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
POLL = Poll(first=0.0, interval=0.001, longest=0.002)
Answer = httpx.Response | Exception | Callable[[], object]


class Service:
    """Tasks and their stages; each request may be answered from a script first."""

    def __init__(self, **stages: str) -> None:
        self.stages = stages
        self.status = dict.fromkeys(stages, "Yes")
        self.asked: list[tuple[str, str]] = []
        self.scripts: dict[str, list[Answer]] = defaultdict(list)
        self.slow: dict[str, int] = {}  # Looks until a change shows, by task.
        self._coming: dict[str, list[Any]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            verb, name = "look", ""
        else:
            verb = request.url.path.rpartition("/")[2]
            name = json.loads(request.content)["task_name"]
        self.asked.append((verb, name))
        script = self.scripts[f"{verb} {name}".strip()]
        answer = script.pop(0) if script else None
        if callable(answer):
            answer()
            answer = None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        return self._look() if verb == "look" else self.change(verb, name)

    def change(self, verb: str, name: str) -> httpx.Response:
        stage = "Paused" if verb == "pause" else "Incremental"
        self._coming[name] = [self.slow.get(name, 0), stage]
        return httpx.Response(200, json={"job_id": f"job_{len(self.asked)}"})

    def _look(self) -> httpx.Response:
        for name, coming in list(self._coming.items()):
            if coming[0] == 0:
                self.stages[name] = coming[1]
                del self._coming[name]
            else:
                coming[0] -= 1
        page = [
            {"task_name": name, "stage": stage, "status": self.status[name], "percentage": 100}
            for name, stage in self.stages.items()
        ]
        return httpx.Response(200, json={"total_count": len(page), "replications": page})

    def count(self, verb: str) -> int:
        return sum(asked == verb for asked, _ in self.asked)


def refusal(status: int, code: str = "DBS.200001", **headers: str) -> httpx.Response:
    return httpx.Response(
        status,
        json={"error_code": code, "error_msg": "no"},
        headers={k.replace("_", "-"): v for k, v in headers.items()},
    )


@pytest.fixture
def service() -> Service:
    return Service(orders_sync="Incremental", billing_sync="Full", archive_sync="Paused")


@pytest.fixture
def client(open_client: Any, service: Service) -> Iterator[Any]:
    with open_client(
        endpoint="http://127.0.0.1:1",
        project_id="0" * 32,
        auth=TokenAuth("token"),
        transport=httpx.MockTransport(service),
        retry=RetryPolicy(first_delay=0.0, longest_delay=0.0, budget=1000.0),
    ) as opened:
        yield opened


LOST = httpx.ReadError("connection reset")


# --- One task ---------------------------------------------------------------------------------


def test_pause_and_wait(client: Any, service: Service) -> None:
    """The job comes back once the task has been seen paused, and not before."""
    service.slow["orders_sync"] = 3
    seen: list[Stage] = []
    job = client.pause(
        INSTANCE, "orders_sync", wait=True, poll=POLL, progress=lambda task: seen.append(task.stage)
    )
    assert job == Job(id="job_1", request_id=None)
    assert seen == [Stage.INCREMENTAL] * 3 + [Stage.PAUSED]


@pytest.mark.parametrize("stage", ["Full", "Incremental", "FULL", "incremental"])
def test_resume_and_wait(client: Any, service: Service, stage: str) -> None:
    """Full or incremental, in any case, is running."""
    service.stages["archive_sync"] = "Paused"
    service.scripts["look"] = [service._look, lambda: service.stages.update(archive_sync=stage)]
    service.scripts["resume archive_sync"] = [httpx.Response(200, json={"job_id": "7"})]
    assert client.resume(INSTANCE, "archive_sync", wait=True, poll=POLL).id == "7"
    assert client.task(INSTANCE, "archive_sync").stage.running


def test_options_without_wait_are_an_error(client: Any, service: Service) -> None:
    """An option that would be ignored is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="wait=True"):
        client.pause(INSTANCE, "orders_sync", timeout=5)
    assert service.asked == []


@pytest.mark.parametrize(
    "poll", [{"first": -1}, {"interval": 0}, {"interval": 99.0, "longest": 1.0}]
)
def test_a_poll_that_cannot_be(poll: dict[str, float]) -> None:
    """Times that make no sense are refused."""
    with pytest.raises(ConfigurationError, match="Poll"):
        Poll(**poll)


def test_task_and_its_absence(client: Any) -> None:
    """One task by its name, or the error that it is not there."""
    assert client.task(INSTANCE, "archive_sync").stage is Stage.PAUSED
    with pytest.raises(NotFoundError, match="lists no synchronization task no_such_task"):
        client.task(INSTANCE, "no_such_task")


def test_bad_arguments_send_nothing(client: Any, service: Service) -> None:
    """Every verb checks its arguments first."""
    for verb in (client.task, client.wait_until_paused, client.wait_until_running):
        with pytest.raises(ConfigurationError):
            verb(INSTANCE, "no-such-task")
    with pytest.raises(ConfigurationError):
        client.tasks("..")
    with pytest.raises(ConfigurationError), client.paused(INSTANCE, ["orders_sync", "x"]):
        pytest.fail("the block must not begin")
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
]


@pytest.mark.parametrize("answer", PASSING, ids=str)
def test_a_look_that_fails_in_passing_does_not_end_the_wait(
    client: Any, service: Service, answer: Answer
) -> None:
    """Ten bad looks in a row, and then a good one."""
    service.stages["orders_sync"] = "Paused"
    service.scripts["look"] = [answer] * 10
    assert client.wait_until_paused(INSTANCE, "orders_sync", poll=POLL).stage is Stage.PAUSED


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(401), AuthenticationError),
        (refusal(400), BadRequestError),
        (refusal(400, "DBS.200022"), NotFoundError),
    ],
)
def test_a_look_that_is_refused_ends_the_wait(
    client: Any, service: Service, answer: Answer, error: type[Exception]
) -> None:
    """What asking again cannot mend is raised at once."""
    service.scripts["look"] = [answer] * 5
    with pytest.raises(error):
        client.wait_until_paused(INSTANCE, "orders_sync", poll=POLL)
    assert service.count("look") == 1


def test_throttled_looks_come_less_often(client: Any, service: Service) -> None:
    """Each throttled look doubles the pause before the next, up to the longest."""
    service.stages["orders_sync"] = "Paused"
    service.scripts["look"] = [refusal(429)] * 9  # Three looks of three attempts each.
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
        getattr(client, verb)(INSTANCE, "orders_sync", timeout=0.05, poll=POLL)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.task is not None
    assert caught.value.task.stage_text == stage


def test_a_wait_without_a_single_look(client: Any, service: Service) -> None:
    """The error says that nothing was seen."""
    service.scripts["look"] = [LOST] * 10_000
    with pytest.raises(WaitTimeoutError, match="no look succeeded") as caught:
        client.wait_until_paused(INSTANCE, "orders_sync", timeout=0.05, poll=POLL)
    assert caught.value.task is None


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
    service.scripts["look"] = [
        service._look,
        lambda: (
            service.stages.update(orders_sync=stage),
            service.status.update(orders_sync=status),
        ),
    ]
    with pytest.raises(TaskFailedError, match=says) as caught:
        getattr(client, verb)(INSTANCE, "orders_sync", poll=POLL)
    assert caught.value.task.stage_text == stage


def test_a_task_that_vanishes_ends_the_wait(client: Any, service: Service) -> None:
    """Two looks without it are enough; one may be a list that changed while it was read."""
    stage = service.stages.pop("orders_sync")
    service.scripts["look"] = [service._look, lambda: service.stages.update(orders_sync=stage)]
    with pytest.raises(WaitTimeoutError):
        client.wait_until_paused(INSTANCE, "orders_sync", timeout=0.05, poll=POLL)
    del service.stages["orders_sync"]
    with pytest.raises(NotFoundError):
        client.wait_until_paused(INSTANCE, "orders_sync", poll=POLL)


# --- Answers that were lost -------------------------------------------------------------------


def lost_after_the_change(service: Service, verb: str, name: str) -> Callable[[], object]:
    def act() -> None:
        service.change(verb, name)
        raise LOST

    return act


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_lost_answer_is_settled_by_looking(client: Any, service: Service, verb: str) -> None:
    """The change was made: the stage shows it, and nobody asks again."""
    name = "orders_sync" if verb == "pause" else "archive_sync"
    service.slow[name] = 1
    service.scripts[f"{verb} {name}"] = [lost_after_the_change(service, verb, name)]
    job = getattr(client, verb)(INSTANCE, name, wait=True, poll=POLL)
    assert job.id == ""
    assert service.count(verb) == 1


@pytest.mark.parametrize(
    "answer", [LOST, refusal(500, "DBS.108000"), httpx.Response(200, text="")], ids=str
)
def test_a_lost_request_is_asked_again(client: Any, service: Service, answer: Answer) -> None:
    """The stage shows that nothing happened, twice: it is asked again, and then has a job."""
    service.scripts["pause orders_sync"] = [answer]
    job = client.pause(INSTANCE, "orders_sync", wait=True, poll=POLL)
    assert job.id
    assert service.asked[:4] == [
        ("pause", "orders_sync"),
        ("look", ""),
        ("look", ""),
        ("pause", "orders_sync"),
    ]


def test_a_repeated_request_may_be_refused(client: Any, service: Service) -> None:
    """The first one worked, slowly: that the second is refused is no failure."""
    service.slow["orders_sync"] = 3
    service.scripts["pause orders_sync"] = [
        lost_after_the_change(service, "pause", "orders_sync"),
        refusal(400, "DBS.200086"),
    ]
    client.pause(INSTANCE, "orders_sync", wait=True, poll=POLL)
    assert service.stages["orders_sync"] == "Paused"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([refusal(400, "DBS.200086")], BadRequestError),
        ([refusal(400, "DBS.05000091")], NotFoundError),
        ([refusal(429)] * 3, RateLimitError),
        ([httpx.ConnectError("refused")] * 3, NotSentError),
        ([refusal(401)], AuthenticationError),
        ([LOST, refusal(401)], AuthenticationError),
    ],
)
def test_a_refusal_is_raised(
    client: Any, service: Service, answers: list[Answer], error: type[Exception]
) -> None:
    """What asking again would not mend, or changed nothing, is the caller's to know."""
    service.scripts["pause orders_sync"] = list(answers)
    with pytest.raises(error):
        client.pause(INSTANCE, "orders_sync", wait=True, poll=POLL)
    assert service.stages["orders_sync"] == "Incremental"


# --- Windows ----------------------------------------------------------------------------------


def test_a_window(client: Any, service: Service) -> None:
    """The task is paused inside the block and runs after it."""
    with client.paused(INSTANCE, "orders_sync", poll=POLL) as task:
        assert task.stage is Stage.PAUSED
        assert service.stages["orders_sync"] == "Paused"
    assert service.stages["orders_sync"] == "Incremental"


def test_a_window_over_several(client: Any, service: Service) -> None:
    """In the order given and once each; the one that was paused before is left paused."""
    names = ["archive_sync", "orders_sync", "billing_sync", "orders_sync"]
    with client.paused(INSTANCE, names, poll=POLL) as tasks:
        assert [task.name for task in tasks] == names[:3]
        assert set(service.stages.values()) == {"Paused"}
    assert service.stages == {
        "orders_sync": "Incremental",
        "billing_sync": "Incremental",
        "archive_sync": "Paused",
    }
    assert ("resume", "archive_sync") not in service.asked
    assert service.count("pause") == service.count("resume") == 2


def test_a_window_over_what_is_paused_already(client: Any, service: Service) -> None:
    """Nothing is asked for, neither before nor after."""
    with client.paused(INSTANCE, "archive_sync", poll=POLL) as task:
        assert task.stage is Stage.PAUSED
    assert service.asked == [("look", "")]


@pytest.mark.parametrize(
    "error", [ValueError("block"), KeyboardInterrupt(), SystemExit(3)], ids=repr
)
def test_whatever_ends_the_block_the_task_runs_again(
    client: Any, service: Service, error: BaseException
) -> None:
    """The error of the block goes on as it was."""
    with pytest.raises(type(error)) as caught, client.paused(INSTANCE, "orders_sync", poll=POLL):
        raise error
    assert caught.value is error
    assert service.stages["orders_sync"] == "Incremental"


@pytest.mark.parametrize(
    "answer",
    [
        LOST,
        refusal(500, "DBS.108000"),
        refusal(409),
        refusal(429),
        httpx.ConnectError("refused"),
        refusal(400, "DBS.200086"),
    ],
    ids=str,
)
def test_resuming_is_stubborn(client: Any, service: Service, answer: Answer) -> None:
    """What may pass is asked again until the task runs."""
    with client.paused(INSTANCE, "orders_sync", poll=POLL):
        service.scripts["resume orders_sync"] = [answer] * 7
    assert service.stages["orders_sync"] == "Incremental"


def test_a_list_that_lags_behind_does_not_settle_a_lost_resume(
    client: Any, service: Service
) -> None:
    """The resume was lost and the list still shows the task running: it is asked for again."""
    with client.paused(INSTANCE, "orders_sync", poll=POLL):
        service.scripts["resume orders_sync"] = [LOST]
        stale = {"task_name": "orders_sync", "stage": "Incremental", "status": "Yes"}
        service.scripts["look"] = [httpx.Response(200, json={"replications": [stale]})]
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 2


def test_a_resume_that_is_refused_because_it_runs(client: Any, service: Service) -> None:
    """Somebody else resumed it: refused and seen running is good enough."""
    with client.paused(INSTANCE, "orders_sync", poll=POLL):
        service.stages["orders_sync"] = "Incremental"
        service.scripts["resume orders_sync"] = [refusal(400, "DBS.200086")]
    assert service.count("resume") == 1


def test_a_resume_that_fails(client: Any, service: Service) -> None:
    """The error names the task, shows the line to run by hand, and says why."""
    with pytest.raises(
        NotResumedError, match=r"client\.resume\('9ac.*in17', 'orders_sync'\)"
    ) as caught:  # Read as written.
        with client.paused(INSTANCE, ["orders_sync", "billing_sync"], poll=POLL):
            service.scripts["resume orders_sync"] = [refusal(401)]
    assert caught.value.task_names == ("orders_sync",)
    assert caught.value.instance_id == INSTANCE
    assert isinstance(caught.value.__cause__, AuthenticationError)
    assert service.stages["billing_sync"] == "Incremental"


def test_a_resume_that_fails_after_a_block_that_failed(client: Any, service: Service) -> None:
    """A group holds both errors."""
    with pytest.raises(ExceptionGroup) as caught, client.paused(INSTANCE, "orders_sync", poll=POLL):
        service.scripts["look"] = [refusal(401)] * 5
        raise ValueError("block")
    block, failure = caught.value.exceptions
    assert isinstance(block, ValueError)
    assert isinstance(failure, NotResumedError)
    assert failure.task_names == ("orders_sync",)


def test_a_resume_that_takes_too_long(client: Any, service: Service) -> None:
    """It is not known to run: the error says so."""
    with pytest.raises(NotResumedError) as caught:
        with client.paused(INSTANCE, "orders_sync", poll=POLL, timeout=0.2):
            service.slow["orders_sync"] = 10**9
    assert isinstance(caught.value.__cause__, WaitTimeoutError)


@pytest.mark.parametrize("spoil", [{"stage": "Cancelled"}, {"status": "No"}, None])
def test_a_task_that_fails_while_it_is_resumed(client: Any, service: Service, spoil: Any) -> None:
    """Cancelled, abnormal or gone: the error names it, and the others run."""

    def act() -> None:
        if spoil is None:
            service.stages.pop("orders_sync", None)
        else:
            service.stages["orders_sync"] = spoil.get("stage", "Paused")
            service.status["orders_sync"] = spoil.get("status", "Yes")

    with pytest.raises(NotResumedError) as caught:
        with client.paused(INSTANCE, ["orders_sync", "billing_sync"], poll=POLL):
            service.scripts["resume orders_sync"] = [httpx.Response(200, json={"job_id": "1"})]
            act()
    assert caught.value.task_names == ("orders_sync",)
    assert service.stages["billing_sync"] == "Incremental"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(403), Exception),
        (refusal(400, "DBS.05000091"), NotFoundError),
        ([refusal(429)] * 3, RateLimitError),
    ],
    ids=["403", "400", "429"],
)
def test_one_of_several_cannot_be_paused(
    client: Any, service: Service, answer: Any, error: type[Exception]
) -> None:
    """Those paused already run again, the refused one is not touched, the block never begins."""
    service.scripts["pause billing_sync"] = list(answer) if isinstance(answer, list) else [answer]
    with pytest.raises(error), client.paused(INSTANCE, ["orders_sync", "billing_sync"], poll=POLL):
        pytest.fail("the block must not begin")
    assert service.stages["orders_sync"] == "Incremental"
    assert service.stages["billing_sync"] == "Full"
    assert ("resume", "billing_sync") not in service.asked


def test_a_pause_without_an_answer_that_never_shows(client: Any, service: Service) -> None:
    """Whether it was paused is not known, so it is resumed: a late pause must not stay."""
    service.scripts["pause orders_sync"] = [LOST] * 10_000
    with (
        pytest.raises(WaitTimeoutError),
        client.paused(INSTANCE, "orders_sync", poll=POLL, timeout=0.05),
    ):
        pytest.fail("the block must not begin")
    assert service.count("resume") >= 1


@pytest.mark.parametrize(("stage", "status"), [("Cancelled", "Yes"), ("Incremental", "No")])
def test_a_task_that_is_not_well_is_not_touched(
    client: Any, service: Service, stage: str, status: str
) -> None:
    """It could not be made to run again afterwards."""
    service.stages["orders_sync"], service.status["orders_sync"] = stage, status
    with (
        pytest.raises(TaskFailedError),
        client.paused(INSTANCE, ["billing_sync", "orders_sync"], poll=POLL),
    ):
        pytest.fail("the block must not begin")
    assert service.asked == [("look", "")]


def test_a_task_that_does_not_exist(client: Any, service: Service) -> None:
    """Nothing is paused when one of the names is wrong."""
    with (
        pytest.raises(NotFoundError),
        client.paused(INSTANCE, ["orders_sync", "no_such"], poll=POLL),
    ):
        pytest.fail("the block must not begin")
    assert set(service.asked) == {("look", "")}


def test_an_interrupt_while_pausing(client: Any, service: Service) -> None:
    """Ctrl-C before the block begins: what was asked for so far is resumed."""
    calls: list[object] = []

    def interrupt(task: object) -> None:
        calls.append(task)
        if len(calls) == 1:
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        client.paused(INSTANCE, "orders_sync", poll=POLL, progress=interrupt),
    ):
        pytest.fail("the block must not begin")
    assert ("resume", "orders_sync") in service.asked


def test_an_interrupt_while_resuming(client: Any, service: Service) -> None:
    """A second Ctrl-C gets through, together with what it leaves behind."""
    calls: list[object] = []

    def interrupt(task: object) -> None:
        calls.append(task)
        if len(calls) > 1:
            raise KeyboardInterrupt

    with (
        pytest.raises(BaseExceptionGroup) as caught,
        client.paused(INSTANCE, "orders_sync", poll=POLL, progress=interrupt),
    ):
        pass
    interrupted, left = caught.value.exceptions
    assert isinstance(interrupted, KeyboardInterrupt)
    assert isinstance(left, NotResumedError)


def test_one_line_for_each_call(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A wait shows in the log as the calls it is made of."""
    with caplog.at_level(logging.INFO, "taurusdb_starrocks"):
        client.pause(INSTANCE, "orders_sync", wait=True, poll=POLL)
    lines = [
        record.message.split()[0]
        for record in caplog.records
        if record.name == "taurusdb_starrocks"
    ]
    assert lines == ["pause", "list"]
