"""The process that resumes the tasks of a fleet's window when its program cannot.

It is a fresh interpreter in a session of its own, as the guardian of a single window. What it needs
comes through its standard input, which ends with the program.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import syslog
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from taurusdb_starrocks import AsyncClient, ConfigurationError, Poll, Rebuild, ReplicationError
from taurusdb_starrocks.durable import Batch, Journal, batched, recorded
from taurusdb_starrocks.fleet._budget import Budget
from taurusdb_starrocks.fleet._targets import Target, Targets
from taurusdb_starrocks.fleet._verbs import Options, Result, carry_out

TICK = 1.0  # Seconds between looks whether the program is there.
ROUND = 600.0  # Seconds after which what does not run yet is tried anew, with a line in the log.
FIRST_RETRY, LAST_RETRY = 1.0, 300.0  # Seconds between rounds.
# Counts suspend on Linux. Elsewhere the closest that there is.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds on a clock that counts suspend and ignores jumps."""
    return time.clock_gettime(_CLOCK)


def main(given: Mapping[str, Any], hears: int = 0, says: int = 1) -> None:
    """Be a guardian until its work is done. Only SIGKILL ends it earlier.

    Args:
        given: See ``Guardian``.
        hears: Descriptor that the program's messages come from.
        says: Descriptor that it says on that it is ready.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    syslog.openlog("taurusdb-starrocks-guardian", syslog.LOG_PID, syslog.LOG_DAEMON)
    try:
        guardian = Guardian(given, hears)
    except ReplicationError as error:
        _say(says, {"failed": f"{type(error).__name__}: {error}"})
        return
    _say(says, {"ready": os.getpid()})
    os.close(says)
    guardian.run()


def _say(handle: int, what: dict[str, Any]) -> None:
    with suppress(OSError):  # The program may be gone already, which is what a guardian is for.
        os.write(handle, json.dumps(what).encode() + b"\n")


class Guardian:
    """A guardian.

    Args:
        given: What the program sent: ``journal``; ``batch``, whose tasks are resumed; ``actor``,
            the ID of the guardian's own; ``parent``, the program's process; ``left``, seconds until
            the lease is over; ``clients``, how they are built, by endpoint and project;
            ``options``; ``call_timeout``.
        pipe: Where messages of the program come from.
    """

    def __init__(self, given: Mapping[str, Any], pipe: int = 0) -> None:
        self._pipe = pipe
        self._parent: int = given["parent"]
        self._batch_id: str = given["batch"]
        self._end = clock() + given["left"]
        self._clients = given["clients"]
        options = dict(given["options"])
        options["poll"] = Poll(**options["poll"])
        options["timeout"] = ROUND
        self._options: Options = {**options, "connect": self._connect}  # type: ignore[typeddict-item]  # They came through a pipe.
        self._journal = Journal(given["journal"])
        self._batch = Batch(
            self._journal,
            "resume",
            call_timeout=given["call_timeout"],
            settle=options["settle"],
            heir_of=self._batch_id,
            number=given["actor"],
        )
        for endpoint, project_id, _ in self._clients:
            self._connect(endpoint, project_id)  # What cannot be built is said early.
        self._open = True
        self._input = b""
        self._over = False  # Whether the program has said that the window is over.
        self._late: set[Target] = set()  # Whose pause may still leave a program that was stopped.

    def _connect(self, endpoint: str | None, project_id: str | None) -> AsyncClient:
        known = {
            (its_endpoint, project): rebuild for its_endpoint, project, rebuild in self._clients
        }
        if (endpoint, project_id) not in known:
            raise ConfigurationError(f"The guardian knows of no {endpoint} and {project_id}.")
        client: AsyncClient = Rebuild.from_document(known[endpoint, project_id]).build()
        return client

    def run(self) -> None:
        """Wait for the end of the window, and resume its tasks unless the program did."""
        resumed = False
        while True:
            ends = self._over or os.getppid() != self._parent
            late = clock() >= self._end
            if ends or (late and not resumed):
                self._resume("its lease is over" if late else "its program is gone", ends=ends)
                resumed = True
            if ends:
                break
            self._listen(TICK if late else min(TICK, max(0.0, self._end - clock())))
        self._batch.close()
        self._journal.close()

    def _listen(self, seconds: float) -> None:
        """Take the program's messages until there are none for so long."""
        if not self._open:
            time.sleep(seconds)
            return
        if not select.select([self._pipe], [], [], seconds)[0]:
            return
        data = os.read(self._pipe, 65536)
        self._open = bool(data)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            self._clients = message.get("clients", self._clients)
            self._over = self._over or "over" in message
            if "left" in message:
                self._end = clock() + message["left"]

    def _resume(self, why: str, *, ends: bool) -> None:
        """Resume what the batch has, round by round, until all runs."""
        wait = FIRST_RETRY
        while True:
            try:
                if self._round(why, everything=ends):
                    return
            except ReplicationError as error:
                syslog.syslog(syslog.LOG_ERR, f"fleet {self._batch_id} ({why}): {error}")
            time.sleep(wait)
            wait = min(wait * 2, LAST_RETRY)

    def _round(self, why: str, *, everything: bool) -> bool:
        """Try once; whether all runs."""
        if everything and self._late:
            late, self._late = self._late, set()
            asyncio.run(self._bring(list(late), everything=True))
        found = list(self._targets())
        if not found:
            return True
        result = asyncio.run(self._bring(found, everything=False))
        syslog.syslog(
            syslog.LOG_WARNING if result.complete else syslog.LOG_ERR,
            f"fleet {self._batch_id} ({why}): resumed {result.counts['confirmed']}, "
            f"{len(found) - result.counts['confirmed'] - result.counts['found']} may still be "
            "paused",
        )
        return result.complete

    def _targets(self) -> Iterator[Target]:
        for place, names in batched(self._journal, self._batch_id):
            rows = recorded(self._journal, place, names)
            for name in names:
                target = Target(place[2], name, None, place[0], place[1])
                if name in rows and (rows[name].verb, rows[name].state) == ("pause", "sent"):
                    self._late.add(target)
                yield target

    async def _bring(self, found: list[Target], *, everything: bool) -> Result:
        targets = Targets(found, self._connect)
        try:
            budget = Budget(None, endless=True)
            return await carry_out(
                self._batch, targets, budget, self._options, everything=everything
            )
        finally:
            await targets.aclose()
