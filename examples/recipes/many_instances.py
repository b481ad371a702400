"""Pause the tasks of many instances at once, do your work, and resume them."""

import asyncio
import signal
import sys

from taurusdb_starrocks import AsyncClient, NotResumedError, Stage

AT_ONCE = 20  # Instances whose tasks are paused at the same time.


async def work(instance_id: str) -> None:
    """Put your own work here. This instance's tasks are paused while it runs."""
    print(f"working on {instance_id}")


async def maintain(client: AsyncClient, instance_id: str, limit: asyncio.Semaphore) -> int:
    """Pause every running task of an instance, do the work, resume; return an exit status."""
    async with limit:
        try:
            running = [
                task.name
                async for task in client.tasks(instance_id)
                if task.stage in {Stage.FULL, Stage.INCREMENTAL}
            ]
            if running:
                async with client.paused(instance_id, running):
                    await work(instance_id)
        except NotResumedError as error:
            print(instance_id, f"MAY STILL BE PAUSED: {', '.join(error.task_names)}")
            return 122
        except Exception as error:
            print(instance_id, f"failed; this run left no task paused: {error!r}")
            return 1
    print(instance_id, "done" if running else "nothing to pause")
    return 0


async def main(instance_ids: list[str]) -> int:
    limit = asyncio.Semaphore(AT_ONCE)
    # The group waits for all windows, even if it is cancelled. Only then is the client closed.
    async with AsyncClient() as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(maintain(client, one, limit)) for one in instance_ids]
    return max((task.result() for task in tasks), default=0)


if __name__ == "__main__":
    # Service managers send SIGTERM. Like Ctrl-C, it then cancels the windows, which resume tasks.
    # Scripts that start a program with & make it ignore Ctrl-C, so restore its handler first.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(asyncio.run(main(sys.argv[1:])))
