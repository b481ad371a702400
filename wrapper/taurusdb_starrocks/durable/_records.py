"""The rows of the journal: which window owns a task, and the outcome of each request.

Each function runs inside a transaction. A process may send a request about a task only if it knows
the current epoch of the task. A process that takes the task over increments the epoch, so that the
former owner can send nothing more.
"""

from __future__ import annotations

import getpass
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from taurusdb_starrocks import (
    Earlier,
    Job,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    ReplicationError,
    ServerError,
)
from taurusdb_starrocks.durable import _clock
from taurusdb_starrocks.durable._clock import Moment
from taurusdb_starrocks.durable._errors import TaskBusyError

State = Literal["live", "held", "elsewhere", "expired", "abandoned"]
Alive = Callable[[str], bool]  # Whether a process holds the lock of an actor.


class Owned(NamedTuple):
    """A task, and the epoch that its owner needs to send a request."""

    id: int
    name: str
    epoch: int


class SupersededError(ReplicationError):
    """Another process has taken over the task, or ``forget`` left it paused. Nothing was sent."""


def open_window(c: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Record a window before it opens."""
    columns = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    c.execute(f"INSERT INTO window ({columns}) VALUES ({marks})", row)  # noqa: S608  # Names of ours.


def described(moment: Moment) -> dict[str, Any]:
    """What is recorded about the program of a window."""
    return {
        "program": _program(),
        "process": os.getpid(),
        "host": platform.node(),
        "machine": _clock.machine(),
        "boot": moment.boot,
        "began_wall": moment.wall,
    }


def _program() -> str:
    """Name of the program and its user, without arguments, which may contain secrets."""
    name = Path(sys.argv[0] or sys.executable).name if sys.argv else ""
    try:
        return f"{name or 'python'} of {getpass.getuser()}"
    except (KeyError, OSError):  # A user without a name.
        return f"{name or 'python'} of user {os.getuid()}"


def ends(window: sqlite3.Row) -> Moment | None:
    """When the lease of a window ends; None if it has no limit."""
    if window["ends_wall"] is None:
        return None
    return Moment(window["ends_clock"], window["ends_wall"], window["boot"])


def left(window: sqlite3.Row, now: Moment) -> float:
    """Seconds until its lease ends."""
    end = ends(window)
    return float("inf") if end is None else end.since(now)


def find(c: sqlite3.Connection, window: str) -> sqlite3.Row:
    """The row of a window."""
    row: sqlite3.Row = c.execute("SELECT * FROM window WHERE id = ?", (window,)).fetchone()
    return row


def owned(c: sqlite3.Connection, window: str) -> list[Owned]:
    """The tasks that a window owns."""
    rows = c.execute("SELECT id, name, epoch FROM task WHERE window = ? ORDER BY id", (window,))
    return [Owned(*row) for row in rows]


def owns_tasks(c: sqlite3.Connection, window: str) -> bool:
    """Whether a window owns any task."""
    row = c.execute("SELECT 1 FROM task WHERE window = ? LIMIT 1", (window,)).fetchone()
    return row is not None


def lock(window: sqlite3.Row) -> str:
    """The lock that the program of a window holds: the window's own, or that of its batch."""
    return str(window["batch"] or window["id"])


def state(window: sqlite3.Row, now: Moment, alive: Alive) -> State:
    """The state of a window for other processes; see ``Entry.state``."""
    over = left(window, now) <= 0
    if window["kind"] == "hold" and not over:
        return "held"
    if window["boot"] != now.boot and window["machine"] != _clock.machine():
        return "expired" if over else "elsewhere"
    if window["kind"] == "window" and window["boot"] == now.boot and alive(lock(window)):
        return "expired" if over else "live"
    return "expired" if over else "abandoned"


def busy(window: sqlite3.Row, now: Moment, alive: Alive) -> bool:
    """Whether no other process may take the tasks of a window."""
    if state(window, now, alive) in {"live", "held", "elsewhere"}:
        return True
    # Its program may be stopped, and send a request when it continues.
    return window["kind"] == "window" and window["boot"] == now.boot and alive(lock(window))


def claim(
    c: sqlite3.Connection,
    window: Mapping[str, Any],
    names: Sequence[str],
    now: Moment,
    alive: Alive,
    *,
    holds: bool = False,
) -> dict[str, sqlite3.Row]:
    """Give tasks to a window, each with a new epoch.

    Args:
        c: The connection.
        window: The row of the window.
        names: The tasks.
        now: The current moment.
        alive: Whether a process holds the lock of an actor.
        holds: Whether holds are taken over, too, before their limit.

    Returns:
        The former windows, by task.

    Raises:
        TaskBusyError: A task belongs to another open window, or is on hold. Nothing changed.
    """
    place = (window["endpoint"], window["project_id"], window["instance_id"])
    taken: dict[str, sqlite3.Row] = {}
    for name in names:
        add_task(c, place, name)
        task = find_task(c, place, name)
        if task["window"] is not None:
            former = find(c, task["window"])
            mine = holds and former["kind"] == "hold"
            if not mine and busy(former, now, alive):
                raise refusal(former, name, now, alive)
            taken[name] = former
        base = task["base"] if name in taken else last_request(c)
        c.execute(
            "UPDATE task SET window = ?, epoch = epoch + 1, base = ? WHERE id = ?",
            (window["id"], base, task["id"]),
        )
    for former in {row["id"]: row for row in taken.values()}.values():
        if not owns_tasks(c, former["id"]):
            close(c, former["id"], now, f"taken over by {window['id']}")
    return taken


def add_task(c: sqlite3.Connection, place: tuple[str, str, str], name: str) -> None:
    """Record a task of an instance, unless it is recorded already."""
    c.execute(
        "INSERT OR IGNORE INTO task (endpoint, project_id, instance_id, name, epoch, base) "
        "VALUES (?, ?, ?, ?, 0, 0)",
        (*place, name),
    )


def find_task(c: sqlite3.Connection, place: tuple[str, str, str], name: str) -> sqlite3.Row:
    """The row of a task, found by endpoint, project, instance and name."""
    row: sqlite3.Row = c.execute(
        "SELECT * FROM task WHERE endpoint = ? AND project_id = ? AND instance_id = ? AND name = ?",
        (*place, name),
    ).fetchone()
    return row


# Whether a request for a task is planned, and none was sent that changed it or may still do so.
PLANNED = """(
    'planned' IN (SELECT r.state FROM request AS r WHERE r.task = task.id AND r.id > task.base)
    AND NOT EXISTS (
        SELECT 1 FROM request AS r WHERE r.task = task.id AND r.id > task.base
        AND r.state IN ('sent', 'accepted', 'unknown', 'confirmed')
    )
)"""


def effective(c: sqlite3.Connection, task: int) -> list[sqlite3.Row]:
    """The requests that changed a task or may still do so, since it was last released."""
    return c.execute(
        "SELECT * FROM request WHERE task = ? AND state IN "
        "('sent', 'accepted', 'unknown', 'confirmed') "
        "AND id > (SELECT base FROM task WHERE id = ?) ORDER BY id",
        (task, task),
    ).fetchall()


def last_request(c: sqlite3.Connection) -> int:
    """The number of the last request in the journal."""
    last: int = c.execute("SELECT coalesce(max(id), 0) FROM request").fetchone()[0]
    return last


def owner(window: sqlite3.Row) -> str:
    """Program, process and machine of a window, for messages."""
    return f"{window['program']}, process {window['process']} on {window['host']}"


def date(wall: float) -> datetime:
    """Date and time, in UTC."""
    return datetime.fromtimestamp(wall, UTC)


def refusal(window: sqlite3.Row, name: str, now: Moment, alive: Alive) -> TaskBusyError:
    """The error about a task that another window owns."""
    until = None if window["ends_wall"] is None else date(window["ends_wall"])
    lines = {
        "held": "is on hold by",
        "live": "belongs to an open window of",
        "elsewhere": "belongs to a window of another machine, of",
    }
    how = lines.get(state(window, now, alive), "belongs to a window whose lease has ended, of")
    limit = "without limit" if until is None else f"until {until:%Y-%m-%d %H:%M:%S} UTC"
    reason = f" ({window['reason']})" if window["reason"] else ""
    return TaskBusyError(
        f"The task {name} {how} {owner(window)}{reason}, since "
        f"{date(window['began_wall']):%Y-%m-%d %H:%M:%S} UTC, {limit}. Nothing was sent.",
        instance_id=window["instance_id"],
        task_name=name,
        owner=owner(window),
        since=date(window["began_wall"]),
        until=until,
    )


def take(
    c: sqlite3.Connection, window: str, actor: str, former: str, *, expired: bool = False
) -> list[Owned]:
    """Make another process the only one that may send requests about the tasks of a window.

    Raises:
        SupersededError: A third process has taken the window over. Or ``expired`` is set, and the
            lease has not ended.
    """
    row = find(c, window)
    if row["actor"] != former:
        raise SupersededError("The window was taken over. Nothing was sent by this process.")
    if expired and left(row, _clock.now()) > 0:
        raise SupersededError("The lease was extended. Nothing was sent by this process.")
    c.execute("UPDATE task SET epoch = epoch + 1 WHERE window = ?", (window,))
    c.execute("UPDATE window SET actor = ? WHERE id = ?", (actor, window))
    return owned(c, window)


def reclaim(c: sqlite3.Connection, window: str, actor: str, tasks: Sequence[Owned]) -> list[Owned]:
    """Give tasks back to a window, except those that another window owns."""
    for task in tasks:
        c.execute(
            "UPDATE task SET window = ?, epoch = epoch + 1 WHERE id = ? AND window IS NULL",
            (window, task.id),
        )
    mine = owned(c, window)
    if mine:
        c.execute(
            "UPDATE window SET actor = ?, closed_wall = NULL, outcome = '' WHERE id = ?",
            (actor, window),
        )
    return mine


def check_owned(c: sqlite3.Connection, window: str, task: Owned) -> None:
    """Make sure that a task is still a window's, with the same epoch.

    Raises:
        SupersededError: It is not. No request about it must be sent.
    """
    current = c.execute("SELECT window, epoch FROM task WHERE id = ?", (task.id,)).fetchone()
    if (current["window"], current["epoch"]) != (window, task.epoch):
        raise SupersededError(
            f"The task {task.name} was taken over in the journal. Nothing was sent by this process."
        )


def send(
    c: sqlite3.Connection, window: str, task: Owned, actor: str, verb: str, now: Moment
) -> int:
    """Record a request before it is sent, and return its number.

    Raises:
        SupersededError: Another process has taken the task over. The request must not be sent.
    """
    check_owned(c, window, task)
    planned = c.execute(
        "SELECT id FROM request WHERE task = ? AND epoch = ? AND verb = ? AND state = 'planned'",
        (task.id, task.epoch, verb),
    ).fetchone()
    if planned is not None:
        number: int = planned[0]
        c.execute(
            "UPDATE request SET state = 'sent', sent_clock = ?, sent_wall = ?, boot = ? "
            "WHERE id = ?",
            (*now, number),
        )
        return number
    cursor = c.execute(
        "INSERT INTO request (task, window, epoch, actor, verb, state, sent_clock, sent_wall, boot)"
        " VALUES (?, ?, ?, ?, ?, 'sent', ?, ?, ?)",
        (task.id, window, task.epoch, actor, verb, *now),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def answer(
    c: sqlite3.Connection, request: int, answer: Job | ReplicationError, now: Moment
) -> None:
    """Record the outcome of a request."""
    job = answer if isinstance(answer, Job) else None
    error = answer if isinstance(answer, ReplicationError) else None
    c.execute(
        "UPDATE request SET state = ?, job_id = ?, request_id = ?, error = ?, answered_wall = ? "
        "WHERE id = ?",
        (
            "accepted" if error is None else _failed(error),
            job and job.id,
            answer.request_id,
            error and f"{type(error).__name__}: {error}",
            now.wall,
            request,
        ),
    )


def _failed(error: ReplicationError) -> str:
    if isinstance(error, OutcomeUnknownError | ServerError):
        return "unsent" if error.harmless else "unknown"
    return "unsent" if isinstance(error, NotSentError | RateLimitError) else "refused"


def confirm(c: sqlite3.Connection, tasks: Sequence[Owned], verb: str) -> None:
    """Record that a poll showed the effect of the requests about tasks."""
    c.executemany(
        "UPDATE request SET state = 'confirmed' WHERE task = ? AND verb = ? "
        "AND id > (SELECT base FROM task WHERE task.id = request.task) "
        "AND state IN ('sent', 'accepted', 'unknown')",
        [(task.id, verb) for task in tasks],
    )


def release(c: sqlite3.Connection, window: str, tasks: Sequence[Owned]) -> None:
    """Release tasks that run, except those that another process has taken over."""
    c.executemany(
        "UPDATE task SET window = NULL, base = ? WHERE id = ? AND window = ? AND epoch = ?",
        [(last_request(c), task.id, window, task.epoch) for task in tasks],
    )


def set_end(c: sqlite3.Connection, windows: Sequence[sqlite3.Row], end: Moment) -> None:
    """Set when the leases of windows end."""
    c.executemany(
        "UPDATE window SET ends_clock = ?, ends_wall = ? WHERE id = ?",
        [(end.clock, end.wall, window["id"]) for window in windows],
    )


def set_group(
    c: sqlite3.Connection, windows: Sequence[sqlite3.Row], group: int, born: str, grace: float
) -> None:
    """Set the child processes that must be gone before the tasks of windows are resumed."""
    c.executemany(
        "UPDATE window SET process_group = ?, group_born = ?, grace = ? WHERE id = ?",
        [(group, born, grace, window["id"]) for window in windows],
    )


def close(c: sqlite3.Connection, window: str, now: Moment, outcome: str) -> None:
    """Record that a window is closed."""
    c.execute(
        "UPDATE window SET closed_wall = ?, outcome = ?, trouble = '' "
        "WHERE id = ? AND closed_wall IS NULL",
        (now.wall, outcome, window),
    )


def note(c: sqlite3.Connection, window: str | None, what: str, text: str, now: Moment) -> None:
    """Record a note for people."""
    c.execute(
        "INSERT INTO note (wall, window, what, text) VALUES (?, ?, ?, ?)",
        (now.wall, window, what, text),
    )


def earlier(
    c: sqlite3.Connection, tasks: Sequence[Owned], now: Moment, window: sqlite3.Row, *, lives: bool
) -> Earlier:
    """What the recorded requests mean for the next owner of the tasks.

    Args:
        c: The connection.
        tasks: The tasks.
        now: The current moment.
        window: The window that owned them when the requests were sent.
        lives: Whether the process that sent them is alive, and may still send a request that it
            has recorded. Otherwise, only the network can delay a request.
    """
    grace = window["call_timeout"] if lives else 0.0
    settle = window["settle"]
    pauses: dict[str, float] = {}
    unknown: dict[str, float] = {}
    late: dict[str, float] = {}
    paused, accepted = [], []
    for task in tasks:
        rows = effective(c, task.id)
        if not rows:
            continue
        asked = [row for row in rows if row["verb"] == "pause"]
        since = asked[-1]["id"] if asked else 0  # A task that others paused can be resumed, too.
        open_pauses = [row for row in asked if row["state"] != "confirmed"]
        resumes = [row for row in rows if row["verb"] == "resume" and row["id"] > since]
        settled = not open_pauses and resumes and resumes[-1]["state"] == "confirmed"
        if settled and (len(asked) < 2 or remaining(asked[-1], settle, now) <= 0):
            continue
        if open_pauses:
            unanswered = [remaining(row, grace, now) for row in asked if row["state"] == "sent"]
            pauses[task.name] = max([0.0, *unanswered])
        else:
            paused.append(task.name)
            if len(asked) > 1:
                late[task.name] = max(0.0, remaining(asked[-1], settle, now))
        if resumes and resumes[-1]["state"] in {"accepted", "confirmed"}:
            accepted.append(task.name)
        elif resumes:
            sent = resumes[-1]["state"] == "sent"
            unknown[task.name] = remaining(resumes[-1], settle + (grace if sent else 0.0), now)
    return Earlier(
        pauses=pauses,
        paused=tuple(paused),
        accepted=tuple(accepted),
        unknown={name: max(0.0, seconds) for name, seconds in unknown.items()},
        late=late,
    )


def together(parts: Sequence[Earlier]) -> Earlier:
    """What several windows mean together for the next owner of their tasks."""
    return Earlier(
        pauses={name: left for part in parts for name, left in part.pauses.items()},
        paused=[name for part in parts for name in part.paused],
        accepted=[name for part in parts for name in part.accepted],
        unknown={name: left for part in parts for name, left in part.unknown.items()},
        late={name: left for part in parts for name, left in part.late.items()},
    )


def remaining(request: sqlite3.Row, seconds: float, now: Moment) -> float:
    """What is left of a number of seconds after a request; all of it if the clock was set back."""
    sent = Moment(request["sent_clock"], request["sent_wall"], request["boot"])
    return min(seconds, seconds - now.since(sent))
