"""Pausing and resuming many tasks of many instances, on the emulator."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from taurusdb_starrocks import AsyncClient, Client, ConfigurationError, Poll, Task, TokenAuth
from taurusdb_starrocks import durable as one
from taurusdb_starrocks.durable import Journal, TaskBusyError, overview
from taurusdb_starrocks.fleet import (
    Event,
    Result,
    Target,
    aresume,
    pause,
    report,
    resume,
)
from taurusdb_starrocks.fleet import connect as default_connect
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.fleet.conftest import Connect, stages
from tests.fleet.fleets import PROJECT, instance

FAST: dict[str, Any] = {
    "rate": 100_000.0,
    "poll": Poll(first=0.02, interval=0.05, longest=0.2),
    "settle": 0.5,
    "timeout": 30.0,
}


def sent(emulator: Emulator) -> Counter[str | None]:
    return Counter(call.operation for call in emulator.journal())


def states(journal: Journal, targets: list[Target], connect: Connect) -> Counter[str]:
    """What the journal says of each target."""
    rows = report(targets, journal=journal, connect=connect)
    return Counter("none" if row.recorded is None else row.recorded.state for row in rows)


def test_pause_and_resume(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Three hundred tasks take a list or two for each of ten instances, and a request each."""
    seen: list[Event] = []
    paused = pause(
        targets, journal=journal, lease=None, connect=connect, events=seen.append, **FAST
    )
    assert paused.complete
    assert paused.counts["confirmed"] == len(seen) == 300
    assert {event.state for event in seen} == {"confirmed"}
    assert stages(emulator) == {"Paused": 300}
    calls = sent(emulator)
    assert (calls["pause"], calls["list"] <= 60) == (300, True)
    held = overview(journal)
    assert len(held) == 300
    assert {entry.state for entry in held} == {"held"}
    rows = list(report(targets, journal=journal, connect=connect))
    jobs = {call.job_id for call in emulator.journal()} - {None}
    assert {row.recorded.job_id for row in rows if row.recorded} == jobs
    assert all(row.recorded and row.recorded.request_id for row in rows)
    resumed = resume(targets, journal=journal, connect=connect, **FAST)
    assert resumed.complete
    assert resumed.counts["confirmed"] == 300
    assert stages(emulator) == {"Incremental": 300}
    assert overview(journal) == []
    assert states(journal, targets, connect) == {"confirmed": 300}


def test_resume_resumes_just_what_this_journal_paused(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """What was found paused stays so, unless everything is to be resumed."""
    for number in range(5):
        emulator.set_stage(instance(3), f"task_{number}", "Paused")
    paused = pause(targets[:200], journal=journal, lease=None, connect=connect, **FAST)
    assert (paused.counts["confirmed"], paused.counts["found"]) == (195, 5)
    assert states(journal, targets, connect) == {"confirmed": 195, "found": 5, "none": 100}
    emulator.set_stage(instance(9), "task_0", "Paused")
    resumed = resume(targets, journal=journal, connect=connect, **FAST)
    assert resumed.complete
    assert (resumed.counts["confirmed"], resumed.counts["found"]) == (195, 105)
    assert stages(emulator) == {"Incremental": 294, "Paused": 6}
    assert sent(emulator)["resume"] == 195
    everything = resume(targets, journal=journal, everything=True, connect=connect, **FAST)
    assert everything.complete
    assert stages(emulator) == {"Incremental": 300}
    assert overview(journal) == []


def test_the_same_command_again_sends_nothing(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """All that it reads are the lists."""
    for _ in range(2):
        assert pause(targets, journal=journal, lease=60.0, connect=connect, **FAST).complete
    assert sent(emulator)["pause"] == 300
    assert len(overview(journal)) == 300


def test_events_and_results_name_what_failed(
    emulator: Emulator, connect: Connect, journal: Journal, tmp_path: Path
) -> None:
    """And what was not tried; as targets for another run."""
    targets = [Target(instance(0), "task_0"), Target(instance(0), "nobody")]
    result = pause(targets, journal=journal, lease=None, connect=connect, **FAST)
    assert not result.complete
    (failed,) = result.outcomes()
    assert (failed.target.task_name, failed.state) == ("nobody", "refused")
    assert "lists no such task" in failed.error
    assert result.write_left(tmp_path / "left.csv") == 1
    again = pause(
        tmp_path / "left.csv",
        journal=journal,
        lease=None,
        connect=connect,
        allow_endpoints=[emulator.url],
        **FAST,
    )
    assert again.counts["refused"] == 1
    assert states(journal, targets, connect) == {"confirmed": 1, "refused": 1}


def test_three_hundred_that_all_fail(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The tenth failure stops it, with at most ``concurrency - 1`` more under way."""
    emulator.faults.add(Fault("error", operation="pause", applied=False, status=400))
    for concurrency in (1, 16):
        before = sent(emulator)["pause"]
        result = pause(
            targets, journal=journal, lease=None, connect=connect, concurrency=concurrency, **FAST
        )
        number = sent(emulator)["pause"] - before
        assert 10 <= number <= 10 + concurrency - 1
        assert result.counts["refused"] == number
        assert result.counts["planned"] == 300 - number
        assert result.stopped.startswith("the first 10 all failed in the same way")
    assert overview(journal) == []


def test_a_limit_of_errors(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """At most ``concurrency - 1`` more requests than it takes are under way when it stops."""
    emulator.faults.add(
        Fault("error", operation="pause", applied=False, status=400, seed=3, probability=0.5)
    )
    result = pause(
        targets,
        journal=journal,
        lease=None,
        connect=connect,
        max_errors="5%",
        concurrency=8,
        **FAST,
    )
    assert 16 <= result.counts["refused"] <= 16 + 7
    assert "more than 15 failed" in result.stopped
    assert result.counts["planned"] > 200
    assert stages(emulator)["Paused"] == result.counts["confirmed"]


def test_throttled_requests_are_no_failures(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """They are sent again, more slowly."""
    emulator.faults.add(Fault("throttle", operation="any", probability=0.2, retry_after="0"))
    result = pause(targets[:60], journal=journal, lease=None, connect=connect, max_errors=0, **FAST)
    assert result.complete


def test_rate(emulator: Emulator, connect: Connect, journal: Journal) -> None:
    """No more requests a second than wanted, lists included."""
    targets = [Target(instance(i), f"task_{n}") for i in range(3) for n in range(5)]
    options = {**FAST, "rate": 20.0}
    result = pause(targets, journal=journal, lease=None, connect=connect, **options)
    assert result.complete
    times = [call.time for call in emulator.journal()]
    assert len(times) / 20.0 - 0.2 <= times[-1] - times[0]


def test_a_hang_is_settled_and_repeated(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Requests that had no effect, after settle seconds; those that had one, never."""
    emulator.faults.add(Fault("hang", operation="pause", at=(1, 5), seconds=5.0, applied=False))
    emulator.faults.add(Fault("close", operation="pause", at=(3,), applied=True))
    result = pause(targets[:30], journal=journal, lease=None, connect=connect, **FAST)
    assert result.complete
    assert result.repeated == 2
    assert sent(emulator)["pause"] == 32


def test_a_repeat_that_is_refused_keeps_the_task_in_the_journal(
    emulator: Emulator, connect: Connect, journal: Journal
) -> None:
    """The first request may have an effect yet, however long that takes."""
    emulator.faults.add(Fault("close", operation="pause", at=(1,), applied=False))
    emulator.faults.add(Fault("error", operation="pause", at=(2,), applied=False, status=400))
    target = [Target(instance(0), "task_0")]
    result = pause(target, journal=journal, lease=None, connect=connect, **FAST)
    assert result.counts["refused"] == 1
    assert len(overview(journal)) == 1
    assert resume(target, journal=journal, connect=connect, **FAST).complete
    assert overview(journal) == []


def test_what_somebody_else_has_is_refused(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """A task in a living window, and one on hold: with whose it is. Others go on."""
    with Client(
        endpoint=emulator.url, project_id=PROJECT, auth=TokenAuth(emulator.token)
    ) as client:
        waiting: Any = {"poll": FAST["poll"]}
        with one.window(
            client, instance(0), "task_0", journal=journal, lease=60, guardian=False, **waiting
        ):
            one.pause(client, instance(0), "task_1", journal=journal, lease=None, **waiting)
            result = pause(targets[:3], journal=journal, lease=None, connect=connect, **FAST)
            assert (result.counts["refused"], result.counts["confirmed"]) == (2, 1)
            errors = {outcome.target.task_name: outcome.error for outcome in result.outcomes()}
            assert "belongs to an open window of" in errors["task_0"]
            assert "is on hold by" in errors["task_1"]
            resumed = resume(targets[:3], journal=journal, connect=connect, **FAST)
            assert (resumed.counts["refused"], resumed.counts["confirmed"]) == (1, 2)
            assert emulator.task(instance(0), "task_0").stage == "Paused"


def test_what_a_person_decides_meanwhile(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """A task that was forgotten after it was planned is not paused any more."""
    emulator.set_stage(instance(0), "task_0", "Paused")

    def forget(event: Event) -> None:
        if event.state == "found":
            one.forget(journal, instance(1), "task_9", "It must run tonight.")

    options = {**FAST, "rate": 50.0}
    result = pause(
        targets[:60],
        journal=journal,
        lease=None,
        connect=connect,
        concurrency=1,
        events=forget,
        **options,
    )
    assert (result.counts["found"], result.counts["refused"]) == (1, 1)
    (refused,) = result.outcomes()
    assert "was taken over in the journal" in refused.error
    assert emulator.task(instance(1), "task_9").stage == "Incremental"


def test_one_at_a_time_is_the_same_as_many(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """What a fleet paused is resumed by name too."""
    assert pause(targets[:3], journal=journal, lease=None, connect=connect, **FAST).complete
    with Client(
        endpoint=emulator.url, project_id=PROJECT, auth=TokenAuth(emulator.token)
    ) as client:
        (task,) = one.resume(client, instance(0), ["task_1"], journal=journal, poll=FAST["poll"])
    assert isinstance(task, Task)
    assert [entry.task_name for entry in overview(journal)] == ["task_0", "task_2"]


def test_recover_resumes_after_the_lease(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The limit of a fleet is that of each of its tasks."""
    assert pause(targets[:40], journal=journal, lease=600, connect=connect, **FAST).complete
    assert {done.outcome for done in one.recover(journal)} == {"left"}
    journal.write(lambda c: c.execute("UPDATE window SET ends_clock = ends_clock - 600"))

    def client(endpoint: str, project_id: str) -> Client:
        return Client(endpoint=endpoint, project_id=project_id, auth=TokenAuth(emulator.token))

    done = one.recover(journal, connect=client, poll=FAST["poll"], settle=0.5)
    assert Counter(each.outcome for each in done) == {"resumed": 40}
    assert stages(emulator) == {"Incremental": 300}


def test_nothing_more_is_paused_after_the_lease(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The rest is left, with why."""
    options = {**FAST, "rate": 20.0}
    result = pause(targets[:30], journal=journal, lease=0.6, connect=connect, **options)
    assert "lease is over" in result.stopped
    assert result.counts["planned"] > 10


def test_resuming_goes_on_through_an_outage(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """A third of the requests fail for a while, in every way; in the end all run."""
    assert pause(targets, journal=journal, lease=None, connect=connect, **FAST).complete
    emulator.faults.add(
        Fault("error", operation="resume", applied=False, status=400, probability=0.1, times=60)
    )
    emulator.faults.add(
        Fault("reset-before-read", operation="resume", probability=0.1, seed=1, times=40)
    )
    emulator.faults.add(
        Fault("throttle", operation="any", probability=0.1, seed=2, times=60, retry_after="0")
    )
    result = resume(targets, journal=journal, connect=connect, **FAST)
    assert result.complete
    assert stages(emulator) == {"Incremental": 300}
    assert overview(journal) == []


def test_what_does_not_run_stays_in_the_journal(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """It is named, and the same call resumes it later."""
    assert pause(targets[:40], journal=journal, lease=None, connect=connect, **FAST).complete
    emulator.faults.add(Fault("error", operation="resume", applied=False, status=400))
    options = {**FAST, "timeout": 0.5}
    result = resume(targets, journal=journal, connect=connect, **options)
    assert result.counts["refused"] == 40
    assert sent(emulator)["resume"] >= 40
    held = overview(journal)
    assert len(held) == 40
    assert all(entry.trouble for entry in held)
    emulator.faults.clear()
    assert resume(targets, journal=journal, connect=connect, **FAST).complete
    assert overview(journal) == []


def test_from_coroutines(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """Cancelled, it leaves what it has done in the journal, and the next run goes on."""

    async def impatient() -> Result:
        async with asyncio.timeout(0.3):
            return await aresume(targets, journal=journal, connect=connect, **FAST)

    assert pause(targets, journal=journal, lease=None, connect=connect, **FAST).complete
    emulator.faults.add(Fault("hang", operation="resume", seconds=1.0, applied=True, times=1))
    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    assert resume(targets, journal=journal, connect=connect, **FAST).complete
    assert stages(emulator) == {"Incremental": 300}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("concurrency", 0),
        ("concurrency", 101),
        ("rate", 0.0),
        ("timeout", True),
        ("settle", -1.0),
        ("max_errors", "many"),
        ("lease", -1.0),
    ],
)
def test_wrong_options(
    emulator: Emulator, connect: Connect, journal: Journal, option: str, value: Any
) -> None:
    """They are refused before anything is sent."""
    arguments: dict[str, Any] = {"lease": None, **FAST, "connect": connect, option: value}
    with pytest.raises(ConfigurationError, match=option):
        pause([Target(instance(0), "task_0")], journal=journal, **arguments)
    assert emulator.journal() == []


def test_two_runs_at_once(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """The tasks of one that lives are left to it."""
    results: list[Result] = []

    def second(_event: Event) -> None:
        if not results:
            results.append(None)  # type: ignore[arg-type]  # It is replaced at once.
            results[0] = _in_a_thread(
                lambda: pause(targets, journal=journal, lease=None, connect=connect, **FAST)
            )

    first = pause(targets, journal=journal, lease=None, connect=connect, events=second, **FAST)
    assert first.complete
    assert results[0].counts["refused"] + results[0].counts["confirmed"] == 300
    assert results[0].counts["refused"] > 0
    assert sent(emulator)["pause"] == 300


def _in_a_thread(act: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


def test_default_clients_come_from_the_environment(
    emulator: Emulator, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a Client; a throttled request is left to the fleet's own pace."""
    monkeypatch.setenv("TAURUSDB_STARROCKS_ENDPOINT", emulator.url)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", PROJECT)
    monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", emulator.token)
    emulator.faults.add(Fault("throttle", operation="pause", times=1))
    result = pause([Target(instance(0), "task_0")], journal=journal, lease=None, **FAST)
    assert result.complete
    assert sent(emulator)["pause"] == 2
    assert isinstance(default_connect(None, None), AsyncClient)
    assert issubclass(TaskBusyError, Exception)


def test_what_was_accepted_and_never_seen(
    emulator: Emulator, connect: Connect, journal: Journal, targets: list[Target]
) -> None:
    """It is named and stays in the journal: the job may still finish."""
    emulator.faults.add(Fault("no-effect", operation="pause"))
    options = {**FAST, "timeout": 0.3}
    result = pause(targets[:3], journal=journal, lease=None, connect=connect, **options)
    assert (result.counts["accepted"], result.complete) == (3, False)
    assert len(overview(journal)) == 3
    assert resume(targets[:3], journal=journal, connect=connect, **FAST).complete
    assert overview(journal) == []


def test_events_that_nobody_takes(
    emulator: Emulator,
    connect: Connect,
    journal: Journal,
    targets: list[Target],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every target is visited, and it is said once."""

    def broken(_event: Event) -> None:
        raise BrokenPipeError

    paused = pause(targets, journal=journal, lease=None, connect=connect, events=broken, **FAST)
    assert paused.complete
    assert stages(emulator) == {"Paused": 300}
    assert [each.message for each in caplog.records if each.exc_info] == [
        "the function for the events of a fleet fails"
    ]
