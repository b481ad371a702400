"""What can go wrong, told apart only where a caller would act differently.

ReplicationError                   catch this for everything
├── ConfigurationError             before any I/O (also a ValueError)
├── NotSentError                   the request never left; safe to repeat
├── OutcomeUnknownError            it left and no usable response came; the task may have changed
├── WaitTimeoutError               the task did not get there in time (also a TimeoutError)
├── TaskFailedError                the task turned abnormal or was cancelled
├── AlreadyPausedError             a window did not open, because tasks were paused before it
├── NotResumedError                tasks that were paused may still be: resume them by hand
└── ServiceError                   status, code, message, request_id, retry_after
    ├── BadRequestError            400
    │   └── NotFoundError          404, or a 400 whose code says so
    ├── AuthenticationError        401
    ├── PermissionDeniedError      403
    ├── ConflictError              409
    ├── RateLimitError             429
    ├── UnsupportedOperationError  the service does not have this call
    └── ServerError                5xx with a response of the service's own
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
        operation: The call that failed, like ``pause`` or ``list``; None before there was one.
        host: Host that it went to, or None.
        instance_id: Instance that it was about, or None.
        task_name: Task that it was about, or None.
        attempts: Number of attempts to send the request; 0 before any I/O.
        elapsed: Seconds from the start of the call to its end, waiting included.
        request_id: ID of the request at the service, if a response had one.
    """

    operation: str | None = None
    host: str | None = None
    instance_id: str | None = None
    task_name: str | None = None
    attempts: int = 0
    elapsed: float = 0.0

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id

    def __str__(self) -> str:
        return self._headline() + self._footnote()

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
    """The request did not reach the service. Safe to repeat.

    There was no connection to the service, or no token in time.

    Attributes:
        lasting: Whether another attempt would fail in the same way, as with a certificate that is
            not trusted. Such a request is not retried.
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


class OutcomeUnknownError(ReplicationError):
    """The request left and no usable response came: **the task may have changed**.

    Read the task's stage before you repeat it, or call ``ensure_paused`` or ``ensure_running``,
    which do: a second pause of a task that is pausing may be refused.

    Attributes:
        status: HTTP status of the response, or None when there was none.
        code: Error code in the response, or None.
        harmless: Whether the request only reads, so that nothing can have changed.
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
    """The task did not reach the stage in time. The job may still bring it there.

    Attributes:
        task: The task as it was last seen, or None if no poll succeeded.
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


class AlreadyPausedError(ReplicationError):
    """A window with ``already_paused="error"`` found tasks paused and did not open.

    Nothing changed. Somebody else may have paused them, or an earlier window that was never closed.

    Attributes:
        instance_id: Instance of the tasks.
        task_names: The tasks that were paused already.
    """

    def __init__(self, instance_id: str, task_names: Sequence[str]) -> None:
        super().__init__(
            f"Paused already, so the window did not open: {', '.join(task_names)}. Nothing changed."
        )
        self.args = (instance_id, tuple(task_names))
        self.instance_id = instance_id
        self.task_name = task_names[0]
        self.task_names = tuple(task_names)


class NotResumedError(ReplicationError):
    """Tasks that a window paused **may still be paused**: resume them by hand.

    It takes the place of whatever ended the window, an interrupt or a cancellation included, so
    that nobody who handles that misses the tasks. Its ``__cause__`` says what went wrong with the
    first of them.

    Attributes:
        instance_id: Instance of the tasks.
        task_names: The tasks that are not known to run again.
        block_error: What ended the block, or kept it from beginning; None if it ended normally.
            Raise it once the tasks are taken care of, if it is an interrupt or a cancellation.
    """

    block_error: BaseException | None = None

    def __init__(self, message: str, *, instance_id: str, task_names: Sequence[str]) -> None:
        super().__init__(message)
        self.instance_id = instance_id
        self.task_names = tuple(task_names)

    def __reduce__(self) -> tuple[Any, ...]:
        # What ended the block is the program's own, and may not pickle.
        state = {name: value for name, value in self.__dict__.items() if name != "block_error"}
        return _rebuild, (type(self), self.args, state)


class ServiceError(ReplicationError):
    """The service, or the gateway in front of it, refused. Nothing changed, if not said otherwise.

    Attributes:
        status: HTTP status.
        code: The service's own code, like ``DBS.200022``, or None.
        message: What the service says, in the client's language; free of secrets.
        retry_after: Seconds after which the service accepts the next request, or None.
        harmless: Whether nothing can have changed by the request.
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
        # What a good list lacks is not found either, and 200 would only puzzle.
        status = str(self.status) if self.status >= 400 else None
        return " ".join(part for part in (status, self.code, self.message) if part)


class BadRequestError(ServiceError):
    """400: the service finds the request wrong, or the state of the task does not allow it."""


class NotFoundError(BadRequestError):
    """The instance or the task does not exist: 404, or a 400 whose code says so."""


class AuthenticationError(ServiceError):
    """401: the credentials are wrong, expired, or of another project or region."""


class PermissionDeniedError(ServiceError):
    """403: the user may not do this, or the instance is absent; the service does not tell which.

    The permission is ``gaussdbformysql:htapInstance:modifyDataSync`` to pause and resume, and
    ``gaussdbformysql:htapInstance:getReplication`` to list tasks.
    """


class ConflictError(ServiceError):
    """409: another operation is running on the instance."""


class RateLimitError(ServiceError):
    """429: too many requests. Wait ``retry_after`` seconds, if it is given."""


class UnsupportedOperationError(ServiceError):
    """The service does not have this call: it follows an older contract. Nothing changed.

    Contract 1.0 has ``pause`` and ``resume``; 1.1 added the list of tasks, which every verb that
    waits and a window need; 1.2 added ``instances`` and ``configuration``. Whatever the service
    does have goes on working.
    """


class ServerError(ServiceError):
    """5xx with a response of the service's own: **the task may have changed**, if it was a change.

    Only a 503 with ``retry_after`` says that nothing was done; ``harmless`` is then true, as it is
    for a request that only reads.
    """
