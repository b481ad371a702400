"""Change a schema while its task is paused, then check that the change can be replicated.

``schema_change.py INSTANCE TASK COMMAND…`` runs the command, like ``mysql -e "ALTER TABLE …"``.
"""

import subprocess
import sys

from taurusdb_starrocks import Client


def main(instance_id: str, task_name: str, *command: str) -> int:
    with Client() as client:
        seconds = client.configuration(instance_id, task_name).binlog_retention_seconds
        retention = "unknown" if seconds is None else f"{seconds} s"
        print(f"binlog retention of the source: {retention}; finish well before that")

        with client.paused(instance_id, task_name):
            subprocess.run(command, check=True)

        # Some changes cannot be replicated. The service reports it once the task is running again.
        problem = client.configuration(instance_id, task_name).last_error_of_alter_table
        needs_repair = client.task(instance_id, task_name).needs_repair
    if problem or needs_repair:
        print(f"{task_name} needs a repair: {problem or 'see the console'}", file=sys.stderr)
        return 1
    print(f"{task_name} is running; no repair is needed")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
