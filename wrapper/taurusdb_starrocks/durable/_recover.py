"""Resuming what no living program and no guardian will resume."""

from __future__ import annotations

import syslog
import uuid
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Unpack

from taurusdb_starrocks import Client, NotResumedError, ReplicationError, Waiting
from taurusdb_starrocks.durable import _clock, _locks, _records, _recovery
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._overview import Entry, overview
from taurusdb_starrocks.durable._records import SupersededError

Connect = Callable[[str, str], Client]


class Recovered(NamedTuple):
    """What ``recover`` did about a task.

    Attributes:
        entry: The task as it was before.
        outcome: ``resumed``: it runs. ``left``: it is for somebody else to resume, or not yet due.
            ``failed``: it could not be resumed; another ``recover`` tries again.
        why: Why it was left, or what it failed with; empty when it was resumed.
    """

    entry: Entry
    outcome: Literal["resumed", "left", "failed"]
    why: str


def recover(
    journal: Journal, *, connect: Connect | None = None, **waiting: Unpack[Waiting]
) -> list[Recovered]:
    """Resume the tasks of every window that is expired or has no living owner.

    For what ends program and guardian together: a reboot, loss of power, a container that is
    removed. It is safe at any time, and several at once: from cron, a systemd timer or a start-up
    script. A window whose program or guardian lives is left to it, and so is a hold until its
    limit, and a window of another machine until its lease ends.

    A task that cannot be resumed, as with credentials that are refused, stays in the journal: the
    next call tries again.

    Args:
        journal: The journal.
        connect: Makes the client of an endpoint and a project, which is closed afterwards. The
            default takes the credentials from the environment, as ``Client`` does.
        **waiting: How to wait, see ``Waiting``.

    Returns:
        All that the journal had as paused, and what was done about it.

    Raises:
        JournalError: The journal cannot be read.
    """
    done: list[Recovered] = []
    windows: dict[str, list[Entry]] = {}
    for entry in overview(journal):
        windows.setdefault(entry.window, []).append(entry)
    for window, entries in windows.items():
        why = _left(entries[0])
        if why:
            done += [Recovered(entry, "left", why) for entry in entries]
        else:
            done += _resume(journal, window, entries, connect or _connected, dict(waiting))
    return done


def _left(entry: Entry) -> str:
    """Why a window is left to somebody else; empty if it is not."""
    if entry.state == "live":
        return "its program runs"
    if entry.state == "held":
        return "it is on hold"
    if entry.state == "elsewhere":
        return "it is of another machine, and its lease is not over"
    if entry.guarded and not entry.trouble:
        return "its guardian resumes it"
    return ""


def _connected(endpoint: str, project_id: str) -> Client:
    return Client(endpoint=endpoint, project_id=project_id)


def _resume(
    journal: Journal,
    window: str,
    entries: list[Entry],
    connect: Connect,
    waiting: dict[str, Any],
) -> list[Recovered]:
    actor = uuid.uuid4().hex
    lock = _locks.Lock(journal.lock_path(actor))
    rescue = _recovery.Rescue(journal, window, actor)
    failed: dict[str, str] = {}
    try:
        row = journal.read(lambda c: _records.find(c, window))
        group, born = row["process_group"], row["group_born"]
        if row["boot"] == _clock.boot() and _recovery.group_lives(group, born):
            if _records.left(row, _clock.now()) > 0:
                return [Recovered(entry, "left", "its child processes run") for entry in entries]
            _recovery.end_group(group, born, row["grace"])
        rescue.take()
        with connect(entries[0].endpoint, entries[0].project_id) as client:
            rescue.resume(client, **waiting)
    except SupersededError:
        return [Recovered(entry, "left", "somebody else resumes it") for entry in entries]
    except ReplicationError as error:
        if rescue.superseded():
            return [Recovered(entry, "left", "somebody else resumes it") for entry in entries]
        rescue.trouble(error)
        names = (
            error.task_names
            if isinstance(error, NotResumedError)
            else [entry.task_name for entry in entries]
        )
        failed = dict.fromkeys(names, _recovery.cause(error))
    finally:
        lock.release()
    for entry in entries:
        what = failed.get(entry.task_name)
        syslog.syslog(
            syslog.LOG_WARNING if what is None else syslog.LOG_ERR,
            f"taurusdb-starrocks: task {entry.task_name} of instance {entry.instance_id}, paused "
            f"by {entry.owner}: {what or 'resumed'}",
        )
    return [
        Recovered(entry, "failed", failed[entry.task_name])
        if entry.task_name in failed
        else Recovered(entry, "resumed", "")
        for entry in entries
    ]
