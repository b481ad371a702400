"""Changes: each change takes effect, and nothing else changes."""

from __future__ import annotations

from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.probes import Probe
from taurusdb_starrocks_conformance.task import CHANGES, NOT_PAUSED, Change, contradicts, opposite
from taurusdb_starrocks_conformance.wire import Report, Wire

from .listing import Listing, Reader


class Changes:
    """Checks that need more than one call."""

    def __init__(self, wire: Wire, report: Report) -> None:
        self._wire = wire
        self._report = report
        self._reader = Reader(wire, report)
        self._first: Listing | None = None
        # The original stage of the named task, if a page of the list showed it.
        self.first_stage: str | None = None
        self._others: dict[str, str | None] | None = None

    @property
    def names(self) -> frozenset[str] | None:
        """The names of all tasks. None unless the list certainly showed all of them."""
        first = self._first
        return frozenset(first.tasks) if first and first.whole and first.shows_all else None

    # At the beginning

    def begin(self) -> None:
        """Record the state of the tasks before any change."""
        wire, name = self._wire, self._wire.target.task_name
        if not wire.list_is_offered:
            return
        first = self._reader.walk(to_end=True)
        self.first_stage = first.tasks.get(name)
        exchange = first.exchange
        if exchange is None or exchange.status != 200:
            return
        self._first = first
        if name in first.tasks:
            self._others = self._stages_of_others(first)
            stage = (first.tasks[name] or "").lower()
            # Only certain stages, because a task may be changing to another stage.
            if stage == "paused":
                wire.task.last = "pause"
            elif stage in NOT_PAUSED - {"cancelled"}:
                wire.task.last = "resume"
        elif first.rows or (
            exchange.reply is not None
            and isinstance(exchange.reply.document, dict)
            and "replications" in exchange.reply.document
        ):
            self._report("task_is_listed", "the list does not show the named task", exchange)

    # Each takes effect

    def cycle(self) -> None:
        """Pause and resume, twice, and twice in a row; check that nothing else changes."""
        wire = self._wire
        before = self._other_instance()
        # First without waiting, to find out how long the target refuses a change after another one.
        for change in (*CHANGES, *CHANGES):
            wire.toward(change)
            wire.ask(change, "states: {change} in haste", case=True)
        for change in (*CHANGES, *CHANGES):
            wire.toward(change)
            exchange = wire.ask(change, "states: {change}", case=True)
            if wire.task.last != change:
                return
            self.takes_effect(change)
            # It is not documented whether the same change is accepted again: both are correct.
            again = wire.send(
                wire.request(operations()[change]), f"states: {change} again", as_is=True
            )
            if 0 < again.status < 500 and again.status not in (200, 400):
                text = f"{change} once more: returned {again.status}, expected 200 or 400"
                self._report("status_code_conformance", text, again)
            self.takes_effect(change)
            self._others_untouched(exchange)
            self._other_instance_untouched(before)

    def takes_effect(self, change: str, check: str = "change_takes_effect") -> bool:
        """Whether the list finally shows the change; otherwise `check` fails."""
        wire, target = self._wire, self._wire.target
        if not self.is_seen:
            return True
        began, pause = wire.clock(), 0.05
        while True:
            listing = self._reader.walk()
            assert listing.exchange is not None
            if target.task_name not in listing.tasks:
                text = f"after {change} the task is not listed"
                self._report("task_is_listed", text, listing.exchange)
                return False
            stage = listing.tasks[target.task_name]
            took = wire.clock() - began
            if not contradicts(stage, change):
                wire.task.slowest_effect = max(wire.task.slowest_effect, took)
                return True
            if took > target.settle:
                text = f"{change} was accepted; {target.settle:g} s later the stage is {stage!r}"
                self._report(check, text, listing.exchange)
                return False
            wire.sleep(pause)
            pause = min(2 * pause, 10.0)

    @property
    def is_seen(self) -> bool:
        """Whether the list shows the named task, so that effects can be checked."""
        return (
            self._wire.list_is_offered
            and self._first is not None
            and self._wire.target.task_name in self._first.tasks
        )

    def settled(self, check: str = "change_takes_effect") -> None:
        """Wait until the list shows the last accepted change."""
        if self._wire.task.last is not None:
            self.takes_effect(self._wire.task.last, check)

    # Nothing else does

    def nothing_changed(self, name: str, change: Change, probes: list[Probe], since: float) -> None:
        """Check that refused requests changed nothing.

        Args:
            name: The group of the refused requests.
            change: The change that a request of the group would make if it were accepted.
            probes: The refused requests.
            since: When the first of them was sent.
        """
        wire = self._wire
        if not self.is_seen or not (exchange := self._has_happened(change)):
            if self.is_seen:
                self._others_untouched(None)
            return
        took = wire.clock() - since
        if self._happens_by_itself(change, min(max(1.5 * took, 0.5), wire.target.hold)):
            return
        # One by one, to find the requests that changed something.
        named = False
        for probe in probes:
            self._back_from(change)
            sent = wire.send(probe.request, f"{name}: {probe.expect.what}", expect=probe.expect)
            if self._has_happened(change):
                text = f"{probe.expect.what}: returned {sent.status}, and yet {change} was done"
                self._report("refusal_changes_nothing", text, sent)
                wire.task.last, named = None, True
        if not named:
            text = f"{name}: all was refused, and yet {change} was done"
            self._report("refusal_changes_nothing", text, exchange)
        wire.task.last = None
        self._others_untouched(exchange)

    def _back_from(self, change: Change) -> None:
        """Bring the task into a stage that allows a change, and check the stage."""
        self._wire.task.last = None
        self._wire.toward(change)
        self.settled()

    def _has_happened(self, change: Change) -> Exchange | None:
        """The list that shows a change that was not reported as accepted."""
        task = self._wire.task
        listing = self._reader.walk()
        stage = (listing.tasks.get(self._wire.target.task_name) or "").lower()
        expected_not = {"paused", "cancelled"} if change == "pause" else NOT_PAUSED - {"wait"}
        certain = task.last == opposite(change) and self._wire.clock() > task.at + task.needs
        return listing.exchange if certain and stage in expected_not else None

    def _happens_by_itself(self, change: Change, seconds: float) -> bool:
        """Whether the task leaves its stage although only lists are requested."""
        self._back_from(change)
        until = self._wire.clock() + seconds
        while self._wire.clock() < until:
            self._wire.sleep(0.05)
            self._reader.walk()
            if self._wire.task.last is None:
                return True  # It has already been reported.
        return False

    # Nor to others

    def _others_untouched(self, exchange: Exchange | None) -> None:
        """Check that no other task of the instance was paused or resumed."""
        if self._others is None:
            return
        listing = self._reader.walk()
        now, shown = self._stages_of_others(listing), exchange or listing.exchange
        if shown is None or listing.exchange is None or listing.exchange.status != 200:
            return
        for name, stage in self._others.items():
            if name not in now:
                text = f"task {name!r} is not listed any more"
                self._report("other_tasks_untouched", text, shown)
            elif _is_paused(stage) != _is_paused(now[name]):
                text = f"the stage of task {name!r} went from {stage!r} to {now[name]!r}"
                self._report("other_tasks_untouched", text, shown)
        self._others = {**self._others, **now}

    def _stages_of_others(self, listing: Listing) -> dict[str, str | None]:
        named = self._wire.target.task_name
        return {name: stage for name, stage in listing.tasks.items() if name != named}

    def _other_instance(self) -> Listing | None:
        other = self._wire.target.other_instance_id
        return self._reader.walk(other) if other and self._wire.list_is_offered else None

    def _other_instance_untouched(self, before: Listing | None) -> None:
        now = self._other_instance()
        if before is None or now is None or now.exchange is None:
            return
        for name, stage in before.tasks.items():
            if _is_paused(stage) != _is_paused(now.tasks.get(name)):
                text = f"task {name!r} of another instance is not in stage {stage!r} any more"
                self._report("other_tasks_untouched", text, now.exchange)


def _is_paused(stage: str | None) -> bool:
    return (stage or "").lower() == "paused"
