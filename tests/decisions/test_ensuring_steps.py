"""Bringing tasks to where they should be, in virtual time: what is sent when, and until when."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from taurusdb_starrocks import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    Job,
    NotFoundError,
    NotResumedError,
    OutcomeUnknownError,
    PermissionDeniedError,
    Poll,
    RateLimitError,
    ReplicationError,
    ServerError,
    Stage,
    Task,
    TaskFailedError,
    WaitTimeoutError,
)
from taurusdb_starrocks._decisions.convergence import LAST_POLL
from taurusdb_starrocks._decisions.ensuring import ensure_paused, ensure_running, wait_until
from taurusdb_starrocks._decisions.listing import find, read
from taurusdb_starrocks._operations import PAUSE, RESUME
from virtual_time import INSTANCE, START, World, drive, lost, patience, refused, unsent

ONE = ["orders"]
TWO = ["orders", "events"]


def pause(world: World, names: list[str] = ONE, **options: Any) -> dict[str, Task]:
    steps = ensure_paused(INSTANCE, names, patience(**options), world.chances)
    return drive(steps, world.perform)


def resume(world: World, names: list[str] = ONE, **options: Any) -> dict[str, Task]:
    steps = ensure_running(INSTANCE, names, patience(**options), world.chances)
    return drive(steps, world.perform)


def wait(world: World, operation: Any, **options: Any) -> Task:
    steps = wait_until(operation, INSTANCE, "orders", patience(**options), world.chances)
    return drive(steps, world.perform)


def failing(status: int, kind: type[ReplicationError]) -> Any:
    return kind("no", status=status)  # type: ignore[call-arg]


# --- When all goes well -------------------------------------------------------------------------


def test_paused_at_the_first_poll() -> None:
    """One list, one request, and one poll after ``first`` seconds."""
    world = World(orders="Incremental")
    assert pause(world)["orders"].stage is Stage.PAUSED
    assert world.log == ["list", ("pause", "orders"), 5.0, "list"]


def test_the_schedule_of_polls() -> None:
    """After ``first`` seconds, and then every ``interval``, until the change shows."""
    world = World(orders="Incremental")
    world.takes["pause"] = 31.0
    pause(world)
    assert world.sleeps == [5.0, 10.0, 10.0, 10.0]
    assert world.changes == [("pause", "orders")]


def test_what_is_paused_is_left_alone() -> None:
    """One list; the task comes back as it was seen there."""
    world = World(orders="Paused", events="Full")
    tasks = pause(world, TWO)
    assert world.changes == [("pause", "events")]
    assert {name: task.stage for name, task in tasks.items()} == dict.fromkeys(TWO, Stage.PAUSED)
    assert pause(world, TWO) == tasks
    assert world.log[-1:] == ["list"]


def test_running_sends_a_request_without_a_list() -> None:
    """That a task runs proves nothing before it."""
    world = World(orders="Incremental", events="Paused")
    world.takes["resume"] = 6.0
    tasks = resume(world, TWO)
    assert world.log[:2] == [("resume", "orders"), ("resume", "events")]
    assert all(task.stage.running for task in tasks.values())
    assert world.sleeps == [5.0, 10.0]


def test_all_are_requested_before_the_first_poll() -> None:
    """And each is polled for only until it is there."""
    world = World(orders="Incremental", events="Incremental")
    seen: list[str] = []
    world.becomes(5.0, "orders", "Paused")
    world.scripts["pause orders"] = [lambda: "accepted"]
    world.scripts["pause events"] = [lambda: "accepted"]
    world.becomes(20.0, "events", "Paused")
    pause(world, TWO, progress=lambda task: seen.append(task.name))
    assert world.log[:3] == ["list", ("pause", "orders"), ("pause", "events")]
    assert seen == ["orders", "events", "events", "events"]


def test_each_accepted_job_is_told() -> None:
    """With the task that it is for; a request that was refused has none."""
    world = World(orders="Incremental", events="Incremental")
    world.scripts["pause orders"] = [lost()]
    told: list[tuple[str, Job]] = []
    pause(world, TWO, accepted=lambda name, job: told.append((name, job)))
    assert [name for name, _ in told] == ["events", "orders"]
    assert {job for _, job in told} == {Job(id="1", request_id=None)}


def test_waiting_requests_nothing() -> None:
    """It polls until the task is there, and takes "running" for what it is."""
    world = World(orders="Incremental")
    world.becomes(20.0, "orders", "Paused")
    assert wait(world, PAUSE).stage is Stage.PAUSED
    assert world.sleeps == [5.0, 10.0, 10.0]
    assert wait(World(orders="Full"), RESUME).stage is Stage.FULL
    assert world.changes == []


# --- Time ---------------------------------------------------------------------------------------


def test_the_timeout() -> None:
    """It is to the second, bounds every step but the last poll, and is said in the error."""
    world = World(orders="Incremental")
    world.takes["pause"] = 1e9
    with pytest.raises(WaitTimeoutError) as caught:
        pause(world, timeout=42.0)
    assert world.elapsed == 42.0
    assert world.sleeps == [5.0, 10.0, 10.0, 10.0, 7.0]
    assert world.deadlines["pause"] == [42.0]
    assert world.deadlines["list"] == [42.0] * 5 + [42.0 + LAST_POLL]
    error = caught.value
    assert error.message == (
        "The task orders is not paused after 42.0 s, last seen in stage 'Incremental'. The job may "
        "still finish: check its stage before you do anything that depends on it."
    )
    assert (error.instance_id, error.task_name) == (INSTANCE, "orders")
    assert error.task is not None
    assert error.task.stage is Stage.INCREMENTAL
    assert error.__cause__ is None


def test_a_poll_at_the_very_end() -> None:
    """A change in the last interval is seen, and the last poll has a few seconds of its own."""
    world = World(orders="Incremental")
    with pytest.raises(WaitTimeoutError, match=r"is not paused after 15.0 s, last seen"):
        wait(world, PAUSE, timeout=15.0)
    assert world.log == [5.0, "list", 10.0, "list"]
    world = World(orders="Incremental")
    world.becomes(14.9, "orders", "Paused")
    assert wait(world, PAUSE, timeout=15.0).stage is Stage.PAUSED
    world = World(orders="Incremental")
    world.scripts["list"] = [None, world.hang(LAST_POLL, unsent())]
    with pytest.raises(WaitTimeoutError, match=r"after 20.0 s, last seen"):
        wait(world, PAUSE, timeout=15.0)


def test_a_timeout_before_the_first_poll() -> None:
    """The first poll comes after half of the time. If none succeeds, the error says so."""
    world = World(orders="Paused")
    assert wait(world, PAUSE, timeout=2.0).stage is Stage.PAUSED
    assert world.log == [1.0, "list"]
    world = World(orders="Incremental")
    world.scripts["list"] = [unsent(), error := unsent()]
    with pytest.raises(WaitTimeoutError, match=r"after 2.0 s, and no poll succeeded") as caught:
        wait(world, PAUSE, timeout=2.0)
    assert caught.value.task is None
    assert caught.value.__cause__ is error


def test_a_process_that_was_stopped() -> None:
    """There is a poll when it goes on, however late."""
    world = World(orders="Incremental")
    steps = wait_until(PAUSE, INSTANCE, "orders", patience(timeout=60.0), world.chances)

    def perform(step: Any) -> Any:
        answer = world.perform(step)
        world.stages["orders"] = "Paused"
        world.pass_time(3600.0)
        return answer

    assert drive(steps, perform).stage is Stage.PAUSED


def test_the_timeout_over_requests_that_take_long() -> None:
    """The requests of the others are not sent once it is over."""
    world = World(orders="Full", events="Full")
    world.scripts["pause orders"] = [world.hang(42.0, lost())]
    with pytest.raises(WaitTimeoutError, match=r"The task events is not paused after 42.0 s"):
        pause(world, TWO, timeout=42.0)
    assert world.changes == [("pause", "orders")]
    assert world.deadlines["pause"] == [42.0]
    world = World(orders="Full", events="Full")
    world.scripts["pause orders"] = [world.hang(41.5, lost())]
    with pytest.raises(WaitTimeoutError, match="The task orders is not paused"):
        pause(world, TWO, timeout=42.0)
    assert world.changes == [("pause", "orders"), ("pause", "events")]
    assert world.deadlines["pause"] == [42.0, 42.0]
    world = World(orders="Full", events="Full")
    world.scripts["pause orders"] = [lambda: world.pass_time(42.0)]  # A job, late.
    with pytest.raises(WaitTimeoutError, match=r"The task events is not paused after 42.0 s"):
        pause(world, TWO, timeout=42.0)
    assert world.changes == [("pause", "orders")]


def test_a_poll_at_once() -> None:
    """``first`` may be 0, and the first poll is believed."""
    world = World(orders="Full")
    resume(world, poll=Poll(first=0.0, interval=10.0))
    assert world.log == [("resume", "orders"), 0.0, "list"]
    world = World(orders="Full")
    world.scripts["pause orders"] = [world.hang(7.0, lost())]
    pause(world, poll=Poll(first=0.5, interval=10.0))
    assert world.sleeps[0] == 0.5


def test_the_spread_of_polls() -> None:
    """The chance spreads each pause by a tenth."""
    world = World(orders="Incremental")
    world.becomes(20.0, "orders", "Paused")
    chances = world.chances.__class__(world.chances.clock, lambda: 1.0)
    drive(wait_until(PAUSE, INSTANCE, "orders", patience(), chances), world.perform)
    assert world.sleeps == [5.0, 11.0, 11.0]


# --- Several tasks ------------------------------------------------------------------------------

THREE = ["a", "b", "c"]
FAILURES = [
    failing(404, NotFoundError),
    failing(403, PermissionDeniedError),
    failing(429, RateLimitError),
    unsent(),
]


@pytest.mark.parametrize("name", THREE)
@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_the_others_are_resumed(name: str, error: ReplicationError) -> None:
    """The one that failed is named."""
    world = World(**dict.fromkeys(THREE, "Paused"))
    world.scripts[f"resume {name}"] = [error]
    with pytest.raises(NotResumedError) as caught:
        resume(world, THREE)
    assert caught.value.task_names == (name,)
    assert caught.value.__cause__ is error
    assert {task for task, stage in world.stages.items() if stage == "Paused"} == {name}


@pytest.mark.parametrize("name", THREE)
def test_the_others_are_resumed_although_one_takes_long(name: str) -> None:
    """Each has its share of the time."""
    world = World(**dict.fromkeys(THREE, "Paused"))
    world.scripts[f"resume {name}"] = [world.hang(60.0, lost())] + [lost()] * 99
    with pytest.raises(NotResumedError) as caught:
        resume(world, THREE, timeout=60.0)
    assert caught.value.task_names == (name,)
    assert world.deadlines["resume"][THREE.index(name)] == pytest.approx(
        [20.0, 30.0, 60.0][THREE.index(name)]
    )


def test_a_list_that_is_refused_after_several_resumes() -> None:
    """All are named at once, because none is known to run."""
    world = World(**dict.fromkeys(THREE, "Paused"))
    world.scripts["list"] = [error := failing(403, PermissionDeniedError)]
    with pytest.raises(NotResumedError) as caught:
        resume(world, THREE)
    assert caught.value.task_names == tuple(THREE)
    assert caught.value.__cause__ is error
    assert world.elapsed == 5.0


@pytest.mark.parametrize("names", [ONE, TWO], ids=len)
def test_a_callback_that_fails_while_resuming(names: list[str]) -> None:
    """The tasks run before its exception is raised."""
    world = World(**dict.fromkeys(names, "Paused"))

    def callback(*_: object) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        resume(world, names, accepted=callback)
    assert set(world.stages.values()) == {"Incremental"}
    with pytest.raises(BrokenPipeError):
        pause(world, names, accepted=callback)


@pytest.mark.parametrize("stopped", ["b", "c"])
def test_what_may_be_paused_is_in_the_error(stopped: str) -> None:
    """The tasks before the one that failed, as an attribute and in the text."""
    world = World(a="Full", b="Full", c="Full", d="Paused")
    world.scripts[f"pause {stopped}"] = [failing(403, PermissionDeniedError)]
    with pytest.raises(PermissionDeniedError) as caught:
        pause(world, ["d", *THREE])
    names = THREE[: THREE.index(stopped)]
    assert caught.value.possibly_paused == tuple(names)
    assert str(caught.value).endswith(f" May be paused now: {', '.join(names)}.")
    assert pickle.loads(pickle.dumps(caught.value)).possibly_paused == tuple(names)


def test_a_lost_pause_may_be_paused() -> None:
    """So may one that was accepted and never seen."""
    world = World(orders="Full", events="Full")
    world.scripts["pause events"] = [lost()] * 99
    world.takes["pause"] = 1e9
    with pytest.raises(OutcomeUnknownError) as caught:
        pause(world, TWO)
    assert caught.value.possibly_paused == tuple(TWO)
    world = World(orders="Full")
    world.scripts["pause orders"] = [failing(403, PermissionDeniedError)]
    with pytest.raises(PermissionDeniedError) as refused_at_once:
        pause(world)
    assert refused_at_once.value.possibly_paused == ()
    assert str(refused_at_once.value) == "403 no"


def test_an_interrupt_says_what_may_be_paused() -> None:
    """In a note."""
    world = World(orders="Full", events="Full")
    world.scripts["pause events"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt) as caught:
        pause(world, TWO)
    assert caught.value.__notes__ == ["May be paused now: orders, events."]


# --- Polls that fail ----------------------------------------------------------------------------

PASSING = [
    unsent(),
    lost(),
    failing(409, ConflictError),
    failing(429, RateLimitError),
    failing(500, ServerError),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_passes_does_not_end_the_wait(error: ReplicationError) -> None:
    """Neither in the first list nor in a poll."""
    world = World(orders="Incremental")
    world.scripts["list"] = [error, error, None, error, error]
    pause(world)
    assert world.log.count("list") == 6


@pytest.mark.parametrize("kind", [AuthenticationError, PermissionDeniedError, BadRequestError])
def test_what_does_not_pass_ends_the_wait(kind: type[ReplicationError]) -> None:
    """It is raised at once, as it is."""
    error = failing(400, kind)
    for script in ([error], [None, error]):
        world = World(orders="Incremental")
        world.scripts["list"] = list(script)
        with pytest.raises(kind) as caught:
            pause(world)
        assert caught.value is error
        assert world.log.count("list") == len(script)


def test_throttled_polls_come_less_often() -> None:
    """The pause doubles from the interval up to the longest, and is the interval after it."""
    world = World(orders="Incremental")
    throttled = failing(429, RateLimitError)
    world.scripts["list"] = [throttled] * 4
    world.becomes(230.0, "orders", "Paused")
    wait(world, PAUSE)
    assert world.sleeps == [5.0, 20.0, 40.0, 60.0, 60.0, 10.0, 10.0, 10.0, 10.0, 10.0]


def test_throttled_first_lists_come_less_often() -> None:
    """They begin with the interval; the error is raised when there is no time for another."""
    world = World(orders="Paused")
    throttled = failing(429, RateLimitError)
    world.scripts["list"] = [throttled] * 3
    pause(world)
    assert world.sleeps == [20.0, 40.0, 60.0]
    world = World(orders="Paused")
    world.scripts["list"] = [throttled] * 3
    with pytest.raises(RateLimitError):
        pause(world, timeout=60.0)
    assert world.sleeps == [20.0]
    assert world.deadlines["list"] == [60.0, 60.0]


def test_a_first_list_that_fails_once() -> None:
    """It is read again after the interval."""
    world = World(orders="Paused")
    world.scripts["list"] = [unsent()]
    pause(world)
    assert world.log == ["list", 10.0, "list"]


# --- Tasks that will not get there --------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "status", "says"),
    [
        ("Cancelled", "Yes", "was cancelled (stage 'Cancelled', status 'Yes')"),
        ("Incremental", "No", "is abnormal (stage 'Incremental', status 'No')"),
    ],
)
def test_a_task_that_failed(stage: str, status: str, says: str) -> None:
    """Before a request nothing is sent for any task; in a poll the wait ends at once."""
    world = World(events="Full", orders=stage)
    world.status["orders"] = status
    with pytest.raises(TaskFailedError) as caught:
        pause(world, ["events", "orders"])
    assert world.log == ["list"]
    assert caught.value.message == (
        f"The task orders {says} and will not be paused on its own: check the task on the instance."
    )
    assert (caught.value.instance_id, caught.value.task_name) == (INSTANCE, "orders")
    assert caught.value.task.stage_text == stage
    world.scripts["resume orders"] = [lambda: "accepted"]
    with pytest.raises(TaskFailedError, match="will not be running on its own"):
        resume(world, ["orders"])
    assert world.log == ["list", ("resume", "orders"), 5.0, "list"]


def test_a_paused_task_that_is_abnormal_is_paused() -> None:
    """It is where it should be."""
    world = World(orders="Paused")
    world.status["orders"] = "No"
    assert pause(world)["orders"].abnormal


def test_one_task() -> None:
    """As it is now, or the error that it is not there."""
    world = World(orders="Incremental", events="Paused")
    task = drive(find(INSTANCE, "events"), world.perform)
    assert (task.name, task.stage) == ("events", Stage.PAUSED)
    assert world.deadlines["list"] == [None]
    with pytest.raises(NotFoundError, match="has no synchronization task none") as caught:
        drive(find(INSTANCE, "none"), world.perform)
    assert (caught.value.instance_id, caught.value.task_name) == (INSTANCE, "none")


def test_other_tasks_are_left_out() -> None:
    """Of a list only the named tasks come back."""
    world = World(**{f"task_{number}": "Paused" for number in range(120)})
    assert list(drive(read(INSTANCE, ["task_7"]), world.perform)) == ["task_7"]
    assert list(pause(world, ["task_99"])) == ["task_99"]
    assert list(drive(read(INSTANCE, ["none", "task_3"]), world.perform)) == ["task_3"]


def test_a_total_that_is_never_reached() -> None:
    """A named task that is seen is there, whatever the list counts."""
    world = World(orders="Paused")
    page = (99, [{"task_name": "orders", "stage": "Paused", "status": "Yes"}])
    world.scripts["list"] = [lambda: page] * 99
    assert wait(world, PAUSE).stage is Stage.PAUSED
    assert pause(world)["orders"].stage is Stage.PAUSED
    assert drive(find(INSTANCE, "orders"), world.perform).stage is Stage.PAUSED


def test_a_task_that_is_absent() -> None:
    """Nothing is sent, for the others either."""
    world = World(orders="Incremental")
    with pytest.raises(NotFoundError) as caught:
        pause(world, ["orders", "none", "nil"])
    assert world.changes == []
    assert f"Instance {INSTANCE} has no synchronization task none, nil." in caught.value.message
    assert (caught.value.instance_id, caught.value.task_name) == (INSTANCE, "none")
    assert caught.value.status == 200


def test_a_task_that_vanishes() -> None:
    """Two polls in a row without it are enough; one in between starts the count anew."""
    world = World(orders="Incremental", events="Full")
    without = (1, [{"task_name": "events", "stage": "Full", "status": "Yes"}])
    empty = (1, [])
    world.scripts["list"] = [without, empty, None, without, empty]
    world.becomes(30.0, "orders", "Paused")
    assert wait(world, PAUSE).stage is Stage.PAUSED
    world = World(events="Full")
    with pytest.raises(NotFoundError, match="has no synchronization task orders"):
        wait(world, PAUSE)
    assert world.sleeps == [5.0, 10.0]


def test_a_stage_that_is_not_known_proves_nothing() -> None:
    """It is neither paused nor running."""
    world = World(orders="Rebuilding")
    with pytest.raises(WaitTimeoutError, match="last seen in stage 'Rebuilding'"):
        wait(world, PAUSE, timeout=60)
    with pytest.raises(WaitTimeoutError, match="is not running"):
        wait(world, RESUME, timeout=60)


# --- Requests that fail -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [lost(), failing(500, ServerError)], ids=["lost", "500"])
def test_a_lost_pause_is_repeated(error: ReplicationError) -> None:
    """Two polls show that nothing happened; the second request has its own two polls."""
    if isinstance(error, ServerError):
        error.harmless = False
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [error, error]
    pause(world)
    assert world.log == [
        "list",
        ("pause", "orders"),
        *(5.0, "list", 10.0, "list"),
        ("pause", "orders"),
        *(10.0, "list", 10.0, "list"),
        ("pause", "orders"),
        *(10.0, "list"),
    ]


def test_a_lost_pause_that_worked_is_not_repeated() -> None:
    """The stage shows it."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [lost()]
    world.becomes(14.0, "orders", "Paused")
    pause(world)
    assert world.changes == [("pause", "orders")]


def test_polls_that_fail_do_not_count() -> None:
    """Only those that showed the task tell that nothing happened."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [lost()]
    world.scripts["list"] = [None, unsent(), None, unsent(), None]
    pause(world)
    assert world.times == [("pause", "orders", 0.0), ("pause", "orders", 35.0)]


def test_settling_has_a_bound_of_its_own() -> None:
    """A row of lost requests ends ``settle`` seconds after the first was lost."""
    world = World(orders="Incremental")
    error = lost()
    world.scripts["pause orders"] = [world.hang(3.0, error), *(lost() for _ in range(99))]
    with pytest.raises(OutcomeUnknownError):
        pause(world, settle=60.0)
    assert world.elapsed == 63.0
    assert world.deadlines["pause"] == [1800.0, 63.0, 63.0, 63.0]
    assert [at for _, _, at in world.times] == [0.0, 18.0, 38.0, 58.0]


def test_settling_without_a_list() -> None:
    """The bound holds where no poll succeeds, and the request's own error is raised."""
    world = World(orders="Incremental")
    error = lost()
    world.scripts["pause orders"] = [error]
    world.scripts["list"] = [None, *(unsent() for _ in range(99))]
    with pytest.raises(OutcomeUnknownError) as caught:
        pause(world, settle=60.0)
    assert caught.value is error
    assert world.elapsed == 60.0
    assert world.changes == [("pause", "orders")]


def test_the_last_poll_of_settling_counts() -> None:
    """There is one when the time is over: what it shows is believed."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [lost()]
    world.becomes(6.9, "orders", "Paused")
    pause(world, settle=7.0)
    assert world.sleeps == [5.0, 2.0]


def test_the_timeout_bounds_settling() -> None:
    """It ends as a wait does, and the cause tells of the request."""
    world = World(orders="Incremental")
    error = lost()
    world.scripts["pause orders"] = [error]
    with pytest.raises(WaitTimeoutError) as caught:
        pause(world, settle=60.0, timeout=12.0)
    assert caught.value.__cause__ is error
    assert world.elapsed == 12.0


def test_an_accepted_request_ends_settling() -> None:
    """From then on there is all the time of the wait."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [lost()]
    world.takes["pause"] = 500.0
    pause(world)
    assert world.elapsed > 500


def test_a_row_begins_anew_after_an_accepted_request() -> None:
    """Each task has its own: one that is lost later has ``settle`` seconds from then."""
    world = World(orders="Incremental", events="Incremental")
    world.scripts["pause orders"] = [world.hang(50.0, lost())]
    world.scripts["pause events"] = [lost()] + [lost()] * 99
    world.takes["pause"] = 5.0
    with pytest.raises(OutcomeUnknownError):
        pause(world, TWO)
    assert world.elapsed == 110.0


def test_a_refused_pause_that_is_under_way() -> None:
    """Somebody's earlier pause makes the service refuse ours, and then shows."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [refused() for _ in range(99)]
    world.becomes(50.0, "orders", "Paused")
    pause(world)
    assert [at for _, _, at in world.times] == [0.0, 15.0, 35.0]


@pytest.mark.parametrize("error", [unsent(), failing(429, RateLimitError)], ids=str)
def test_a_refusal_is_settled_whatever_fails_in_passing(error: ReplicationError) -> None:
    """The refused request is repeated, and one that failed does not end that."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [refused(), error]
    pause(world)
    assert [at for _, _, at in world.times] == [0.0, 15.0, 35.0]


def test_a_refusal_says_more_than_a_request_that_never_left() -> None:
    """It is raised when the time to settle it is over."""
    world = World(orders="Incremental")
    error = refused()
    world.scripts["pause orders"] = [error, *(unsent() for _ in range(99))]
    with pytest.raises(BadRequestError) as caught:
        pause(world)
    assert caught.value is error


def test_a_pause_that_stays_refused() -> None:
    """After ``settle`` seconds the refusal is raised."""
    world = World(orders="Incremental")
    errors = [refused() for _ in range(99)]
    world.scripts["pause orders"] = list(errors)
    with pytest.raises(BadRequestError) as caught:
        pause(world)
    assert caught.value is errors[3]
    assert world.elapsed == 60.0


@pytest.mark.parametrize("later", [refused(), unsent(), failing(429, RateLimitError)], ids=str)
def test_doubt_stays(later: ReplicationError) -> None:
    """Once a request was lost, what is raised says that the task may have changed."""
    world = World(orders="Incremental")
    error = lost()
    world.scripts["pause orders"] = [error, *([later] * 99)]
    with pytest.raises(OutcomeUnknownError) as caught:
        pause(world)
    assert caught.value is error
    assert len(world.changes) == 4


def test_of_two_lost_requests_the_last_is_raised() -> None:
    """Both say the same."""
    world = World(orders="Incremental")
    errors = [lost() for _ in range(99)]
    world.scripts["pause orders"] = [refused(), *errors]
    with pytest.raises(OutcomeUnknownError) as caught:
        pause(world)
    assert caught.value is errors[2]


@pytest.mark.parametrize(
    "error",
    [
        unsent(),
        failing(409, ConflictError),
        failing(429, RateLimitError),
        failing(503, ServerError),
        failing(401, AuthenticationError),
        failing(404, NotFoundError),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_changed_nothing_is_raised(error: ReplicationError) -> None:
    """At once: the retries of the call are over."""
    world = World(orders="Incremental", events="Full")
    world.scripts["pause orders"] = [error]
    with pytest.raises(type(error)) as caught:
        pause(world, TWO)
    assert caught.value is error
    assert world.log == ["list", ("pause", "orders")]


def test_a_repetition_that_is_refused_for_good_is_raised() -> None:
    """The credentials ended after the first request was lost."""
    world = World(orders="Incremental")
    error = failing(401, AuthenticationError)
    world.scripts["pause orders"] = [lost(), error]
    with pytest.raises(AuthenticationError) as caught:
        pause(world)
    assert caught.value is error


@pytest.mark.parametrize("error", [unsent(), failing(409, ConflictError)], ids=str)
def test_a_repetition_that_fails_in_passing_is_repeated(error: ReplicationError) -> None:
    """The first request was lost, so that something is to be settled."""
    world = World(orders="Incremental")
    world.scripts["pause orders"] = [lost(), error]
    pause(world)
    assert [at for _, _, at in world.times] == [0.0, 15.0, 35.0]


def test_an_accepted_pause_is_not_repeated() -> None:
    """However long it takes."""
    world = World(orders="Incremental")
    world.takes["pause"] = 1500.0
    pause(world)
    assert world.changes == [("pause", "orders")]


# --- Running ------------------------------------------------------------------------------------


def test_accepted_and_seen_running() -> None:
    """Once is enough."""
    world = World(orders="Incremental")
    resume(world)
    assert world.log == [("resume", "orders"), 5.0, "list"]


def test_refused_and_seen_running_twice() -> None:
    """It runs already."""
    world = World(orders="Incremental")
    world.scripts["resume orders"] = [refused()]
    resume(world)
    assert world.log == [("resume", "orders"), 5.0, "list", 10.0, "list"]


def test_lost_and_seen_running() -> None:
    """That proves nothing: it is sent again until it is accepted or refused."""
    world = World(orders="Incremental")
    world.scripts["resume orders"] = [lost(), lost(), None]
    resume(world)
    assert [at for _, _, at in world.times] == [0.0, 15.0, 35.0]
    assert world.elapsed == 45.0


def test_refused_and_then_paused() -> None:
    """A pause was under way: once it shows, the resume is sent again."""
    world = World(orders="Incremental")
    world.scripts["resume orders"] = [refused()]
    world.becomes(7.0, "orders", "Paused")
    resume(world)
    assert [at for _, _, at in world.times] == [0.0, 15.0]
    assert world.elapsed == 25.0


def test_refused_again_after_it_was_paused() -> None:
    """The time to settle it begins when the pause is seen."""
    world = World(orders="Incremental")
    world.scripts["resume orders"] = [refused() for _ in range(99)]
    world.becomes(7.0, "orders", "Paused")
    with pytest.raises(BadRequestError):
        resume(world)
    assert world.elapsed == 75.0


def test_refused_while_it_is_paused() -> None:
    """It is sent again after two polls."""
    world = World(orders="Paused")
    world.scripts["resume orders"] = [refused()]
    resume(world)
    assert [at for _, _, at in world.times] == [0.0, 15.0]


def test_accepted_without_effect() -> None:
    """It is not sent again: the wait says that the task does not run."""
    world = World(orders="Paused")
    world.takes["resume"] = 1e9
    with pytest.raises(WaitTimeoutError, match=r"is not running after 300.0 s"):
        resume(world, timeout=300.0)
    assert world.changes == [("resume", "orders")]


def test_an_abnormal_task_does_not_run() -> None:
    """Whatever its stage."""
    world = World(orders="Incremental")
    world.status["orders"] = "No"
    with pytest.raises(TaskFailedError):
        resume(world)


# --- Interrupts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["pause orders", "list"])
def test_an_interrupt_goes_through(moment: str) -> None:
    """Nothing is held back outside of a window."""
    world = World(orders="Incremental")
    world.scripts[moment] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        pause(world)


def test_steps_end_where_they_are_closed() -> None:
    """``close()`` of the generator ends them."""
    world = World(orders="Incremental")
    steps = ensure_paused(INSTANCE, ONE, patience(), world.chances)
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_polls_longer_than_the_interval_of_the_timeout() -> None:
    """A poll that takes long leaves less time for the rest."""
    world = World(orders="Incremental")
    world.scripts["list"] = [world.hang(30.0, unsent())]
    with pytest.raises(WaitTimeoutError):
        wait(world, PAUSE, timeout=40.0, poll=Poll(first=5.0, interval=10.0))
    assert world.now == START + 40.0
    assert world.sleeps == [5.0, 5.0]


def test_any_other_error_of_a_request_ends_pausing() -> None:
    """It is raised, with a note about what may be paused; without one if nothing may be."""
    world = World(orders="Incremental", events="Incremental")
    world.scripts["pause events"] = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError) as caught:
        pause(world, TWO)
    assert caught.value.__notes__ == ["May be paused now: orders, events."]
    world.stages.update(orders="Paused", events="Incremental")
    world.scripts["pause events"] = [failing(403, PermissionDeniedError)]
    with pytest.raises(PermissionDeniedError) as refused_at_once:
        pause(world, TWO)
    assert refused_at_once.value.possibly_paused == ()


def test_an_interrupt_before_anything_was_requested() -> None:
    """It has no note."""
    world = World(orders="Incremental")
    steps = ensure_paused(INSTANCE, ONE, patience(recorder=Interrupted()), world.chances)
    with pytest.raises(KeyboardInterrupt) as caught:
        drive(steps, lambda step: step.act() if hasattr(step, "act") else world.perform(step))
    assert not hasattr(caught.value, "__notes__")


class Interrupted:
    """A recorder that an interrupt ends before the first request is sent."""

    def sending(self, *_: object) -> None:
        raise KeyboardInterrupt

    def answered(self, *_: object) -> None: ...

    def reached(self, *_: object) -> None: ...
