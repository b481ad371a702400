"""What goes wrong on purpose, seen from the other end of a real socket."""

import asyncio
import gzip
import json
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from emulator_calls import ask, call_bytes, open_client, path_of, raw, stages
from taurusdb_starrocks_emulator import FAULT_KINDS, Emulator, Fault
from taurusdb_starrocks_emulator.faults.kinds import KINDS, OnConnect

SILENT = ["reset-before-read", "reset-after-read", "close", "hang", "garbage"]
CARRIES_OUT = [
    name for name, kind in KINDS.items() if "applied" in kind.parameters and not kind.needs_tls
]


def changes(emulator: Emulator) -> Any:
    """How often the first task was paused or resumed."""
    return emulator.task(emulator.instance_id, emulator.task_name).changes


def quickly(kind: Any, **settings: Any) -> Any:
    """A fault of this kind that does not take long."""
    if kind in ("hang", "drip-headers", "drip-body"):
        settings["seconds"] = 0.001
    if kind in ("huge-body", "gzip-bomb"):
        settings["size"] = 100_000
    return Fault(kind, **settings)


@pytest.mark.parametrize("kind", CARRIES_OUT)
@pytest.mark.parametrize("applied", [True, False])
def test_the_change_is_made_or_not_as_it_says(
    emulator: Emulator, client: httpx.Client, kind: Any, applied: Any
) -> None:
    """`applied` decides alone what has changed and whether there is a job."""
    emulator.faults.add(quickly(kind, applied=applied))
    try:
        with client.stream("POST", path_of(emulator, "pause"), json={"task_name": "orders_sync"}):
            pass
    except httpx.TransportError:
        pass
    assert changes(emulator) == applied
    call = emulator.journal()[-1]
    assert call.fault == kind
    assert (call.job_id is not None) is applied
    assert call.task_name == "orders_sync"
    assert (call.status is None) is (kind in SILENT)


# On the connection


def test_refuse_resets_a_new_connection(emulator: Emulator) -> None:
    """The connection is reset before anything is read; the next one works; no call is noted."""
    emulator.faults.add(Fault("refuse", times=1))
    with pytest.raises(ConnectionResetError):
        raw(emulator, call_bytes(emulator))
    assert emulator.journal() == []
    assert raw(emulator, call_bytes(emulator)).startswith(b"HTTP/1.1 200 ")


def test_refuse_leaves_open_connections_alone(emulator: Emulator, client: httpx.Client) -> None:
    """It counts connections, not calls."""
    client.get(path_of(emulator))
    emulator.faults.add(Fault("refuse"))
    assert ask(emulator, client).status_code == 200


def test_refusing_is_the_systems_own_refusal(emulator: Emulator, client: httpx.Client) -> None:
    """Nobody listens, open connections end; afterwards the same port listens again."""
    client.get(path_of(emulator))
    url = emulator.url
    with emulator.refusing():
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                raw(emulator, b"")
        with pytest.raises(httpx.TransportError):
            client.get(path_of(emulator))
    assert emulator.url == url
    assert ask(emulator, client).status_code == 200


@pytest.mark.parametrize("kind", ["reset-before-read", "reset-after-read"])
def test_a_reset_is_a_reset(emulator: Emulator, kind: Any) -> None:
    """ECONNRESET, not an orderly end."""
    emulator.faults.add(Fault(kind))
    with pytest.raises(ConnectionResetError):
        raw(emulator, call_bytes(emulator))
    assert changes(emulator) == 0


def test_a_reset_before_the_body_needs_no_body(emulator: Emulator) -> None:
    """It comes once the headers are in."""
    emulator.faults.add(Fault("reset-before-read"))
    with pytest.raises(ConnectionResetError):
        raw(emulator, call_bytes(emulator).removesuffix(b'{"task_name":"orders_sync"}'))


def test_a_close_is_orderly(emulator: Emulator) -> None:
    """The connection ends, and not a byte was sent."""
    emulator.faults.add(Fault("close"))
    assert raw(emulator, call_bytes(emulator)) == b""


def test_a_hang_ends_with_a_close(emulator: Emulator) -> None:
    """Nothing comes for the given time, and then the end."""
    emulator.faults.add(Fault("hang", seconds=0.3))
    begun = time.monotonic()
    assert raw(emulator, call_bytes(emulator)) == b""
    assert time.monotonic() - begun >= 0.3


def test_garbage_is_not_http(emulator: Emulator, client: httpx.Client) -> None:
    """Bytes come that no client can read."""
    emulator.faults.add(Fault("garbage", times=2))
    received = raw(emulator, call_bytes(emulator))
    assert received
    assert not received.startswith(b"HTTP")
    with pytest.raises(httpx.RemoteProtocolError):
        ask(emulator, client)


@pytest.mark.parametrize("kind", ["drip-headers", "drip-body"])
def test_a_drip_comes_in_the_end(emulator: Emulator, client: httpx.Client, kind: Any) -> None:
    """The right answer, byte by byte: no byte is late, the whole is."""
    emulator.faults.add(Fault(kind, seconds=0.004))
    begun = time.monotonic()
    answer = ask(emulator, client)
    assert time.monotonic() - begun >= 0.15
    assert answer.json()["job_id"] == emulator.journal()[-1].job_id


@pytest.mark.parametrize("kind", ["drip-headers", "drip-body"])
def test_a_caller_may_leave_a_drip(emulator: Emulator, client: httpx.Client, kind: Any) -> None:
    """The server goes on after the caller has gone."""
    emulator.faults.add(Fault(kind, seconds=0.05, times=1))
    target = urlsplit(emulator.url)
    with socket.create_connection((target.hostname, target.port)) as connection:
        connection.sendall(call_bytes(emulator))
        assert connection.recv(1)
    assert ask(emulator, client).status_code == 200


def test_a_truncated_body_is_shorter_than_announced(
    emulator: Emulator, client: httpx.Client
) -> None:
    """Half of the body, then the end."""
    emulator.faults.add(Fault("truncate", times=2))
    head, body = raw(emulator, call_bytes(emulator)).split(b"\r\n\r\n")
    announced = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < announced
    with pytest.raises(httpx.RemoteProtocolError):
        ask(emulator, client)


def test_stale_meets_only_a_connection_that_was_used(emulator: Emulator) -> None:
    """The second call on a connection meets it, the first on a new one does not."""
    emulator.faults.add(Fault("stale", at=[1]))
    with open_client(emulator) as client:
        assert ask(emulator, client).status_code == 200
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            ask(emulator, client)
        assert ask(emulator, client).status_code == 200
        assert ask(emulator, client).status_code == 200
    assert [call.fault for call in emulator.journal()] == [None, "stale", None, None]


@pytest.mark.parametrize("kind", ["truncate", "refuse", "stale"])
def test_what_needs_a_connection_says_so_in_process(kind: Any) -> None:
    """A RuntimeError that names the fault, and nothing has happened."""
    emulator = Emulator(faults=[Fault("throttle"), Fault(kind)])
    transport = httpx.ASGITransport(app=emulator.app)

    async def call() -> None:
        async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
            await client.get(path_of(emulator))

    with pytest.raises(RuntimeError, match=f"'{kind}' needs a server"):
        asyncio.run(call())
    assert emulator.journal() == []


# Other answers


def test_broken_json_is_announced_as_whole(emulator: Emulator, client: httpx.Client) -> None:
    """200, JSON by its type, and not JSON."""
    emulator.faults.add(Fault("broken-json"))
    answer = ask(emulator, client)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_wrong_content_type(emulator: Emulator, client: httpx.Client) -> None:
    """The right body under the wrong name."""
    emulator.faults.add(Fault("wrong-content-type"))
    answer = ask(emulator, client)
    assert answer.headers["Content-Type"] == "text/html"
    assert "job_id" in answer.json()


def test_the_page_of_a_proxy(emulator: Emulator, client: httpx.Client) -> None:
    """502 and HTML, without an ID of the request: it never got so far."""
    emulator.faults.add(Fault("html-502"))
    answer = ask(emulator, client)
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")
    assert answer.text.startswith("<html>")
    assert "X-Request-Id" not in answer.headers


def test_a_blocked_response(emulator: Emulator, client: httpx.Client) -> None:
    """403 or another status, and HTML without an error code."""
    emulator.faults.add(Fault("blocked", at=[1]))
    emulator.faults.add(Fault("blocked", status=408))
    for status in (403, 408):
        answer = ask(emulator, client)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
        assert "X-Request-Id" not in answer.headers


def test_a_redirect_leads_elsewhere(emulator: Emulator, client: httpx.Client) -> None:
    """307 to another origin, or as it is told."""
    emulator.faults.add(Fault("redirect", at=[1]))
    emulator.faults.add(Fault("redirect", status=302, location="http://127.0.0.1:9/x"))
    answer = ask(emulator, client)
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://elsewhere.invalid/")
    answer = ask(emulator, client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:9/x")


@pytest.mark.parametrize(
    ("retry_after", "sent"),
    [
        (None, None),
        (3, "3"),
        (0.5, "0.5"),
        (-1, "-1"),
        (10**12, "1000000000000"),
        ("in a while", "in a while"),
        ("", ""),
        (datetime(2025, 1, 1, 12, tzinfo=UTC), "Wed, 01 Jan 2025 12:00:00 GMT"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("throttle", 429, "APIGW.0308"),
        ("unavailable", 503, "APIGW.0202"),
        ("conflict", 409, "DBS.200011"),
        ("error", 500, "DBS.108000"),
    ],
)
def test_a_refusal_says_when_to_come_back(
    emulator: Emulator,
    client: httpx.Client,
    kind: Any,
    status: int,
    code: Any,
    retry_after: Any,
    sent: Any,
) -> None:
    """`Retry-After` as it was given: seconds, a date, nonsense, or none."""
    emulator.faults.add(Fault(kind, retry_after=retry_after))
    answer = ask(emulator, client)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.headers.get("Retry-After") == sent
    assert answer.headers["X-Request-Id"] == emulator.journal()[-1].request_id
    assert changes(emulator) == 0


@pytest.mark.parametrize(
    ("status", "code"), [(500, "DBS.108000"), (403, "DBS.200010"), (520, "X"), (404, "DBS.200045")]
)
def test_any_error_can_be_had(
    emulator: Emulator, client: httpx.Client, status: int, code: Any
) -> None:
    """Status, code and text as they were given."""
    emulator.faults.add(Fault("error", status=status, code=code, message="So it is."))
    answer = ask(emulator, client)
    assert answer.status_code == status
    assert answer.json() == {"error_code": code, "error_msg": "So it is."}


def test_an_expired_token_expires_once(emulator: Emulator, client: httpx.Client) -> None:
    """One 401, and then the same token is good again; unless it is told otherwise."""
    emulator.faults.add(Fault("expired-token"))
    assert [ask(emulator, client).status_code for _ in range(3)] == [401, 200, 200]
    emulator.faults.add(Fault("expired-token", times=2))
    assert [ask(emulator, client).status_code for _ in range(3)] == [401, 401, 200]


@pytest.mark.parametrize(("kind", "body"), [("empty", b""), ("list", b"[]"), ("no-job", b"{}")])
def test_a_success_that_says_nothing(
    emulator: Emulator, client: httpx.Client, kind: Any, body: bytes
) -> None:
    """200 with a body that names no job."""
    emulator.faults.add(Fault(kind))
    answer = ask(emulator, client)
    assert (answer.status_code, answer.content) == (200, body)


def test_a_huge_body_is_sent_as_it_is_made(emulator: Emulator, client: httpx.Client) -> None:
    """All bytes come if the caller reads them all; none are lost, the document is JSON."""
    emulator.faults.add(Fault("huge-body", size=3_000_001))
    answer = ask(emulator, client)
    assert len(answer.content) == 3_000_001
    assert set(answer.json()["job_id"]) == {"0"}


def test_a_huge_body_need_not_be_read(emulator: Emulator, client: httpx.Client) -> None:
    """64 MB by default; a caller that leaves does not stop the server."""
    emulator.faults.add(Fault("huge-body", times=1))
    with client.stream("POST", path_of(emulator, "pause"), json={"task_name": "orders_sync"}) as a:
        assert sum(len(chunk) for chunk, _ in zip(a.iter_raw(), range(100), strict=False)) > 1000
    assert ask(emulator, client).status_code == 200


@pytest.mark.parametrize("size", [0, 13, 1 << 20, 5_000_000])
def test_a_gzip_bomb_is_small_and_becomes_large(
    emulator: Emulator, client: httpx.Client, size: Any
) -> None:
    """It is one stream, with a right checksum, and JSON in the end."""
    emulator.faults.add(Fault("gzip-bomb", size=size))
    with client.stream("POST", path_of(emulator, "pause"), json={"task_name": "orders_sync"}) as a:
        packed = b"".join(a.iter_raw())
    unpacked = gzip.decompress(packed)
    assert len(packed) < 100 + size // 500
    assert len(unpacked) == max(size, len(b'{"job_id":""}'))
    assert "job_id" in json.loads(unpacked)


def test_a_gzip_bomb_of_the_default_size_costs_little(
    emulator: Emulator, client: httpx.Client
) -> None:
    """200 MB out of less than half a megabyte; made once."""
    emulator.faults.add(Fault("gzip-bomb"))
    for _ in range(2):
        with client.stream(
            "POST", path_of(emulator, "pause"), json={"task_name": "orders_sync"}
        ) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert sum(map(len, answer.iter_raw())) < 500_000


# The list


def test_a_task_vanishes(emulator: Emulator, client: httpx.Client) -> None:
    """It is not in the list, and can still be paused."""
    emulator.faults.add(Fault("vanishes", task="orders_sync"))
    page = client.get(path_of(emulator)).json()
    assert page["total_count"] == 3
    assert "orders_sync" not in {task["task_name"] for task in page["replications"]}
    assert ask(emulator, client).status_code == 200


def test_a_task_is_abnormal_or_cancelled(emulator: Emulator, client: httpx.Client) -> None:
    """Its status is `No`, or its stage `Cancelled`; the others are as they are."""
    emulator.faults.add(Fault("abnormal", task="orders_sync", at=[1]))
    emulator.faults.add(Fault("cancelled", task="orders_sync", at=[2]))
    emulator.faults.add(Fault("cancelled", at=[3]))
    tasks = client.get(path_of(emulator)).json()["replications"]
    assert [task["status"] for task in tasks] == ["No", "Yes", "Yes", "Yes"]
    assert list(stages(emulator, client).values()) == ["Cancelled", "Incremental", "Full", "Paused"]
    assert set(stages(emulator, client).values()) == {"Cancelled"}


def test_a_task_never_settles(emulator: Emulator, client: httpx.Client) -> None:
    """The list goes on showing the stage from before; in truth it has changed."""
    emulator.faults.add(Fault("never-settles", task="orders_sync"))
    ask(emulator, client, "pause")
    ask(emulator, client, "pause", "billing_sync")
    assert stages(emulator, client)["orders_sync"] == "Incremental"
    assert stages(emulator, client)["billing_sync"] == "Paused"
    assert emulator.task(emulator.instance_id, "orders_sync").stage == "Paused"


def test_a_list_shuffles(emulator: Emulator, client: httpx.Client) -> Any:
    """The same tasks in changing order, and the same orders for the same seed."""

    def orders() -> Any:
        emulator.faults.clear()
        emulator.faults.add(Fault("shuffles", seed=7))
        return [list(stages(emulator, client)) for _ in range(10)]

    first = orders()
    assert first == orders()
    assert len({tuple(order) for order in first}) > 1
    assert len({frozenset(order) for order in first}) == 1


def test_a_list_never_ends(emulator: Emulator, client: httpx.Client) -> None:
    """Every page is full, and there is always another one."""
    emulator.faults.add(Fault("never-ends"))
    for offset in (0, 3, 1000, 2147483647):
        page = client.get(path_of(emulator), params={"limit": 3, "offset": offset}).json()
        assert len(page["replications"]) == 3
        assert page["total_count"] > offset + 3


# When


def met(emulator: Emulator, client: httpx.Client, count: Any = 8) -> Any:
    """Which of the next calls a fault met."""
    before = len(emulator.journal())
    for _ in range(count):
        ask(emulator, client)
    calls = emulator.journal()[before:]
    return [number for number, call in enumerate(calls, 1) if call.fault]


def test_a_fault_meets_the_calls_it_is_told(emulator: Emulator, client: httpx.Client) -> None:
    """`at` counts matching calls from 1; `times` is how often at the most; else all."""
    emulator.faults.add(Fault("throttle", at=[1, 3]))
    assert met(emulator, client) == [1, 3]
    emulator.faults.clear()
    emulator.faults.add(Fault("throttle", times=2))
    assert met(emulator, client) == [1, 2]
    emulator.faults.clear()
    emulator.faults.add(Fault("throttle"))
    assert met(emulator, client) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_chance_can_be_had_again(emulator: Emulator, client: httpx.Client) -> None:
    """The same seed meets the same calls, another seed others."""
    chosen = []
    for seed in (1, 1, 2):
        emulator.faults.clear()
        emulator.faults.add(Fault("throttle", probability=0.5, seed=seed))
        chosen.append(met(emulator, client, 20))
    assert chosen[0] == chosen[1] != chosen[2]
    assert 3 < len(chosen[0]) < 17


@pytest.mark.parametrize("operation", ["pause", "resume", "list", "login", "projects", "any"])
def test_a_fault_meets_the_operation_it_is_for(
    emulator: Emulator, client: httpx.Client, operation: Any
) -> None:
    """And no other; what is no operation is met by none."""
    emulator.faults.add(Fault("error", operation=operation))
    answers = {
        "pause": ask(emulator, client, "pause"),
        "resume": ask(emulator, client, "resume"),
        "list": client.get(path_of(emulator)),
        "login": client.post("/v3/auth/tokens", json={}),
        "projects": client.get("/v3/projects"),
    }
    failed = {name for name, answer in answers.items() if answer.status_code == 500}
    assert failed == (set(answers) if operation == "any" else {operation})
    assert client.get("/nowhere").status_code == 404


def test_the_first_fault_wins_and_all_of_them_count(
    emulator: Emulator, client: httpx.Client
) -> None:
    """Faults are tried in the order in which they were added."""
    emulator.faults.add(Fault("throttle", at=[2]), Fault("conflict", at=[2, 3]))
    assert [ask(emulator, client).status_code for _ in range(4)] == [200, 429, 409, 200]


def test_only_calls_that_a_fault_affects_count_as_times(
    emulator: Emulator, client: httpx.Client
) -> None:
    """A fault that waits behind another one is not used up."""
    emulator.faults.add(Fault("throttle", times=2), Fault("conflict", times=1))
    assert [ask(emulator, client).status_code for _ in range(4)] == [429, 429, 409, 200]
    emulator.faults.add(Fault("no-effect", times=1), Fault("late-pause", times=1, seconds=0))
    assert [ask(emulator, client).status_code for _ in range(2)] == [200, 200]
    assert [call.fault for call in emulator.journal()[-2:]] == ["no-effect", "late-pause"]


def test_each_of_two_refusals_counts_its_own_connections(emulator: Emulator) -> None:
    """The same for connections."""
    emulator.faults.add(Fault("refuse", times=1), Fault("refuse", times=1))
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            raw(emulator, call_bytes(emulator))
    assert raw(emulator, call_bytes(emulator)).startswith(b"HTTP/1.1 200 ")


def test_a_login_that_fails_issues_no_token(emulator: Emulator) -> None:
    """A fault that is not applied takes the token back too."""
    emulator.faults.add(Fault("wrong-content-type", operation="login"))
    user = {"name": "demo", "password": "demo-password", "domain": {"name": "demo-account"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": emulator.region}}}}
    answer = httpx.post(emulator.url + "/v3/auth/tokens", json=body)
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    assert httpx.get(emulator.url + path_of(emulator), headers=headers).status_code == 401


def test_faults_are_set_and_cleared_while_it_runs(emulator: Emulator, client: httpx.Client) -> None:
    """From any thread; the set ones can be looked at."""
    fault = Fault("throttle")
    thread = threading.Thread(target=emulator.faults.add, args=(fault,))
    thread.start()
    thread.join()
    assert list(emulator.faults) == [fault]
    assert len(emulator.faults) == 1
    assert ask(emulator, client).status_code == 429
    emulator.faults.clear()
    assert ask(emulator, client).status_code == 200


@pytest.mark.parametrize("kind", ["hang", "drip-headers", "drip-body"])
def test_leaving_does_not_wait_for_calls_that_hang(kind: Any) -> None:
    """However long the call would take, leaving takes a moment."""
    with Emulator(faults=[Fault(kind, seconds=3600)]) as emulator:
        target = urlsplit(emulator.url)
        connection = socket.create_connection((target.hostname, target.port))
        connection.sendall(call_bytes(emulator))
        while not emulator.journal():
            time.sleep(0.01)
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    connection.close()


def test_leaving_does_not_wait_for_a_caller_that_does_not_read() -> None:
    """A body that nobody reads does not hold the server up."""
    with Emulator(faults=[Fault("huge-body")]) as emulator:
        target = urlsplit(emulator.url)
        connection = socket.create_connection((target.hostname, target.port))
        connection.sendall(call_bytes(emulator))
        assert connection.recv(1000)
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    connection.close()


# What is no fault


def test_a_kind_without_behavior_cannot_be_declared() -> None:
    """A declaration is a decorator of the behavior; a name is declared once."""
    with pytest.raises(TypeError, match="act"):
        OnConnect(name="nothing", summary="nothing", parameters={})
    with pytest.raises(ValueError, match="'refuse'"):
        OnConnect.declare("refuse", "again")(lambda _connection: None)
    assert list(FAULT_KINDS) == list(KINDS)
    assert all(kind.summary for kind in KINDS.values())


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_needs_nothing_but_its_name(kind: Any) -> None:
    """Every kind has defaults, can be compared, and cannot be changed."""
    fault = Fault(kind)
    assert fault == Fault(kind)
    with pytest.raises(AttributeError):
        fault.kind = "close"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kind": "explode"}, "explode"),
        ({"kind": "close", "operation": "everything"}, "'operation'"),
        ({"kind": "refuse", "operation": "pause"}, "'operation'"),
        ({"kind": "vanishes", "operation": "pause"}, "'operation'"),
        ({"kind": "close", "at": [0]}, "'at'"),
        ({"kind": "close", "at": ["1"]}, "'at'"),
        ({"kind": "close", "at": [True]}, "'at'"),
        ({"kind": "close", "at": 1}, "'at'"),
        ({"kind": "close", "times": 0}, "'times'"),
        ({"kind": "close", "times": 1.5}, "'times'"),
        ({"kind": "close", "times": True}, "'times'"),
        ({"kind": "close", "probability": 1.1}, "'probability'"),
        ({"kind": "close", "probability": "often"}, "'probability'"),
        ({"kind": "close", "probability": None}, "'probability'"),
        ({"kind": "close", "at": None}, "'at'"),
        ({"kind": "close", "seed": None}, "'seed'"),
        ({"kind": ["close"]}, "close"),
        ({"kind": "close", "seed": "x"}, "'seed'"),
        ({"kind": "close", "applied": "yes"}, "'applied'"),
        ({"kind": "close", "size": 5}, "'size'"),
        ({"kind": "stale", "applied": True}, "'applied'"),
        ({"kind": "throttle", "applied": True}, "'applied'"),
        ({"kind": "throttle", "retry_after": "a\r\nb: c"}, "'retry_after'"),
        ({"kind": "throttle", "retry_after": []}, "'retry_after'"),
        ({"kind": "redirect", "location": "a\nb"}, "'location'"),
        ({"kind": "hang", "seconds": -1}, "'seconds'"),
        ({"kind": "hang", "seconds": float("inf")}, "'seconds'"),
        ({"kind": "hang", "seconds": float("nan")}, "'seconds'"),
        ({"kind": "huge-body", "size": -1}, "'size'"),
        ({"kind": "error", "status": 99}, "'status'"),
        ({"kind": "error", "status": 600}, "'status'"),
        ({"kind": "error", "status": "500"}, "'status'"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(settings: Any, named: Any) -> None:
    """A ValueError that names the setting; in a list also the place."""
    with pytest.raises(ValueError, match=named):
        Fault(**settings)
    with pytest.raises(ValueError, match=rf"faults\[1\].*{named}"):
        Emulator(faults=[Fault("close"), settings])


def test_faults_come_from_a_file(tmp_path: Path) -> None:
    """A list in YAML, with the names of the settings."""
    path = tmp_path / "faults.yaml"
    path.write_text(
        "- {kind: throttle, operation: pause, at: [1, 3], retry_after: 2}\n"
        "- {kind: unavailable, retry_after: 2025-01-01T12:00:00Z}\n"
    )
    emulator = Emulator(faults=path)
    when = datetime(2025, 1, 1, 12, tzinfo=UTC)
    assert list(emulator.faults) == [
        Fault("throttle", operation="pause", at=(1, 3), retry_after=2),
        Fault("unavailable", retry_after=when),
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("kind: close", "a list"),
        ("[", "YAML"),
        ("- close", r"faults\[0\]"),
        ("- {}", r"faults\[0\]"),
        ("- {kind: close, wehn: 1}", "'wehn'"),
        ("- {kind: close, _: 1}", "'_'"),
        ("- {kind: close, times: 1, times: 2}", "'times' twice"),
        ("- {kind: error, code: \u00e9}", "faults: not in UTF-8"),
    ],
)
def test_a_file_that_holds_no_faults_is_refused(tmp_path: Path, text: Any, named: Any) -> None:
    """A ValueError that says where."""
    path = Path(tmp_path) / "faults.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=named):
        Emulator(faults=path)
