"""Resume what no running program and no guardian will resume."""

from __future__ import annotations

import queue
import syslog
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NamedTuple, Unpack

from taurusdb_starrocks import Client, NotResumedError, ReplicationError, Waiting
from taurusdb_starrocks.durable import _clock, _locks, _records, _recovery
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._overview import Entry, of_window, overview
from taurusdb_starrocks.durable._records import SupersededError
from taurusdb_starrocks.durable._sender import logger

Connect = Callable[[str, str], Client]
AT_ONCE = 16  # Windows that are recovered at the same time, each in a thread.
UNRECORDED = "the journal cannot be written, and still has the task as paused"


class Recovered(NamedTuple):
    """What ``recover`` did about a task.

    Attributes:
        entry: The entry of the task in the journal before ``recover`` tried to resume it.
        outcome: ``resumed``: the task is running. ``left``: another process will resume the task,
            or it is not due yet. ``failed``: the task could not be resumed and may be paused; the
            next call of ``recover`` tries again.
        why: For ``left`` and ``failed``, the reason. For ``resumed``, a note if the journal could
            not be written; otherwise empty.
    """

    entry: Entry
    outcome: Literal["resumed", "left", "failed"]
    why: str


def recover(
    journal: Journal, *, connect: Connect | None = None, **waiting: Unpack[Waiting]
) -> list[Recovered]:
    """Resume the tasks that neither their program nor a guardian will resume.

    Use it after events that kill both the program and the guardian: a reboot, a power failure, the
    removal of a container. You can run it at any time, for example from cron, a systemd timer, or a
    startup script. Several processes can run it at the same time. It does not resume:

    - tasks whose guardian is running, unless the last attempt to resume them failed or the lease
      ended more than one hour ago
    - before the lease ends: tasks of a window whose program is running
    - before the lease ends: tasks of a window whose child processes (see ``guard``) are running
    - before the lease ends: tasks of a window of another machine
    - before the lease ends: tasks on hold; a hold without a lease never ends by itself

    If a task cannot be resumed, for example because the credentials are rejected, the journal still
    lists it as paused, and the next call tries again. ``recover`` takes over from a guardian only
    after the service has accepted the credentials of ``recover``. If the journal cannot be written,
    the tasks are resumed anyway.

    Args:
        journal: The journal. Open it with ``create=False``: a wrong path is then an error.
        connect: Function that takes an endpoint and a project ID and returns a ``Client``.
            ``recover`` closes the client. The function is called in a thread, but never
            concurrently. By default, the credentials come from the environment, as in ``Client``.
        **waiting: How to wait for each window, see ``Waiting``.

    Returns:
        All tasks that the journal listed as paused, and what was done about each.

    Raises:
        JournalError: The journal cannot be read.
    """
    windows: dict[str, list[Entry]] = {}
    for entry in overview(journal):
        windows.setdefault(entry.window, []).append(entry)
    todo: queue.SimpleQueue[str] = queue.SimpleQueue()
    for window in windows:
        todo.put(window)
    done: dict[str, list[Recovered]] = {}
    errors: list[BaseException] = []
    connecting = threading.Lock()

    def connected(endpoint: str, project_id: str) -> Client:
        with connecting:
            return (connect or _connected)(endpoint, project_id)

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                known = windows[todo.get_nowait()]
                try:
                    one = _recover(journal, known, connected, dict(waiting))
                    done[known[0].window] = one
                except BaseException as error:  # noqa: BLE001  # Raised once the others are done.
                    errors.append(error)

    # One that hangs does not delay the others; daemons, so that Ctrl-C does not wait for it.
    threads = [
        threading.Thread(target=work, name="taurusdb-starrocks-recover", daemon=True)
        for _ in range(min(len(windows), AT_ONCE))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [one for window in windows for one in done[window]]


def _left(entry: Entry) -> str:
    """Why a window must be left alone; empty if it is due."""
    if entry.due:
        return ""
    if entry.state == "live":
        return "its program is running"
    if entry.state == "held":
        return "it is on hold"
    if entry.state == "elsewhere":
        return "another machine paused it, and its lease has not ended"
    return "its guardian resumes it"


def _connected(endpoint: str, project_id: str) -> Client:
    return Client(endpoint=endpoint, project_id=project_id)


def _recover(
    journal: Journal, known: list[Entry], connect: Connect, waiting: dict[str, Any]
) -> list[Recovered]:
    """Resume the tasks of one window, if it is due by now."""
    entries = of_window(journal, known[0].window)
    if not entries:
        return [Recovered(entry, "left", "another process resumed it") for entry in known]
    why = _left(entries[0])
    if why:
        return [Recovered(entry, "left", why) for entry in entries]
    actor = uuid.uuid4().hex
    try:
        lock: Any = _locks.Lock(journal.lock_path(actor))
    except JournalError as error:
        logger.warning("recovering without the journal: %s", error)
        lock = None
    rescue = _recovery.Rescue(journal, known[0].window, actor)
    try:
        return _resume(journal, entries, rescue, connect, waiting)
    finally:
        if lock is not None:
            lock.release()


def _resume(
    journal: Journal,
    entries: list[Entry],
    rescue: _recovery.Rescue,
    connect: Connect,
    waiting: dict[str, Any],
) -> list[Recovered]:
    failed: dict[str, str] = {}
    first = entries[0]
    try:
        rescue.look()
        row = journal.read(partial(_records.find, window=first.window))
        group, born = row["process_group"], row["group_born"]
        grouped = row["boot"] == _clock.boot() and _recovery.group_lives(group, born)
        if grouped and _records.left(row, _clock.now()) > 0:
            return [
                Recovered(entry, "left", "its child processes are running") for entry in entries
            ]
        with connect(first.endpoint, first.project_id) as client:
            # The owner keeps the window until this process can send requests.
            next(client.tasks(first.instance_id), None)
            if grouped:
                _recovery.end_group(group, born, row["grace"])
            rescue.take_as_seen(expired=first.state == "expired")
            rescue.resume(client, **waiting)
    except SupersededError:
        return [Recovered(entry, "left", "another process resumes it") for entry in entries]
    except ReplicationError as error:
        if rescue.superseded():
            return [Recovered(entry, "left", "another process resumes it") for entry in entries]
        rescue.trouble(error)
        rescue.give_back()
        names = (
            error.task_names
            if isinstance(error, NotResumedError)
            else [entry.task_name for entry in entries]
        )
        failed = dict.fromkeys(names, _recovery.cause(error))
    for entry in entries:
        what = failed.get(entry.task_name)
        syslog.syslog(
            syslog.LOG_WARNING if what is None else syslog.LOG_ERR,
            f"taurusdb-starrocks: task {entry.task_name} of instance {entry.instance_id}, paused "
            f"by {entry.owner}: {what or 'resumed'}",
        )
    told = "" if rescue.recorded else UNRECORDED
    return [
        Recovered(entry, "failed", failed[entry.task_name])
        if entry.task_name in failed
        else Recovered(entry, "resumed", told)
        for entry in entries
    ]
