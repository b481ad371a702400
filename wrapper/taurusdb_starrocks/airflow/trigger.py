"""The trigger, which waits in the triggerer and occupies no worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
from airflow.triggers.base import BaseTrigger, TriggerEvent

from taurusdb_starrocks import ReplicationError
from taurusdb_starrocks.airflow.hook import StarRocksReplicationHook
from taurusdb_starrocks.airflow.waits import Wait, final


class ReplicationTrigger(BaseTrigger):
    """Pauses or resumes tasks, or only waits for that, and fires once.

    Another triggerer that takes it over starts again. It polls before it repeats a request.

    Args:
        conn_id: ID of the connection.
        **wait: The attributes of ``Wait``.
    """

    def __init__(self, conn_id: str, **wait: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is not typed.
        self.conn_id = conn_id
        self.wait = Wait(**wait)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The name of this class, and its arguments."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return name, {"conn_id": self.conn_id, **attrs.asdict(self.wait)}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire with ``results``, or with ``error`` and whether it is ``final``."""
        told: dict[str, Any]
        try:
            async with await StarRocksReplicationHook(self.conn_id).get_async_conn() as client:
                results = await self.wait.arun(client)
        except ReplicationError as error:
            told = {"error": str(error), "final": final(error)}
        else:
            told = {"results": results}
        yield TriggerEvent(told)  # type: ignore[no-untyped-call]  # As above.
