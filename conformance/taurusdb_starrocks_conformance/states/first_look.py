"""The first requests to a target: whether it responds, and which operations it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taurusdb_starrocks_conformance.contract import operations, untested
from taurusdb_starrocks_conformance.exchange import UNKNOWN_TASK, Exchange, Reply, Request
from taurusdb_starrocks_conformance.target import PREFIX, CannotRunError
from taurusdb_starrocks_conformance.wire import Report, Wire


class FirstLook:
    """Finds out which operations a target has. Missing ones are recorded on the wire."""

    def __init__(self, wire: Wire, report: Report) -> None:
        self._wire = wire
        self._report = report

    def look(self) -> None:
        """Send each operation that only reads.

        Raises:
            CannotRunError: The target cannot be tested.
        """
        wire, target = self._wire, self._wire.target
        for operation in operations().values():
            if operation.method != "GET":
                continue
            if operation.of_source and not target.source_instance_id:
                wire.lacking.add(operation.verb)
                continue
            exchange = wire.send(wire.request(operation), f"first look: {operation.verb}")
            if exchange.reply is None:
                raise CannotRunError(f"{target.url} does not respond: {exchange.error}")
            if exchange.status == 401:
                raise CannotRunError(f"{target.url} rejects the token (401)")
            if self._lacks(operation.verb, exchange):
                wire.lacking.add(operation.verb)
            elif exchange.status != 200:
                text = f"{operation.verb}: returned {exchange.status}, expected 200"
                self._report("positive_data_acceptance", text, exchange)

    def notes(self) -> Iterator[str]:
        """What is not tested, and which version of the contract the target implements."""
        for identifier in untested():
            yield f"{identifier} is not tested: the suite does not know this operation."
        for operation in operations().values():
            if operation.verb not in self._wire.lacking:
                continue
            if operation.of_source and not self._wire.target.source_instance_id:
                yield f"{operation.id} is not tested: {PREFIX}SOURCE_INSTANCE_ID is not set."
            else:
                older = {"1.1": "1.0", "1.2": "1.1"}[operation.since]
                told = f"it implements API version {older}."
                yield f"The server does not have {operation.id}: {told}"
        if self._wire.target.is_remote:
            yield "Methods that may change something are not sent to paths that only have GET."
        if not self._wire.list_is_offered:
            yield "The effect of a pause or a resume could not be tested."

    def _lacks(self, verb: str, exchange: Exchange) -> bool:
        """Whether the target does not know the path of an operation.

        A target that knows the path but responds that this instance does not exist has a fault.
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
            and (known.status, _code(known)) != (reply.status, _code(reply))
        )


def _code(reply: Reply) -> Any:
    """The code of an error."""
    return reply.document.get("error_code") if isinstance(reply.document, dict) else None
