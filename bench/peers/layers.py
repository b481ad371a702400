"""What each layer of this project's client costs: the same call, made by ever more of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from measure import INSTANCE, PATH, PROJECT, TASK, TOKEN, sequential, work
from taurusdb_starrocks_api.api.data_synchronization import pause_star_rocks_data_replication
from taurusdb_starrocks_api.models import Language, SyncTask

from taurusdb_starrocks import Client, TokenAuth
from taurusdb_starrocks._decisions.steps import run

LANGUAGE = {"X-Language": "en-us"}


@contextmanager
def layers() -> Iterator[dict[str, Callable[[], Any]]]:
    """A call by the innermost layer alone, then with one more each time."""
    with Client(endpoint=sys.argv[1], project_id=PROJECT, auth=TokenAuth(TOKEN)) as client:
        http = client.api.get_httpx_client()
        calls, network = http._bridge.calls, http._network
        document = {"task_name": TASK}
        _, request = calls.request("POST", PATH, LANGUAGE, document=document)
        complete = request.with_headers({"X-Auth-Token": TOKEN})

        def perform(step: Any) -> Any:
            return network.exchange(step.request, time.monotonic() + 60)

        def attempts() -> Any:
            call, request = calls.request("POST", PATH, LANGUAGE, document=document)
            return run(calls.steps(call, request), perform)

        yield {
            "network": lambda: network.exchange(complete, time.monotonic() + 60),
            "attempts": attempts,
            "bridge": lambda: http.request("post", PATH, headers=LANGUAGE, json=document).json(),
            "generated": lambda: pause_star_rocks_data_replication.sync_detailed(
                PROJECT,
                INSTANCE,
                client=client.api,
                body=SyncTask(task_name=TASK),
                x_language=Language("en-us"),
            ),
            "verbs": lambda: client.pause(INSTANCE, TASK),
        }


def measured(layer: str, calls: int) -> dict[str, float]:
    with layers() as made:
        return sequential(made[layer], calls)


if __name__ == "__main__":
    work(
        {
            layer: lambda calls, layer=layer: measured(layer, calls)
            for layer in ("network", "attempts", "bridge", "generated", "verbs")
        }
    )
