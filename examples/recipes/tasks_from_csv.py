"""Pause or resume the tasks in a CSV file: ``tasks_from_csv.py pause|resume tasks.csv``.

The file has the columns instance_id and task_name. Failed tasks are written to failed.csv, in the
same format. It is safe to run the script again.
"""

import csv
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from taurusdb_starrocks import Client, ReplicationError

AT_ONCE = 8  # Instances whose tasks are changed at the same time.
Failures = list[tuple[str, str, ReplicationError]]


def read(path: str) -> dict[str, list[str]]:
    """The tasks of each instance."""
    tasks: defaultdict[str, list[str]] = defaultdict(list)
    with Path(path).open(newline="", encoding="utf-8-sig") as file:  # Excel writes a BOM.
        rows = csv.DictReader(file)
        if sorted(rows.fieldnames or ()) != ["instance_id", "task_name"]:
            sys.exit(f"{path}: the first line must be instance_id,task_name")
        for row in rows:
            tasks[row["instance_id"]].append(row["task_name"])
    return tasks


def main(action: str, path: str) -> int:
    tasks = read(path)
    with Client() as client, ThreadPoolExecutor(AT_ONCE) as pool:
        change = {"pause": client.ensure_paused, "resume": client.ensure_running}[action]

        def change_all(instance_id: str) -> Failures:
            names = tasks[instance_id]
            try:
                change(instance_id, names)  # One poll for all of them.
            except ReplicationError as error:
                if len(names) == 1:
                    return [(instance_id, names[0], error)]
            else:
                return []
            failures: Failures = []
            for name in names:  # One by one, so that one task does not stop the others.
                try:
                    change(instance_id, name)
                except ReplicationError as error:
                    failures.append((instance_id, name, error))
            return failures

        failures = [failure for found in pool.map(change_all, tasks) for failure in found]

    with Path("failed.csv").open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(["instance_id", "task_name"])
        for instance_id, name, error in failures:
            write.writerow([instance_id, name])
            print(f"{instance_id} {name}: {error}", file=sys.stderr)
    total = sum(map(len, tasks.values()))
    print(f"{action}: {total - len(failures)} of {total} done")
    if not failures:
        return 0
    return 122 if action == "resume" else 1  # 122: tasks may still be paused.


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
