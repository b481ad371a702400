"""What becomes of the tasks when the program is killed, stopped, forked, or loses its guardian."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from programs import BILLING, BOTH, ORDERS, START, Surroundings, until
from taurusdb_starrocks import Client
from taurusdb_starrocks.durable import Journal, LeaseExpiredError, overview, window
from taurusdb_starrocks_emulator import Fault

WINDOW = """
with window(client, INSTANCE, NAMES, journal=journal, lease=given.get("lease", 60)) as w:
    say("in")
    listen()
say("out")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_program(number: int, around: Surroundings) -> None:
    """The guardian resumes at once, waits until the tasks run, and ends."""
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    assert around.paused()
    program.signal(number)
    until(around.running, 5)
    assert program.wait() == -number
    until(lambda: not around.guardians(), 5)
    assert around.sent("resume") == 2
    with Journal(around.journal) as journal:
        assert overview(journal) == []
    assert around.rows("SELECT outcome LIKE 'resumed by %' FROM window") == [(1,)]


def test_what_was_found_paused_stays_so_when_it_is_killed(around: Surroundings) -> None:
    """The guardian resumes only what the program paused."""
    around.emulator.set_stage(around.instance_id, BILLING, "Paused")
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    program.kill()
    until(lambda: not around.guardians())
    assert around.stages() == ["Incremental", "Paused"]
    assert around.sent("resume", BILLING) == 0


def test_a_program_killed_while_a_pause_is_under_way(around: Surroundings) -> None:
    """A pause that takes effect after the program is gone is waited for, and undone."""
    around.emulator.faults.add(Fault("late-pause", seconds=0.4))
    around.emulator.faults.add(Fault("hang", operation="pause", seconds=20, applied=True))
    program = around.program(WINDOW, names=[ORDERS], settle=1.5)
    until(lambda: around.sent("pause"))
    program.kill()
    until(lambda: not around.guardians(), 10)
    assert around.running([ORDERS])
    states = around.rows("SELECT verb, state FROM request ORDER BY id")
    assert states == [("pause", "sent"), ("resume", "accepted")]


def test_a_program_killed_while_it_resumes(around: Surroundings) -> None:
    """A request that was accepted is not sent again."""
    program = around.program(WINDOW, timeout=30.0)
    assert program.hear() == ["in"]
    around.emulator.faults.add(Fault("drip-body", operation="list", seconds=1.0, times=1))
    program.say()
    until(lambda: around.sent("resume") == 2)
    time.sleep(0.1)
    program.kill()
    until(lambda: not around.guardians())
    assert around.running()
    assert around.sent("resume") == 2


def test_a_stopped_program(around: Surroundings) -> None:
    """Its tasks are resumed when the lease ends. When it continues, it gets an error."""
    program = around.program(
        """
        try:
            with window(client, INSTANCE, NAMES, journal=journal, lease=1.2) as w:
                say("in")
                listen()
                try:
                    w.check()
                except LeaseExpiredError:
                    say("told")
        except LeaseExpiredError:
            say("told at the end", [task.stage.value for task in client.tasks(INSTANCE)][:2])
        """
    )
    assert program.hear() == ["in"]
    program.signal(signal.SIGSTOP)
    until(around.running, 5)
    time.sleep(0.3)
    assert len(around.guardians()) == 1  # It goes on living until the program closes its window.
    program.say()
    program.signal(signal.SIGCONT)
    assert program.hear() == ["told"]
    assert program.hear() == ["told at the end", ["incremental", "incremental"]]
    program.wait()
    until(lambda: not around.guardians())


def test_a_pause_that_a_stopped_program_sends_too_late(around: Surroundings) -> None:
    """It was stopped right before the request. The task that it pauses then is resumed again."""
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
            with window(client, INSTANCE, NAMES, journal=journal, lease=0.8):
                say("in")
        except LeaseExpiredError:
            say("over", [task.stage.value for task in client.tasks(INSTANCE)][0])
        """,
        names=[ORDERS],
        timeout=0.5,
        settle=0.4,
    )
    assert program.hear() == ["written"]
    time.sleep(3.0)  # The lease is over, and so is the time that the guardian gave the pause.
    assert around.sent("pause") == 0
    program.signal(signal.SIGCONT)
    assert program.hear() == ["over", "incremental"]
    program.wait()
    assert around.sent("pause", ORDERS) <= 1
    until(lambda: not around.guardians())
    assert around.running([ORDERS])


def test_a_forked_worker_does_not_keep_it_alive(around: Surroundings) -> None:
    """The worker has neither the pipe nor the lock of its parent."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            if os.fork() == 0:
                say("worker", os.getpid())
                time.sleep(60)
            say("in")
            listen()
        """
    )
    said = [program.hear(), program.hear()]
    worker = next(line[1] for line in said if line[0] == "worker")
    program.signal(signal.SIGKILL)
    until(around.running, 5)
    os.kill(worker, 0)  # It lives.
    os.kill(worker, signal.SIGKILL)
    program.wait()


def test_a_worker_that_leaves_the_block_does_nothing(around: Surroundings) -> None:
    """The window belongs to its parent, and stays open."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60) as w:
            if os.fork() == 0:
                try:
                    w.extend(5)
                except ConfigurationError:
                    sys.exit(7)
            say("worker", os.waitstatus_to_exitcode(os.wait()[1]))
            say([entry.state for entry in overview(journal)])
            listen()
        say("out")
        """
    )
    assert program.hear() == ["worker", 7]
    assert program.hear() == [["live", "live"]]
    assert around.paused()
    program.say()
    assert program.hear() == ["out"]
    assert around.running()


def test_a_child_that_inherits_everything_does_not_keep_it_alive(around: Surroundings) -> None:
    """Neither pipe nor lock survive an `exec`."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            child = subprocess.Popen(["sleep", "60"], close_fds=False)
            say("in", child.pid)
            listen()
        """
    )
    _, child = program.hear()
    program.signal(signal.SIGKILL)
    until(around.running, 5)
    os.kill(child, signal.SIGKILL)
    program.wait()


def test_a_guardian_that_is_killed_first(around: Surroundings) -> None:
    """The program logs it and starts another, which works like the first."""
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    (first,) = around.guardians()
    os.kill(first, signal.SIGKILL)
    until(lambda: around.guardians() not in ([], [first]), 10)
    program.kill()
    until(around.running, 5)
    assert "its guardian is gone, another is started" in program.errors


def test_a_guardian_ignores_what_ends_its_program(around: Surroundings) -> None:
    """Signals that ask for an end, as from systemd, do not stop it; only SIGKILL does."""
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    (guardian,) = around.guardians()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(guardian, number)
    time.sleep(0.2)
    assert around.guardians() == [guardian]
    assert os.getsid(guardian) == guardian
    program.kill()
    until(around.running, 5)


def test_a_guardian_shows_no_secret(around: Surroundings) -> None:
    """Neither its arguments nor its environment contain one."""
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    (guardian,) = around.guardians()
    proc = Path(f"/proc/{guardian}")
    for name in ("cmdline", "environ"):
        assert around.emulator.secret_key.encode() not in (proc / name).read_bytes()
    assert str((proc / "cwd").readlink()) == "/"
    assert str((proc / "fd" / "2").readlink()) == os.devnull


def test_a_guardian_that_gets_401_keeps_trying(around: Surroundings) -> None:
    """The journal shows the error, and the task is resumed as soon as possible."""
    around.emulator.faults.add(
        Fault("error", operation="resume", status=401, code="APIGW.0301", times=2)
    )
    program = around.program(WINDOW, names=[ORDERS])
    assert program.hear() == ["in"]
    program.kill()
    with Journal(around.journal) as journal:
        until(lambda: "AuthenticationError: 401" in overview(journal)[0].trouble)
        assert overview(journal)[0].state == "abandoned"
        assert overview(journal)[0].guarded
        until(lambda: around.running([ORDERS]), 10)
        until(lambda: overview(journal) == [])


# A program that is killed at the moment at which it starts a guardian.
KILLED = """
from taurusdb_starrocks.durable import _link
def killed(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
_link.subprocess.Popen = killed
"""


def test_a_program_that_is_killed_before_it_takes_over(around: Surroundings) -> None:
    """The former guardian keeps the tasks until there is a new one."""
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    around.emulator.faults.add(Fault("error", operation="resume", status=403))
    program.kill()
    with Journal(around.journal) as journal:
        until(lambda: any(entry.trouble for entry in overview(journal)))
    program = around.program(WINDOW, start=START + KILLED)
    assert program.wait() == -signal.SIGKILL
    around.emulator.faults.clear()
    until(around.running, 20)


@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_program_whose_folder_is_removed(around: Surroundings, folder: Path, when: str) -> None:
    """As a release by the next one. Its sys.path begins there; a guardian starts all the same."""
    gone = folder / "gone"
    gone.mkdir()
    start = f"import os\nos.chdir({str(gone)!r})\n"
    if when == "before":
        start += "os.rmdir(os.getcwd())\n"
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            if given["when"] == "inside":
                os.rmdir(os.getcwd())
            say("in")
            listen()
        """,
        start=start + START,
        when=when,
    )
    assert program.hear() == ["in"]
    (first,) = around.guardians()
    os.kill(first, signal.SIGKILL)
    until(lambda: around.guardians() not in ([], [first]))
    program.kill()
    until(around.running, 10)


def test_a_fresh_token_reaches_the_guardian(around: Surroundings) -> None:
    """The program passes on each new token."""
    program = around.program(
        """
        auth = TokenAuth(given["token"])
        client = Client(auth=auth, **SETTINGS)
        with window(client, INSTANCE, NAMES, journal=journal, lease=60):
            auth.replace("x" * 20)
            say("in")
            listen()
            auth.replace(given["token"])
            time.sleep(1.2)
            say("replaced")
            listen()
        """,
        names=[ORDERS],
    )
    assert program.hear() == ["in"]
    time.sleep(1.0)
    program.say()
    assert program.hear() == ["replaced"]
    program.kill()
    until(lambda: around.running([ORDERS]), 5)


def test_the_children_are_waited_for(around: Surroundings, folder: Path) -> None:
    """The guardian resumes the tasks when the child processes have ended by themselves."""
    os.mkfifo(folder / "gate")
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=60) as w:
            child = subprocess.Popen(["sh", "-c", 'read line < "$0"', given["gate"]],
                                     process_group=0)
            w.guard(child.pid, grace=0.2)
            say("in")
            listen()
        """,
        gate=str(folder / "gate"),
    )
    assert program.hear() == ["in"]
    program.kill()
    time.sleep(0.7)
    assert around.paused()
    (folder / "gate").write_text("done\n")
    until(around.running, 5)


def test_the_children_are_ended_with_the_lease(around: Surroundings) -> None:
    """They get SIGTERM, and SIGKILL after the grace. Only then are the tasks resumed."""
    program = around.program(
        """
        with window(client, INSTANCE, NAMES, journal=journal, lease=1.5) as w:
            child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo; sleep 60; sleep 60"],
                                     process_group=0, stdout=subprocess.PIPE)
            child.stdout.readline()
            w.guard(child.pid, grace=0.3)
            say("in", child.pid)
            child.wait()
            say("child", child.returncode, [task.stage.value for task in client.tasks(INSTANCE)][0])
            listen()
        """
    )
    assert program.hear()[0] == "in"
    assert program.hear() == ["child", -signal.SIGKILL, "paused"]
    until(around.running, 5)


def test_another_window_waits_for_a_guardian_that_resumes(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """No block runs while one of its tasks runs."""
    program = around.program(WINDOW)
    assert program.hear() == ["in"]
    around.emulator.faults.add(
        Fault("drip-body", operation="resume", seconds=0.01, applied=True, times=2)
    )
    program.kill()
    until(lambda: around.sent("resume"))
    with window(client, around.instance_id, BOTH, journal=journal, lease=60):
        for _ in range(10):
            assert around.paused()
            time.sleep(0.05)
    assert around.running()
    assert overview(journal) == []


def test_a_lease_that_ended_is_told_though_the_guardian_was_killed(
    around: Surroundings, client: Client, journal: Journal
) -> None:
    """The program then resumes the tasks itself."""
    with pytest.raises(LeaseExpiredError):
        with window(client, around.instance_id, BOTH, journal=journal, lease=1.0):
            until(around.running)
            for pid in around.guardians():
                os.kill(pid, signal.SIGKILL)
    assert around.running()
    assert overview(journal) == []
