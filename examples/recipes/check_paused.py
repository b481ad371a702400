"""Report paused tasks: ``check_paused.py INSTANCE…``.

The exit status is 6 if any task is paused, else 1 if an instance could not be checked.
Run it from cron on a different machine from your jobs. cron sends its output by mail.
"""

import sys

from taurusdb_starrocks import Client, ReplicationError, Stage


def main(instance_ids: list[str]) -> int:
    status = 0
    with Client() as client:
        for instance_id in instance_ids:
            try:
                for task in client.tasks(instance_id):
                    if task.stage is Stage.PAUSED:
                        print(f"PAUSED: {task.name} on {instance_id}")
                        status = 6
            except ReplicationError as error:
                print(f"could not check {instance_id}: {error}")
                status = status or 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
