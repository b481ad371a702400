"""Pause and resume the data synchronization tasks of StarRocks instances in TaurusDB."""

from taurusdb_starrocks import _alone as _alone  # First, because the others import httpx.
from taurusdb_starrocks._auth import AccessKeyAuth, IamPasswordAuth, TokenAuth
from taurusdb_starrocks._client import AsyncClient, Client
from taurusdb_starrocks._errors import (
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
from taurusdb_starrocks._projects import find_project_id
from taurusdb_starrocks._retry import RetryPolicy
from taurusdb_starrocks._spec import spec
from taurusdb_starrocks._tasks import Job, Stage, Task
from taurusdb_starrocks._version import __version__
from taurusdb_starrocks._waiting import Poll, Waiting

__all__ = [
    "AccessKeyAuth",
    "AsyncClient",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "Configuration",
    "ConfigurationError",
    "ConflictError",
    "IamPasswordAuth",
    "Instance",
    "Job",
    "NotFoundError",
    "NotResumedError",
    "NotSentError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "Poll",
    "RateLimitError",
    "ReplicationError",
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
    "__version__",
    "find_project_id",
    "spec",
]
