"""Any order of calls, faults and restarts: what the client says is true of the service."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients import open_async, open_sync
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from taurusdb_starrocks import (
    Job,
    OutcomeUnknownError,
    Poll,
    ReplicationError,
    RetryPolicy,
    ServerError,
    Stage,
    TokenAuth,
)
from taurusdb_starrocks_emulator import Emulator, Fault

TASKS = st.sampled_from(["orders_sync", "events_sync", "archive_sync"])
RUNNING = {"orders_sync": "Incremental", "events_sync": "Full", "archive_sync": "Incremental"}
POLL = Poll(first=0.0, interval=0.005, longest=0.01)
FAULTS = st.sampled_from(
    [
        {"kind": "reset-after-read"},
        {"kind": "reset-after-read", "applied": True},
        {"kind": "close", "applied": True},
        {"kind": "truncate", "applied": True},
        {"kind": "html-502", "applied": True},
        {"kind": "blocked", "applied": True},
        {"kind": "blocked", "applied": True, "status": 408},
        {"kind": "error", "applied": True},
        {"kind": "error"},
        {"kind": "throttle"},
        {"kind": "conflict"},
        {"kind": "expired-token"},
        {"kind": "no-job"},
    ]
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Machine(RuleBasedStateMachine):
    """A client, a service, and for each task the stages it may be in or be moving to."""

    opener: Callable[..., Any]

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        self.emulator = self.start()
        self.opened = self.opener(
            endpoint=f"http://127.0.0.1:{self.port}",
            project_id=self.emulator.project_id,
            auth=TokenAuth("machine-token"),
            timeout=10.0,
            retry=RetryPolicy(first_delay=0.001, longest_delay=0.002, budget=1e9),
            poll=POLL,
            settle=0.3,
        )
        self.client = self.opened.__enter__()
        self.instance = self.emulator.instance_id
        self.may_be = {
            "orders_sync": {"Incremental"},
            "events_sync": {"Full"},
            "archive_sync": {"Paused"},
        }

    def start(self) -> Emulator:
        database = Path(self.folder.name) / "state.sqlite"
        emulator = Emulator(db=database, port=self.port, token="machine-token", delay=0.01)
        return emulator.__enter__()

    def stop(self) -> None:
        self.emulator.__exit__(None, None, None)
        self.emulator.close()

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)
        self.stop()
        self.folder.cleanup()

    @rule(name=TASKS, verb=st.sampled_from(["pause", "resume"]))
    def change(self, name: str, verb: str) -> None:
        """A job means it will be so; a refusal means it is not; otherwise it may be either."""
        goal = "Paused" if verb == "pause" else RUNNING[name]
        try:
            job = getattr(self.client, verb)(self.instance, name)
        except (OutcomeUnknownError, ServerError):
            self.may_be[name] = self.may_be[name] | {goal}
        except ReplicationError:
            pass
        else:
            assert isinstance(job, Job)
            self.may_be[name] = {goal}

    @rule(name=TASKS, paused=st.booleans())
    def ensure(self, name: str, paused: bool) -> None:
        """What ends well saw the truth, and it stays so; otherwise it may be either."""
        goal = "Paused" if paused else RUNNING[name]
        time.sleep(0.03)  # What was requested before has taken effect: a resume cannot be seen.
        try:
            verb = self.client.ensure_paused if paused else self.client.ensure_running
            verb(self.instance, name, timeout=1.0)
        except ReplicationError:
            self.may_be[name] = self.may_be[name] | {goal}
        else:
            assert self.emulator.task(self.instance, name).stage == goal
            self.may_be[name] = {goal}

    @rule(name=TASKS, paused=st.booleans())
    def wait(self, name: str, paused: bool) -> None:
        """A wait that ends well saw the truth; one that does not says so in time."""
        verb = self.client.wait_until_paused if paused else self.client.wait_until_running
        try:
            task = verb(self.instance, name, timeout=0.1)
        except ReplicationError:
            return
        assert (task.stage is Stage.PAUSED) if paused else task.stage.running

    @rule(name=TASKS)
    def window(self, name: str) -> None:
        """Inside it nothing runs; after it the task is as it was, or the error is told."""
        before = self.may_be[name]
        time.sleep(0.03)  # What was requested before has taken effect: it is one or the other.
        was_paused = self.emulator.task(self.instance, name).stage == "Paused"
        try:
            with self.client.paused(self.instance, name, timeout=1.0):
                assert self.emulator.task(self.instance, name).stage == "Paused"
        except ReplicationError:
            self.may_be[name] = before | {"Paused", RUNNING[name]}
        else:
            self.may_be[name] = {"Paused"} if was_paused else {RUNNING[name]}

    @rule(
        fault=FAULTS,
        operation=st.sampled_from(["pause", "resume", "list", "any"]),
        times=st.integers(1, 4),
    )
    def spoil(self, fault: dict[str, Any], operation: str, times: int) -> None:
        """The next calls of a kind go wrong."""
        self.emulator.faults.add(Fault(**fault, operation=operation, times=times))

    @rule()
    def heal(self) -> None:
        """All goes right again."""
        self.emulator.faults.clear()

    @rule()
    def restart(self) -> None:
        """The service goes away and comes back on the same port, with what it held."""
        self.stop()
        self.emulator = self.start()

    @invariant()
    def told_the_truth(self) -> None:
        """Each task is where the client's answers say that it may be."""
        for name, stages in self.may_be.items():
            target = self.emulator.task(self.instance, name).target
            assert target in stages, name


@pytest.mark.parametrize("opener", [open_sync, open_async], ids=["sync", "async"])
def test_state_machine(opener: Callable[..., Any]) -> None:
    """Twenty stories of up to fifteen steps, for each client."""
    machine = type("OneMachine", (Machine,), {"opener": staticmethod(opener)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # A story is short as it is.
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
