"""Windows that cannot be forgotten: a journal, a lease, a guardian, and ``recover``."""

from taurusdb_starrocks.durable._errors import JournalError, LeaseExpiredError, TaskBusyError
from taurusdb_starrocks.durable._holds import pause, resume
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._link import GuardianError
from taurusdb_starrocks.durable._overview import Entry, forget, overview
from taurusdb_starrocks.durable._recover import Recovered, recover
from taurusdb_starrocks.durable._windows import AsyncDurableWindow, DurableWindow, window

__all__ = [
    "AsyncDurableWindow",
    "DurableWindow",
    "Entry",
    "GuardianError",
    "Journal",
    "JournalError",
    "LeaseExpiredError",
    "Recovered",
    "TaskBusyError",
    "forget",
    "overview",
    "pause",
    "recover",
    "resume",
    "window",
]
