"""http.client of the standard library: no pool, no checks, the least there is."""

from __future__ import annotations

import http.client
import json
import sys
from urllib.parse import urlsplit

from measure import PATH, TASK, TOKEN, sequential, work

HEADERS = {"X-Auth-Token": TOKEN, "X-Language": "en-us", "Content-Type": "application/json"}


def one_by_one(calls: int) -> dict[str, float]:
    connection = http.client.HTTPConnection(urlsplit(sys.argv[1]).netloc)

    def call() -> str:
        connection.request("POST", PATH, json.dumps({"task_name": TASK}), HEADERS)
        return json.load(connection.getresponse())["job_id"]

    try:
        return sequential(call, calls)
    finally:
        connection.close()


work({"sequential": one_by_one})
