"""Whatever interrupts a window, cancellation, signal, fork or exit, no task is forgotten.

Signals and forks are real ones, in processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from taurusdb_starrocks import AsyncClient, NotResumedError, Poll, TokenAuth
from taurusdb_starrocks_emulator import Emulator, Fault

POLL = Poll(first=0.02, interval=0.02, longest=0.1)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(delay=0.2) as running:
        yield running


def stage(emulator: Emulator) -> str:
    return emulator.task(emulator.instance_id, "orders_sync").stage


@asynccontextmanager
async def opened(emulator: Emulator) -> Any:
    auth = TokenAuth(emulator.token)
    async with AsyncClient(
        endpoint=emulator.url, project_id=emulator.project_id, auth=auth, poll=POLL, settle=5.0
    ) as client:
        yield client


async def window(emulator: Emulator, inside: asyncio.Event) -> None:
    async with opened(emulator) as client, client.paused(emulator.instance_id, "orders_sync"):
        assert stage(emulator) == "Paused"
        inside.set()
        await asyncio.sleep(60)


# --- Cancellation -------------------------------------------------------------------------------


def test_a_cancelled_block(emulator: Emulator) -> None:
    """``task.cancel()`` in the block: the task runs again before the cancellation goes on."""

    async def main() -> None:
        inside = asyncio.Event()
        task = asyncio.create_task(window(emulator, inside))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stage(emulator) == "Incremental"

    asyncio.run(main())


@pytest.mark.parametrize("meanwhile", [None, "refused", "ignored"])
def test_a_cancelled_opening(emulator: Emulator, meanwhile: Any) -> None:
    """Cancelled while it waits for the task to be paused: the task runs, even if paused late."""
    if meanwhile is not None:
        emulator.faults.add(Fault("late-pause", seconds=0.4, meanwhile=meanwhile))

    async def main() -> None:
        task = asyncio.create_task(window(emulator, asyncio.Event()))
        while not emulator.task(emulator.instance_id, "orders_sync").changes:  # noqa: ASYNC110  # Another thread changes it.
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    time.sleep(0.5)
    assert stage(emulator) == "Incremental"


@pytest.mark.parametrize("limit", [asyncio.timeout, anyio.fail_after])
def test_a_block_that_times_out(emulator: Emulator, limit: Any) -> None:
    """A timeout around the window ends the block and not the resuming."""

    async def main() -> None:
        async with opened(emulator) as client:
            with pytest.raises(TimeoutError):
                async with _limited(limit(0.6)):
                    async with client.paused(emulator.instance_id, "orders_sync"):
                        await asyncio.sleep(60)
            assert stage(emulator) == "Incremental"
            await client.task(emulator.instance_id, "orders_sync")  # The pool is usable.

    asyncio.run(main())


@asynccontextmanager
async def _limited(scope: Any) -> Any:
    if hasattr(scope, "__aenter__"):
        async with scope:
            yield
    else:
        with scope:
            yield


def test_a_cancelled_closing(emulator: Emulator) -> None:
    """A block that ended normally: the cancellation waits until the task runs."""

    async def main() -> None:
        async with opened(emulator) as client:

            async def work() -> None:
                async with client.paused(emulator.instance_id, "orders_sync"):
                    asyncio.get_running_loop().call_later(0.05, task.cancel)

            task = asyncio.create_task(work())
            with pytest.raises(asyncio.CancelledError):
                await task
            assert stage(emulator) == "Incremental"

    asyncio.run(main())


def test_a_second_cancellation(emulator: Emulator) -> None:
    """Cancelled again while it resumes: it gets through, and says what it leaves behind."""

    async def main() -> None:
        inside = asyncio.Event()
        task = asyncio.create_task(window(emulator, inside))
        await inside.wait()
        task.cancel()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(NotResumedError) as caught:
            await task
        assert caught.value.task_names == ("orders_sync",)
        assert isinstance(caught.value.block_error, asyncio.CancelledError)

    asyncio.run(main())


def test_a_generator_that_is_closed(emulator: Emulator) -> None:
    """``aclose()`` of an async generator can still await: the task runs."""

    async def main() -> None:
        async with opened(emulator) as client:

            async def rows() -> Any:
                async with client.paused(emulator.instance_id, "orders_sync"):
                    yield 1
                    yield 2

            generator = rows()
            assert await anext(generator) == 1
            assert stage(emulator) == "Paused"
            await generator.aclose()
            assert stage(emulator) == "Incremental"

    asyncio.run(main())


# --- Processes ----------------------------------------------------------------------------------

PRELUDE = """
import asyncio, gc, json, os, random, signal, sys, threading, time
from taurusdb_starrocks import AsyncClient, Client, NotResumedError, Poll, TokenAuth

signal.signal(signal.SIGINT, signal.default_int_handler)  # It may have been started deaf to it.
url, project, instance, token = sys.argv[1:]
settings = {
    "endpoint": url, "project_id": project, "auth": TokenAuth(token),
    "poll": Poll(first=0.02, interval=0.02), "settle": 5.0,
}
"""


def script(emulator: Emulator, body: str) -> list[str]:
    arguments = [emulator.url, emulator.project_id, emulator.instance_id, emulator.token]
    return [sys.executable, "-c", PRELUDE + textwrap.dedent(body), *arguments]


def run(emulator: Emulator, body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        script(emulator, body), check=False, capture_output=True, text=True, timeout=30
    )


BLOCKS = {
    "sync": """
        with Client(**settings) as client, client.paused(instance, "orders_sync"):
            print("inside", flush=True)
            time.sleep(60)
    """,
    "async": """
        async def main():
            async with AsyncClient(**settings) as client:
                async with client.paused(instance, "orders_sync"):
                    print("inside", flush=True)
                    await asyncio.sleep(60)

        asyncio.run(main())
    """,
}
HANDLERS = {
    "none": "",
    "exits": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n",
    "interrupts": "signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))\n",
}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("number", "handler", "status"),
    [
        (signal.SIGINT, "none", -signal.SIGINT),
        (signal.SIGTERM, "exits", 3),
        (signal.SIGTERM, "interrupts", -signal.SIGINT),
    ],
    ids=["INT", "TERM-exits", "TERM-interrupts"],
)
def test_a_signal(
    emulator: Emulator, kind: str, number: signal.Signals, handler: str, status: int
) -> None:
    """Ctrl-C, and SIGTERM turned into an exception: the process resumes the task, then ends."""
    with subprocess.Popen(
        script(emulator, HANDLERS[handler] + textwrap.dedent(BLOCKS[kind])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        assert stage(emulator) == "Paused"
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == status, complaint
    assert stage(emulator) == "Incremental"


FORKS = {
    "sync": """
        with Client(**settings) as client:
            with client.paused(instance, "orders_sync"):
                child = os.fork()
                if child == 0:
                    END
                os.waitpid(child, 0)
                assert client.task(instance, "orders_sync").stage.value == "paused"
            assert client.task(instance, "orders_sync").stage.running
    """,
    # The child must not close an event loop that it shares with its parent.
    "async": """
        async def main():
            async with AsyncClient(**settings) as client:
                try:
                    async with client.paused(instance, "orders_sync"):
                        child = os.fork()
                        if child == 0:
                            END
                        os.waitpid(child, 0)
                        assert (await client.task(instance, "orders_sync")).stage.value == "paused"
                finally:
                    if child == 0:
                        os._exit(0)
                assert (await client.task(instance, "orders_sync")).stage.running

        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("end", ["sys.exit(0)", "raise ValueError", "raise KeyboardInterrupt"])
def test_a_fork(emulator: Emulator, kind: str, end: str) -> None:
    """A child that leaves the block it was forked in resumes nothing, and says nothing of it."""
    ran = run(emulator, FORKS[kind].replace("END", end))
    assert ran.returncode == 0, ran.stderr
    assert "May still be paused" not in ran.stderr
    assert emulator.task(emulator.instance_id, "orders_sync").changes == 2


EXITS = {
    "a generator": """
        def rows():
            with client.paused(instance, "orders_sync"):
                yield 1

        client = Client(**settings)
        generator = rows()
        next(generator)
    """,
    "a window that is entered by hand": """
        client = Client(**settings)
        client.paused(instance, "orders_sync").__enter__()
    """,
    "a thread that is left behind": """
        def work():
            with client.paused(instance, "orders_sync"):
                inside.set()
                time.sleep(60)

        inside = threading.Event()
        client = Client(**settings)
        threading.Thread(target=work, daemon=True).start()
        inside.wait(10)
    """,
    "a forked child of multiprocessing": """
        def work():
            client = Client(**settings)
            client.paused(instance, "orders_sync").__enter__()

        import multiprocessing

        with Client(**settings) as client, client.paused(instance, "billing_sync"):
            child = multiprocessing.get_context("fork").Process(target=work)
            child.start()
            child.join()
    """,
    "a disabled logger": """
        import logging.config

        client = Client(**settings)
        client.paused(instance, "orders_sync").__enter__()
        logging.config.dictConfig({"version": 1})
    """,
    "a coroutine that is never resumed": """
        async def work():
            async with client.paused(instance, "orders_sync"):
                inside.set()
                await asyncio.sleep(60)

        client = AsyncClient(**settings)
        loop = asyncio.new_event_loop()
        inside = asyncio.Event()
        task = loop.create_task(work())
        loop.run_until_complete(inside.wait())
        loop.stop()
        loop.close()
    """,
    "a coroutine that is forgotten": """
        async def work():
            async with client.paused(instance, "orders_sync"):
                inside.set()
                await asyncio.sleep(60)

        async def main():
            global task
            task = asyncio.ensure_future(work())
            await inside.wait()

        client = AsyncClient(**settings)
        loop = asyncio.new_event_loop()
        inside = asyncio.Event()
        loop.run_until_complete(main())
        loop.close()
        del task
        gc.collect()
    """,
    "a coroutine that is closed": """
        async def work():
            async with client.paused(instance, "orders_sync"):
                inside.set()
                await asyncio.sleep(60)

        async def main():
            coroutine = work()
            task = asyncio.ensure_future(coroutine)
            await inside.wait()
            try:
                coroutine.close()
            except NotResumedError as error:
                print(error, file=sys.stderr)

        client = AsyncClient(**settings)
        inside = asyncio.Event()
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
    """,
}


@pytest.mark.parametrize("body", EXITS.values(), ids=EXITS)
def test_a_window_that_is_left_open(emulator: Emulator, body: str) -> None:
    """A program that ends, or drops it, without closing it: the output names the task."""
    ran = run(emulator, body)
    assert stage(emulator) == "Incremental" or "May still be paused: orders_sync" in ran.stderr
    assert "orders_sync" in ran.stderr


# --- Signals at any instant ---------------------------------------------------------------------

# Without OpenTelemetry: its context variables can crash CPython 3.11 when they are set while a
# generator that holds them is finalized, which interrupts in the middle of a span bring about.
AT_ANY_INSTANT = """
sys.modules["opentelemetry"] = None
import httpx, logging

stage = "Incremental"

def serve(request):
    global stage
    if request.method == "POST":
        stage = "Paused" if request.url.path.endswith("/pause") else "Incremental"
        return httpx.Response(200, json={"job_id": "1"})
    task = {"task_name": "orders_sync", "stage": stage, "status": "Yes"}
    return httpx.Response(200, json={"total_count": 1, "replications": [task]})

settings |= {
    "transport": httpx.MockTransport(serve),
    "poll": Poll(first=0.0, interval=0.0005, longest=0.001),
    "settle": 0.004,
}
windows = interrupted = left = named = 0
error = None
end = time.monotonic() + SECONDS

def mask(how):
    while True:
        try:
            return signal.pthread_sigmask(how, {signal.SIGINT})
        except KeyboardInterrupt:  # One that was pending: once more, unless it was let in.
            if how == signal.SIG_UNBLOCK:
                raise

def named_by(raised):
    while raised is not None and not isinstance(raised, NotResumedError):
        raised = raised.__context__  # Of an interrupt that came after the window.
    return raised is not None

class Log(logging.Handler):
    text = ""

    def emit(self, record):
        self.text += self.format(record)

log = Log(logging.CRITICAL)
logging.getLogger().addHandler(log)

def account():
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    while signal.sigtimedwait({signal.SIGINT}, 0):
        pass
    global windows, interrupted, left, named, stage, error
    windows += 1
    known = named_by(error)
    interrupted += error is not None and not known
    named += known
    left += stage == "Paused" and not known and "paused: orders_sync" not in log.text
    stage, error, log.text = "Incremental", None, ""

mask(signal.SIG_BLOCK)
print("ready", flush=True)
while time.monotonic() < end:
    try:
        try:
            WINDOW
        finally:
            mask(signal.SIG_BLOCK)
    except (NotResumedError, KeyboardInterrupt) as raised:
        error = raised
    mask(signal.SIG_BLOCK)
    account()
restored = signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(json.dumps([windows, interrupted, named, left, restored]), flush=True)
"""


SYNC = """
            client = Client(**settings)
            mask(signal.SIG_UNBLOCK)
            with client.paused(instance, "orders_sync"):
                for _ in range(30):
                    pass
"""
# asyncio.run() turns the first SIGINT into a cancellation, and would raise further ones anywhere. A
# thread of the process sends up to three to each window.
ASYNC = """
            async def main():
                client = AsyncClient(**settings)
                mask(signal.SIG_UNBLOCK)
                threading.Thread(target=shoot).start()
                async with client.paused(instance, "orders_sync"):
                    await asyncio.sleep(random.choice([0, 0.001, 0.003]))
                mask(signal.SIG_BLOCK)

            def shoot():
                mask(signal.SIG_BLOCK)
                time.sleep(random.uniform(0, 0.004))
                for _ in range(random.choice([1, 2, 3])):
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(random.choice([0, 0.0003, 0.0015]))

            asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("window", "outside"), [(SYNC, True), (ASYNC, False)], ids=["sync", "async"]
)
def test_a_signal_at_any_instant(
    emulator: Emulator, record_property: Any, window: str, outside: bool
) -> None:
    """Thousands of windows and real SIGINTs: each task runs afterwards, or the error named it."""
    body = AT_ANY_INSTANT.replace("WINDOW", window.strip()).replace("SECONDS", "7")
    chance = random.Random(11)
    with subprocess.Popen(
        script(emulator, body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        sent = 0
        stop = time.monotonic() + 6.5
        while outside and time.monotonic() < stop and process.poll() is None:
            time.sleep(chance.uniform(0.0005, 0.004))
            process.send_signal(signal.SIGINT)
            sent += 1
        output, complaint = process.communicate(timeout=30)
    assert process.returncode == 0, complaint
    windows, interrupted, named, left, restored = json.loads(output)
    record_property("windows", [windows, sent, interrupted, named, left])
    print(windows, sent, interrupted, named, left)  # noqa: T201  # For whoever runs it with -s.
    assert left == 0
    assert restored
    assert windows > 100
    assert interrupted + named > 50
