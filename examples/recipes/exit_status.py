"""Pause tasks and tell a shell what happened: ``exit_status.py INSTANCE TASK…``."""

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
    WaitTimeoutError,
)

# The first class that fits decides. The numbers are those of the command taurusdb-starrocks.
STATUSES: list[tuple[type[ReplicationError], int]] = [
    (NotResumedError, 122),  # Tasks may still be paused: wake somebody up.
    (ConfigurationError, 2),  # Nothing was sent: correct the arguments.
    (AuthenticationError, 4),
    (PermissionDeniedError, 4),
    (WaitTimeoutError, 5),  # It may still happen: look again later.
    (OutcomeUnknownError, 3),  # It may have happened: read the stage.
    (ServerError, 3),
    (NotSentError, 1),  # Nothing changed: safe to repeat.
    (ReplicationError, 1),  # Refused: nothing changed.
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
