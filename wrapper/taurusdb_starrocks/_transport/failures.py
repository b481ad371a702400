"""What went wrong with an exchange, in the same words whichever network carried it."""

from __future__ import annotations

import os
import time
from enum import Enum

from taurusdb_starrocks._messages import Unanswered
from taurusdb_starrocks._transport.proxies import Route

# A timer may fire a little before its time.
TOLERANCE = 0.005
UNRESOLVED = "Could not connect to {peer}: the name could not be resolved"


class Fault(Exception):  # noqa: N818  # It never leaves this folder: `Unanswered` does.
    """Something is wrong with what a peer sent, or with what it was to be sent.

    Attributes:
        what: What happened; ``{peer}`` stands for the peer.
        lasting: Whether it would happen again in the same way.
        sent: False if the request is known not to have arrived, whatever was written.
    """

    def __init__(self, what: str, *, lasting: bool = False, sent: bool = True) -> None:
        super().__init__(what)
        self.what = what
        self.lasting = lasting
        self.sent = sent


class Stage(Enum):
    """How far an exchange has come: the words for running out of time in it."""

    WAIT = "The deadline passed while waiting for a free connection to {peer}"
    CONNECT = "The deadline passed while connecting to {peer}"
    SEND = "The deadline passed before the request to {peer} was sent"
    READ = "The deadline passed before the response of {peer} was complete"


class Progress:
    """How far one exchange has come, and what is said when it fails there.

    Attributes:
        stage: What is being done.
        peer: With whom.
        sent: Whether a byte of the request may have left.
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

    def connecting(self, peer: str) -> None:
        """A new connection is about to be opened."""
        self._check()
        self.stage = Stage.CONNECT
        self.peer = peer

    def sending(self) -> None:
        """The connection is there; the request is about to leave."""
        self.peer = None
        self._check()
        self.stage = Stage.READ
        self.sent = True

    def _check(self) -> None:
        if time.monotonic() >= self._deadline:
            self.stage = Stage.SEND
            raise TimeoutError

    def explain(self, error: OSError | Fault) -> Unanswered:
        """What the caller is told, with a cause that holds nothing of the request."""
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
        failure.__cause__ = _bare(cause)
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


def _bare(cause: BaseException | None) -> BaseException | None:
    """The cause without the frames that it came through: their variables hold the headers."""
    link = cause
    while link is not None:
        link.__traceback__ = None
        link.__context__ = link.__cause__ or link.__context__
        link = link.__context__
    return cause
