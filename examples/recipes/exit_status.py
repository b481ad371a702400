"""Pause tasks and exit with a status that a shell can check: ``exit_status.py INSTANCE TASK…``."""

import sys

from taurusdb_starrocks import (
    AuthenticationError,
    Client,
    ConfigurationError,
    NotResumedError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ReplicationError,
    ServerError,
    TaskFailedError,
    WaitTimeoutError,
)

# The first class that matches decides.
STATUSES: list[tuple[type[ReplicationError], int]] = [
    (NotResumedError, 122),  # From a window or ensure_running: tasks may still be paused.
    (ConfigurationError, 2),  # Nothing was sent: correct the arguments.
    (AuthenticationError, 4),
    (PermissionDeniedError, 4),
    (WaitTimeoutError, 5),  # The pause may still take effect: check later.
    (OutcomeUnknownError, 3),  # The task may have changed: check its stage.
    (ServerError, 3),
    (TaskFailedError, 3),  # It is abnormal or was cancelled.
    (NotSentError, 1),  # Nothing changed: safe to retry.
    (ReplicationError, 1),  # Rejected: nothing changed.
]


def status_of(error: ReplicationError) -> int:
    return next(status for kind, status in STATUSES if isinstance(error, kind))


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
