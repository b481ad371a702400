"""The errors of this package. There is a class for each case that a caller handles differently.

ReplicationError                   catch this for everything
├── ConfigurationError             before any I/O (also a ValueError)
├── NotSentError                   the request was not sent; safe to retry
├── OutcomeUnknownError            sent, but no usable response; the task may have changed
├── WaitTimeoutError               the task did not reach the stage in time (also a TimeoutError)
├── TaskFailedError                the task became abnormal or was cancelled
├── AlreadyPausedError             a window did not open, because tasks were already paused
├── NotResumedError                tasks may still be paused: resume them yourself
└── ServiceError                   status, code, message, request_id, retry_after
    ├── BadRequestError            400
    │   └── NotFoundError          404, or a 400 whose code means "not found"
    ├── AuthenticationError        401
    ├── PermissionDeniedError      403
    ├── ConflictError              409
    ├── RateLimitError             429
    ├── UnsupportedOperationError  the service does not support this call
    └── ServerError                5xx with a response from the service itself
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
    """Base class of all errors that this package raises.

    Attributes:
        message: The message without the details that ``str`` adds, such as the task and request ID.
        operation: The call that failed, for example ``pause`` or ``list``; None before any call.
        host: Host of the call, or None.
        instance_id: Instance of the call, or None.
        task_name: Task of the call, or None.
        attempts: Number of attempts to send the request; 0 before any I/O.
        elapsed: Duration of the call in seconds, including waits.
        request_id: ID of the request at the service, if a response had one.
        possibly_paused: After ``ensure_paused``, the tasks that it may have paused. They stay
            paused until you resume them.
    """

    operation: str | None = None
    host: str | None = None
    instance_id: str | None = None
    task_name: str | None = None
    attempts: int = 0
    elapsed: float = 0.0
    possibly_paused: tuple[str, ...] = ()

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        paused = ", ".join(self.possibly_paused)
        left = f" May be paused now: {paused}." if paused else ""
        return self._headline() + self._footnote() + left

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)

    def _headline(self) -> str:
        return self.message

    def _footnote(self) -> str:
        about = self.task_name or self.instance_id or ""
        notes = [f"{self.operation} {about}".rstrip()] if self.operation else []
        if self.request_id:
            notes.append(f"request {self.request_id}")
        if self.attempts > 1:
            notes.append(f"{self.attempts} attempts in {self.elapsed:.1f} s")
        return f" ({', '.join(notes)})" if notes else ""


class ConfigurationError(ReplicationError, ValueError):
    """An argument or a setting is missing or malformed. Nothing was sent."""


class NotSentError(ReplicationError):
    """The request did not reach the service. It is safe to retry.

    The client could not connect to the service, or could not get a token in time.

    Attributes:
        lasting: True if another attempt would fail in the same way, for example because a
            certificate is not trusted. Such a request is not retried.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class OutcomeUnknownError(ReplicationError):
    """The request was sent, but there was no usable response: **the task may have changed**.

    Check the task's stage before you retry: the service may reject a second pause of a task that
    is pausing. ``ensure_paused`` and ``ensure_running`` do this for you.

    Attributes:
        status: HTTP status of the response, or None when there was none.
        code: Error code in the response, or None.
        harmless: True if the request was read-only, so that nothing can have changed.
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
            "The request only reads: it is safe to repeat."
            if harmless
            else "The task may have changed: read its stage before you repeat it."
        )
        super().__init__(f"{message.rstrip('.')}. {advice}", request_id=request_id)
        self.status = status
        self.code = code
        self.harmless = harmless


class WaitTimeoutError(ReplicationError, TimeoutError):
    """The task did not reach the stage in time. It may still reach it later.

    Attributes:
        task: The task in the last successful poll, or None if no poll succeeded.
    """

    def __init__(self, message: str, *, task: Task | None = None) -> None:
        super().__init__(message)
        self.task = task


class TaskFailedError(ReplicationError):
    """The task became abnormal or was cancelled, so it will not reach the stage on its own.

    Attributes:
        task: The task in the last poll.
    """

    def __init__(self, message: str, *, task: Task) -> None:
        super().__init__(message)
        self.task = task


class AlreadyPausedError(ReplicationError):
    """A window with ``already_paused="error"`` did not open, because tasks were already paused.

    Nothing changed. Someone else may have paused the tasks, or an earlier window was never closed.

    Attributes:
        instance_id: Instance of the tasks.
        task_names: The tasks that were already paused.
    """

    def __init__(self, instance_id: str, task_names: Sequence[str]) -> None:
        super().__init__(
            "The window did not open, because tasks are already paused: "
            f"{', '.join(task_names)}. Nothing changed."
        )
        self.args = (instance_id, tuple(task_names))
        self.instance_id = instance_id
        self.task_name = task_names[0]
        self.task_names = tuple(task_names)


class NotResumedError(ReplicationError):
    """Tasks **may still be paused**: resume them yourself.

    A window raises this error. So does ``ensure_running`` if you pass several tasks or ``earlier``.
    If an exception ended the block of a window, even an interrupt or a cancellation, this error
    replaces it, so that code that handles that exception does not miss the tasks. ``__cause__`` is
    the error of the first task.

    Attributes:
        instance_id: Instance of the tasks.
        task_names: The tasks that may still be paused.
        block_error: The exception that ended the block or kept it from starting; None if the block
            ended normally. If it is an interrupt or a cancellation, raise it after you have
            resumed the tasks.
    """

    block_error: BaseException | None = None

    def __init__(self, message: str, *, instance_id: str, task_names: Sequence[str]) -> None:
        super().__init__(message)
        self.instance_id = instance_id
        self.task_names = tuple(task_names)

    def __reduce__(self) -> tuple[Any, ...]:
        # The exception that ended the block belongs to the program and may not pickle.
        state = {name: value for name, value in self.__dict__.items() if name != "block_error"}
        return _rebuild, (type(self), self.args, state)


class ServiceError(ReplicationError):
    """The service, or the API gateway in front of it, rejected the request.

    Nothing changed, unless noted otherwise in the subclass. After a pause or a resume, a 4xx
    without an error code from the service or the gateway does not prove that nothing changed, and
    raises ``OutcomeUnknownError``.

    Attributes:
        status: HTTP status.
        code: The service's error code, for example ``DBS.200022``, or None.
        message: The service's error message, in the language set by ``language=``, without secrets.
        retry_after: Seconds after which the service accepts the next request, or None.
        harmless: True if nothing can have changed.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        harmless: bool = True,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.harmless = harmless

    def _headline(self) -> str:
        # A task that is missing from a list has status 200, which would confuse readers.
        status = str(self.status) if self.status >= 400 else None
        return " ".join(part for part in (status, self.code, self.message) if part)


class BadRequestError(ServiceError):
    """400: the request is invalid, or the state of the instance or task does not allow it."""


class NotFoundError(BadRequestError):
    """The instance or the task does not exist: 404, or a 400 whose code means "not found"."""


class AuthenticationError(ServiceError):
    """401: the credentials are invalid, expired, or for another project or region."""


class PermissionDeniedError(ServiceError):
    """403: the user lacks the permission, or the instance does not exist.

    A 403 does not show which of the two it is. The permission is
    ``gaussdbformysql:htapInstance:modifyDataSync`` to pause and resume, and
    ``gaussdbformysql:htapInstance:getReplication`` to list tasks.
    """


class ConflictError(ServiceError):
    """409: another operation is running on the instance."""


class RateLimitError(ServiceError):
    """429: too many requests. Wait ``retry_after`` seconds if it is set."""


class UnsupportedOperationError(ServiceError):
    """The service implements an older API version without this call. Nothing changed.

    A read-only call got a 404, 405, or 501 without an error code of the service itself. Other calls
    still work. Version 1.0 has ``pause`` and ``resume``. 1.1 added the list of tasks, which windows
    and all methods that wait require. 1.2 added ``instances`` and ``configuration``.
    """


class ServerError(ServiceError):
    """5xx with a response from the service itself: after a change, **the task may have changed**.

    ``harmless`` is true if nothing can have changed: after a 503 with ``retry_after``, and for
    read-only requests.
    """
