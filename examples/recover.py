"""Resume the tasks of windows whose program and guardian are gone. Run it from a timer.

It takes the path of the journal, and its credentials from the environment. It prints nothing if
there was nothing to resume, so cron sends no mail then.
"""

import logging
import sys

from taurusdb_starrocks.durable import Journal, recover

logger = logging.getLogger("recover")


def main() -> int:
    """Print the results; return 122 if a task could not be resumed."""
    logging.basicConfig(level=logging.WARNING)
    status = 0
    with Journal(sys.argv[1], create=False) as journal:
        for done in recover(journal, timeout=600):
            if done.outcome != "left":
                logger.warning("%s: %s %s", done.entry.task_name, done.outcome, done.why)
            if done.outcome == "failed":
                status = 122
    return status


if __name__ == "__main__":
    sys.exit(main())
