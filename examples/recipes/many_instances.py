"""Pause the tasks of many instances at once, do your work, and resume them."""

import asyncio
import sys

from taurusdb_starrocks import AsyncClient, NotResumedError, ReplicationError, Stage

AT_ONCE = 20  # Instances that are paused at the same time.


async def work(instance_id: str) -> None:
    """Put your own work here. This instance's tasks are paused while it runs."""
    print(f"working on {instance_id}")


async def maintain(client: AsyncClient, instance_id: str, limit: asyncio.Semaphore) -> str:
    """Pause every running task of an instance, do the work, resume; return a result to print."""
    async with limit:
        try:
            running = [
                task.name
                async for task in client.tasks(instance_id)
                if task.stage in {Stage.FULL, Stage.INCREMENTAL}
            ]
            if not running:
                return "nothing to pause"
            async with client.paused(instance_id, running):
                await work(instance_id)
        except NotResumedError as error:
            return f"MAY STILL BE PAUSED: {', '.join(error.task_names)}"
        except ReplicationError as error:
            return f"failed, no task was left paused: {error}"
        return "done"


async def main(instance_ids: list[str]) -> int:
    limit = asyncio.Semaphore(AT_ONCE)
    async with AsyncClient() as client:
        results = await asyncio.gather(*(maintain(client, one, limit) for one in instance_ids))
    for instance_id, result in zip(instance_ids, results, strict=True):
        print(instance_id, result)
    return 0 if set(results) <= {"done", "nothing to pause"} else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
