"""Behavior over time: lasting effects, repeated requests, concurrent requests."""

from __future__ import annotations

from taurusdb_starrocks_conformance.connection import Connection
from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.exchange import (
    UNKNOWN_TASK,
    Exchange,
    Expectation,
    Request,
    canary,
)
from taurusdb_starrocks_conformance.task import CHANGES, contradicts, stages_of
from taurusdb_starrocks_conformance.wire import Report, Wire

from .changes import Changes
from .listing import Reader

# How often the same request is repeated, alone and over one connection.
TIMES = 24
# Number of concurrent requests.
AT_ONCE = 8


class Overtime:
    """Checks that take time, repetition, or more than one connection."""

    def __init__(self, wire: Wire, changes: Changes, report: Report) -> None:
        self._wire = wire
        self._changes = changes
        self._reader = Reader(wire, report)
        self._report = report
        # Fewer repetitions for a target with a rate limit.
        self._times = TIMES if wire.target.rate is None else TIMES // 4

    # Effects that last

    def lasting(self) -> None:
        """Check that a pause and a resume last, and that every way to read the list shows them."""
        wire = self._wire
        if not self._changes.is_seen:
            return
        for change in CHANGES:
            wire.toward(change)
            wire.ask(change, "lasting: {change}", case=True)
            if wire.task.last != change or not self._changes.takes_effect(change):
                continue
            self._same_for_all_readers(change)
            until, pause = wire.clock() + wire.target.hold, 0.05
            while wire.clock() < until and wire.task.last is not None:
                # The content of this list is checked with all other lists.
                self._reader.walk()
                wire.sleep(pause)
                pause = min(1.5 * pause, wire.target.hold / 4)

    def _same_for_all_readers(self, change: str) -> None:
        """Check that the stage is the same for each query, language and form of the list."""
        wire = self._wire
        readers = {
            "without a query": wire.request(operations()["list"]),
            "in Chinese": wire.request(operations()["list"], headers=[("X-Language", "zh-cn")]),
            "with limit=100": wire.request(operations()["list"], query="limit=100"),
            "with offset=0": wire.request(operations()["list"], query="offset=0"),
        }
        for what, request in readers.items():
            until, pause = wire.clock() + wire.target.settle, 0.05
            while True:
                exchange = wire.send(request, f"lasting: list {what}")
                document = exchange.reply.document if exchange.reply else None
                stages = (
                    stages_of(document, wire.target.task_name) if isinstance(document, dict) else []
                )
                if not any(contradicts(stage, change) for stage in stages):
                    break
                if wire.clock() > until:
                    text = f"after {change} the list {what} shows the stage {stages[0]!r}"
                    self._report("same_for_all_readers", text, exchange)
                    break
                wire.sleep(pause)
                pause = min(2 * pause, 10.0)

    # The same again

    def repeated(self) -> None:
        """Check that a repeated request gets the same response."""
        for what, request, expect in self._samples():
            first: Exchange | None = None
            for number in range(1, self._times + 1):
                exchange = self._wire.send(
                    request, f"repeated: {what}", expect=expect, excused=first is not None
                )
                first = first or exchange
                if self._differs(exchange, first):
                    text = f"{what}, {_nth(number)} time: {_said(exchange)}, {_said(first)} before"
                    self._report("same_every_time", text, exchange)
                    break

    def one_connection(self) -> None:
        """Check that a reused connection responds like a new one, without extra data."""
        samples = self._samples()
        fresh = {
            what: self._wire.send(request, f"one connection: {what}, on a new one", expect=expect)
            for what, request, expect in samples
        }
        connection = Connection(self._wire.target.url, keep=True, clock=self._wire.clock)
        try:
            for number in range(2 * self._times):
                what, request, expect = samples[number % len(samples)]
                used = connection.is_open
                exchange = self._wire.send(
                    request, f"one connection: {what}", expect=expect, excused=used, over=connection
                )
                if used and self._differs(exchange, fresh[what]):
                    text = (
                        f"{what}, {_nth(number + 1)} request: {_said(exchange)}, "
                        f"{_said(fresh[what])} on a new connection"
                    )
                    self._report("connection_is_reusable", text, exchange)
                    break
                if stray := connection.stray():
                    text = f"after the response to {what}: {stray[:60]!r}, which nobody asked for"
                    self._report("connection_is_reusable", text, exchange)
                    break
        finally:
            connection.close()

    # At once

    def at_once(self) -> None:
        """Check that concurrent requests get the same responses as sequential ones."""
        wire = self._wire
        samples = self._samples()
        alone = {
            what: wire.send(request, f"at once: {what}, alone", expect=expect)
            for what, request, expect in samples
        }
        mixed = [samples[number % len(samples)] for number in range(AT_ONCE)]
        # Each response is judged only for authentication; the rest is compared with the one alone.
        batch = [
            (request, expect if expect.check == "ignored_auth" else None)
            for _, request, expect in mixed
        ]
        exchanges = wire.at_once(batch, "at once: mixed")
        for exchange, (what, _, _) in zip(exchanges, mixed, strict=True):
            if exchange.status != alone[what].status:
                text = (
                    f"{what}, {AT_ONCE} requests at once: {_said(exchange)}, "
                    f"{_said(alone[what])} alone"
                )
                self._report("at_once", text, exchange)
        for change in CHANGES:
            wire.toward(change)
            changes = [wire.request(operations()[change])] * AT_ONCE
            exchanges = wire.at_once([(one, None) for one in changes], f"at once: {change}")
            self._all_answered(change, exchanges)
            if any(exchange.status == 200 for exchange in exchanges):
                self._changes.takes_effect(change)
                wire.task.last = change
        wire.toward("pause")
        both = [(wire.request(operations()[change]), None) for change in CHANGES] * (AT_ONCE // 2)
        self._all_answered("pause and resume", wire.at_once(both, "at once: both"))
        for change in CHANGES:
            # No matter how the race ended, the task must still accept changes.
            wire.toward(change)
            wire.ask(change, "at once: {change} afterwards", case=True)
            if wire.task.last == change:
                self._changes.takes_effect(change)

    def _all_answered(self, what: str, exchanges: list[Exchange]) -> None:
        for exchange in exchanges:
            if exchange.status not in (200, 400):
                text = f"{what}, {len(exchanges)} at once: {_said(exchange)}, expected 200 or 400"
                self._report("at_once", text, exchange)
        if not any(exchange.status == 200 for exchange in exchanges):
            text = f"{what}, {len(exchanges)} at once: none was accepted"
            self._report("at_once", text, exchanges[0])

    def _samples(self) -> list[tuple[str, Request, Expectation]]:
        """Read-only and refused requests, for each kind of response."""
        wire = self._wire
        pause, listed = operations()["pause"], operations()["list"]
        unproved, absent, malformed = frozenset({401, 403}), frozenset({400, 403}), frozenset({400})
        wrong = [("X-Auth-Token", canary("again"))]
        found: list[tuple[str, Request, str, frozenset[int]]] = [
            (
                "a pause of a task that does not exist",
                wire.request(pause, task_name=UNKNOWN_TASK),
                "unknown_is_refused",
                absent,
            ),
            (
                "a pause with a malformed name",
                wire.request(pause, task_name="a-b"),
                "invalid_accepted",
                malformed,
            ),
            (
                "a pause without a token",
                wire.request(pause, without=["X-Auth-Token"]),
                "ignored_auth",
                unproved,
            ),
            (
                "a resume of a task that does not exist",
                wire.request(operations()["resume"], task_name=UNKNOWN_TASK),
                "unknown_is_refused",
                absent,
            ),
        ]
        if wire.list_is_offered:
            found += [
                ("a list", wire.request(listed), "positive_data_acceptance", frozenset({200})),
                (
                    "a list with a wrong token",
                    wire.request(listed, headers=wrong),
                    "ignored_auth",
                    unproved,
                ),
                (
                    "a list with a malformed limit",
                    wire.request(listed, query="limit=0"),
                    "negative_data_rejection",
                    malformed,
                ),
            ]
        return [
            (what, request, Expectation(check, what, allowed))
            for what, request, check, allowed in found
        ]

    def _differs(self, exchange: Exchange, first: Exchange) -> bool:
        return exchange.status != first.status


def _said(exchange: Exchange) -> str:
    return f"returned {exchange.status}" if exchange.reply else f"no response ({exchange.error})"


def _nth(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0)
    return f"{number}{ending or 'th'}"
