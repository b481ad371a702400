"""Windows: the tasks are paused inside, and after it they run or the error names them."""

from __future__ import annotations

import enum
import logging
import pickle
import time
from typing import Any

import httpx
import pytest
from scripted_service import INSTANCE, LOST, POLL, Answer, Service, refusal
from taurusdb_starrocks import (
    AlreadyPausedError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    NotResumedError,
    OutcomeUnknownError,
    RateLimitError,
    Stage,
    TaskFailedError,
    WaitTimeoutError,
)


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [
        record.message
        for record in caplog.records
        if record.name == "taurusdb_starrocks" and record.levelno == level
    ]


def test_a_window(client: Any, service: Service) -> None:
    """The task is paused inside the block and runs after it."""
    with client.paused(INSTANCE, "orders_sync") as task:
        assert task.stage is Stage.PAUSED
        assert service.stages["orders_sync"] == "Paused"
    assert service.stages["orders_sync"] == "Incremental"


def test_a_window_over_several(client: Any, service: Service) -> None:
    """In the order given and once each; the one that was paused before is left paused."""
    names = ["archive_sync", "orders_sync", "billing_sync", "orders_sync"]
    with client.paused(INSTANCE, names) as tasks:
        assert [task.name for task in tasks] == names[:3]
        assert set(service.stages.values()) == {"Paused"}
    assert service.stages == {
        "orders_sync": "Incremental",
        "billing_sync": "Incremental",
        "archive_sync": "Paused",
    }
    assert ("resume", "archive_sync") not in service.asked
    assert service.count("pause") == service.count("resume") == 2


class Name(enum.StrEnum):
    """Names of tasks, as a program may keep them."""

    ORDERS = "orders_sync"


def test_names_that_are_members_of_an_enum(client: Any, service: Service) -> None:
    """The error has plain names, and a call that can be copied."""
    with pytest.raises(NotResumedError) as caught:
        with client.paused(INSTANCE, [Name.ORDERS]) as tasks:
            service.scripts["resume orders_sync"] = [refusal(403)]
    assert [task.name for task in tasks] == ["orders_sync"]
    assert type(caught.value.task_names[0]) is str
    assert f"client.ensure_running({INSTANCE!r}, 'orders_sync')" in str(caught.value)


def test_a_window_is_for_one_block(client: Any, service: Service) -> None:
    """A second use is refused before anything is sent."""
    window = client.paused(INSTANCE, "orders_sync")
    with window:
        pass
    service.asked.clear()
    with pytest.raises(ConfigurationError, match="used only once"), window:
        pytest.fail("the block must not begin")
    assert service.asked == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 429])
def test_a_pause_whose_response_is_blocked(client: Any, service: Service, status: int) -> None:
    """The task is resumed, although the status looks like a refusal."""
    names = ["orders_sync", "billing_sync"]
    service.scripts["pause billing_sync"] = [lambda: service.block("pause", "billing_sync", status)]
    with client.paused(INSTANCE, names):
        assert set(service.stages.values()) == {"Paused"}
    assert [service.stages[name] for name in names] == ["Incremental"] * 2
    service.scripts["pause orders_sync"] = [lambda: service.block("pause", "orders_sync", status)]
    with pytest.raises(OutcomeUnknownError):
        client.pause(INSTANCE, "orders_sync")


# --- Tasks that were paused before --------------------------------------------------------------


def test_what_was_paused_before_is_told(
    client: Any, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is requested for it; its name is in a warning and on the window."""
    window = client.paused(INSTANCE, ["archive_sync", "orders_sync"])
    assert window.found_paused == ()
    with window as tasks:
        assert window.found_paused == ("archive_sync",)
        assert {task.stage for task in tasks} == {Stage.PAUSED}
    (warning,) = messages(caplog, logging.WARNING)
    assert "archive_sync" in warning
    assert "leaves them paused" in warning
    assert "orders_sync" not in warning
    assert service.stages["archive_sync"] == "Paused"


def test_the_night_after_a_bad_night_is_told(
    client: Any, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A window that could not resume its task; the next one warns, and can take it over."""
    with pytest.raises(NotResumedError), client.paused(INSTANCE, "orders_sync"):
        service.scripts["resume orders_sync"] = [refusal(401)]
    caplog.clear()
    with client.paused(INSTANCE, "orders_sync"):
        pass
    assert service.stages["orders_sync"] == "Paused"
    assert any("were already paused" in text for text in messages(caplog, logging.WARNING))
    with client.paused(INSTANCE, "orders_sync", already_paused="resume"):
        assert service.stages["orders_sync"] == "Paused"
    assert service.stages["orders_sync"] == "Incremental"
    assert any("resumes them when it closes" in t for t in messages(caplog, logging.WARNING))


def test_already_paused_can_be_an_error(client: Any, service: Service) -> None:
    """The block does not begin, nothing is sent, and the error names the tasks."""
    names = ["orders_sync", "archive_sync"]
    with pytest.raises(AlreadyPausedError, match="archive_sync") as caught:
        with client.paused(INSTANCE, names, already_paused="error"):
            pytest.fail("the block must not begin")
    assert caught.value.task_names == ("archive_sync",)
    assert service.asked == [("list", "")]
    with client.paused(INSTANCE, "orders_sync", already_paused="error") as task:
        assert task.stage is Stage.PAUSED
    assert service.stages["orders_sync"] == "Incremental"


def test_what_is_taken_over_is_resumed_even_if_another_cannot_be_paused(
    client: Any, service: Service
) -> None:
    """The block does not begin, and the task that was found paused runs."""
    service.scripts["pause orders_sync"] = [refusal(403)]
    with pytest.raises(Exception, match="403"):
        with client.paused(INSTANCE, ["archive_sync", "orders_sync"], already_paused="resume"):
            pytest.fail("the block must not begin")
    assert service.stages["archive_sync"] == "Incremental"
    assert ("resume", "orders_sync") not in service.asked


def test_what_is_found_paused_is_resumed_where_another_cannot_be_paused(
    client: Any, service: Service
) -> None:
    """Also where the other is abnormal from the beginning, and no request was sent at all."""
    service.status["orders_sync"] = "No"
    with pytest.raises(TaskFailedError, match="orders_sync"):
        with client.paused(INSTANCE, ["archive_sync", "orders_sync"], already_paused="resume"):
            pytest.fail("the block must not begin")
    assert service.stages["archive_sync"] == "Incremental"
    assert service.count("pause") == 0


def test_what_is_paused_while_it_opens_is_resumed(client: Any, service: Service) -> None:
    """It ran before, the service refused to pause it, and it was paused all the same."""
    service.scripts["pause orders_sync"] = [refusal(400, "DBS.200086")]
    service.scripts["list"] = [
        service.list,
        lambda: service.stages.update(orders_sync="Paused"),
    ]
    with client.paused(INSTANCE, "orders_sync"):
        assert service.stages["orders_sync"] == "Paused"
    assert service.stages["orders_sync"] == "Incremental"


# --- Resuming -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ValueError("block"), KeyboardInterrupt(), SystemExit(3)], ids=repr
)
def test_whatever_ends_the_block_the_task_runs_again(
    client: Any, service: Service, error: BaseException
) -> None:
    """The error of the block goes on as it was."""
    with pytest.raises(type(error)) as caught, client.paused(INSTANCE, "orders_sync"):
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
    """What may pass is requested again until the task runs, longer than ``settle`` too."""
    with client.paused(INSTANCE, "orders_sync", settle=0.001):
        service.scripts["resume orders_sync"] = [answer] * 7
    assert service.stages["orders_sync"] == "Incremental"


def test_a_list_that_lags_behind_does_not_settle_a_lost_resume(
    client: Any, service: Service
) -> None:
    """The resume was lost and the list still shows the task running: it is requested again."""
    with client.paused(INSTANCE, "orders_sync"):
        service.scripts["resume orders_sync"] = [LOST]
        stale = {"task_name": "orders_sync", "stage": "Incremental", "status": "Yes"}
        service.scripts["list"] = [httpx.Response(200, json={"replications": [stale]})]
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 2


def test_a_resume_without_effect_is_repeated(client: Any, service: Service) -> None:
    """It was accepted, and ``settle`` later the task is still paused."""
    with client.paused(INSTANCE, "orders_sync", settle=0.05):
        service.scripts["resume orders_sync"] = [httpx.Response(200, json={"job_id": "1"})]
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 2


def test_a_resume_that_is_refused_because_it_runs(client: Any, service: Service) -> None:
    """Somebody else resumed it: refused and seen running twice is good enough."""
    with client.paused(INSTANCE, "orders_sync"):
        service.stages["orders_sync"] = "Incremental"
        service.scripts["resume orders_sync"] = [refusal(400, "DBS.200086")]
    assert service.count("resume") == 1


def test_a_resume_that_fails(client: Any, service: Service) -> None:
    """The error names the task, shows the code that resumes it, and says why."""
    with pytest.raises(
        NotResumedError, match=r"client\.ensure_running\('9ac.*in17', 'orders_sync'\)"
    ) as caught:  # Read as written.
        with client.paused(INSTANCE, ["orders_sync", "billing_sync"]):
            service.scripts["resume orders_sync"] = [refusal(401)]
    assert caught.value.task_names == ("orders_sync",)
    assert (caught.value.instance_id, caught.value.task_name) == (INSTANCE, "orders_sync")
    assert caught.value.block_error is None
    assert isinstance(caught.value.__cause__, AuthenticationError)
    assert service.stages["billing_sync"] == "Incremental"


@pytest.mark.parametrize(
    "error", [ValueError("block"), KeyboardInterrupt(), SystemExit(3)], ids=repr
)
def test_a_resume_that_fails_after_a_block_that_failed(
    client: Any, service: Service, error: BaseException
) -> None:
    """One shape: the error that names the tasks, which holds what ended the block."""
    with pytest.raises(NotResumedError) as caught, client.paused(INSTANCE, "orders_sync"):
        service.scripts["resume orders_sync"] = [refusal(401)]
        raise error
    assert caught.value.task_names == ("orders_sync",)
    assert caught.value.block_error is error
    assert f"The block ended with {type(error).__name__}." in caught.value.__notes__
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.task_names, copy.instance_id) == (("orders_sync",), INSTANCE)


def test_a_resume_that_takes_too_long(client: Any, service: Service) -> None:
    """It is not known to run: the error says so."""
    with pytest.raises(NotResumedError) as caught:
        with client.paused(INSTANCE, "orders_sync", timeout=0.2):
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
        with client.paused(INSTANCE, ["orders_sync", "billing_sync"]):
            service.scripts["resume orders_sync"] = [httpx.Response(200, json={"job_id": "1"})]
            act()
    assert caught.value.task_names == ("orders_sync",)
    assert service.stages["billing_sync"] == "Incremental"


def test_a_client_that_is_closed_in_the_block(client: Any, service: Service) -> None:
    """Nothing can be sent any more: the tasks are named."""
    with pytest.raises(NotResumedError) as caught, client.paused(INSTANCE, "orders_sync"):
        (client.close if hasattr(client, "close") else client.aclose)()
    assert isinstance(caught.value.__cause__, ConfigurationError)


@pytest.mark.parametrize("name", ["progress", "accepted"])
def test_a_callback_that_fails_while_resuming(client: Any, service: Service, name: str) -> None:
    """All tasks are resumed, and its error is raised then."""

    def callback(*_: object) -> None:
        if service.count("resume"):
            raise BrokenPipeError

    names = ["orders_sync", "billing_sync"]
    with pytest.raises(BrokenPipeError):
        with client.paused(INSTANCE, names, **{name: callback}):
            assert {service.stages[name] for name in names} == {"Paused"}
    assert {service.stages[name] for name in names} == {"Incremental"}


@pytest.mark.parametrize("status", [401, 403, 404, 408])
def test_polls_that_are_blocked_while_resuming(client: Any, service: Service, status: int) -> None:
    """One response of a firewall does not keep a lost resume from being repeated."""
    blocked = httpx.Response(status, text="<html>Blocked</html>")
    with client.paused(INSTANCE, "orders_sync"):
        service.scripts["resume orders_sync"] = [LOST]
        service.scripts["list"] = [blocked]
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 2


# --- Opening that fails -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([refusal(403)], Exception),
        ([refusal(400, "DBS.05000091")], NotFoundError),
        ([refusal(400, "DBS.200086")] * 10_000, BadRequestError),
        ([refusal(429)] * 3, RateLimitError),
    ],
    ids=["403", "not found", "400", "429"],
)
def test_one_of_several_cannot_be_paused(
    client: Any, service: Service, answer: Any, error: type[Exception]
) -> None:
    """Those paused already run again, the refused one is not touched, the block never begins."""
    service.scripts["pause billing_sync"] = list(answer)
    with pytest.raises(error), client.paused(INSTANCE, ["orders_sync", "billing_sync"]):
        pytest.fail("the block must not begin")
    assert service.stages["orders_sync"] == "Incremental"
    assert service.stages["billing_sync"] == "Full"
    assert ("resume", "billing_sync") not in service.asked


@pytest.mark.parametrize(("stage", "status"), [("Cancelled", "Yes"), ("Incremental", "No")])
def test_a_task_that_is_not_well_is_not_touched(
    client: Any, service: Service, stage: str, status: str
) -> None:
    """It could not be made to run again afterwards."""
    service.stages["orders_sync"], service.status["orders_sync"] = stage, status
    with pytest.raises(TaskFailedError):
        with client.paused(INSTANCE, ["billing_sync", "orders_sync"]):
            pytest.fail("the block must not begin")
    assert service.asked == [("list", "")]


def test_a_task_that_does_not_exist(client: Any, service: Service) -> None:
    """Nothing is paused when one of the names is wrong."""
    with pytest.raises(NotFoundError), client.paused(INSTANCE, ["orders_sync", "no_such"]):
        pytest.fail("the block must not begin")
    assert {verb for verb, _ in service.asked} == {"list"}


# --- Pauses that come late ----------------------------------------------------------------------


@pytest.mark.parametrize("meanwhile", ["refused", "ignored"])
@pytest.mark.parametrize(
    "reason",
    [WaitTimeoutError, KeyboardInterrupt, ZeroDivisionError],
    ids=lambda kind: kind.__name__,
)
def test_a_pause_that_comes_late_is_undone(
    client: Any, service: Service, meanwhile: str, reason: type[BaseException]
) -> None:
    """The window does not open; the task pauses afterwards, and is resumed once it has."""
    service.firm, service.delays["pause orders_sync"] = meanwhile, 0.6

    def progress(_task: object) -> None:
        if service.count("list") == 5 and reason is not WaitTimeoutError:
            raise reason

    timeout = 0.4 if reason is WaitTimeoutError else 9.0
    with pytest.raises(reason):
        with client.paused(INSTANCE, "orders_sync", progress=progress, timeout=timeout, settle=9.0):
            pytest.fail("the block must not begin")
    assert service.stages["orders_sync"] == "Incremental"
    assert service._coming == {}


@pytest.mark.parametrize("meanwhile", ["refused", "ignored"])
@pytest.mark.parametrize("interrupted", [True, False])
def test_a_pause_that_never_shows_is_named(
    client: Any, service: Service, meanwhile: str, interrupted: bool
) -> None:
    """The task runs all the while, which proves nothing: after ``settle`` the error names it."""
    service.firm, service.slow["orders_sync"] = meanwhile, 10**9
    error = KeyboardInterrupt if interrupted else ZeroDivisionError

    def progress(_task: object) -> None:
        if service.count("list") == 5:
            raise error

    started = time.monotonic()
    with pytest.raises(NotResumedError, match="orders_sync") as caught:
        with client.paused(INSTANCE, "orders_sync", progress=progress, settle=0.2, timeout=1800):
            pytest.fail("the block must not begin")
    assert 0.2 <= time.monotonic() - started < 2
    assert isinstance(caught.value.block_error, error)
    assert isinstance(caught.value.__cause__, WaitTimeoutError)
    assert "It may still take effect" in str(caught.value.__cause__)


def test_a_pause_without_a_response_that_never_shows(client: Any, service: Service) -> None:
    """Whether it was paused is not known: it is resumed, and named since it may come late."""
    service.scripts["pause orders_sync"] = [LOST] * 10_000
    with pytest.raises(NotResumedError) as caught, client.paused(INSTANCE, "orders_sync"):
        pytest.fail("the block must not begin")
    assert isinstance(caught.value.block_error, OutcomeUnknownError)
    assert service.count("resume") >= 1


def test_the_second_of_two_pauses_that_comes_late_is_undone(client: Any, service: Service) -> None:
    """A lost pause was repeated, and both come: the second after the task runs again."""
    lists = iter(range(1000))

    def late() -> None:
        if next(lists) == 6:
            service.stages["orders_sync"] = "Paused"

    service.scripts["pause orders_sync"] = [LOST]
    with client.paused(INSTANCE, "orders_sync", settle=1.0):
        assert service.count("pause") == 2
        service.scripts["list"] = [late] * 1000
    assert service.stages["orders_sync"] == "Incremental"
    assert service.count("resume") == 2


def test_no_second_pause_means_no_waiting_for_one(client: Any, service: Service) -> None:
    """A pause that was seen is all there is: the window closes as soon as the task runs."""
    started = time.monotonic()
    with client.paused(INSTANCE, "orders_sync", settle=60):
        pass
    assert time.monotonic() - started < 5


# --- Interrupts ---------------------------------------------------------------------------------


def test_an_interrupt_while_pausing(client: Any, service: Service) -> None:
    """Ctrl-C before the block begins: what was requested so far is resumed."""
    calls: list[object] = []

    def interrupt(task: object) -> None:
        calls.append(task)
        if len(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with client.paused(INSTANCE, ["orders_sync", "billing_sync"], progress=interrupt):
            pytest.fail("the block must not begin")
    assert ("resume", "orders_sync") in service.asked
    assert ("resume", "billing_sync") in service.asked
    assert service.stages["orders_sync"] == service.stages["billing_sync"] == "Incremental"


@pytest.mark.parametrize("tasks", [1, 2])
def test_one_interrupt_while_resuming(client: Any, service: Service, tasks: int) -> None:
    """It does not stop the resuming, and is raised when all tasks run."""
    names = ["orders_sync", "billing_sync"][:tasks]

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), client.paused(INSTANCE, names):
        service.scripts["resume orders_sync"] = [interrupt]
    assert {service.stages[name] for name in names} == {"Incremental"}


def test_one_interrupt_bounds_the_resuming(client: Any, service: Service) -> None:
    """It then takes ``settle`` seconds at most, and names what does not run yet."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(NotResumedError) as caught:
        with client.paused(INSTANCE, "orders_sync", settle=0.2, timeout=1800):
            service.slow["orders_sync"] = 10**9
            service.scripts["list"] = [interrupt]
    assert time.monotonic() - started < 2
    assert isinstance(caught.value.block_error, KeyboardInterrupt)


def test_two_interrupts_while_resuming(client: Any, service: Service) -> None:
    """The second one gets through, together with what it leaves behind."""
    calls: list[object] = []

    def interrupt(task: object) -> None:
        calls.append(task)
        if len(calls) > 1:
            raise KeyboardInterrupt

    with pytest.raises(NotResumedError) as caught:
        with client.paused(INSTANCE, "orders_sync", progress=interrupt):
            pass
    assert isinstance(caught.value.block_error, KeyboardInterrupt)
    assert isinstance(caught.value.__cause__, KeyboardInterrupt)
    assert len(calls) == 3


def test_one_interrupt_after_the_block_was_interrupted(client: Any, service: Service) -> None:
    """It is the second one."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    block_error = KeyboardInterrupt()
    with pytest.raises(NotResumedError) as caught, client.paused(INSTANCE, "orders_sync"):
        service.scripts["resume orders_sync"] = [interrupt]
        raise block_error
    assert caught.value.block_error is block_error


def test_one_line_for_each_call(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A wait shows in the log as the calls it is made of: changes at INFO, polls at DEBUG."""
    with caplog.at_level(logging.DEBUG, "taurusdb_starrocks"):
        client.ensure_paused(INSTANCE, "orders_sync", poll=POLL)
    lines = [
        (record.message.split()[0], record.levelname)
        for record in caplog.records
        if record.name == "taurusdb_starrocks"
    ]
    assert lines == [("list", "DEBUG"), ("pause", "INFO"), ("list", "DEBUG")]


class Refusing:
    """A recorder that lets no window open, and says so again when it is closed."""

    error = ConfigurationError("in another window")

    def opening(self) -> Any:
        raise self.error

    def closed(self, *_what: Any) -> Any:
        raise self.error

    def closing(self, names: Any) -> Any:
        return names

    sending = answered = reached = found = configured = opened = closed


def test_a_recorder_that_says_the_same_twice(client: Any, service: Service) -> None:
    """The error is raised as it is: it is not its own cause."""
    recorder = Refusing()
    with pytest.raises(ConfigurationError) as caught:
        with client.paused(INSTANCE, "orders_sync", recorder=recorder):
            pytest.fail("the block must not begin")
    assert caught.value is recorder.error
    assert caught.value.__cause__ is None
    assert service.asked == []
