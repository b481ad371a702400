"""What the guardian of a fleet's window resumes. Its loop is that of every guardian."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from taurusdb_starrocks import AsyncClient, ConfigurationError, Poll, Rebuild, ReplicationError
from taurusdb_starrocks.durable import (
    Batch,
    Former,
    Journal,
    Standing,
    batched,
    guard,
)
from taurusdb_starrocks.fleet._budget import Budget
from taurusdb_starrocks.fleet._targets import Target, Targets
from taurusdb_starrocks.fleet._verbs import Options, carry_out

# Seconds of an attempt. What does not run then is tried again, with the credentials that the
# program has sent since. A task that was not visited yet is visited all the same.
ROUND = 15.0


def main(given: dict[str, Any], hears: int = 0, says: int = 1) -> None:
    """Be the guardian of a fleet's window."""
    guard(given, Fleet, hears, says)


class Fleet:
    """The tasks of a fleet's window, for ``guard``.

    Args:
        given: ``journal``; ``batch``, whose tasks are resumed; ``actor``, the ID of the guardian's
            own batch; ``left``, seconds until the lease ends; ``client``, how the clients are
            built, by endpoint and project; ``options``; ``call_timeout``.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        batch: str = given["batch"]
        self.name = f"fleet {batch}"
        self._batch_id = batch
        self._clients: dict[tuple[str, str], dict[str, Any]] = {}
        self.use(given["client"])
        options = dict(given["options"])
        options["poll"] = Poll(**options["poll"])
        options["timeout"] = ROUND
        self._options: Options = {**options, "connect": self._connect}  # type: ignore[typeddict-item]  # They came through a pipe.
        self._journal = Journal(given["journal"], create=False)
        self._former = Former(self._journal, batch, given["actor"], given["left"])
        self._batch = Batch(
            self._journal,
            "resume",
            call_timeout=given["call_timeout"],
            settle=options["settle"],
            heir_of=batch,
            number=given["actor"],
        )
        for endpoint, project_id in self._clients:
            self._connect(endpoint, project_id)  # Wrong settings are reported early.
        self._released = False  # Whether tasks were released while the program was alive.

    def _connect(self, endpoint: str | None, project_id: str | None) -> AsyncClient:
        document = self._clients.get((endpoint or "", project_id or ""))
        if document is None:
            raise ConfigurationError(f"The guardian knows of no {endpoint} and {project_id}.")
        client: AsyncClient = Rebuild.from_document(document).build()
        return client

    def read(self) -> Standing:
        """What the journal says about the batch."""
        return self._former.read()

    def alive(self) -> bool:
        """Whether the program holds the lock of its batch."""
        return self._former.alive()

    def use(self, client: Any) -> None:
        """Build clients from other documents."""
        self._clients = {(endpoint, project): document for endpoint, project, document in client}

    def take(self, *, expired: bool) -> bool:
        """Take over what the batch has."""
        return self._former.take(expired=expired) or (self._released and not expired)

    def resume(self, *, release: bool) -> str:
        """Resume what the batch has, and release it.

        Args:
            release: Whether the window is over. If not, its program may have been stopped just
                before it sends a pause. At the end, such tasks are taken back and resumed again.

        Raises:
            ReplicationError: Tasks may still be paused.
        """
        done = self._bring()
        if release and self._released:
            self._former.reclaim()
            done += self._bring()
        self._released = not release
        return f"resumed {done}"

    def _targets(self) -> Iterator[Target]:
        for place, names in batched(self._journal, self._batch_id):
            for name in names:
                yield Target(place[2], name, None, place[0], place[1])

    def _bring(self) -> int:
        """Resume what the batch has in the journal, and return how many tasks that were."""
        found = list(self._targets())
        return asyncio.run(self._carry_out(found)) if found else 0

    async def _carry_out(self, found: list[Target]) -> int:
        targets = Targets(found, self._connect)
        try:
            budget = Budget(None, endless=True)
            result = await carry_out(self._batch, targets, budget, self._options)
        finally:
            await targets.aclose()
        done = result.counts["confirmed"] + result.counts["found"]
        if not result.complete:
            first = next(result.outcomes())
            raise ReplicationError(
                f"{len(found) - done} of {len(found)}, the first is {first.target.task_name} "
                f"of {first.target.instance_id}: {first.error}"
            )
        return result.counts["confirmed"]

    def failed(self, _error: ReplicationError) -> None:
        """Nothing: each task has its own error in the journal."""

    def close(self) -> None:
        """Release the lock, and close the journal."""
        self._batch.close()
        self._journal.close()
