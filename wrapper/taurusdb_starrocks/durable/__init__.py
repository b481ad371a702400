"""Windows whose tasks are resumed even if the program is killed or the machine restarts."""

from taurusdb_starrocks.durable._batch import Batch, Known, Members
from taurusdb_starrocks.durable._errors import JournalError, LeaseExpiredError, TaskBusyError
from taurusdb_starrocks.durable._former import Former
from taurusdb_starrocks.durable._guardian import Guarded, Standing, guard
from taurusdb_starrocks.durable._holds import pause, resume
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._link import GuardianError
from taurusdb_starrocks.durable._overview import Entry, forget, overview
from taurusdb_starrocks.durable._recorded import Recorded, batched, recorded
from taurusdb_starrocks.durable._records import SupersededError
from taurusdb_starrocks.durable._recover import Recovered, recover
from taurusdb_starrocks.durable._watch import Watch, Watched
from taurusdb_starrocks.durable._windows import AsyncDurableWindow, DurableWindow, window

__all__ = [
    "AsyncDurableWindow",
    "Batch",
    "DurableWindow",
    "Entry",
    "Former",
    "Guarded",
    "GuardianError",
    "Journal",
    "JournalError",
    "Known",
    "LeaseExpiredError",
    "Members",
    "Recorded",
    "Recovered",
    "Standing",
    "SupersededError",
    "TaskBusyError",
    "Watch",
    "Watched",
    "batched",
    "forget",
    "guard",
    "overview",
    "pause",
    "recorded",
    "recover",
    "resume",
    "window",
]
