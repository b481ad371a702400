"""What can go wrong, told apart only where a caller would act differently.

ReplicationError                   catch this for everything
├── ConfigurationError             before any I/O (also a ValueError)
├── NotSentError                   the request never left; safe to repeat
├── OutcomeUnknownError            it left and no usable answer came; the task may have changed
├── WaitTimeoutError               the task did not get there in time (also a TimeoutError)
├── TaskFailedError                the task turned abnormal or was cancelled
├── NotResumedError                tasks that were paused may still be: resume them by hand
└── ServiceError                   status, code, message, request_id, retry_after
    ├── BadRequestError            400
    │   └── NotFoundError          404, or a 400 whose code says so
    ├── AuthenticationError        401
    ├── PermissionDeniedError      403
    ├── ConflictError              409
    ├── RateLimitError             429
    ├── UnsupportedOperationError  the service does not have this call
    └── ServerError                5xx with an answer of the service's own
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taurusdb_starrocks._tasks import Task


def _rebuild(
    cls: type[ReplicationError], args: tuple[Any, ...], state: dict[str, Any]
) -> ReplicationError:
    error = cls.__new__(cls, *args)
    error.args = args  # An OSError does not keep them without its constructor.
    error.__dict__.update(state)
    return error


class ReplicationError(Exception):
    """Everything that this package raises on purpose.

    Attributes:
        attempts: How often the request was sent or tried to be sent; 0 before any I/O.
        elapsed: Seconds from the start of the call to its end, waiting included.
        request_id: ID of the request at the service, if an answer had one.
    """

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id
        self.attempts = 0
        self.elapsed = 0.0

    def __str__(self) -> str:
        return self._headline() + self._footnote()

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)

    def _headline(self) -> str:
        return self.message

    def _footnote(self) -> str:
        notes = [f"request {self.request_id}"] if self.request_id else []
        if self.attempts > 1:
            notes.append(f"{self.attempts} attempts in {self.elapsed:.1f} s")
        return f" ({', '.join(notes)})" if notes else ""


class ConfigurationError(ReplicationError, ValueError):
    """An argument or a setting is missing or malformed. Nothing was sent."""


class NotSentError(ReplicationError):
    """The request never left this machine, or not as far as the service. Safe to repeat.

    The service could not be reached, or an identity could not be had in time.
    """


class OutcomeUnknownError(ReplicationError):
    """The request left and no usable answer came: **the task may have changed**.

    Look at the task's stage before asking again: a second pause of a task that is pausing may
    be refused.

    Attributes:
        status: HTTP status of the answer, or None when there was none.
        code: Error code in the answer, or None.
        harmless: Whether the request was one that changes nothing, a look at the tasks.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        harmless: bool = False,
    ) -> None:
        advice = (
            "Nothing changes by looking: it is safe to repeat."
            if harmless
            else "The task may have changed: look at its stage before asking again."
        )
        super().__init__(f"{message}. {advice}", request_id=request_id)
        self.status = status
        self.code = code
        self.harmless = harmless


class WaitTimeoutError(ReplicationError, TimeoutError):
    """The task did not reach the stage in time. The job may still bring it there.

    Attributes:
        task: The task as it was last seen, or None if no look succeeded.
    """

    def __init__(self, message: str, *, task: Task | None = None) -> None:
        super().__init__(message)
        self.task = task


class TaskFailedError(ReplicationError):
    """The task turned abnormal or was cancelled, so it will not reach the stage by itself.

    Attributes:
        task: The task as it was last seen.
    """

    def __init__(self, message: str, *, task: Task) -> None:
        super().__init__(message)
        self.task = task


class NotResumedError(ReplicationError):
    """Tasks that were paused for a while may still be paused: resume them by hand.

    Its ``__cause__`` says what went wrong with the first of them.

    Attributes:
        instance_id: Instance of the tasks.
        task_names: The tasks that are not known to run again.
    """

    def __init__(self, message: str, *, instance_id: str, task_names: Sequence[str]) -> None:
        super().__init__(message)
        self.instance_id = instance_id
        self.task_names = tuple(task_names)


class ServiceError(ReplicationError):
    """The service, or the gateway in front of it, refused. Nothing changed, if not said otherwise.

    Attributes:
        status: HTTP status.
        code: The service's own code, like ``DBS.200022``, or None.
        message: What the service says, in the language asked for; free of secrets.
        retry_after: Seconds after which the service wants to be asked again, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def _headline(self) -> str:
        # What a good list lacks is not found either, and 200 would only puzzle.
        status = str(self.status) if self.status >= 400 else None
        return " ".join(part for part in (status, self.code, self.message) if part)


class BadRequestError(ServiceError):
    """400: the service finds the request wrong, or the state of the task does not allow it."""


class NotFoundError(BadRequestError):
    """The instance or the task does not exist: 404, or a 400 whose code says so."""


class AuthenticationError(ServiceError):
    """401: the identity is wrong, expired, or of another project or region."""


class PermissionDeniedError(ServiceError):
    """403: the identity may not do this, or the thing is absent; the service does not tell.

    The permission is ``gaussdbformysql:htapInstance:modifyDataSync`` to pause and resume, and
    ``gaussdbformysql:htapInstance:getReplication`` to look.
    """


class ConflictError(ServiceError):
    """409: another operation is running on the instance."""


class RateLimitError(ServiceError):
    """429: too many requests. Wait ``retry_after`` seconds, if it is given."""


class UnsupportedOperationError(ServiceError):
    """The service does not have this call: it follows an older contract. Nothing changed.

    Contract 1.0 has ``pause`` and ``resume``; 1.1 added the list of tasks, which ``tasks``,
    ``task``, ``wait`` and a window need; 1.2 added ``instances`` and ``configuration``. Whatever
    the service does have goes on working.
    """


class ServerError(ServiceError):
    """5xx with an answer of the service's own: **the task may have changed**.

    Only a 503 with ``retry_after`` says that nothing was done.
    """
