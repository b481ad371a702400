"""The timeout of a wait bounds everything under it, against a server that answers too slowly."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from scripted_service import INSTANCE, Service
from taurusdb_starrocks import Poll, RetryPolicy, TokenAuth, WaitTimeoutError


@contextmanager
def listening(answer: Any) -> Iterator[str]:
    """A server that reads a request and leaves the rest to ``answer``."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            with suppress(OSError):  # The client went away.
                answer(connection, over)

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            threads.append(thread := threading.Thread(target=serve, args=(connection,)))
            thread.start()

    threads: list[threading.Thread] = [threading.Thread(target=accept)]
    threads[0].start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        over.set()
        for thread in threads:
            thread.join()
        server.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def hangs(_connection: socket.socket, over: threading.Event) -> None:
    over.wait()


def drips(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    while not over.wait(0.05):
        connection.sendall(b" ")


def never_ends(connection: socket.socket, over: threading.Event) -> None:
    over.wait(0.1)
    names = ",".join(f'{{"task_name":"t_{time.monotonic_ns()}_{n}"}}' for n in range(100))
    body = f'{{"total_count":1000000,"replications":[{names}]}}'.encode()
    connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("answer", [hangs, drips, never_ends])
@pytest.mark.parametrize("verb", ["wait_until_paused", "ensure_paused", "paused"])
def test_the_timeout_of_a_wait_bounds_its_polls(open_client: Any, answer: Any, verb: str) -> None:
    """One list that hangs, drips or never ends takes no longer than the wait may."""
    with (
        listening(answer) as endpoint,
        open_client(endpoint=endpoint, project_id="0" * 32, auth=TokenAuth("token")) as client,
    ):
        started = time.monotonic()
        options: dict[str, Any] = {"timeout": 0.5, "poll": Poll(first=0.0, interval=0.1)}
        with pytest.raises(Exception, match=r"orders_sync|list") as caught:
            if verb == "paused":
                with client.paused(INSTANCE, "orders_sync", **options):
                    pytest.fail("the block must not begin")
            else:
                getattr(client, verb)(INSTANCE, "orders_sync", **options)
        assert time.monotonic() - started < 1.5
        assert caught.value.instance_id == INSTANCE


def test_the_timeout_of_a_window_bounds_its_requests(open_client: Any, service: Service) -> None:
    """Twelve tasks whose requests hang: opening and closing share out the time, and name all."""
    names = [f"task_{number}" for number in range(12)]
    service.stages.update(dict.fromkeys(names, "Incremental"))
    service.status.update(dict.fromkeys(names, "Yes"))
    page = service.list().content

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(
            HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(page) + page
        )

    def serve(connection: socket.socket, over: threading.Event) -> None:
        (answer if next(count) == 0 else hangs)(connection, over)

    count = iter(range(1000))
    with (
        listening(serve) as endpoint,
        open_client(
            endpoint=endpoint,
            project_id="0" * 32,
            auth=TokenAuth("token"),
            timeout=0.2,
            retry=RetryPolicy(attempts=1),
        ) as client,
    ):
        started = time.monotonic()
        with pytest.raises(Exception, match="May still be paused") as caught:
            with client.paused(INSTANCE, names, timeout=1.0, poll=Poll(first=0.0, interval=0.1)):
                pytest.fail("the block must not begin")
        assert time.monotonic() - started < 2.5
    assert caught.value.task_names == tuple(names[: len(caught.value.task_names)])
    assert isinstance(caught.value.block_error, WaitTimeoutError)
