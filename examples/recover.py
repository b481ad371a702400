"""Resume the tasks of windows whose program and guardian are gone. Run it from a timer.

It takes the path of the journal, and its credentials from the environment.
"""

import logging
import sys

from taurusdb_starrocks.durable import Journal, recover

logger = logging.getLogger("recover")


def main() -> int:
    """Print the results; return 1 if a task could not be resumed."""
    logging.basicConfig(level=logging.WARNING)
    failed = 0
    with Journal(sys.argv[1], create=False) as journal:
        for done in recover(journal, timeout=600):
            logger.warning("%s: %s %s", done.entry.task_name, done.outcome, done.why)
            failed |= done.outcome == "failed"
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
