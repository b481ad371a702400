"""A program with windows, which is interrupted, forked and cancelled as its supervisor says.

It runs with whatever `taurusdb_starrocks` is first on the path. Each line that it reads is a plan
of one window, each line that it writes says how far that is. Signals are blocked but for the
window itself, so that none hits what talks to the supervisor.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import signal
import ssl
import sys
import time
from collections.abc import Iterator
from typing import Any

from taurusdb_starrocks import AsyncClient, Client, NotResumedError, Poll, RetryPolicy, TokenAuth

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGALRM}
aimed: list[int] = [signal.SIGINT]
POLL = Poll(first=0.01, interval=0.02, longest=0.1)


def main() -> None:
    """Carry out the plans that come on standard input."""
    given = json.loads(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A timer of the system's is exact to some microseconds; another process is not.
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(aimed[0]))
    # What the guide says about SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    log = Log()
    logging.getLogger().addHandler(log)
    victim = (AsyncVictim if given["asynchronous"] else SyncVictim)(given)
    tell(at="ready")
    for line in sys.stdin:
        plan = json.loads(line)
        log.text = ""
        begun = time.monotonic()
        errors = undergo(victim, plan)
        tell(
            at="end",
            took=time.monotonic() - begun,
            errors=[type(error).__name__ for error in errors],
            named=sorted({name for error in errors for name in named_by(error)}),
            logged=[name for name in plan["names"] if name in log.text],
            text=" / ".join(str(error) for error in errors)[:600],
        )


def tell(**what: Any) -> None:
    """Write a line to the supervisor, at once and whole."""
    os.write(1, json.dumps(what).encode() + b"\n")


def ask(**what: Any) -> None:
    """Write a line, and go on when the supervisor has looked at the tasks."""
    tell(**what)
    sys.stdin.readline()


def named_by(error: BaseException) -> Iterator[str]:
    """The tasks that an error says may still be paused."""
    if isinstance(error, NotResumedError):
        yield from error.task_names
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from named_by(inner)


def undergo(victim: Any, plan: dict[str, Any]) -> list[BaseException]:
    """Carry out a plan; what reached the user."""
    own, errors = os.getpid(), []
    try:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            victim.window(plan)
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        except BaseException as error:  # noqa: BLE001  # Whatever it is, it is what a user sees.
            errors.append(error)
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    except BaseException as late:  # noqa: BLE001  # A signal after the window, in the lines above.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        errors.append(late)
    if os.getpid() != own:
        os._exit(0)
    while signal.sigtimedwait(SIGNALS, 0):
        pass  # What comes too late is not for the next window.
    return errors


class Log(logging.Handler):
    """What is logged as an error, which a user gets to see too."""

    text = ""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record)


class SyncVictim:
    """Windows of a `Client`, which lives for some of them."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._uses = 0

    def window(self, plan: dict[str, Any]) -> None:
        if self._uses % 25 == 0:
            self._client = Client(**settings(Client, self._given))
        self._uses += 1
        if plan["verb"] == "ensure":
            self._ensure(plan)
            return
        with self._client.paused(self._given["instance"], plan["names"], **waiting(plan)):
            tell(at="inside")
            time.sleep(plan["inside"])
            if plan["fork"]:
                self._fork()
            if plan["raises"]:
                raise RuntimeError("the block failed")
            aim(plan)

    def _ensure(self, plan: dict[str, Any]) -> None:
        paused = self._client.ensure_paused(self._given["instance"], plan["names"], **waiting(plan))
        ask(at="ensured", paused=[task.name for task in paused])
        self._client.ensure_running(self._given["instance"], plan["names"], **waiting(plan))
        ask(at="ensured", running=plan["names"])

    def _fork(self) -> None:
        """Fork a child that leaves the block at once, and stay until it is gone."""
        if (child := os.fork()) == 0:
            sys.exit(0)
        os.waitpid(child, 0)
        ask(at="forked")


class AsyncVictim:
    """Windows of an `AsyncClient`, each on an event loop of its own."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given

    def window(self, plan: dict[str, Any]) -> None:
        asyncio.run(self._window(plan))

    async def _window(self, plan: dict[str, Any]) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for delay in plan["cancels"]:
            loop.call_later(delay, task.cancel)
        async with AsyncClient(**settings(AsyncClient, self._given)) as client:
            if plan["verb"] == "ensure":
                await self._ensure(client, plan)
                return
            async with client.paused(self._given["instance"], plan["names"], **waiting(plan)):
                tell(at="inside")
                await asyncio.sleep(plan["inside"])
                if plan["raises"]:
                    raise RuntimeError("the block failed")
                aim(plan)

    async def _ensure(self, client: AsyncClient, plan: dict[str, Any]) -> None:
        paused = await client.ensure_paused(self._given["instance"], plan["names"], **waiting(plan))
        ask(at="ensured", paused=[task.name for task in paused])
        await client.ensure_running(self._given["instance"], plan["names"], **waiting(plan))
        ask(at="ensured", running=plan["names"])


def settings(kind: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What the clients are made with; short times, as far as they are known."""
    context = ssl.create_default_context(cafile=given["ca"]) if given["ca"] else None
    all_of_them = {
        "endpoint": given["url"],
        "project_id": given["project"],
        "auth": TokenAuth(given["token"]),
        "timeout": 0.8,
        "connect_timeout": 0.6,
        "read_timeout": 0.6,
        "settle": given["settle"],
        "ssl_context": context,
        "trust_env": False,
        "retry": RetryPolicy(first_delay=0.01, longest_delay=0.05),
    }
    known = inspect.signature(kind).parameters
    return {name: value for name, value in all_of_them.items() if name in known}


def waiting(plan: dict[str, Any]) -> dict[str, Any]:
    """How a window waits."""
    return {"timeout": plan["timeout"], "poll": POLL}


def aim(plan: dict[str, Any]) -> None:
    """Have a signal come just after the block ended, if it is to be."""
    if plan["aim"] is not None:
        aimed[0] = plan["aimed"]
        signal.setitimer(signal.ITIMER_REAL, plan["aim"] * 1e-6)


if __name__ == "__main__":
    main()
