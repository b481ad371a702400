"""A run against one target: everything that is sent, in its order."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from schemathesis.engine import events, from_schema

from . import probes
from .contract import operations
from .hooks import Pass, schema_for
from .judge import Judge
from .report import Finding, Outcome
from .states import States
from .target import CannotRunError, Target
from .wire import Exchange, StoppedError, Wire

# Once there is a fault, so much longer is looked for others.
GRACE = 45.0
EXAMPLES = 110


class Run:
    """One run against one target.

    Args:
        target: The server.
        seed: What everything drawn depends on.
        first_only: Whether to stop at the first fault.
        examples: How many examples schemathesis draws for each operation and phase.
        provoke: Makes the target fail with a status, for as long as the context lasts: it covers
            the documented answers that a healthy target never gives.
        say: Takes lines of progress.
    """

    def __init__(
        self,
        target: Target,
        *,
        seed: int,
        first_only: bool = False,
        examples: int = EXAMPLES,
        provoke: Callable[[int], Any] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.outcome = Outcome(target, seed)
        self._found: dict[tuple[str, str], Finding] = {}
        self._first_only = first_only
        self._examples = examples
        self._provoke = provoke
        self._say = say
        self._phase = ""
        self._errors: list[str] = []
        judge = Judge(target)

        def look(exchange: Exchange) -> None:
            for check, message in list(judge.faults(exchange)):
                self.report(check, message, exchange)

        self.wire = Wire(target, report=self.report, judge=look)
        self.outcome.exchanges = self.wire.exchanges
        self.states = States(self.wire, self.report)

    def report(self, check: str, message: str, exchange: Exchange | None) -> None:
        """Note a fault; the same check at the same operation is the same fault."""
        found = exchange.request.operation(self.outcome.target.base) if exchange else None
        where = found[0].id if found else "other paths and methods"
        if exchange is not None:
            exchange.failed.append(check)
        key = check, where
        if key in self._found:
            self._found[key].times += 1
            return
        self._found[key] = finding = Finding(check, where, message, exchange)
        self.outcome.findings.append(finding)
        if self._first_only:
            self.wire.deadline = 0.0
        elif self.wire.deadline is None:
            self.wire.deadline = self.wire.clock() + GRACE

    def go(self) -> Outcome:
        """Do it all.

        Raises:
            CannotRunError: Nothing can be said about the target.
        """
        began = time.monotonic()
        try:
            self._go()
        except StoppedError:
            pass
        finally:
            self.outcome.seconds = time.monotonic() - began
        stopped = self.wire.stopped
        if not self.outcome.findings:
            if stopped is not None:
                raise CannotRunError(f"{stopped}, after {self.outcome.cases} cases")
            if self._errors:
                raise CannotRunError(self._errors[0])
        return self.outcome

    def _go(self) -> None:
        states, wire = self.states, self.wire
        states.look_around()
        for note in states.notes():
            self.outcome.notes.append(note)
            self._say(note)
        states.cycle()
        if wire.list_is_offered:
            states.pages()
        self._say(f"state across calls: {self.outcome.cases} cases")
        for group, made in probes.groups(wire, self.outcome.seed):
            self._group(group, made)
        self._say(f"requests made by hand: {self.outcome.cases} cases so far")
        passes: tuple[Pass, Pass] = ("pinned", "not pinned")
        for which in passes:
            self._schemathesis(which)
            self._say(f"schemathesis, identifiers {which}: {self.outcome.cases} cases so far")
        states.cycle()
        if self._provoke is not None:
            for status in (403, 429, 500):
                with self._provoke(status):
                    for verb in operations().keys() - wire.lacking:
                        operation = operations()[verb]
                        wire.send(
                            wire.request(operation), "told to fail", as_is=True, provoked=True
                        )
        states.leave()

    def _group(self, group: str, made: list[probes.Probe]) -> None:
        """Send a group: first what must be refused, and see that it has changed nothing."""
        verb = group.rpartition(" ")[2]
        refused = [probe for probe in made if 200 not in probe.allowed]
        changes = operations()[verb].method == "POST"
        if changes and refused:
            self.wire.toward(verb)  # type: ignore[arg-type] # pause or resume
            self.states.settled()
        for probe in refused:
            probes.run(self.wire, probe, self.report)
        if changes and refused:
            self.states.nothing_changed(group, verb)
        for probe in made:
            if 200 in probe.allowed:
                probes.run(self.wire, probe, self.report)

    def _schemathesis(self, which: Pass) -> None:
        schema = schema_for(
            self.outcome.target,
            which,
            seed=self.outcome.seed,
            examples=self._affordable(),
            without=[operations()[verb].id for verb in sorted(self.wire.lacking)],
        )
        stream = from_schema(schema).execute()
        with self.wire.carries(lambda: f"{self._phase}: {which}"):
            for event in stream:
                if self.wire.stopped is not None:
                    stream.stop()
                    continue
                self._event(event)
        if self.wire.stopped is not None:
            raise StoppedError(self.wire.stopped)

    def _affordable(self) -> int:
        """Fewer examples for a slow target, so that a run ends."""
        usual = statistics.median(exchange.seconds for exchange in self.wire.exchanges)
        usual += 4 * self.wire.task.needs
        if self.outcome.target.rate is not None:
            usual = max(usual, 1 / self.outcome.target.rate)
        return max(5, min(self._examples, int(10 / usual)))

    def _event(self, event: Any) -> None:
        if isinstance(event, events.PhaseStarted):
            self._phase = event.phase.name.value
        elif isinstance(event, events.NonFatalError):
            self._errors.append(f"schemathesis: {event.info.title}: {event.info.message}")
        elif isinstance(event, events.ScenarioFinished):
            for case_id, nodes in event.recorder.checks.items():
                for node in nodes:
                    if node.failure_info is None:
                        continue
                    failure = node.failure_info.failure
                    exchange = self._sent(event.recorder, case_id)
                    text = f"{failure.title}: {failure.message}"
                    self.report(node.name, text, exchange)

    def _sent(self, recorder: Any, case_id: str) -> Exchange | None:
        """The exchange of a case: the one with its answer's request ID, or else with its body."""
        interaction = recorder.interactions.get(case_id)
        if interaction is None or interaction.response is None:
            return None
        content = interaction.response.content or b""
        for exchange in reversed(self.wire.exchanges):
            reply, sent = exchange.reply, exchange.request
            if (
                reply is not None
                and (reply.status, reply.body) == (interaction.response.status_code, content)
                and sent.method == interaction.request.method
                and interaction.request.uri.endswith(sent.path)
            ):
                return exchange
        return None
