"""Stay below a rate limit: one client, few concurrent calls, fewer polls, and more retries."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from taurusdb_starrocks import Client, Poll, RateLimitError, RetryPolicy, Task

AT_ONCE = 4


def pause(client: Client, instance_id: str, task_name: str) -> Task:
    while True:
        try:
            return client.ensure_paused(instance_id, task_name)
        except RateLimitError as error:  # The client has already tried six times.
            time.sleep(error.retry_after or 60)


def main(instance_id: str, task_names: list[str]) -> int:
    with (
        Client(
            retry=RetryPolicy(attempts=6, first_delay=1.0, longest_delay=20.0),
            timeout=120,
            poll=Poll(first=10, interval=30),
            max_connections=AT_ONCE,
        ) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        for task in pool.map(lambda name: pause(client, instance_id, name), task_names):
            print(task.name, task.stage_text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
