"""Change a schema while its task is paused, then check that the change can be replicated.

``schema_change.py INSTANCE TASK COMMAND…`` runs the command, like ``mysql -e "ALTER TABLE …"``.
"""

import subprocess
import sys
import time

from taurusdb_starrocks import Client

WATCH = 120  # Seconds. The service reports a problem only after it has applied the change.


def main(instance_id: str, task_name: str, *command: str) -> int:
    with Client() as client:

        def error() -> str:
            return client.configuration(instance_id, task_name).last_error_of_alter_table

        def needs_repair() -> bool:
            return client.task(instance_id, task_name).needs_repair or False

        seconds = client.configuration(instance_id, task_name).binlog_retention_seconds
        retention = "unknown" if seconds is None else f"{seconds} s"
        print(f"binlog retention of the source: {retention}; finish well before that")

        earlier = error()  # Of an earlier change; the service may keep it.
        if needs_repair():
            print(f"{task_name} already needs a repair. Nothing was changed", file=sys.stderr)
            return 1
        with client.paused(instance_id, task_name):
            subprocess.run(command, check=True)

        until = time.monotonic() + WATCH
        while time.monotonic() < until:
            if needs_repair() or error() not in ("", earlier):
                print(f"{task_name} needs a repair: {error()}", file=sys.stderr)
                return 1
            time.sleep(10)
    print(f"{task_name} is running; no problem was reported within {WATCH} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
