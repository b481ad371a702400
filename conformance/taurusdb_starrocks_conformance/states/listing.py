"""The list of tasks: read completely, and whether its pages are consistent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.wire import Report, Wire

MOST_PAGES = 50


@dataclass
class Listing:
    """The tasks of an instance, from the pages of the list.

    Attributes:
        totals: The total of each page.
        exchange: The last page.
        whole: Whether all pages were read.
    """

    tasks: dict[str, str | None] = field(default_factory=dict)
    rows: list[Any] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    exchange: Exchange | None = None
    whole: bool = False

    @property
    def shows_all(self) -> bool:
        """Whether there are as many different tasks as each page says."""
        return bool(self.totals) and set(self.totals) == {len(self.tasks)}

    @property
    def names(self) -> list[Any]:
        """The names in all rows."""
        return [row.get("task_name") for row in self.rows if isinstance(row, dict)]


class Reader:
    """Reads the list of a target."""

    def __init__(self, wire: Wire, report: Report) -> None:
        self._wire = wire
        self._report = report

    def walk(
        self, instance_id: str | None = None, step: int = 100, *, to_end: bool = False
    ) -> Listing:
        """Read the pages of a list.

        Args:
            instance_id: The instance, if not that of the target.
            step: The `limit` of each page.
            to_end: Whether to read up to an empty page, whatever `total_count` says.
        """
        listing, offset = Listing(), 0
        for _ in range(MOST_PAGES + 1):
            request = self._wire.request(
                operations()["list"], instance_id=instance_id, query=f"limit={step}&offset={offset}"
            )
            exchange = self._wire.send(request, "states: list")
            listing.exchange = exchange
            if exchange.status != 200:
                if instance_id is None and exchange.reply is not None:
                    text = f"list: returned {exchange.status}, expected 200"
                    self._report("positive_data_acceptance", text, exchange)
                return listing
            document: Any = exchange.reply.document if exchange.reply else None
            rows = document.get("replications") if isinstance(document, dict) else None
            if not isinstance(rows, list):
                return listing
            if len(rows) > step:
                text = f"{len(rows)} tasks on a page of limit={step}"
                self._report("pages_fit", text, exchange)
            if (total := number_of(document.get("total_count"))) is not None:
                listing.totals.append(total)
            listing.rows += rows
            known = len(listing.tasks)
            for row in rows:
                if isinstance(row, dict) and isinstance(row.get("task_name"), str):
                    stage = row.get("stage")
                    listing.tasks[row["task_name"]] = stage if isinstance(stage, str) else None
            offset += len(rows)
            # A short page need not be the last: a server may have a smaller limit of its own.
            added = len(listing.tasks) > known
            if not added or (not to_end and listing.shows_all):
                listing.whole = True
                break
        return listing

    def pages(self) -> None:
        """Check that pages of any size show the same tasks, each once, and all of them."""
        whole = self.walk(to_end=True)
        if whole.exchange is None or not whole.rows:
            return
        if not whole.whole and not (whole.totals and len(whole.tasks) > max(whole.totals)):
            return
        self._counts_all(whole, len(whole.rows))
        if len(set(whole.names)) != len(whole.names):
            self._report("pages_fit", "a task is shown twice", whole.exchange)
        for step in (1, 2):
            if len(whole.rows) > MOST_PAGES * step:
                continue
            parts = self.walk(step=step, to_end=True)
            if parts.exchange is None or not parts.whole:
                continue
            # The order is not documented, so it may differ. The tasks may not.
            if sorted(map(str, parts.names)) != sorted(map(str, whole.names)):
                text = f"one page shows {len(whole.rows)}, pages of {step} show {len(parts.rows)}"
                self._report("pages_fit", text, parts.exchange)
            else:
                self._counts_all(parts, len(whole.rows))
        self._beyond(len(whole.rows))

    def _beyond(self, count: int) -> None:
        """Beyond the last task the list is empty, and `total_count` stays."""
        query = f"offset={count + 5}"
        beyond = self._wire.request(operations()["list"], query=query)
        exchange = self._wire.send(beyond, "states: a page beyond the last")
        document = exchange.reply.document if exchange.reply else None
        if isinstance(document, dict) and document.get("replications"):
            self._report("pages_fit", "there are tasks beyond the last", exchange)
        elif isinstance(document, dict):
            total = number_of(document.get("total_count"))
            if total is not None:
                self._counts_all(Listing(totals=[total], exchange=exchange), count)

    def _counts_all(self, listing: Listing, rows: int) -> None:
        """Check that `total_count` is the number of all tasks on each page."""
        wrong = [total for total in listing.totals if total != rows]
        if wrong and listing.exchange is not None:
            text = f"total_count is {wrong[0]}, the number of tasks is {rows}"
            self._report("pages_fit", text, listing.exchange)


def number_of(value: Any) -> int | None:
    """An integer, also in a string."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
