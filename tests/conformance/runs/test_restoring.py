"""However a run ends, the task is in the stage it had before; if not, that is the last word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from taurusdb_starrocks_conformance import NotRestoredError, Suite
from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.run import Outcome, Run
from taurusdb_starrocks_conformance.target import CannotRunError, Target
from taurusdb_starrocks_emulator import Emulator, Fault

from tests.power.server import INSTANCE, PROJECT, TASK, TOKEN, Answer, Call, Service, serving

NEVER = 1 << 30
STAGES = ("Incremental", "Paused")
THROTTLED = {"error_code": "APIGW.0308", "error_msg": "Throttled."}
SETTINGS: dict[str, Any] = {
    "token": TOKEN,
    "project_id": PROJECT,
    "instance_id": INSTANCE,
    "task_name": TASK,
}
VARIABLES = {f"TAURUSDB_FUZZ_{name.upper()}": value for name, value in SETTINGS.items()}


class Disturbed(Service):
    """Something happens to the nth response, and to some after it."""

    def __init__(self, stage: str, at: int, event: Callable[[Answer], Answer], **more: Any) -> None:
        super().__init__(**more)
        self.instances[INSTANCE][TASK].stage = self.instances[INSTANCE][TASK].before = stage
        self.at, self._event = at, event
        # One slow response is none.
        self.times = 6 if event is be_slow else 2

    @property
    def stage(self) -> str:
        return self.instances[INSTANCE][TASK].stage

    def finish(self, call: Call, answer: Answer) -> Answer:
        return self._event(answer) if self.at <= call.number < self.at + self.times else answer


def throttle(answer: Answer) -> Answer:
    return Answer(429, THROTTLED, answer.headers)


def hang_up(answer: Answer) -> Answer:
    return Answer(answer.status, answer.document, answer.headers, drop=True)


def fail(answer: Answer) -> Answer:
    return Answer(500, {"error_code": "DBS.200001", "error_msg": "Failed."}, answer.headers)


def lose_request_id(answer: Answer) -> Answer:
    return Answer(answer.status, answer.document, {**answer.headers, "X-Request-Id": ""})


def be_slow(answer: Answer) -> Answer:
    time.sleep(0.2)
    return answer


def send(number: signal.Signals) -> Callable[[Answer], Answer]:
    def event(answer: Answer) -> Answer:
        os.kill(os.getpid(), number)
        return answer

    return event


def run_at(url: str, **settings: Any) -> Run:
    target = Target(url=url, **SETTINGS, **{"settle": 5.0, "hold": 0.05, **settings})
    return Run(target, seed=1, first_only=True, examples=2)


def ended(run: Run) -> Outcome:
    try:
        return run.go(only="pause and resume")
    except CannotRunError:
        return run.outcome


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("at", [6, 7, 9, 12, 16])
@pytest.mark.parametrize("event", [throttle, hang_up, lose_request_id, be_slow])
def test_a_run_that_ends_early_restores_the_task(
    event: Callable[[Answer], Answer], at: int, stage: str
) -> None:
    """Throttled, hung up on, at the first fault, or because the target is slow."""
    service = Disturbed(stage, at, event)
    with serving(service) as url:
        outcome = ended(run_at(url, slowest=0.15))
    assert outcome.ended or outcome.faults
    assert outcome.not_restored is None
    assert service.stage == stage


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_is_not_known(stage: str) -> None:
    """If the list fails before the first change, the task runs at the end; the report says why."""
    service = Disturbed(stage, 1, fail)
    service.times = 4
    with serving(service) as url:
        target = Target(url=url, **SETTINGS, settle=5.0, hold=0.05)
        outcome = ended(Run(target, seed=1, examples=2))
    assert outcome.faults
    assert outcome.not_restored is None
    assert service.stage == "Incremental"
    (note,) = (note for note in outcome.notes if "original stage" in note)
    assert note.endswith("the list did not show it: at the end, the task is resumed.")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [7, 10, 13])
def test_a_signal_ends_a_run_and_the_task_is_restored(
    at: int, number: signal.Signals, stage: str
) -> None:
    """Also if it comes twice; and the handlers of the program are back afterwards."""
    before = signal.getsignal(number)
    service = Disturbed(stage, at, send(number))
    with serving(service) as url:
        outcome = run_at(url).go()
    assert outcome.interrupted == number
    assert outcome.exit_status() == 128 + number
    assert outcome.verdict().startswith(f"conformance: interrupted by {number.name}: no faults")
    assert outcome.not_restored is None
    assert service.stage == stage
    assert signal.getsignal(number) is before


def test_a_signal_ends_a_wait() -> None:
    """A wait for half an hour is over at once."""

    def signal_later(answer: Answer) -> Answer:
        run.wire.task.needs = 1800.0
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return answer

    service = Disturbed("Incremental", 8, signal_later)
    with serving(service) as url:
        run = run_at(url)
        began = time.monotonic()
        outcome = run.go()
    assert outcome.interrupted == signal.SIGTERM
    assert service.stage == "Incremental"
    assert time.monotonic() - began < 60


def test_an_error_in_the_suite_itself_restores_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not hidden."""
    service = Disturbed("Incremental", NEVER, throttle)
    with serving(service) as url:
        run = run_at(url)

        def broken(*_: Any) -> bool:
            assert service.stage == "Paused"
            raise ZeroDivisionError

        monkeypatch.setattr(run.changes, "takes_effect", broken)
        with pytest.raises(ZeroDivisionError):
            run.go()
    assert service.stage == "Incremental"
    assert run.outcome.verdict() == "conformance: could not run: ZeroDivisionError: "


@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", operation="resume", status=400, code="DBS.200086", times=1),
        Fault("error", operation="resume", status=500, times=2),
        Fault("error", operation="resume", status=409, code="DBS.200011", times=2),
        Fault("throttle", operation="any", times=2),
        Fault("no-effect", operation="resume", times=1),
        Fault("reset-after-read", operation="resume", times=1),
        Fault("late-pause", operation="pause", seconds=0.4, meanwhile="ignored", times=1),
        Fault("late-pause", operation="pause", seconds=0.4, meanwhile="refused", times=1),
        Fault("short-pages", limit=1),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status or fault.meanwhile or ''}",
)
def test_the_last_change_is_repeated_until_the_list_shows_it(fault: Fault) -> None:
    """Refused, lost, without effect, or overtaken by a pause that was accepted before."""
    with Emulator() as emulator:
        target = Target(
            url=emulator.url,
            token=emulator.token,
            project_id=emulator.project_id,
            instance_id=emulator.instance_id,
            task_name=emulator.task_name,
            settle=10.0,
            hold=1.0,
        )
        run = Run(target, seed=1)

        def pause() -> None:
            run.wire.toward("pause")
            emulator.faults.add(fault)
            run.wire.ask("pause")

        run.changes.cycle = pause  # type: ignore[method-assign] # a run of one change
        outcome = run.outcome
        try:
            run.go(only="pause and resume")
        except CannotRunError:
            assert fault.kind == "throttle"
        assert outcome.not_restored is None
        assert emulator.task(emulator.instance_id, emulator.task_name).stage != "Paused"


@pytest.mark.parametrize("settings", [{}, {"strict": True}, {"busy": 0.2}], ids=str)
@pytest.mark.parametrize("last", ["pause", "resume", None])
def test_without_a_list_the_change_must_be_accepted(last: Any, settings: dict[str, Any]) -> None:
    service = Disturbed("Incremental", NEVER, throttle, lists=False, **settings)
    with serving(service) as url:
        run = run_at(url)

        def change() -> None:
            run.wire.toward("pause")
            run.wire.ask("pause")
            if last == "resume":
                run.wire.ask("resume")
            run.wire.task.last = last

        run.changes.cycle = change  # type: ignore[method-assign] # a run of one change
        outcome = run.go(only="pause and resume")
    assert outcome.not_restored is None
    assert service.stage == "Incremental"


class Stuck(Service):
    """Once the task is paused, everything is throttled."""

    def answer(self, call: Call) -> Answer:
        if call.number > 12 and self.instances[INSTANCE][TASK].stage == "Paused":
            return throttle(super().answer(Call("GET", "/", "", {}, b"", 0)))
        return super().answer(call)


def test_a_task_that_cannot_be_restored_is_the_last_word(tmp_path: Path) -> None:
    """It has an exit status of its own, stands in each report, and the token in none of them."""
    environment = {**os.environ, **VARIABLES, "SETTLE_SECONDS": "0.5", "HOLD_SECONDS": "0.1"}
    with serving(Stuck()) as url:
        command = [sys.executable, "-m", "taurusdb_starrocks_conformance", url]
        done = subprocess.run(
            [*command, "--reports", str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    with serving(Stuck()) as url:
        with pytest.raises(NotRestoredError, match=f"task {TASK} of instance {INSTANCE} MAY"):
            Suite(url, **SETTINGS, settle=0.5, hold=0.1, seed=1, examples=2).run()
    assert done.returncode == 122, done.stderr
    last = done.stdout.splitlines()[-1]
    url = last.partition("POST ")[2].partition("/v3/")[0]
    assert last.startswith(f"task {TASK} of instance {INSTANCE} MAY STILL BE PAUSED: ")
    assert f"POST {url}/v3/{PROJECT}/instances/{INSTANCE}/" in last
    for path in tmp_path.glob("conformance.[tjhx]*"):
        text = path.read_text(encoding="utf-8")
        assert path.suffix == ".har" or "MAY STILL BE PAUSED" in text, path.name
        assert TOKEN not in text, path.name


def test_the_command_restores_the_task_at_sigterm(tmp_path: Path) -> None:
    """Reports are written all the same."""
    service = Service()
    environment = {**os.environ, **VARIABLES, "RATE": "200/s", "HOLD_SECONDS": "0.1"}
    with serving(service) as url:
        command = [sys.executable, "-m", "taurusdb_starrocks_conformance", url]
        process = subprocess.Popen(
            [*command, "--reports", str(tmp_path)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            until = time.monotonic() + 60
            while service.calls < 60 or service.instances[INSTANCE][TASK].stage != "Paused":
                assert time.monotonic() < until
                assert process.poll() is None
                time.sleep(0.001)
            process.send_signal(signal.SIGTERM)
            told, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 143, told
    assert "SIGTERM: restoring" in told
    assert told.splitlines()[-1].startswith("conformance: interrupted by SIGTERM")
    assert service.instances[INSTANCE][TASK].stage == "Incremental"
    assert "interrupted by SIGTERM" in (tmp_path / "conformance.xml").read_text(encoding="utf-8")


def test_a_single_request_restores_the_task() -> None:
    """As `--replay` sends it."""
    service = Disturbed("Incremental", NEVER, throttle)
    with serving(service) as url:
        run = run_at(url)
        service.at = 6
        with pytest.raises(CannotRunError, match="throttles"):
            run.once(run.wire.request(operations()["pause"]), None)
    assert service.stage == "Incremental"
