"""Pause and resume the data synchronization tasks of StarRocks instances in TaurusDB."""

from taurusdb_starrocks._async_client import AsyncClient
from taurusdb_starrocks._client import Client
from taurusdb_starrocks._credentials import AccessKeyAuth, Credentials, IamPasswordAuth, TokenAuth
from taurusdb_starrocks._decisions.polling import Poll, Waiting
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
from taurusdb_starrocks._spec import spec
from taurusdb_starrocks._tasks import Job, Stage, Task
from taurusdb_starrocks._version import __version__
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
    "__version__",
    "find_project_id",
    "spec",
]
