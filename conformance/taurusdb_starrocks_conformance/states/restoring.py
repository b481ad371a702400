"""Restore the task to its original stage at the end of a run."""

from __future__ import annotations

from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.task import Change, contradicts, opposite, stages_of
from taurusdb_starrocks_conformance.wire import Wire

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
# After so many 401 or 403 in a row, the credentials are not accepted any more.
MOST_REFUSALS = 3


class Restorer:
    """Restores the task after any kind of end.

    Args:
        wire: Sends the requests.
        stage: The original stage of the task, or None if the list did not show it.
    """

    def __init__(self, wire: Wire, stage: str | None) -> None:
        self._wire = wire
        self._stage = stage
        # Running, if the stage is not known.
        self._change: Change = "pause" if (stage or "").lower() == "paused" else "resume"
        self._problem = ""

    def restore(self) -> str | None:
        """Restore the task, and poll the list until the task stays in its original stage.

        Failures are retried for `Target.settle` seconds. Without a list, it is enough that the
        change is accepted.

        Returns:
            None if the task was restored, otherwise the reason why it may not be.
        """
        wire = self._wire
        # An opposite change may have been sent just before, and may still take effect.
        hold = wire.target.hold + 2 * wire.task.slowest_effect
        until, pause = wire.clock() + wire.target.settle, FIRST_PAUSE
        accepted, refusals = wire.task.last == self._change, 0
        steady: float | None = None
        while True:
            status = 200
            if not accepted:
                status = self._send(self._change)
                accepted = status == 200
            if self._stage is None:
                if accepted:
                    return None
                if status == 400 and wire.task.last is None:
                    # A strict server refuses a change to the current stage. Then pause and resume.
                    self._send(opposite(self._change))
                back = False
            else:
                back = self._is_back()
                accepted = accepted and back
            # An accepted opposite change may still take effect.
            if back and (accepted or wire.task.last != opposite(self._change)):
                steady = wire.clock() if steady is None else steady
                if wire.clock() - steady >= hold:
                    return None
                pause = min(pause, max(hold / 4, FIRST_PAUSE))
            else:
                steady = None
            refusals = refusals + 1 if status in (401, 403) else 0
            if refusals >= MOST_REFUSALS or (wire.clock() > until and steady is None):
                return None if back else self._problem
            wire.sleep(max(pause, 1.0) if status == 429 else pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def failure(self, problem: str) -> str:
        """The message for a task that could not be restored, with the request that does it."""
        target, change = self._wire.target, self._change
        states = ("MAY STILL BE PAUSED", "was paused and MAY RUN NOW")
        request = self._wire.request(operations()[change])
        return (
            f"task {target.task_name} of instance {target.instance_id} "
            f"{states[change == 'pause']}: {problem}. To {change} it: "
            f"POST {target.url}{request.path.removeprefix(target.base)} {request.body.decode()}"
        )

    def _send(self, change: Change) -> int:
        """Send a change; the status of the response, 0 if there was none."""
        request = self._wire.request(operations()[change])
        exchange = self._wire.send_to_restore(request, f"restoring: {change}")
        self._problem = _said(change, exchange)
        return exchange.status

    def _is_back(self) -> bool:
        """Whether the list shows the original stage."""
        stage = self._shown()
        if stage is None:
            return False
        back = stage.lower() == (self._stage or "").lower() or not contradicts(stage, self._change)
        if not back:
            self._problem = f"the list shows the stage {stage!r}"
        return back

    def _shown(self) -> str | None:
        """The stage of the task in the list, or None."""
        wire, offset = self._wire, 0
        seen: set[str] = set()
        while True:
            request = wire.request(operations()["list"], query=f"limit=100&offset={offset}")
            exchange = wire.send_to_restore(request, "restoring: list")
            document = exchange.reply.document if exchange.reply else None
            rows = document.get("replications") if isinstance(document, dict) else None
            if (
                exchange.status != 200
                or not isinstance(document, dict)
                or not isinstance(rows, list)
            ):
                self._problem = _said("the list", exchange)
                return None
            if stages := stages_of(document, wire.target.task_name):
                return stages[0]
            names = {str(row.get("task_name")) for row in rows if isinstance(row, dict)}
            if names <= seen:
                self._problem = "the list does not show the task"
                return None
            seen |= names
            offset += len(rows)


def _said(what: str, exchange: Exchange) -> str:
    if exchange.reply is None:
        return f"{what}: there was no response ({exchange.error})"
    return f"{what}: returned {exchange.status}"
