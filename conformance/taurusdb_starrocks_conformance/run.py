"""A run against one target: all tests, in order."""

from __future__ import annotations

import random
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from .carrying import carrying
from .contract import operations, untested
from .exchange import Exchange, Expectation, Request
from .findings import Finding, Findings, Level, counted
from .fuzzing import Fuzzing, Pass, misfit_of
from .interruption import interruptible
from .judge import Judge
from .probes import Group, Probe, groups
from .states import Changes, FirstLook, Overtime, Reader, Restorer
from .target import CannotRunError, Target
from .task import CHANGES, SAFE, Change
from .wire import StoppedError, Wire

# After the first fault, the run spends this many seconds on finding others.
GRACE = 45.0
EXAMPLES = 50
PROVOKED = (403, 429, 500)
# The exit status that all commands of the project have for it.
MAY_BE_PAUSED = 122


def drawn_seed() -> int:
    """A random seed."""
    return random.SystemRandom().randrange(2**32)


@dataclass
class Outcome:
    """The outcome of a run.

    Attributes:
        findings: Faults and warnings, security first.
        notes: What could not be tested, and why.
        ended: Why the run ended early without a result.
        interrupted: The signal that interrupted the run.
        not_restored: Set if the task could not be restored to its original stage: its name, the
            reason, and the request that restores it.
    """

    target: Target
    seed: int
    findings: list[Finding] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    ended: str | None = None
    interrupted: signal.Signals | None = None
    not_restored: str | None = None

    @property
    def cases(self) -> int:
        """Number of requests that are test cases, without preparation and follow-up requests."""
        return sum(exchange.case for exchange in self.exchanges)

    @property
    def faults(self) -> list[Finding]:
        """The findings that break the contract."""
        return [finding for finding in self.findings if finding.level is Level.FAULT]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that are common habits of web frameworks."""
        return [finding for finding in self.findings if finding.level is Level.WARNING]

    def failed(self, *, strict: bool = False) -> bool:
        """Whether the target failed: because of a fault, or of any finding if strict.

        A run that could not restore the task failed, too.
        """
        return bool(self.findings if strict else self.faults) or self.not_restored is not None

    def exit_status(self, *, strict: bool = False) -> int:
        """The exit status of the command."""
        if self.not_restored is not None:
            return MAY_BE_PAUSED
        if self.interrupted is not None:
            return 128 + self.interrupted
        return 2 if self.ended is not None else int(self.failed(strict=strict))

    def verdict(self, *, strict: bool = False) -> str:
        """The result in one line."""
        if self.ended is not None:
            return f"conformance: could not run: {self.ended}"
        faults, warnings = len(self.faults), len(self.warnings)
        told = counted(faults, "fault") if faults else "no faults"
        if warnings:
            told += f", {counted(warnings, 'warning')}"
        told += f" in {counted(self.cases, 'case')}"
        if self.interrupted is not None:
            return f"conformance: interrupted by {self.interrupted.name}: {told}"
        kind = "failed" if self.failed(strict=strict) else "passed"
        return f"conformance: {kind}: {told}"


class Run:
    """One run against one target.

    Args:
        target: The server.
        seed: Seed of all random values.
        first_only: Whether to stop at the first fault.
        examples: Number of examples that schemathesis generates for each operation and phase.
        provoke: Returns a context in which the target fails with a given status. This covers the
            documented responses that a healthy target never sends.
        say: Prints a line of progress.

    Attributes:
        outcome: The result so far.
        began: Whether the task may have been changed, and must be restored.
    """

    def __init__(
        self,
        target: Target,
        *,
        seed: int,
        first_only: bool = False,
        examples: int = EXAMPLES,
        provoke: Callable[[int], AbstractContextManager[Any]] | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.outcome = Outcome(target, seed)
        self._first_only = first_only
        self._examples = examples
        self._provoke = provoke
        self._say = say
        self._step = ""
        self.began = False
        self.findings = Findings(target, lambda: self._step, self._noted)
        judge = Judge(target)

        def look(exchange: Exchange) -> None:
            for misfit in list(judge.misfits(exchange)):
                self.findings.add(misfit, exchange)

        report = self.findings.report
        self.wire = Wire(target, report=report, judge=look)
        self.outcome.exchanges = self.wire.exchanges
        self.first_look = FirstLook(self.wire, report)
        self.changes = Changes(self.wire, report)
        self._reader = Reader(self.wire, report)
        self._overtime = Overtime(self.wire, self.changes, report)

    def go(self, only: str | None = None) -> Outcome:
        """Run all steps, or one of them.

        However the run ends, the task is restored to its original stage, and `outcome` is complete.
        SIGINT, SIGTERM and SIGHUP interrupt the run.

        Raises:
            CannotRunError: The target could not be tested.
        """
        with self._restoring():
            self._look_around()
            for name, step in self._steps():
                if only in (None, name):
                    self._step = name
                    step()
        return self._ended()

    def once(self, request: Request, expect: Expectation | None) -> Exchange | None:
        """Bring the task into the required stage, and send one request.

        Returns:
            The exchange, or None if the run ended before.

        Raises:
            CannotRunError: The target could not be tested.
        """
        exchange = None
        with self._restoring():
            self._look_around()
            self._step = "once"
            exchange = self.wire.send(request, "once", expect=expect)
        self._ended()
        return exchange

    @contextmanager
    def _restoring(self) -> Iterator[None]:
        """Restore the task however the block ends, and record why it ended."""
        began, outcome, stopped = time.monotonic(), self.outcome, False
        with interruptible(self._interrupted):
            try:
                try:
                    yield
                except StoppedError as error:
                    stopped = True
                    outcome.ended = f"{error}, after {counted(outcome.cases, 'case')}"
                except CannotRunError as error:
                    outcome.ended = str(error)
                except KeyboardInterrupt:
                    if outcome.interrupted is None:
                        raise
                except Exception as error:
                    outcome.ended = f"{type(error).__name__}: {error}"
                    raise
                finally:
                    # No other thread sends anything from here on.
                    self.wire.stopped = self.wire.stopped or "the run is over"
                    self._restore()
            finally:
                outcome.seconds = time.monotonic() - began
                outcome.findings = self.findings.sorted()
        if outcome.interrupted or (stopped and outcome.faults):
            outcome.ended = None

    def _restore(self) -> None:
        if not self.began:
            return
        restorer = Restorer(self.wire, self.changes.first_stage)
        try:
            if self.outcome.interrupted is not None:
                name, task = self.outcome.interrupted.name, self.outcome.target.task_name
                self._say(f"{name}: restoring task {task}")
            problem = restorer.restore()
        except KeyboardInterrupt:
            problem = "it was interrupted again"
        self.outcome.not_restored = None if problem is None else restorer.failure(problem)

    def _interrupted(self, number: signal.Signals) -> None:
        self.outcome.interrupted = number
        self.wire.stopped = number.name

    def _ended(self) -> Outcome:
        outcome = self.outcome
        if outcome.ended is not None and outcome.not_restored is None:
            raise CannotRunError(outcome.ended)
        return outcome

    def _noted(self, finding: Finding) -> None:
        if finding.level is Level.WARNING:
            return
        if self._first_only:
            self.wire.deadline = 0.0
        elif self.wire.deadline is None:
            self.wire.deadline = self.wire.clock() + GRACE

    def _look_around(self) -> None:
        self._step = "first look"
        self.first_look.look()
        for note in self.first_look.notes():
            self._note(note)
        self.changes.begin()
        if self.changes.first_stage is None:
            self._note(
                f"The original stage of task {self.outcome.target.task_name} is not known, because "
                "the list did not show it: at the end, the task is resumed."
            )
        self.began = True

    def _note(self, note: str) -> None:
        self.outcome.notes.append(note)
        self._say(note)

    def _steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """All steps by name. Each can be run alone."""
        yield "pause and resume", self.changes.cycle
        if self.wire.list_is_offered:
            yield "pages", self._reader.pages
        for group in groups(self.wire, self.outcome.seed, taken=self.changes.names):
            yield group.name, lambda group=group: self._group(group)  # type: ignore[misc] # mypy does not infer a default
        self._say(f"requests made by hand: {counted(self.outcome.cases, 'case')} so far")
        yield "effects that last", self._overtime.lasting
        yield "the same request again", self._overtime.repeated
        yield "one connection", self._overtime.one_connection
        if self.outcome.target.rate is None:
            yield "requests at once", self._overtime.at_once
        else:
            yield (
                "requests at once",
                lambda: self._note("Concurrent requests were not tested, because a rate is set."),
            )
        passes: tuple[Pass, Pass] = ("pinned", "not pinned")
        for which in passes:
            yield f"schemathesis, {which}", lambda which=which: self._fuzz(which)  # type: ignore[misc] # as above
        yield "pause and resume at the end", self.changes.cycle
        if self._provoke is not None:
            yield "told to fail", self._told_to_fail

    def _group(self, group: Group) -> None:
        """Send a group: first the requests to refuse, and check that they changed nothing."""
        wire, verb = self.wire, group.verb
        change: Change | None = next((change for change in CHANGES if change == verb), None)
        refused = [probe for probe in group.probes if not _may_change(probe)]
        if change is not None and refused:
            wire.toward(change)
            self.changes.settled()
        elif self.changes.is_seen and change is None:
            # While lists are read, a pause must last.
            wire.toward("resume")
            self.changes.settled()
        since = wire.clock()
        for probe in refused:
            wire.send(probe.request, f"{group.name}: {probe.expect.what}", expect=probe.expect)
        if change is not None and refused:
            self.changes.nothing_changed(group.name, change, refused, since)
        for probe in group.probes:
            if _may_change(probe):
                wire.send(probe.request, f"{group.name}: {probe.expect.what}", expect=probe.expect)
                if group.effects:
                    self.changes.settled(probe.expect.check)

    def _fuzz(self, which: Pass) -> None:
        fuzzing = Fuzzing(
            self.outcome.target,
            which,
            seed=self.outcome.seed,
            examples=self._affordable(),
            without=[*untested(), *(operations()[verb].id for verb in sorted(self.wire.lacking))],
        )
        with carrying(self.wire, lambda: f"{fuzzing.phase}: {which}"):
            for check, failure, interaction in fuzzing.run(lambda: self.wire.stopped is not None):
                exchange = self._sent(interaction)
                misfit = misfit_of(check, failure, exchange, self.outcome.target)
                if exchange is None or misfit.check not in exchange.failed:
                    self.findings.add(misfit, exchange)
        if self.wire.stopped is not None:
            raise StoppedError(self.wire.stopped)
        self._say(
            f"schemathesis, identifiers {which}: {counted(self.outcome.cases, 'case')} so far"
        )

    def _affordable(self) -> int:
        """The number of examples, reduced for a slow target."""
        usual = statistics.median(exchange.seconds for exchange in self.wire.exchanges)
        usual += 4 * self.wire.task.needs
        if self.outcome.target.rate is not None:
            usual = max(usual, 1 / self.outcome.target.rate)
        return max(5, min(self._examples, int(10 / usual)))

    def _sent(self, interaction: Any) -> Exchange | None:
        """The exchange of an interaction: the last with its request and its response."""
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

    def _told_to_fail(self) -> None:
        assert self._provoke is not None
        for status in PROVOKED:
            with self._provoke(status):
                for verb in operations().keys() - self.wire.lacking:
                    request = self.wire.request(operations()[verb])
                    self.wire.send(request, "told to fail", as_is=True, excused=True)


def _may_change(probe: Probe) -> bool:
    """Whether a request can have an effect: it can be accepted, and its method is not safe."""
    return 200 in probe.expect.allowed and probe.request.method not in SAFE
