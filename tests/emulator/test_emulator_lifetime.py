"""From the constructor to the end: what is there when, and what is left."""

import gc
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import taurusdb_starrocks_emulator
import trustme
from emulator_calls import Clock, ask, open_client, path_of, raw, stages
from taurusdb_starrocks_emulator import Call, Emulator, Fault, TaskState


def test_the_public_names() -> None:
    """What the package offers, and no more."""
    assert taurusdb_starrocks_emulator.__all__ == [
        "FAULT_KINDS",
        "Call",
        "Emulator",
        "Fault",
        "Faults",
        "SeedError",
        "TaskState",
    ]


def test_it_is_an_independent_witness() -> None:
    """Importing it imports neither the client nor the generated code."""
    program = (
        "import sys, taurusdb_starrocks_emulator.__main__\n"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('taurusdb_starrocks', 'taurusdb_starrocks_api', 'httpx')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_it_is_ready_when_entered_and_gone_when_left() -> None:
    """The port answers inside and refuses outside."""
    for _ in range(3):
        with Emulator() as emulator:
            url = emulator.url
            assert raw(emulator, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404 ")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_nothing_is_left() -> None:
    """No thread, no descriptor, no warning, whatever was going on."""

    def once() -> None:
        with Emulator(faults=[Fault("hang", at=[2])]) as emulator:
            with open_client(emulator) as client:
                ask(emulator, client)
            idle = socket.create_connection(("127.0.0.1", int(emulator.url.rsplit(":", 1)[1])))
            hanging = threading.Thread(target=_ignore, args=(emulator,))
            hanging.start()
            while len(emulator.journal()) < 2:
                time.sleep(0.01)
        hanging.join()
        idle.close()

    once()
    gc.collect()
    threads, descriptors = threading.active_count(), open_descriptors()
    once()
    gc.collect()
    assert threading.active_count() == threads
    assert open_descriptors() == descriptors


def open_descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _ignore(emulator: Emulator) -> None:
    try:
        with open_client(emulator) as client:
            ask(emulator, client)
    except httpx.TransportError:
        pass


def test_without_a_server_there_is_no_url() -> None:
    """RuntimeError before entering and after leaving; the journal stays readable."""
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url
    with emulator, open_client(emulator) as client:
        ask(emulator, client)
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url
    assert len(emulator.journal()) == 1


def test_it_is_entered_once_at_a_time_and_again_later() -> None:
    """Entering it twice is an error; entering it again goes on with what it held."""
    emulator = Emulator()
    with emulator, open_client(emulator) as client:
        ask(emulator, client)
        with pytest.raises(RuntimeError, match="already"):
            emulator.__enter__()
    with emulator, open_client(emulator) as client:
        assert stages(emulator, client)["orders_sync"] == "Paused"


def test_the_journal_has_every_call_in_order(timed: Emulator, clock: Clock) -> None:
    """What was called, by whom, when, and what came of it."""
    with open_client(timed) as client:
        ask(timed, client, "pause")
        clock.now += 5
        client.get(path_of(timed), params={"limit": 1})
        client.get("/nowhere?x=1")
        ask(timed, client, task_name="no-such-task")
    pause, listing, nowhere, malformed = timed.journal()
    job_id = pause.job_id
    assert pause == Call(
        seq=1,
        time=1_735_689_600.0,
        method="POST",
        path=path_of(timed, "pause"),
        query="",
        operation="pause",
        instance_id=timed.instance_id,
        task_name="orders_sync",
        status=200,
        request_id=pause.request_id,
        caller="static token",
        fault=None,
        job_id=job_id,
    )
    assert (listing.seq, listing.time) == (2, 1_735_689_605.0)
    assert (listing.operation, listing.query, listing.job_id) == ("list", "limit=1", None)
    assert (nowhere.operation, nowhere.status, nowhere.query) == (None, 404, "x=1")
    assert (malformed.status, malformed.task_name) == (400, "no-such-task")
    with pytest.raises(AttributeError):
        pause.status = 500


def test_reset_goes_back_to_the_seed(emulator: Emulator, client: httpx.Client) -> None:
    """No journal, no faults, no issued tokens, the first stages; the token stays."""
    ask(emulator, client)
    emulator.add_task(emulator.instance_id, "another")
    user = {"name": "demo", "password": "demo-password", "domain": {"name": "demo-account"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": emulator.region}}}}
    issued = client.post("/v3/auth/tokens", json=body).headers["X-Subject-Token"]
    emulator.faults.add(Fault("throttle"))
    token = emulator.token
    emulator.reset()
    assert emulator.journal() == []
    assert len(emulator.faults) == 0
    assert emulator.token == token
    assert list(stages(emulator, client)) == [
        "orders_sync", "billing_sync", "events_sync", "archive_sync"
    ]  # fmt: skip
    assert stages(emulator, client)["orders_sync"] == "Incremental"
    assert client.get(path_of(emulator), headers={"X-Auth-Token": issued}).status_code == 401
    assert emulator.journal()[0].seq == 1


def test_tasks_are_added_and_staged_by_hand(emulator: Emulator, client: httpx.Client) -> None:
    """A tester puts tasks and stages where the test needs them."""
    state = emulator.add_task(emulator.instance_id, "new_task", stage="Wait", resumes_to="Full")
    assert state == TaskState(
        instance_id=emulator.instance_id, name="new_task", stage="Wait", target="Wait", changes=0
    )
    assert stages(emulator, client)["new_task"] == "Wait"
    emulator.set_stage(emulator.instance_id, "new_task", "Cancelled")
    assert stages(emulator, client)["new_task"] == "Cancelled"
    ask(emulator, client, "resume", "new_task")
    assert emulator.task(emulator.instance_id, "new_task").stage == "Full"


def test_what_is_not_there_is_a_lookup_error(emulator: Emulator) -> None:
    """An unknown instance or task; a task that is there already is a ValueError."""
    with pytest.raises(LookupError, match="no_such"):
        emulator.task(emulator.instance_id, "no_such")
    with pytest.raises(LookupError, match="no_such"):
        emulator.set_stage(emulator.instance_id, "no_such", "Full")
    with pytest.raises(LookupError, match="nowhere"):
        emulator.add_task("nowhere", "a_task")
    with pytest.raises(ValueError, match="already"):
        emulator.add_task(emulator.instance_id, emulator.task_name)
    assert emulator.tasks("nowhere") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "loose"},
        {"delay": -1},
        {"delay": float("nan")},
        {"token_lifetime": -1},
        {"token_lifetime": float("inf")},
        {"port": -1},
        {"port": 65536},
        {"token": ""},
        {"token": "a\nb"},
        {"token": " "},
        {"token": "a-token "},
        {"host": ""},
        {"db": ""},
        {"token": "é"},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any) -> None:
    """ValueError, before anything is opened."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        Emulator(**settings)


def test_a_port_that_is_taken_is_an_os_error() -> None:
    """Said at once, and a further try on another port works."""
    with Emulator() as emulator:
        port = int(emulator.url.rsplit(":", 1)[1])
        other = Emulator(port=port)
        with pytest.raises(OSError, match="in use"):
            other.__enter__()
    with other:
        assert other.url == f"http://127.0.0.1:{port}"


def test_ipv6_is_spoken() -> None:
    """The URL has the brackets it needs."""
    with Emulator(host="::1") as emulator, open_client(emulator) as client:
        assert emulator.url.startswith("http://[::1]:")
        assert ask(emulator, client).status_code == 200


def test_https_is_spoken(tmp_path: Path) -> None:
    """With a certificate, including faults on the connection itself."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    import ssl  # noqa: PLC0415 - used here alone

    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with Emulator(ssl_certfile=str(tmp_path / "server.pem")) as emulator:
        assert emulator.url.startswith("https://127.0.0.1:")
        with open_client(emulator, verify=context) as client:
            assert ask(emulator, client).status_code == 200
            emulator.faults.add(Fault("reset-after-read", at=[1]), Fault("truncate", at=[2]))
            for _ in range(2):
                with pytest.raises(httpx.TransportError):
                    ask(emulator, client)
            assert ask(emulator, client).status_code == 200


def test_many_callers_at_once_lose_nothing(emulator: Emulator) -> None:
    """Every answered call is in the journal once, with a job of its own."""
    answered = []

    def work() -> None:
        with open_client(emulator) as client:
            for number in range(20):
                verb = "pause" if number % 2 else "resume"
                answered.append(ask(emulator, client, verb).raise_for_status().json()["job_id"])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answered)) == 160
    assert {call.job_id for call in emulator.journal()} == set(answered)
    assert [call.seq for call in emulator.journal()] == list(range(1, 161))
    assert emulator.task(emulator.instance_id, emulator.task_name).changes == 160
