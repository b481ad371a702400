"""One call as it goes on: its deadline, its attempts, and the line it leaves in the log."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import attrs
import httpx

from taurusdb_starrocks._errors import ReplicationError
from taurusdb_starrocks._telemetry import span

logger = logging.getLogger("taurusdb_starrocks")


@attrs.define
class Call:
    """What is known of a call under way. Times are readings of the monotonic clock."""

    started: float
    deadline: float
    attempts: int = 0
    logins: int = 0  # Attempts at logging in, on the way.
    sent: bool = False  # Whether the attempt under way has left, or may have.
    harmless: bool = False  # Whether it changes nothing.
    reply: httpx.Response | None = None

    def left(self) -> float:
        """Seconds until the deadline; not more than 0 when it has passed."""
        return self.deadline - time.monotonic()

    def stamp(self, error: ReplicationError) -> ReplicationError:
        """The error, told how many attempts were made and how long they took."""
        error.attempts = self.attempts or self.logins
        error.elapsed = time.monotonic() - self.started
        return error


# The call that the running thread or coroutine is in. The layers below httpx (its connections,
# a login on the way) have no other way to learn of it.
current: ContextVar[Call] = ContextVar("taurusdb_starrocks.call")


@contextmanager
def calling(request: httpx.Request, timeout: float) -> Iterator[Call]:
    """Surround one call: sets its deadline, and afterwards writes its line and its span."""
    now = time.monotonic()
    call = Call(started=now, deadline=now + timeout)
    token = current.set(call)
    outcome: httpx.Response | BaseException | None = None
    with span(request) as report:
        try:
            yield call
        except BaseException as error:
            outcome = call.stamp(error) if isinstance(error, ReplicationError) else error
            raise
        else:
            outcome = call.reply
        finally:
            current.reset(token)
            report(outcome, call.attempts)
            if logger.isEnabledFor(logging.INFO):
                logger.info("%s", _line(request, outcome, call))


def _line(
    request: httpx.Request, outcome: httpx.Response | BaseException | None, call: Call
) -> str:
    status = getattr(outcome, "status_code", None) or getattr(outcome, "status", None) or "-"
    ended = f" {type(outcome).__name__}" if isinstance(outcome, BaseException) else ""
    headers = getattr(outcome, "headers", {})
    request_id = getattr(outcome, "request_id", None) or headers.get("X-Request-Id", "-")
    operation, instance, task = describe(request)
    return (
        f"{operation} instance={instance} task={task} status={status}{ended} "
        f"attempts={call.attempts} duration={time.monotonic() - call.started:.3f}s "
        f"request_id={request_id}"
    )


def describe(request: httpx.Request) -> tuple[str, str, str]:
    """Operation, instance and task of a request, from its path and body; "-" for what it lacks."""
    match request.url.path.split("/")[-8:]:
        case [*_, "instances", instance, "starrocks", "databases", "replication", verb]:
            return verb, instance, _task_name(request)
        case [*_, "instances", instance, "starrocks", "databases", "replication"]:
            return "list", instance, "-"
        case [*_, "instances", instance, "htap"]:
            return "instances", instance, "-"
        case _:
            return request.method, "-", "-"


def _task_name(request: httpx.Request) -> str:
    # Through ``api`` anything can be sent.
    if request.method == "GET":
        name = request.url.params.get("task_name", "-")
        return name if name.isprintable() else "-"
    try:
        name = json.loads(request.read())["task_name"]
    except (ValueError, LookupError, TypeError, RecursionError, RuntimeError):
        return "-"
    return name if isinstance(name, str) and name.isprintable() else "-"
