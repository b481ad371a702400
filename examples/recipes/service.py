"""A service that pauses a task for each batch, and shuts down gracefully on SIGTERM and Ctrl-C."""

import signal
import sys
import time

from taurusdb_starrocks import Client, NotResumedError, Poll

INSTANCE = "9ac58f9b88744f8a87893d22f6ef9a28in17"
BETWEEN = 3600  # Seconds between two batches, in which the task catches up.


def process_batch() -> None:
    """Put your own work here."""
    time.sleep(3600)


def main() -> int:
    # Service managers send SIGTERM. Like Ctrl-C, it now closes the window, which resumes the task.
    # Scripts that start a program with & make it ignore Ctrl-C, so restore its handler first.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with Client(poll=Poll(first=1, interval=5)) as client:
            while True:
                with client.paused(INSTANCE, "orders_sync", already_paused="resume"):
                    print("paused", flush=True)
                    process_batch()
                time.sleep(BETWEEN)
    except NotResumedError as error:
        print(f"MAY STILL BE PAUSED: {error}", file=sys.stderr)
        return 122
    except KeyboardInterrupt:
        print("stopped, the task is running", flush=True)
        return 0


if __name__ == "__main__":
    sys.exit(main())
