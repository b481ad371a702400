"""What a client must survive and nobody expects: late effects, lists that lie, stray bytes, TLS."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trustme
from emulator_calls import Clock, ask, call_bytes, open_client, path_of, stages
from taurusdb_starrocks_emulator import Emulator, Fault

TLS = ["tls-plain-text", "tls-bad-record", "tls-alert"]


def stage(emulator: Emulator) -> Any:
    """Stage of the first task, by the emulator's own records."""
    return emulator.task(emulator.instance_id, emulator.task_name).stage


# Late effects


@pytest.mark.parametrize("mode", ["lenient", "strict"])
def test_a_late_pause_refuses_resumes(clock: Clock, mode: Any) -> None:
    """Accepted, no effect yet, and a resume is refused; later it is paused; then a resume works."""
    with (
        Emulator(clock=clock, mode=mode, faults=[Fault("late-pause", times=1)]) as emulator,
        open_client(emulator) as client,
    ):
        assert ask(emulator, client, "pause").status_code == 200
        assert stage(emulator) == stages(emulator, client)["orders_sync"] == "Incremental"
        clock.now += 1.4
        refused = ask(emulator, client, "resume")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "DBS.200086")
        assert stage(emulator) == "Incremental"
        clock.now += 0.2
        assert stage(emulator) == stages(emulator, client)["orders_sync"] == "Paused"
        assert ask(emulator, client, "resume").status_code == 200
        assert stage(emulator) == "Incremental"
        assert emulator.journal()[0].fault == "late-pause"


@pytest.mark.parametrize("mode", ["lenient", "strict"])
def test_a_late_pause_ignores_resumes(clock: Clock, mode: Any) -> None:
    """A resume is accepted as a job of its own, and the task is paused all the same."""
    fault = Fault("late-pause", seconds=30, meanwhile="ignored", times=1)
    with Emulator(clock=clock, mode=mode, faults=[fault]) as emulator:
        with open_client(emulator) as client:
            paused = ask(emulator, client, "pause").json()["job_id"]
            resumed = ask(emulator, client, "resume").json()["job_id"]
            assert paused != resumed
            clock.now += 31
            assert stages(emulator, client)["orders_sync"] == "Paused"
            ask(emulator, client, "resume")
            assert stages(emulator, client)["orders_sync"] == "Incremental"
            assert emulator.task(emulator.instance_id, "orders_sync").changes == 2


def test_a_further_pause_does_not_make_a_late_one_earlier(clock: Clock) -> None:
    """The pause that is under way stays under way."""
    with Emulator(clock=clock, faults=[Fault("late-pause", times=1)]) as emulator:
        with open_client(emulator) as client:
            ask(emulator, client, "pause")
            assert ask(emulator, client, "pause").status_code == 200
            assert stage(emulator) == "Incremental"
            assert ask(emulator, client, "resume").status_code == 400
            clock.now += 1.5
            assert stage(emulator) == "Paused"


def test_a_stage_set_by_hand_ends_a_late_pause(clock: Clock) -> None:
    """A tester's word is the last."""
    with Emulator(clock=clock, faults=[Fault("late-pause", times=1)]) as emulator:
        with open_client(emulator) as client:
            ask(emulator, client, "pause")
            emulator.set_stage(emulator.instance_id, "orders_sync", "Full")
            assert ask(emulator, client, "resume").status_code == 200
            clock.now += 2
            assert stage(emulator) == "Incremental"


def test_a_late_pause_takes_real_time(emulator: Emulator, client: httpx.Client) -> None:
    """Without a clock of the test's own the seconds are seconds."""
    emulator.faults.add(Fault("late-pause", seconds=0.3, times=1))
    begun = time.monotonic()
    ask(emulator, client, "pause")
    while ask(emulator, client, "resume").status_code == 400:
        assert time.monotonic() - begun < 5
    assert time.monotonic() - begun >= 0.3
    assert emulator.task(emulator.instance_id, "orders_sync").changes == 2


def test_a_pause_is_late_and_its_response_is_lost(clock: Clock) -> None:
    """A fault of the task comes on top of another; both stand in the journal."""
    faults = [Fault("close", applied=True, times=1), Fault("late-pause", times=1)]
    with Emulator(clock=clock, faults=faults) as emulator, open_client(emulator) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            ask(emulator, client, "pause")
        assert emulator.journal()[0].fault == "late-pause, close"
        assert stage(emulator) == "Incremental"
        clock.now += 2
        assert stage(emulator) == "Paused"


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_change_is_accepted_without_effect(
    emulator: Emulator, client: httpx.Client, verb: str
) -> None:
    """200 and a job; the task stays as it was, and the next request works."""
    emulator.set_stage(
        emulator.instance_id, "orders_sync", "Paused" if verb == "resume" else "Incremental"
    )
    before = emulator.task(emulator.instance_id, "orders_sync")
    emulator.faults.add(Fault("no-effect", operation=verb, times=1))
    response = ask(emulator, client, verb)
    assert response.json()["job_id"] == emulator.journal()[-1].job_id
    assert emulator.task(emulator.instance_id, "orders_sync") == before
    ask(emulator, client, verb)
    assert emulator.task(emulator.instance_id, "orders_sync").changes == 1


def test_realistic_times_are_seconds_and_the_same_again(clock: Clock) -> None:
    """Between 2 and 15 seconds, not always the same, alike in every run."""

    def times() -> list[float]:
        taken = []
        with Emulator(clock=clock, realistic=True) as emulator, open_client(emulator) as client:
            for verb, goal in [("pause", "Paused"), ("resume", "Incremental")] * 6:
                ask(emulator, client, verb)
                begun = clock.now
                while stage(emulator) != goal:
                    clock.now += 0.5
                taken.append(clock.now - begun)
        return taken

    first = times()
    assert first == times()
    assert min(first) >= 2
    assert max(first) <= 15.5
    assert max(first) - min(first) > 5
    with pytest.raises(ValueError, match="delay"):
        Emulator(realistic=True, delay=1)


# Lists that lie


def test_a_list_contradicts_itself(emulator: Emulator, client: httpx.Client) -> None:
    """The task is there twice: as it is, and then with the opposite stage."""
    emulator.faults.add(Fault("contradicts", task="orders_sync"))

    def seen() -> Any:
        page = client.get(path_of(emulator)).json()
        shown = [
            task["stage"] for task in page["replications"] if task["task_name"] == "orders_sync"
        ]
        return page["total_count"], shown

    assert seen() == (5, ["Incremental", "Paused"])
    ask(emulator, client, "pause")
    assert seen() == (5, ["Paused", "Incremental"])
    emulator.set_stage(emulator.instance_id, "orders_sync", "paused")
    assert seen() == (5, ["paused", "Incremental"])


def many(count: int) -> Any:
    """A seed with one instance of so many tasks, and its names."""
    names = [f"task_{number:03d}" for number in range(count)]
    tasks = [{"name": name, "source_database": name} for name in names]
    instance = {"id": "a" * 32 + "in17", "tasks": tasks}
    return {"projects": [{"id": "1" * 32, "name": "one", "instances": [instance]}]}, names


def pages(emulator: Emulator, client: httpx.Client, **query: Any) -> tuple[int, list[str]]:
    """What one page says: how many tasks there are, and the names that it shows."""
    page = client.get(path_of(emulator), params=query).json()
    return page["total_count"], [task["task_name"] for task in page["replications"]]


def test_a_page_is_shorter_than_requested() -> None:
    """50 tasks although 100 were requested, from the right offset; the total is right."""
    seed, names = many(120)
    with Emulator(seed=seed, faults=[Fault("short-pages")]) as emulator:
        with open_client(emulator) as client:
            assert pages(emulator, client) == (120, names[:50])
            assert pages(emulator, client, limit=100, offset=50) == (120, names[50:100])
            assert pages(emulator, client, limit=100, offset=100) == (120, names[100:])
            assert pages(emulator, client, limit=20) == (120, names[:20])
            emulator.faults.clear()
            emulator.faults.add(Fault("short-pages", limit=3))
            assert pages(emulator, client) == (120, names[:3])


def test_an_offset_is_counted_in_pages() -> None:
    """`offset=1` leaves out a page, or none where the first page is number 1."""
    seed, names = many(25)
    with Emulator(seed=seed, faults=[Fault("offset-in-pages")]) as emulator:
        with open_client(emulator) as client:
            assert pages(emulator, client, limit=10) == (25, names[:10])
            assert pages(emulator, client, limit=10, offset=1) == (25, names[10:20])
            assert pages(emulator, client, limit=10, offset=10) == (25, [])
            emulator.faults.clear()
            emulator.faults.add(Fault("offset-in-pages", first=1))
            assert pages(emulator, client, limit=10, offset=0) == (25, names[:10])
            assert pages(emulator, client, limit=10, offset=1) == (25, names[:10])
            assert pages(emulator, client, limit=10, offset=3) == (25, names[20:])


@pytest.mark.parametrize("verb", ["pause", None])
def test_a_success_holds_an_error(emulator: Emulator, client: httpx.Client, verb: Any) -> None:
    """200 with `error_code`, for a list too; nothing has changed unless it is told."""
    emulator.faults.add(Fault("error-in-200", code="DBS.200019", at=[2]), Fault("error-in-200"))
    for code in ("DBS.200011", "DBS.200019"):
        response = ask(emulator, client, verb) if verb else client.get(path_of(emulator))
        assert response.status_code == 200
        assert response.headers["X-Request-Id"]
        assert set(response.json()) == {"error_code", "error_msg"}
        assert response.json()["error_code"] == code
    assert stage(emulator) == "Incremental"


# Stray bytes


def test_a_second_reply_comes_in_the_same_packet(emulator: Emulator) -> None:
    """Two whole replies in one read; the connection goes on, and its next call is handled."""
    emulator.faults.add(Fault("second-reply", times=1))
    target = urlsplit(emulator.url)
    keep = call_bytes(emulator).replace(b"Connection: close\r\n", b"")
    with socket.create_connection((target.hostname, target.port), timeout=10) as connection:
        connection.sendall(keep)
        packet = connection.recv(65536)
        first, second = packet.split(b"HTTP/1.1 ")[1:]
        job_id = emulator.journal()[-1].job_id
        for reply in (first, second):
            assert reply.startswith(b"200 OK\r\n")
            assert json.loads(reply.split(b"\r\n\r\n")[1]) == {"job_id": job_id}
        connection.sendall(keep.replace(b"orders_sync", b"no_such_one"))
        third = connection.recv(65536)
        assert third.startswith(b"HTTP/1.1 400 ")
        assert third.count(b"HTTP/1.1") == 1
    assert [call.status for call in emulator.journal()] == [200, 400]


# TLS


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, ssl.SSLContext]]:
    """An emulator with HTTPS, and what trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    with Emulator(ssl_certfile=str(folder / "server.pem")) as emulator:
        yield emulator, context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", TLS)
@pytest.mark.parametrize("applied", [True, False])
def test_what_comes_on_a_tls_connection_is_not_tls(
    secure: tuple[Emulator, ssl.SSLContext], kind: str, version: ssl.TLSVersion, applied: Any
) -> None:
    """After a good handshake and the request an SSLError; the next connection works."""
    emulator, context = secure
    emulator.reset()
    emulator.faults.add(Fault(kind, applied=applied, times=1))
    context.maximum_version = version
    target = urlsplit(emulator.url)

    def call() -> Any:
        with socket.create_connection((target.hostname, target.port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                assert connection.version() == version.name.replace("_", ".")
                connection.sendall(call_bytes(emulator))
                return connection.recv(65536)

    with pytest.raises(ssl.SSLError) as caught:
        call()
    assert not isinstance(caught.value, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    record = emulator.journal()[-1]
    assert (record.fault, record.status) == (kind, None)
    assert emulator.task(emulator.instance_id, emulator.task_name).changes == applied
    assert call().startswith(b"HTTP/1.1 200 ")


def test_a_second_reply_comes_on_a_tls_connection_too(
    secure: tuple[Emulator, ssl.SSLContext],
) -> None:
    """The second one lies in wait behind the first, and the connection goes on."""
    emulator, context = secure
    emulator.reset()
    emulator.faults.add(Fault("second-reply", times=1))
    target = urlsplit(emulator.url)
    keep = call_bytes(emulator).replace(b"Connection: close\r\n", b"")
    with socket.create_connection((target.hostname, target.port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            for replies in (2, 1):
                connection.sendall(keep)
                received = b""
                while received.count(b'"}') < replies:
                    received += connection.recv(65536)
                assert received.count(b"HTTP/1.1 200 OK") == replies


@pytest.mark.parametrize("kind", TLS)
def test_what_needs_tls_says_so_without_it(emulator: Emulator, kind: str) -> None:
    """A ValueError where the fault is set, and none is set."""
    with pytest.raises(ValueError, match=f"{kind}.*HTTPS"):
        emulator.faults.add(Fault("close"), Fault(kind))
    assert len(emulator.faults) == 0
    with pytest.raises(ValueError, match=f"{kind}.*HTTPS"):
        Emulator(faults=[Fault(kind)])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kind": "late-pause", "operation": "resume"}, "'operation'"),
        ({"kind": "late-pause", "meanwhile": "accepted"}, "'meanwhile'"),
        ({"kind": "late-pause", "applied": True}, "'applied'"),
        ({"kind": "no-effect", "operation": "list"}, "'operation'"),
        ({"kind": "short-pages", "limit": 0}, "'limit'"),
        ({"kind": "short-pages", "operation": "pause"}, "'operation'"),
        ({"kind": "offset-in-pages", "first": 2}, "'first'"),
        ({"kind": "close", "meanwhile": "refused"}, "'meanwhile'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(settings: Any, named: str) -> None:
    """A ValueError that names the parameter."""
    with pytest.raises(ValueError, match=named):
        Fault(**settings)
