"""State across calls: what a pause and a resume do, and what nothing else does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .contract import operations
from .target import CannotRunError
from .wire import UNKNOWN_TASK, Change, Exchange, Reply, Request, Wire

# Of the stages the contract names, those that a paused and a resumed task cannot be in.
NOT_PAUSED = {"wait", "full", "incremental", "cancelled"}
NOT_RESUMED = {"paused", "cancelled"}
MOST_PAGES = 50
CHANGES: tuple[Change, Change] = ("pause", "resume")


@dataclass
class Listing:
    """The tasks of an instance, as the pages of the list show them."""

    tasks: dict[str, str | None] = field(default_factory=dict)
    rows: list[Any] = field(default_factory=list)
    total: int | None = None
    exchange: Exchange | None = None


class States:
    """Checks that need more than one call."""

    def __init__(
        self,
        wire: Wire,
        report: Callable[[str, str, Exchange], None],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._wire = wire
        self._report = report
        self._sleep = sleep
        self._first: Listing | None = None
        self._others: dict[str, str | None] | None = None

    # At the beginning

    def look_around(self) -> None:
        """Find out whether the target answers, knows the identity, and offers the list.

        Raises:
            CannotRunError: There is nothing to be fuzzed.
        """
        wire, target = self._wire, self._wire.target
        exchange = wire.send(wire.request(operations()["list"]), "first look: list")
        reply = exchange.reply
        if reply is None:
            raise CannotRunError(f"{target.url} does not answer: {exchange.error}")
        if reply.status == 401:
            raise CannotRunError(f"{target.url} refuses the token (401)")
        if self._lacks("list", exchange):
            wire.lacking.add("list")
        self._look_at_the_rest()
        if not wire.list_is_offered:
            return
        if reply.status != 200:
            self._report(
                "positive_data_acceptance", f"list: answered {reply.status}, expected 200", exchange
            )
            return
        self._first = self._walk()
        if target.task_name in self._first.tasks:
            self._others = self._stages_of_others(self._first)
            stage = (self._first.tasks[target.task_name] or "").lower()
            # Only what is certain: a stage may be on its way to another one.
            if stage == "paused":
                wire.task.last = "pause"
            elif stage in NOT_PAUSED - {"cancelled"}:
                wire.task.last = "resume"
        elif self._first.rows or (
            isinstance(reply.document, dict) and "replications" in reply.document
        ):
            self._report("task_is_listed", "the list does not show the named task", exchange)

    def _look_at_the_rest(self) -> None:
        """Find out whether the target offers what came with contract 1.2."""
        wire = self._wire
        for verb in ("configuration", "instances"):
            operation = operations()[verb]
            if operation.of_source and not wire.target.source_instance_id:
                wire.lacking.add(verb)
                continue
            exchange = wire.send(wire.request(operation), f"first look: {verb}")
            if self._lacks(verb, exchange):
                wire.lacking.add(verb)
            elif exchange.reply is not None and exchange.reply.status != 200:
                text = f"{verb}: answered {exchange.reply.status}, expected 200"
                self._report("positive_data_acceptance", text, exchange)

    def _lacks(self, verb: str, exchange: Exchange) -> bool:
        """Whether the target does not know the path of an operation at all.

        One that knows it, and answers for this instance that it is not there, has a fault.
        """
        wire, reply = self._wire, exchange.reply
        if reply is None or wire.target.all_operations or reply.status not in (400, 404, 405, 501):
            return False
        path, _, query = exchange.request.path.partition("?")
        beside = Request("GET", f"{path}_x" + (query and f"?{query}"), exchange.request.headers)
        other = wire.send(beside, f"first look: {verb}, a path that is not in the contract").reply
        known = wire.send(
            wire.request(operations()["pause"], task_name=UNKNOWN_TASK), "first look: pause"
        ).reply
        return (
            other is not None
            and known is not None
            and (other.status, _code(other)) == (reply.status, _code(reply))
            and known.status in (400, 403)
        )

    def notes(self) -> Iterator[str]:
        """What the target lacks, and which version of the contract it therefore follows."""
        lacking = [operations()[verb] for verb in operations() if verb in self._wire.lacking]
        for operation in lacking:
            if operation.of_source and not self._wire.target.source_instance_id:
                name = "TAURUSDB_FUZZ_SOURCE_INSTANCE_ID"
                yield f"{operation.id} is not fuzzed: {name} is not set."
            else:
                older = {"1.1": "1.0", "1.2": "1.1"}[operation.since]
                yield f"The target does not offer {operation.id}: it follows contract {older}."

    def leave(self) -> None:
        """Leave the task as it was found; running, if that is not known."""
        first = self._first.tasks.get(self._wire.target.task_name) if self._first else None
        change: Change = "pause" if (first or "").lower() == "paused" else "resume"
        if self._wire.task.last != change:
            self._wire.send(
                self._wire.request(operations()[change]), "leaving", as_is=True, case=False
            )

    # The list

    def _walk(self, instance_id: str | None = None, step: int = 100) -> Listing:
        """All pages of a list."""
        wire, listing, offset = self._wire, Listing(), 0
        for _ in range(MOST_PAGES):
            request = wire.request(
                operations()["list"], instance_id=instance_id, query=f"limit={step}&offset={offset}"
            )
            exchange = wire.send(request, "states: list")
            listing.exchange = exchange
            document: Any = exchange.reply.document if exchange.reply else None
            rows = document.get("replications") if isinstance(document, dict) else None
            if exchange.reply is None or exchange.reply.status != 200:
                status = exchange.reply.status if exchange.reply else None
                if instance_id is None and status is not None:
                    self._report(
                        "positive_data_acceptance",
                        f"list: answered {status}, expected 200",
                        exchange,
                    )
                return listing
            if not isinstance(rows, list):
                return listing
            if len(rows) > step:
                text = f"{len(rows)} tasks on a page of limit={step}"
                self._report("pages_fit", text, exchange)
            listing.total = _number(document.get("total_count"))
            listing.rows += rows
            for row in rows:
                if isinstance(row, dict) and isinstance(row.get("task_name"), str):
                    stage = row.get("stage")
                    listing.tasks[row["task_name"]] = stage if isinstance(stage, str) else None
            offset += len(rows)
            if len(rows) < step:
                break
        return listing

    def pages(self) -> None:
        """Pages of any size show the same tasks, each once, and as many as there are."""
        whole = self._walk()
        if whole.exchange is None or not whole.rows:
            return
        if whole.total is not None and whole.total != len(whole.rows):
            text = f"total_count is {whole.total}, the pages show {len(whole.rows)}"
            self._report("pages_fit", text, whole.exchange)
        named = [row.get("task_name") for row in whole.rows if isinstance(row, dict)]
        if len(set(named)) != len(named):
            self._report("pages_fit", "a task is shown twice", whole.exchange)
        for step in (1, 2):
            if len(whole.rows) <= MOST_PAGES * step:
                parts = self._walk(step=step)
                same = [row.get("task_name") for row in parts.rows if isinstance(row, dict)]
                # Nothing is said of the order, so it may differ; tasks may not.
                if parts.exchange is not None and sorted(map(str, same)) != sorted(map(str, named)):
                    text = f"pages of {step} show {len(same)} tasks, one page shows {len(named)}"
                    self._report("pages_fit", text, parts.exchange)
        beyond = self._wire.request(operations()["list"], query=f"offset={len(whole.rows) + 5}")
        exchange = self._wire.send(beyond, "states: a page beyond the last")
        document = exchange.reply.document if exchange.reply else None
        if isinstance(document, dict) and document.get("replications"):
            self._report("pages_fit", "there are tasks beyond the last", exchange)

    def _stages_of_others(self, listing: Listing) -> dict[str, str | None]:
        named = self._wire.target.task_name
        return {name: stage for name, stage in listing.tasks.items() if name != named}

    # Changes

    def cycle(self) -> None:
        """Pause and resume, twice; twice in a row; each takes effect and touches nothing else."""
        wire = self._wire
        before = self._other_instance()
        # At first in haste, to learn how long the target refuses a change after another one.
        for change in (*CHANGES, *CHANGES):
            wire.toward(change)
            wire.ask(change, "states: {change} in haste", case=True)
        for change in (*CHANGES, *CHANGES):
            wire.toward(change)
            exchange = wire.ask(change, "states: {change}", case=True)
            if wire.task.last != change:
                return
            self._takes_effect(change)
            # Whether the same is accepted once more is not published: both are right.
            again = wire.send(
                wire.request(operations()[change]), f"states: {change} again", as_is=True
            )
            status = again.reply.status if again.reply else 0
            if 0 < status < 500 and status not in (200, 400):
                text = f"{change} once more: answered {status}, expected 200 or 400"
                self._report("status_code_conformance", text, again)
            self._takes_effect(change)
            self._others_untouched(exchange)
            self._other_instance_untouched(before)

    def _takes_effect(self, change: str) -> None:
        """The list shows it in the end. A stage without a name in the contract may mean all."""
        wire, target = self._wire, self._wire.target
        if (
            not wire.list_is_offered
            or self._first is None
            or target.task_name not in self._first.tasks
        ):
            return
        wrong = NOT_PAUSED if change == "pause" else NOT_RESUMED
        until, pause = wire.clock() + target.settle, 0.05
        while True:
            listing = self._walk()
            assert listing.exchange is not None
            if target.task_name not in listing.tasks:
                self._report(
                    "task_is_listed", f"after {change} the task is not listed", listing.exchange
                )
                return
            stage = listing.tasks[target.task_name]
            if stage is None or stage.lower() not in wrong:
                return
            if wire.clock() > until:
                text = f"{change} was accepted; {target.settle:g} s later the stage is {stage!r}"
                self._report("change_takes_effect", text, listing.exchange)
                return
            self._sleep(pause)
            pause = min(2 * pause, 10.0)

    def settled(self) -> None:
        """Wait until the list shows what was accepted last."""
        if self._wire.task.last is not None:
            self._takes_effect(self._wire.task.last)

    def nothing_changed(self, group: str, change: str) -> None:
        """What was refused has changed nothing; `change` is what it asked for."""
        wire, target = self._wire, self._wire.target
        if (
            not wire.list_is_offered
            or self._first is None
            or target.task_name not in self._first.tasks
        ):
            return
        listing = self._walk()
        stage = (listing.tasks.get(target.task_name) or "").lower()
        assert listing.exchange is not None
        expected_not = {"paused"} if change == "pause" else NOT_PAUSED - {"cancelled", "wait"}
        last: Change = "resume" if change == "pause" else "pause"
        certain = wire.task.last == last and wire.clock() > wire.task.at + wire.task.needs
        if certain and stage in expected_not:
            text = f"{group}: all was refused, and yet the stage is {stage!r}"
            self._report("refusal_changes_nothing", text, listing.exchange)
            wire.task.last = None
        self._others_untouched(listing.exchange)

    def _others_untouched(self, exchange: Exchange) -> None:
        """No other task of the instance was paused or resumed."""
        if self._others is None:
            return
        now = self._stages_of_others(self._walk())
        for name, stage in self._others.items():
            was, is_now = (stage or "").lower(), (now.get(name) or "").lower()
            if name not in now:
                self._report(
                    "other_tasks_untouched", f"task {name!r} is not listed any more", exchange
                )
            elif (was == "paused") != (is_now == "paused"):
                text = f"the stage of task {name!r} went from {stage!r} to {now[name]!r}"
                self._report("other_tasks_untouched", text, exchange)
        self._others = {**self._others, **now}

    def _other_instance(self) -> Listing | None:
        other = self._wire.target.other_instance_id
        return self._walk(other) if other and self._wire.list_is_offered else None

    def _other_instance_untouched(self, before: Listing | None) -> None:
        now = self._other_instance()
        if before is None or now is None or now.exchange is None:
            return
        for name, stage in before.tasks.items():
            was, is_now = (stage or "").lower(), (now.tasks.get(name) or "").lower()
            if (was == "paused") != (is_now == "paused"):
                text = f"task {name!r} of another instance went from {stage!r} to {is_now!r}"
                self._report("other_tasks_untouched", text, now.exchange)


def _code(reply: Reply) -> Any:
    """The code of an error."""
    return reply.document.get("error_code") if isinstance(reply.document, dict) else None


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
