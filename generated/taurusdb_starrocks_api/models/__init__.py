"""Contains all the data models used in inputs/outputs"""

from .error import Error
from .gateway_error import GatewayError
from .job import Job
from .language import Language
from .replication import Replication
from .replication_list import ReplicationList
from .sync_task import SyncTask

__all__ = (
    "Error",
    "GatewayError",
    "Job",
    "Language",
    "Replication",
    "ReplicationList",
    "SyncTask",
)
