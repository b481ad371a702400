"""What `recover` does for windows that neither a program nor a guardian looks after."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from programs import BILLING, BOTH, ORDERS, Surroundings, until
from taurusdb_starrocks import (
    Client,
    ConfigurationError,
    NotResumedError,
    ReplicationError,
    TokenAuth,
)
from taurusdb_starrocks.durable import (
    Journal,
    TaskBusyError,
    _clock,
    _locks,
    _recover,
    _recovery,
    forget,
    overview,
    recover,
    resume,
    window,
)
from taurusdb_starrocks_emulator import Fault

WINDOW = """
with window(client, INSTANCE, NAMES, journal=journal, lease=given.get("lease", 60), guardian=False):
    say("in")
    listen()
"""


def left(around: Surroundings, names: list[str] | None = None, **given: Any) -> None:
    """Leave a window whose program was killed and that has no guardian."""
    program = around.program(WINDOW, names=names or BOTH, **given)
    assert program.hear() == ["in"]
    program.kill()


def test_what_a_killed_program_left(around: Surroundings, journal: Journal) -> None:
    """Its tasks are resumed, and nothing is left in the journal."""
    left(around)
    assert around.paused()
    assert [entry.state for entry in overview(journal)] == ["abandoned"] * 2
    done = recover(journal, connect=around.connect)
    assert [(one.entry.task_name, one.outcome, one.why) for one in done] == [
        (ORDERS, "resumed", ""),
        (BILLING, "resumed", ""),
    ]
    assert around.running()
    assert overview(journal) == []
    assert recover(journal, connect=around.connect) == []


def test_program_and_guardian_killed(around: Surroundings, journal: Journal) -> None:
    """A reboot does that, or the removal of a container."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            say("in")
            listen()
        """
    )
    assert program.hear() == ["in"]
    program.signal(signal.SIGSTOP)  # So that it does not start another one.
    for pid in around.guardians():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not around.guardians())
    program.kill()
    assert around.paused()
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert around.running()


def test_a_window_that_lives_is_left(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """Also by its own program, which keeps its lock."""
    with window(client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False):
        for _ in range(2):
            done = recover(journal, connect=around.connect)
            assert {(one.outcome, one.why) for one in done} == {("left", "its program is running")}
        program = around.program(
            "say([one.outcome for one in recover(journal, connect=lambda *_: client)])"
        )
        assert program.hear() == [["left", "left"]]
        assert around.paused()


def test_a_guardian_that_lives_is_left_to_its_work(around: Surroundings, journal: Journal) -> None:
    """It resumes the tasks itself."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            say("in")
            listen()
        """
    )
    assert program.hear() == ["in"]
    around.emulator.faults.add(
        Fault("drip-body", operation="resume", seconds=0.01, applied=True, times=1)
    )
    program.kill()
    until(lambda: around.sent("resume"))
    done = recover(journal, connect=around.connect)
    assert {(one.outcome, one.why) for one in done} <= {("left", "its guardian resumes it")}
    until(around.running)
    assert around.sent("resume") == 2


def test_an_expired_window_of_a_program_that_is_stuck(
    around: Surroundings, journal: Journal
) -> None:
    """Without a guardian, `recover` resumes the tasks. The program gets an error."""
    program = around.program(
        """
        try:
            with window(client, INSTANCE, NAMES, journal=journal, lease=1.0, guardian=False) as w:
                say("in")
                listen()
        except LeaseExpiredError:
            say("told")
        """
    )
    assert program.hear() == ["in"]
    until(lambda: {entry.state for entry in overview(journal)} == {"expired"})
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert around.running()
    program.say()
    assert program.hear() == ["told"]
    assert around.sent("resume") == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_is_refused_is_tried_again(
    status: int, around: Surroundings, journal: Journal
) -> None:
    """It stays in the journal, with the error."""
    left(around, [ORDERS])
    around.emulator.faults.add(Fault("error", operation="resume", status=status, times=1))
    (done,) = recover(journal, connect=around.connect)
    assert done.outcome == "failed"
    assert f" {status} " in done.why
    assert overview(journal)[0].trouble == done.why
    (done,) = recover(journal, connect=around.connect)
    assert done.outcome == "resumed"
    assert overview(journal) == []


def test_one_of_two_fails(around: Surroundings, journal: Journal) -> None:
    """The other is resumed and released."""
    left(around)
    around.emulator.faults.add(Fault("error", operation="resume", status=403, times=1))
    done = recover(journal, connect=around.connect)
    assert sorted(one.outcome for one in done) == ["failed", "resumed"]
    assert len(overview(journal)) == 1


def test_a_client_that_cannot_be_made(around: Surroundings, journal: Journal) -> None:
    """The tasks are reported as failed, and nothing is raised."""
    left(around, [ORDERS])

    def connect(endpoint: str, project_id: str) -> Client:
        assert (endpoint, project_id) == (around.emulator.url, around.emulator.project_id)
        raise ConfigurationError("No credentials.")

    (done,) = recover(journal, connect=connect)
    assert (done.outcome, done.why) == ("failed", "ConfigurationError: No credentials.")


def test_credentials_come_from_the_environment(
    around: Surroundings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are used if there is no `connect=`."""
    left(around, [ORDERS])
    monkeypatch.setenv("TAURUSDB_STARROCKS_AUTH_TOKEN", around.emulator.token)
    (done,) = recover(journal, timeout=5.0, poll=around.settings["poll"])
    assert done.outcome == "resumed"


def test_a_window_takes_over_what_was_left(
    around: Surroundings, client: Client, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names the tasks of the unfinished window. They are resumed at the end."""
    around.emulator.set_stage(around.instance_id, BILLING, "Paused")
    left(around)
    with window(
        client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False
    ) as opened:
        assert opened.taken_over == (ORDERS,)
        assert opened.found_paused == (BILLING,)
        assert around.sent("pause") == 1
    assert "takes over tasks that -c of" in caplog.text
    assert around.stages() == ["Incremental", "Paused"]
    assert around.rows("SELECT outcome LIKE 'taken over by %' FROM window LIMIT 1") == [(1,)]


def test_a_part_of_a_window_is_taken_over(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The other task stays in its window."""
    left(around)
    with window(client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False):
        assert [entry.state for entry in overview(journal)] == ["abandoned", "live"]
    assert around.stages() == ["Incremental", "Paused"]
    assert len(recover(journal, connect=around.connect)) == 1
    assert around.running()


def test_a_resume_that_was_under_way_is_waited_for(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """Otherwise the task could run inside the block."""
    program = around.program(WINDOW, names=[ORDERS], timeout=30.0, settle=1.0)
    assert program.hear() == ["in"]
    around.emulator.faults.add(Fault("hang", operation="resume", seconds=20, applied=True, times=1))
    program.say()
    until(lambda: around.sent("resume"))
    program.kill()
    with window(client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False) as w:
        assert w.taken_over == (ORDERS,)
        assert around.paused([ORDERS])
    assert around.running([ORDERS])
    assert around.sent("pause") == 2
    assert around.sent("resume") == 2


def test_forget(around: Surroundings, journal: Journal) -> None:
    """Nothing resumes the task after that, and the reason is recorded."""
    left(around)
    (entry,) = forget(journal, around.instance_id, ORDERS, "the replica is rebuilt")
    assert entry.task_name == ORDERS
    recover(journal, connect=around.connect)
    assert around.stages() == ["Paused", "Incremental"]
    assert around.rows("SELECT what, text FROM note") == [
        ("forgotten", "orders_sync: the replica is rebuilt")
    ]
    with pytest.raises(ConfigurationError, match="no paused task orders_sync"):
        forget(journal, around.instance_id, ORDERS, "again")
    with pytest.raises(ConfigurationError, match="reason"):
        forget(journal, around.instance_id, ORDERS, " ")


def test_forget_stops_a_guardian(around: Surroundings, journal: Journal) -> None:
    """Otherwise a guardian that gets 401 would try forever."""
    around.emulator.faults.add(Fault("error", operation="resume", status=401, times=50))
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            say("in")
            listen()
        """,
        names=[ORDERS],
    )
    assert program.hear() == ["in"]
    program.kill()
    until(lambda: overview(journal)[0].trouble)
    forget(journal, around.instance_id, ORDERS, "wanted")
    until(lambda: not around.guardians())
    assert around.paused([ORDERS])


def test_forget_leaves_a_block_alone(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The program resumes its task itself."""
    with window(client, around.instance_id, ORDERS, journal=journal, lease=60, guardian=False):
        with pytest.raises(TaskBusyError):
            forget(journal, around.instance_id, ORDERS, "wanted")


@pytest.fixture
def elsewhere(around: Surroundings, journal: Journal) -> Iterator[None]:
    """A window of another machine, which may be running."""
    left(around, [ORDERS])
    journal.write(lambda c: c.execute("UPDATE window SET machine = 'other', boot = 'other'"))
    return


@pytest.mark.usefixtures("elsewhere")
def test_a_window_of_another_machine(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """It is left alone until its lease ends."""
    assert overview(journal)[0].state == "elsewhere"
    (done,) = recover(journal, connect=around.connect)
    assert done.outcome == "left"
    assert "another machine" in done.why
    with pytest.raises(TaskBusyError, match="another machine"):
        with window(client, around.instance_id, ORDERS, journal=journal, lease=60):
            pytest.fail("it opened")
    journal.write(lambda c: c.execute("UPDATE window SET ends_wall = ends_wall - 61"))
    assert overview(journal)[0].state == "expired"
    (done,) = recover(journal, connect=around.connect)
    assert done.outcome == "resumed"


def test_after_a_reboot(around: Surroundings, journal: Journal) -> None:
    """No process from before the reboot is alive."""
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    journal.write(lambda c: c.execute("UPDATE window SET boot = 'before'"))
    assert {entry.state for entry in overview(journal)} == {"abandoned"}
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}


def test_children_that_live_are_waited_for(around: Surroundings, journal: Journal) -> None:
    """They are left alone until the lease ends, and then ended."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False) as w:
            child = subprocess.Popen(["sleep", "60"], process_group=0)
            w.guard(child.pid, grace=0.2)
            say("in", child.pid)
            listen()
        """
    )
    _, child = program.hear()
    born = _recovery.identified(child)
    program.kill()
    done = recover(journal, connect=around.connect)
    assert {(one.outcome, one.why) for one in done} == {("left", "its child processes are running")}
    assert around.paused()
    journal.write(lambda c: c.execute("UPDATE window SET ends_clock = 0"))

    def connect(*_place: str) -> Client:
        raise ConfigurationError("No credentials.")

    assert {one.outcome for one in recover(journal, connect=connect)} == {"failed"}
    os.kill(child, 0)  # It is ended only by a recovery that can send requests.
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert not _recovery.group_lives(child, born)


def test_a_wrong_token_and_then_the_right_one(around: Surroundings, journal: Journal) -> None:
    """The next run works with other credentials."""
    left(around, [ORDERS])
    (done,) = recover(journal, connect=lambda *_: around.client(auth=TokenAuth("wrong" * 5)))
    assert done.outcome == "failed"
    assert done.why.startswith("AuthenticationError: 401")
    (done,) = recover(journal, connect=around.connect)
    assert done.outcome == "resumed"


def test_a_pause_that_comes_after_a_recovery(around: Surroundings, journal: Journal) -> None:
    """A program that was stopped before it sent the pause resumes the task itself."""
    program = around.program(
        """
        from taurusdb_starrocks.durable._sender import Sender
        real = Sender.sending
        def sending(self, verb, name):
            real(self, verb, name)
            if verb == "pause":
                say("written")
                os.kill(os.getpid(), signal.SIGSTOP)
        Sender.sending = sending
        try:
            with window(client, INSTANCE, NAMES, journal=journal, lease=0.8, guardian=False):
                say("in")
        except LeaseExpiredError:
            say("over", [task.stage.value for task in client.tasks(INSTANCE)][0])
        """,
        names=[ORDERS],
        timeout=0.5,
        settle=0.4,
    )
    assert program.hear() == ["written"]
    until(lambda: overview(journal)[0].state == "expired")
    (done,) = recover(journal, connect=around.connect)
    assert done.outcome == "resumed"
    assert around.sent("pause") == 0
    program.signal(signal.SIGCONT)
    assert program.hear() == ["over", "incremental"]
    program.wait()
    assert around.sent("pause") == 1
    assert around.running([ORDERS])
    assert overview(journal) == []


def test_nothing_was_paused(around: Surroundings, journal: Journal) -> None:
    """A program that was killed before its first pause left only a record."""
    program = around.program(
        """
        from taurusdb_starrocks.durable._sender import Sender
        def sending(self, verb, name):
            say("about to")
            time.sleep(60)
        Sender.sending = sending
        with window(client, INSTANCE, NAMES, journal=journal, lease=60, guardian=False):
            pass
        """
    )
    assert program.hear() == ["about to"]
    program.kill()
    assert {one.outcome for one in recover(journal, connect=around.connect)} == {"resumed"}
    assert around.sent("resume") == 0
    assert overview(journal) == []


def test_somebody_else_is_faster_while_it_fails(around: Surroundings, journal: Journal) -> None:
    """The task is reported as left, and no error is recorded."""
    left(around, [ORDERS])

    def connect(*_place: str) -> Client:
        journal.write(lambda c: c.execute("UPDATE window SET actor = 'third'"))
        raise ConfigurationError("No credentials.")

    (done,) = recover(journal, connect=connect)
    assert (done.outcome, done.why) == ("left", "another process resumes it")
    assert overview(journal)[0].trouble == ""


def test_a_resume_by_hand_that_may_have_arrived(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The task stays in the journal, although somebody else had paused it."""
    around.emulator.set_stage(around.emulator.instance_id, ORDERS, "Paused")
    around.emulator.faults.add(Fault("close", operation="resume", applied=False))
    with pytest.raises(ReplicationError):
        resume(client, around.instance_id, ORDERS, journal=journal, settle=0.05, timeout=0.3)
    around.emulator.faults.clear()
    assert [entry.task_name for entry in overview(journal)] == [ORDERS]
    assert [one.outcome for one in recover(journal, connect=around.connect)] == ["resumed"]
    assert around.running([ORDERS])
    assert overview(journal) == []


def test_what_a_program_that_lives_on_could_not_resume(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """Its window is over, and `recover` does not wait for the program to exit."""
    with pytest.raises(NotResumedError):
        with window(client, around.instance_id, BOTH, journal=journal, lease=60, guardian=False):
            around.emulator.faults.add(Fault("error", operation="resume", status=403, times=1))
            around.emulator.faults.add(Fault("error", operation="list", status=401, times=1))
    assert {entry.state for entry in overview(journal)} == {"abandoned"}
    recover(journal, connect=around.connect)
    assert around.running()
    assert overview(journal) == []


@pytest.fixture
def guardian(around: Surroundings, journal: Journal) -> Iterator[None]:
    """A window whose guardian is running and could not resume its tasks yet."""
    left(around)
    lock = _locks.Lock(journal.lock_path("guardian"))
    journal.write(
        lambda c: c.execute(
            "UPDATE window SET guardian='guardian', actor='guardian', trouble='401'"
        )
    )
    yield
    lock.release()


@pytest.mark.usefixtures("guardian")
def test_a_recovery_without_credentials_leaves_the_window_to_its_guardian(
    around: Surroundings, journal: Journal
) -> None:
    """It takes the window only once the service has accepted its credentials."""
    epochs = around.rows("SELECT epoch FROM task")
    for connect in (lambda *_: around.client(auth=TokenAuth("wrong" * 5)), refuse):
        done = recover(journal, connect=connect)
        assert {one.outcome for one in done} == {"failed"}
        assert around.rows("SELECT actor FROM window") == [("guardian",)]
        assert around.rows("SELECT epoch FROM task") == epochs


def refuse(*_place: str) -> Client:
    raise ConfigurationError("No credentials.")


@pytest.mark.usefixtures("guardian")
@pytest.mark.parametrize(("ago", "outcome"), [(3500, "left"), (3700, "resumed")])
def test_a_guardian_that_hangs(
    around: Surroundings, journal: Journal, ago: int, outcome: str
) -> None:
    """It has its lock, and reports no failure: an hour after the lease it does not count."""
    now = _clock.now().after(-ago)
    ended = "UPDATE window SET trouble = '', ends_clock = ?, ends_wall = ?"
    journal.write(lambda c: c.execute(ended, (now.clock, now.wall)))
    done = recover(journal, connect=around.connect)
    assert {one.outcome for one in done} == {outcome}
    assert around.running() == (outcome == "resumed")


@pytest.mark.usefixtures("guardian")
def test_a_recovery_that_fails_gives_the_window_back(
    around: Surroundings, journal: Journal
) -> None:
    """The guardian can resume the rest."""
    around.emulator.faults.add(Fault("error", operation="resume", status=403, times=1))
    done = recover(journal, connect=around.connect)
    assert sorted(one.outcome for one in done) == ["failed", "resumed"]
    assert around.rows("SELECT actor FROM window") == [("guardian",)]
    assert "403" in overview(journal)[0].trouble
    rescue = _recovery.Rescue(journal, overview(journal)[0].window, "guardian")
    assert len(rescue.take()) == 1
    with around.client() as client:
        assert len(rescue.resume(client)) == 1
    assert around.running()
    assert overview(journal) == []


def test_windows_are_recovered_at_the_same_time(
    around: Surroundings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs does not delay the others. Clients are made one after another."""
    left(around, [ORDERS])
    left(around, [BILLING])
    both, real, making = threading.Barrier(2), _recovery.Rescue.resume, threading.Lock()

    def resume(self: Any, *args: Any, **options: Any) -> Any:
        both.wait(10)
        return real(self, *args, **options)

    def connect(*_place: str) -> Client:
        assert making.acquire(blocking=False)
        with closing(around.client()):
            making.release()
        return around.client()

    monkeypatch.setattr(_recovery.Rescue, "resume", resume)
    done = recover(journal, connect=connect)
    assert [(one.entry.task_name, one.outcome) for one in done] == [
        (ORDERS, "resumed"),
        (BILLING, "resumed"),
    ]


def test_a_window_is_judged_right_before_it_is_recovered(
    around: Surroundings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have changed while others were resumed."""
    monkeypatch.setattr(_recover, "AT_ONCE", 1)
    left(around, [ORDERS])
    left(around, [BILLING])

    def on_hold(*_place: str) -> Client:
        journal.write(lambda c: c.execute("UPDATE window SET kind = 'hold'"))
        return around.client()

    first, second = recover(journal, connect=on_hold)
    assert (first.outcome, second.outcome, second.why) == ("resumed", "left", "it is on hold")
    assert around.stages() == ["Incremental", "Paused"]
    left(around, [ORDERS])
    journal.write(
        lambda c: c.execute("UPDATE window SET kind = 'window', began_wall = -began_wall")
    )

    def forgotten(*_place: str) -> Client:
        forget(journal, around.instance_id, BILLING, "wanted")
        return around.client()

    first, second = recover(journal, connect=forgotten)
    assert (first.outcome, second.outcome) == ("resumed", "left")
    assert second.why == "another process resumed it"
    assert around.stages() == ["Incremental", "Paused"]


def test_a_lease_that_is_extended_meanwhile(around: Surroundings, journal: Journal) -> None:
    """By its owner: its tasks are not due anymore."""
    left(around)
    journal.write(lambda c: c.execute("UPDATE window SET ends_clock = ends_clock - 100"))

    def connect(*_place: str) -> Client:
        journal.write(lambda c: c.execute("UPDATE window SET ends_clock = ends_clock + 100"))
        return around.client()

    assert {one.outcome for one in recover(journal, connect=connect)} == {"left"}
    assert around.sent("resume") == 0


def test_an_error_that_nobody_thought_of(around: Surroundings, journal: Journal) -> None:
    """It is raised, after the other windows were recovered."""
    left(around, [ORDERS])
    left(around, [BILLING])
    faults = [LookupError("a fault of the caller")]

    def connect(*_place: str) -> Client:
        if faults:
            raise faults.pop()
        return around.client()

    with pytest.raises(LookupError):
        recover(journal, connect=connect)
    assert len(overview(journal)) == 1


def test_an_interrupt(around: Surroundings, journal: Journal) -> None:
    """It ends the program, although a request hangs; the next run resumes the tasks."""
    left(around, [ORDERS])
    around.emulator.faults.add(Fault("hang", operation="resume", seconds=60, times=1))
    program = around.program(
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            recover(journal, connect=lambda *_: client)
        except KeyboardInterrupt:
            say("interrupted")
        """,
        timeout=60.0,
    )
    until(lambda: around.sent("resume"))
    program.signal(signal.SIGINT)
    assert program.hear() == ["interrupted"]
    assert program.wait() == 0
    recover(journal, connect=around.connect)
    assert around.running([ORDERS])
