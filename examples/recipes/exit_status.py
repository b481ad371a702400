"""Pause tasks and exit with a status that a shell can check: ``exit_status.py INSTANCE TASK…``."""

import sys

from taurusdb_starrocks import (
    AuthenticationError,
    Client,
    ConfigurationError,
    NotResumedError,
    OutcomeUnknownError,
    ReplicationError,
    ServerError,
    TaskFailedError,
    WaitTimeoutError,
)


def status_of(error: ReplicationError) -> int:
    """The exit status for an error. The command taurusdb-starrocks has the same ones."""
    match error:
        case NotResumedError():  # From a window or ensure_running: tasks may still be paused.
            return 122
        case ConfigurationError():  # Nothing was sent: correct the arguments.
            return 2
        case AuthenticationError():
            return 4
        case WaitTimeoutError():  # The pause may still take effect: check later.
            return 5
        case OutcomeUnknownError(harmless=False) | ServerError(harmless=False) | TaskFailedError():
            return 3  # The task may have changed, or is abnormal, or was cancelled: check it.
    return 1  # The task did not change: the request was rejected, or did not reach the service.


def main(instance_id: str, *task_names: str) -> int:
    try:
        with Client(wait_timeout=120) as client:
            client.ensure_paused(instance_id, task_names)
    except ReplicationError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return status_of(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
