"""Pause and resume the data synchronization tasks of StarRocks instances in TaurusDB."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from taurusdb_starrocks._version import __version__

if TYPE_CHECKING:
    from taurusdb_starrocks._alerts import alert
    from taurusdb_starrocks._async_client import AsyncClient
    from taurusdb_starrocks._client import Client
    from taurusdb_starrocks._credentials import Credentials, TokenAuth
    from taurusdb_starrocks._credentials.access_key import AccessKeyAuth
    from taurusdb_starrocks._credentials.iam import IamPasswordAuth
    from taurusdb_starrocks._decisions.polling import Poll, Waiting
    from taurusdb_starrocks._decisions.recording import Earlier, Recorder, WindowRecorder
    from taurusdb_starrocks._decisions.retry import RetryPolicy
    from taurusdb_starrocks._errors import (
        AlreadyPausedError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ConflictError,
        NotFoundError,
        NotResumedError,
        NotSentError,
        OutcomeUnknownError,
        PermissionDeniedError,
        RateLimitError,
        ReplicationError,
        ServerError,
        ServiceError,
        TaskFailedError,
        UnsupportedOperationError,
        WaitTimeoutError,
    )
    from taurusdb_starrocks._instances import Configuration, Instance
    from taurusdb_starrocks._messages import Origin, Request
    from taurusdb_starrocks._projects import find_project_id
    from taurusdb_starrocks._rebuild import Rebuild
    from taurusdb_starrocks._regions import regions
    from taurusdb_starrocks._spec import spec
    from taurusdb_starrocks._tasks import Job, Stage, Task
    from taurusdb_starrocks._windows import AsyncWindow, Window

__all__ = [
    "AccessKeyAuth",
    "AlreadyPausedError",
    "AsyncClient",
    "AsyncWindow",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "Configuration",
    "ConfigurationError",
    "ConflictError",
    "Credentials",
    "Earlier",
    "IamPasswordAuth",
    "Instance",
    "Job",
    "NotFoundError",
    "NotResumedError",
    "NotSentError",
    "Origin",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "Poll",
    "RateLimitError",
    "Rebuild",
    "Recorder",
    "ReplicationError",
    "Request",
    "RetryPolicy",
    "ServerError",
    "ServiceError",
    "Stage",
    "Task",
    "TaskFailedError",
    "TokenAuth",
    "UnsupportedOperationError",
    "WaitTimeoutError",
    "Waiting",
    "Window",
    "WindowRecorder",
    "__version__",
    "alert",
    "find_project_id",
    "regions",
    "spec",
]

# Imported on first use, so that importing the package is fast.
_LATER = {
    "AccessKeyAuth": "_credentials.access_key",
    "AlreadyPausedError": "_errors",
    "AsyncClient": "_async_client",
    "AsyncWindow": "_windows",
    "AuthenticationError": "_errors",
    "BadRequestError": "_errors",
    "Client": "_client",
    "Configuration": "_instances",
    "ConfigurationError": "_errors",
    "ConflictError": "_errors",
    "Credentials": "_credentials",
    "Earlier": "_decisions.recording",
    "IamPasswordAuth": "_credentials.iam",
    "Instance": "_instances",
    "Job": "_tasks",
    "NotFoundError": "_errors",
    "NotResumedError": "_errors",
    "NotSentError": "_errors",
    "Origin": "_messages",
    "OutcomeUnknownError": "_errors",
    "PermissionDeniedError": "_errors",
    "Poll": "_decisions.polling",
    "RateLimitError": "_errors",
    "Rebuild": "_rebuild",
    "Recorder": "_decisions.recording",
    "ReplicationError": "_errors",
    "Request": "_messages",
    "RetryPolicy": "_decisions.retry",
    "ServerError": "_errors",
    "ServiceError": "_errors",
    "Stage": "_tasks",
    "Task": "_tasks",
    "TaskFailedError": "_errors",
    "TokenAuth": "_credentials",
    "UnsupportedOperationError": "_errors",
    "WaitTimeoutError": "_errors",
    "Waiting": "_decisions.polling",
    "Window": "_windows",
    "WindowRecorder": "_decisions.recording",
    "alert": "_alerts",
    "find_project_id": "_projects",
    "regions": "_regions",
    "spec": "_spec",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
