"""What the guardian of a fleet's window is given, and what its watch reads."""

from __future__ import annotations

from typing import Any

import attrs

from taurusdb_starrocks import Poll, Rebuild
from taurusdb_starrocks.durable import Batch
from taurusdb_starrocks.fleet._targets import Targets
from taurusdb_starrocks.fleet._verbs import CONCURRENCY, RATE, SETTLE, Options


class WatchedFleet:
    """The window, for the watch that keeps its guardian running."""

    guardian = "taurusdb_starrocks.fleet._guardian"
    name = "fleet"

    def __init__(self, batch: Batch, targets: Targets, options: Options) -> None:
        self._batch = batch
        self._targets = targets
        self._options = {
            "settle": options.get("settle", SETTLE),
            "concurrency": options.get("concurrency", CONCURRENCY),
            "rate": options.get("rate", RATE),
            "poll": attrs.asdict(options.get("poll", Poll())),
        }

    def client(self) -> tuple[Any, bool]:
        """How the clients are built again, one for each endpoint and project."""
        documents, lasting = [], True
        for (endpoint, project_id), client in self._targets.clients.items():
            rebuild = client.rebuild()
            lasting = lasting and rebuild.lasting
            made = Rebuild("taurusdb_starrocks:AsyncClient", rebuild.arguments, rebuild.lasting)
            documents.append((endpoint, project_id, made.to_document()))
        return documents, lasting

    def appoint(self, actor: str) -> dict[str, Any]:
        """Write the guardian into the rows of the batch."""
        self._batch.guarded_by(actor)
        return {
            "journal": str(self._batch.journal.path),
            "batch": self._batch.id,
            "left": self._batch.left,
            "call_timeout": self._targets.call_timeout,
            "options": self._options,
        }

    def closed(self) -> bool:
        """Whether the journal has no task of the batch any more."""
        return self._batch.closed()

    def left(self) -> float:
        """Seconds until the lease ends."""
        return self._batch.left

    def late(self) -> bool:
        """Whether four fifths of the lease are over."""
        return self._batch.late
