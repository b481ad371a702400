"""Contains all the data models used in inputs/outputs"""

from .gateway_error_body import GatewayErrorBody
from .htap_instance import HtapInstance
from .htap_instance_list import HtapInstanceList
from .htap_instance_state import HtapInstanceState
from .instance_action import InstanceAction
from .job import Job
from .language import Language
from .parameter_check import ParameterCheck
from .replication import Replication
from .replication_configuration import ReplicationConfiguration
from .replication_list import ReplicationList
from .service_error_body import ServiceErrorBody
from .source_database import SourceDatabase
from .sync_task import SyncTask
from .table_check import TableCheck
from .table_selection import TableSelection

__all__ = (
    "GatewayErrorBody",
    "HtapInstance",
    "HtapInstanceList",
    "HtapInstanceState",
    "InstanceAction",
    "Job",
    "Language",
    "ParameterCheck",
    "Replication",
    "ReplicationConfiguration",
    "ReplicationList",
    "ServiceErrorBody",
    "SourceDatabase",
    "SyncTask",
    "TableCheck",
    "TableSelection",
)
