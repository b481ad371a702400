"""What the requests in a journal mean for whoever goes on with them, and who may go on."""

from __future__ import annotations

import getpass
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from taurusdb_starrocks import Earlier
from taurusdb_starrocks.durable import Journal, _clock, _records
from taurusdb_starrocks.durable._clock import Moment
from taurusdb_starrocks.durable._records import SupersededError

NOW = Moment(1000.0, 5000.0, "this boot")
PLACE = {"endpoint": "https://x", "project_id": "0" * 32, "instance_id": "1" * 32 + "in17"}


def written(journal: Journal, name: str = "window", **others: Any) -> Any:
    """A window over one task, as it was opened."""
    row = {
        "id": name,
        "kind": "window",
        **PLACE,
        "reason": "",
        "actor": name,
        "lease": 60.0,
        "ends_clock": 1060.0,
        "ends_wall": 5060.0,
        "call_timeout": 10.0,
        "settle": 30.0,
        **_records.described(NOW),
        **others,
    }

    def write(c: sqlite3.Connection) -> Any:
        _records.open_window(c, row)
        _records.claim(c, row, ["orders"], NOW, lambda _actor: False)
        return _records.find(c, name)

    return journal.write(write)


def known(journal: Journal, *requests: tuple[str, str, float], lives: bool = False) -> Earlier:
    """The record of requests that were sent some seconds ago."""
    window = written(journal)

    def write(c: sqlite3.Connection) -> Earlier:
        (task,) = _records.owned(c, "window")
        for verb, state, age in requests:
            sent = _records.send(c, "window", task, "window", verb, NOW.after(-age))
            c.execute("UPDATE request SET state = ? WHERE id = ?", (state, sent))
        return _records.earlier(c, [task], NOW, window, lives=lives)

    return journal.write(write)


@pytest.mark.parametrize(
    ("requests", "lives", "means"),
    [
        ([], True, Earlier()),
        ([("pause", "refused", 1), ("pause", "unsent", 1)], True, Earlier()),
        ([("pause", "confirmed", 1)], True, Earlier(paused=("orders",))),
        # Whoever is gone has nothing on the way; whoever lives may still send for `timeout`.
        ([("pause", "sent", 4)], False, Earlier(pauses={"orders": 0.0})),
        ([("pause", "sent", 4)], True, Earlier(pauses={"orders": 6.0})),
        ([("pause", "sent", 40)], True, Earlier(pauses={"orders": 0.0})),
        ([("pause", "accepted", 1)], True, Earlier(pauses={"orders": 0.0})),
        ([("pause", "unknown", 1)], True, Earlier(pauses={"orders": 0.0})),
        (
            [("pause", "confirmed", 9), ("resume", "accepted", 1)],
            True,
            Earlier(paused=("orders",), accepted=("orders",)),
        ),
        (
            [("pause", "confirmed", 9), ("resume", "unknown", 5)],
            True,
            Earlier(paused=("orders",), unknown={"orders": 25.0}),
        ),
        (
            [("pause", "confirmed", 9), ("resume", "sent", 5)],
            False,
            Earlier(paused=("orders",), unknown={"orders": 25.0}),
        ),
        (
            [("pause", "confirmed", 9), ("resume", "sent", 5)],
            True,
            Earlier(paused=("orders",), unknown={"orders": 35.0}),
        ),
        (
            [("pause", "confirmed", 99), ("resume", "sent", 95)],
            True,
            Earlier(paused=("orders",), unknown={"orders": 0.0}),
        ),
        # Seen running after its resume, there is nothing to do about a task.
        ([("pause", "confirmed", 9), ("resume", "confirmed", 1)], True, Earlier()),
        # Unless it was paused twice, and the second pause may be late.
        (
            [("pause", "confirmed", 9), ("pause", "confirmed", 8), ("resume", "confirmed", 1)],
            True,
            Earlier(paused=("orders",), accepted=("orders",), late={"orders": 22.0}),
        ),
        (
            [("pause", "confirmed", 59), ("pause", "confirmed", 58), ("resume", "confirmed", 1)],
            True,
            Earlier(),
        ),
        # One that somebody else paused is resumed by hand.
        (
            [("resume", "unknown", 5)],
            True,
            Earlier(paused=("orders",), unknown={"orders": 25.0}),
        ),
        ([("resume", "confirmed", 5)], True, Earlier()),
        # A resume before the last pause says nothing.
        (
            [("pause", "confirmed", 9), ("resume", "confirmed", 8), ("pause", "confirmed", 7)],
            True,
            Earlier(paused=("orders",), late={"orders": 23.0}),
        ),
    ],
)
def test_what_requests_mean(
    requests: list[tuple[str, str, float]], lives: bool, means: Earlier, journal: Journal
) -> None:
    """The last request that may have had an effect counts, and whether a poll showed it."""
    assert known(journal, *requests, lives=lives) == means


def test_what_was_settled_before_does_not_count(journal: Journal) -> None:
    """Requests before the release of a task do not count."""
    known(journal, ("pause", "confirmed", 9))
    journal.write(lambda c: _records.release(c, "window", _records.owned(c, "window")))
    again = written(journal, "again")

    def read(c: sqlite3.Connection) -> Earlier:
        return _records.earlier(c, _records.owned(c, "again"), NOW, again, lives=False)

    assert journal.read(read) == Earlier()


def test_only_one_takes_a_window_over(journal: Journal) -> None:
    """The second process gets an error, and so does the former owner."""
    written(journal)
    (task,) = journal.read(lambda c: _records.owned(c, "window"))
    journal.write(lambda c: _records.take(c, "window", "first", "window"))
    with pytest.raises(SupersededError, match="taken over"):
        journal.write(lambda c: _records.take(c, "window", "second", "window"))
    with pytest.raises(SupersededError, match="orders was taken over"):
        journal.write(lambda c: _records.send(c, "window", task, "window", "pause", NOW))
    assert journal.read(lambda c: c.execute("SELECT count(*) FROM request").fetchone()[0]) == 0


@pytest.mark.parametrize(
    ("others", "now", "alive", "state"),
    [
        ({}, NOW, True, "live"),
        ({}, NOW, False, "abandoned"),
        ({}, NOW.after(61), True, "expired"),
        ({}, NOW.after(61), False, "expired"),
        # The clock on the wall does not count on the same boot, and does after it.
        ({}, Moment(1001.0, 9e9, "this boot"), True, "live"),
        ({}, Moment(1061.0, 0.0, "this boot"), True, "expired"),
        ({}, Moment(5.0, 5001.0, "next boot"), True, "abandoned"),
        ({}, Moment(5.0, 5061.0, "next boot"), True, "expired"),
        ({"machine": "other", "boot": "b"}, NOW, True, "elsewhere"),
        ({"machine": "other", "boot": "b"}, NOW.after(61), True, "expired"),
        ({"kind": "hold"}, NOW, False, "held"),
        ({"kind": "hold"}, NOW.after(61), False, "expired"),
        ({"kind": "hold", "ends_clock": None, "ends_wall": None}, NOW.after(1e9), False, "held"),
    ],
)
def test_what_a_window_is_to_others(
    others: dict[str, Any], now: Moment, alive: bool, state: str, journal: Journal
) -> None:
    """It depends on its lock, its lease, the machine and the boot."""
    window = written(journal, **others)
    assert _records.state(window, now, lambda _actor: alive) == state


def test_a_clock_that_jumps() -> None:
    """Differences ignore it, except across a reboot."""
    later = Moment(1010.0, 5010.0 + 86400, "this boot")
    assert later.since(NOW) == 10.0
    assert Moment(1010.0, 5010.0 - 86400, "this boot").since(NOW) == 10.0
    assert later._replace(boot="next").since(NOW) == 10.0 + 86400
    nowhere = NOW._replace(boot="")
    assert later._replace(boot="").since(nowhere) == 10.0 + 86400  # Nothing tells of reboots.


def test_a_system_that_does_not_tell_its_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, the system clock is used."""

    def missing(_path: Path, **_options: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert _clock.boot.__wrapped__() == ""
    assert _clock.machine.__wrapped__()


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the user ID, for example in a container."""

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert " of user " in _records.described(NOW)["program"]


def test_nothing_is_reclaimed_that_others_have(journal: Journal) -> None:
    """A window without tasks of its own stays as it is."""
    written(journal)
    assert journal.write(lambda c: _records.reclaim(c, "no window", "actor", [])) == []


def test_a_clock_that_went_back(journal: Journal) -> None:
    """A request from the future, as after a reboot with a wrong clock, counts as sent now."""
    request = {"sent_clock": 0.0, "sent_wall": NOW.wall + 86_400, "boot": "another boot"}
    assert _records.remaining(request, 60.0, NOW) == 60.0  # type: ignore[arg-type]  # As a row.
