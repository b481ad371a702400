"""Exit statuses, and errors in one line that says what to do next."""

from __future__ import annotations

from taurusdb_starrocks import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    NotResumedError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ReplicationError,
    ServerError,
    TaskFailedError,
    WaitTimeoutError,
)
from taurusdb_starrocks.cli import PROGRAM

DONE = 0
REFUSED = 1
WRONG_USE = 2
UNKNOWN = 3
AUTHENTICATION = 4
TIMED_OUT = 5
PAUSED = 6
MAY_BE_PAUSED = 122
INTERRUPTED = 130
# More exit statuses of window, in addition to the command's own.
NEVER_RAN = 121
MAX_REACHED = 124
NOT_EXECUTABLE = 126
NOT_FOUND = 127


def status_of(error: ReplicationError) -> int:
    """The exit status of a command that ended with an error."""
    if may_be_paused(error):
        return MAY_BE_PAUSED
    match error:
        case ConfigurationError():
            return WRONG_USE
        case AuthenticationError():
            return AUTHENTICATION
        case WaitTimeoutError():
            return TIMED_OUT
        case OutcomeUnknownError(harmless=False) | ServerError(harmless=False) | TaskFailedError():
            return UNKNOWN
    return REFUSED


def line_of_system(error: OSError) -> str:
    """An error of the operating system in one line."""
    about = f"{error.filename}: " if error.filename else ""
    return f"{about}{error.strerror or error}."


def may_be_paused(error: Exception) -> bool:
    """Whether an error says that tasks may still be paused: one of a window, or of a fleet's."""
    return isinstance(error, NotResumedError) or bool(getattr(error, "may_be_paused", False))


def line_of(error: ReplicationError) -> str:
    """The error in one line, with what to do next."""
    about = f"{error.instance_id or 'INSTANCE'} {error.task_name or ''}".rstrip()
    if isinstance(error, NotResumedError):
        names = " ".join(error.task_names)
        why = f" ({' '.join(str(error.__cause__).split())})" if error.__cause__ else ""
        refused = isinstance(error.__cause__, AuthenticationError | PermissionDeniedError)
        first = f"Check the credentials: {PROGRAM} doctor. Then resume" if refused else "Resume"
        return (
            f"{names} MAY STILL BE PAUSED{why}, and cannot catch up once the source's binary log "
            f"is gone. {first}: {PROGRAM} resume {error.instance_id} {names}"
        )
    text = " ".join(str(error).split())
    if may_be_paused(error):
        return f"{text} Resume what is left: {PROGRAM} recover"
    match error:
        case ConfigurationError():
            return text
        case AuthenticationError() | NotSentError() | PermissionDeniedError():
            next_step = f"What is configured: {PROGRAM} doctor"
        case (
            NotFoundError(code=None) | NotFoundError(code="DBS.05000091")
        ):  # There is no such task.
            next_step = f"What there is: {PROGRAM} tasks {error.instance_id or 'INSTANCE'}"
        case NotFoundError():
            next_step = (
                "Check the instance ID, the project, and the region. "
                f"The instances of a TaurusDB instance: {PROGRAM} instances IN07_ID"
            )
        case OutcomeUnknownError(harmless=False) | ServerError(harmless=False) | WaitTimeoutError():
            next_step = f"How it is now: {PROGRAM} status {about}"
        case _:
            return text
    return f"{text} {next_step}"
