"""Starting and stopping when something is in the way: an error or an end, and never a hang."""

import logging
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from emulator_calls import ask, open_client
from taurusdb_starrocks_emulator import Emulator

COMMAND = str(Path(sys.executable).with_name("taurusdb-starrocks-emulator"))


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate and its key, in two files."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "server.pem")
    issued.private_key_pem.write_to_path(folder / "server.key")
    return folder / "server.pem", folder / "server.key"


def command(*arguments: object) -> Any:
    """The command, where it should end by itself."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_certificate_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Entering again without the file ends at once, names it, and works once it is back."""
    pem, key = certificate(tmp_path)
    emulator = Emulator(ssl_certfile=str(pem), ssl_keyfile=str(key))
    with emulator:
        pass
    kept = pem.read_bytes()
    pem.unlink()
    with pytest.raises(FileNotFoundError, match=r"server\.pem"):
        emulator.__enter__()
    pem.write_bytes(kept)
    with emulator:
        assert emulator.url.startswith("https://")


NO_FILES = """
import gc, os, resource
from taurusdb_starrocks_emulator import Emulator

emulator = Emulator()
with emulator:
    pass
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
for left in range(4):
    gc.collect()  # What the last one left must not come free in the middle of this one.
    taken = []
    while True:
        try:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            break
    for number in taken[len(taken) - left:]:
        os.close(number)
    try:
        emulator.__enter__()
    except OSError as error:
        print(left, error.errno)
    for number in taken[:len(taken) - left]:
        os.close(number)
with emulator:
    print("serves", emulator.url.startswith("http"))
"""


def test_no_descriptors_left_is_an_error() -> None:
    """Whichever part of the server lacks one: EMFILE, and later it serves."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NO_FILES],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout.splitlines() == ["0 24", "1 24", "2 24", "3 24", "serves True"], done.stderr


def test_a_key_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """The command ends with status 2 and names what is missing."""
    _, key = certificate(tmp_path)
    with pytest.raises(ValueError, match="ssl_certfile"):
        Emulator(ssl_keyfile=str(key))
    done = command("--ssl-keyfile", key)
    assert (done.returncode, done.stdout) == (2, "")
    assert "ssl_certfile" in done.stderr


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Missing, no certificate, or with the key of another one."""
    pem, _ = certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, other_key = certificate(other)
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for arguments, name in (
        (("--ssl-certfile", "nowhere.pem"), "nowhere.pem"),
        (("--ssl-certfile", text), "text.pem"),
        (("--ssl-certfile", pem, "--ssl-keyfile", other_key), "other/server.key"),
    ):
        done = command(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.startswith("taurusdb-starrocks-emulator: ")
        assert name in done.stderr


def test_an_encrypted_key_does_not_wait_for_a_password(tmp_path: Path) -> None:
    """On a terminal, where OpenSSL asks for it, the command ends with status 2 all the same."""
    pem, _ = certificate(tmp_path)
    locked = tmp_path / "locked.key"
    locked.write_text(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        f"DEK-Info: AES-128-CBC,{'0' * 32}\n\n{'A' * 64}\n-----END RSA PRIVATE KEY-----\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execv(COMMAND, [COMMAND, "--ssl-certfile", str(pem), "--ssl-keyfile", str(locked)])
    deadline = time.monotonic() + 10
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    shown = os.read(terminal, 10_000).decode()
    os.close(terminal)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert "locked.key" in shown
    assert os.waitstatus_to_exitcode(ended[1]) == 2, shown


FREEZE = """
import time

import pytest


@pytest.fixture(autouse=True, scope="session")
def frozen():
    time.monotonic, time.time = (lambda: 1_700_000_000.0), (lambda: 1_700_000_000.0)
    yield
"""
FROZEN = """
def test_one(starrocks_emulator, starrocks_client):
    instance_id, task_name = starrocks_emulator.instance_id, starrocks_emulator.task_name
    starrocks_client.pause(instance_id, task_name)
    assert starrocks_emulator.task(instance_id, task_name).stage == "Paused"
    assert starrocks_emulator.journal()[0].time == 1_700_000_000.0
    with starrocks_emulator.refusing():
        pass
"""


@pytest.mark.parametrize("first", ["", "import taurusdb_starrocks_emulator.emulator\n"])
def test_a_frozen_clock_hangs_nothing(tmp_path: Path, first: str) -> None:
    """pytest ends although no time passes, whether the emulator was imported before or since."""
    (tmp_path / "conftest.py").write_text(first + FREEZE)
    (tmp_path / "test_frozen.py").write_text(FROZEN)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p",
         "taurusdb_starrocks_emulator.pytest_plugin"],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_time_goes_on_after_a_freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was started in a frozen clock reads the real one once that is back."""
    with monkeypatch.context() as frozen:
        frozen.setattr(time, "time", lambda: 1_700_000_000.0)
        emulator = Emulator()
        with emulator, open_client(emulator) as client:
            ask(emulator, client)
    with emulator, open_client(emulator) as client:
        ask(emulator, client)
    then, now = (call.time for call in emulator.journal())
    assert then == 1_700_000_000.0
    assert abs(now - time.time()) < 60


@pytest.mark.parametrize(
    ("host", "warns"), [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)]
)
def test_a_host_that_others_reach_is_warned_of(
    host: str, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A WARNING that names the address; none for loopback."""
    with caplog.at_level(logging.WARNING), Emulator(host=host):
        pass
    said = [record.getMessage() for record in caplog.records]
    reached = [re.findall(r"http://\S+(?=:\d+\.)", text) for text in said]
    assert reached == [[f"http://{host}"]] * warns


def test_the_command_shows_the_warning() -> None:
    """On standard error, so that the URL stays alone on standard output."""
    with subprocess.Popen(
        [COMMAND, "--host", "0.0.0.0", "--token", "t"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        process.terminate()
        rest, warning = process.communicate(timeout=10)
    assert (process.returncode, rest) == (0, "")
    assert warning.startswith(f"Other machines can reach {url}")
    assert len(warning.splitlines()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_that_is_in_use_is_named(host: str) -> None:
    """Host and port stand in the message, from Python and on the command line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"on {host}, port {port}: Address already in use"):
            Emulator(host=host, port=port).__enter__()
        done = command("--host", host, "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"on {host}, port {port}: Address already in use" in done.stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_none_is_named(host: str) -> None:
    """Whatever the reason, the message says which address it was about."""
    done = command("--host", host, "--port", 4567)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"on {host}, port 4567: " in done.stderr


def test_a_forked_child_can_leave() -> None:
    """A child that leaves the block ends, and the parent's server goes on."""
    with Emulator() as emulator:
        if (child := os.fork()) == 0:
            try:
                emulator.__exit__(None, None, None)
            finally:
                os._exit(7 if emulator._server else 0)
        deadline = time.monotonic() + 10
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert os.waitstatus_to_exitcode(ended[1]) == 0
        with open_client(emulator) as client:
            assert ask(emulator, client).status_code == 200
