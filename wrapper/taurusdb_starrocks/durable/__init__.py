"""Windows that cannot be forgotten: a journal, a lease, a guardian, and ``recover``."""

from taurusdb_starrocks.durable._batch import (
    Batch,
    Known,
    Members,
    Recorded,
    batched,
    recorded,
)
from taurusdb_starrocks.durable._errors import JournalError, LeaseExpiredError, TaskBusyError
from taurusdb_starrocks.durable._holds import pause, resume
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._link import GuardianError, Link
from taurusdb_starrocks.durable._overview import Entry, forget, overview
from taurusdb_starrocks.durable._records import SupersededError
from taurusdb_starrocks.durable._recover import Recovered, recover
from taurusdb_starrocks.durable._windows import AsyncDurableWindow, DurableWindow, window

__all__ = [
    "AsyncDurableWindow",
    "Batch",
    "DurableWindow",
    "Entry",
    "GuardianError",
    "Journal",
    "JournalError",
    "Known",
    "LeaseExpiredError",
    "Link",
    "Members",
    "Recorded",
    "Recovered",
    "SupersededError",
    "TaskBusyError",
    "batched",
    "forget",
    "overview",
    "pause",
    "recorded",
    "recover",
    "resume",
    "window",
]
