"""Failures of an exchange, with the same messages for sockets and asyncio."""

from __future__ import annotations

import os
import sys
import time
from enum import Enum
from typing import TypeVar

from taurusdb_starrocks._messages import Unanswered
from taurusdb_starrocks._transport.proxies import Route

E = TypeVar("E", bound=BaseException)

# A timer can fire slightly early.
TOLERANCE = 0.005
UNRESOLVED = "Could not connect to {peer}: the name could not be resolved"


class Fault(Exception):  # noqa: N818  # Internal: it becomes an `Unanswered`.
    """A problem with data that a peer sent, or with data to send.

    Attributes:
        what: What happened; ``{peer}`` is the placeholder for the peer.
        lasting: Whether it would happen again in the same way.
        sent: False if the request certainly did not arrive, even if bytes were written.
    """

    def __init__(self, what: str, *, lasting: bool = False, sent: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.lasting = lasting
        self.sent = sent


class Stage(Enum):
    """The stages of an exchange, with the messages for a timeout in each."""

    WAIT = "The deadline passed while waiting for a free connection to {peer}"
    CONNECT = "The deadline passed while connecting to {peer}"
    SEND = "The deadline passed before the request to {peer} was sent"
    READ = "The deadline passed before the response of {peer} was complete"


class Progress:
    """The progress of one exchange, and the error message if it fails.

    Attributes:
        stage: The current stage.
        peer: The peer.
        sent: Whether any byte of the request may have been sent.
    """

    def __init__(
        self, route: Route, deadline: float, *, connect_timeout: float, read_timeout: float
    ) -> None:
        self._route = route
        self._deadline = deadline
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self.stage = Stage.WAIT
        self.peer: str | None = None
        self.sent = False
        self._outside = sys.exception()

    def connecting(self, peer: str) -> None:
        """Note that a new connection is about to be opened."""
        self._check()
        self.stage = Stage.CONNECT
        self.peer = peer

    def sending(self) -> None:
        """Note that the connection is ready and the request is about to be sent."""
        self.peer = None
        self._check()
        self.stage = Stage.READ
        self.sent = True

    def _check(self) -> None:
        if time.monotonic() >= self._deadline:
            self.stage = Stage.SEND
            raise TimeoutError

    def explain(self, error: OSError | Fault) -> Unanswered:
        """The exception for the caller, with a cause that contains nothing from the request."""
        sent, lasting = self.sent, False
        cause: BaseException | None = error
        if isinstance(error, Fault):
            what, lasting, cause = error.what, error.lasting, error.__cause__
            sent = sent and error.sent
        elif isinstance(error, TimeoutError) and error.errno is None:
            what = self._late()
        else:
            what = self._broken(error)
        what = what.replace("{peer}", self.peer or self._route.name)
        failure = Unanswered(what, sent=sent, lasting=lasting)
        failure.__cause__ = cause
        bare(failure, self._outside)
        return failure

    def _late(self) -> str:
        if self.stage in {Stage.WAIT, Stage.SEND} or (
            time.monotonic() >= self._deadline - TOLERANCE
        ):
            return self.stage.value
        if self.stage is Stage.CONNECT:
            return f"Could not connect to {{peer}} within {self._connect_timeout:g} s"
        return f"Nothing came from {{peer}} for {self._read_timeout:g} s (read timeout)"

    def _broken(self, error: OSError) -> str:
        why = os.strerror(error.errno).lower() if error.errno else "it broke"
        if self.stage is Stage.CONNECT:
            return f"Could not connect to {{peer}}: {why}"
        return f"The connection to {{peer}} was lost before a complete response: {why}"


def bare(error: E, outside: BaseException | None) -> E:
    """The error without the tracebacks of the exceptions behind it.

    The variables of their frames contain the headers, and so the credentials.

    Args:
        error: The error of a call or of an exchange.
        outside: The exception that the program was handling before, if any. It keeps its traceback,
            as do the exceptions behind it.
    """
    seen = {id(outside)}  # A program can raise an exception from itself.
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            link.__traceback__ = None
            links += [link.__cause__, link.__context__, *getattr(link, "exceptions", ())]
    return error
