"""The program's side of a guardian: start it, replace it when it is gone, pass on credentials."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from taurusdb_starrocks import AsyncClient, Client, ConfigurationError, ReplicationError
from taurusdb_starrocks.durable import _records, _recovery
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._link import Link
from taurusdb_starrocks.durable._sender import logger
from taurusdb_starrocks.durable._term import Term

TICK = 0.5  # Seconds between checks of the lease and the guardian.
LAST_RETRY = 60.0  # Seconds between two starts of a guardian, at most.


class Watched(Protocol):
    """A window in the program that opened it. Implement this protocol for ``Watch``.

    Attributes:
        name: Name of the window in warnings.
        guardian: Name of the module whose function ``main`` the guardian process calls.
    """

    name: str
    guardian: str

    def client(self) -> tuple[Any, bool]:
        """Return instructions that let the guardian create its clients.

        Returns:
            Two values. The first value contains the instructions, as JSON values. The second value
            is false if the instructions contain a token that expires.

        Raises:
            ConfigurationError: The credentials cannot be used in another process.
        """

    def appoint(self, actor: str) -> dict[str, Any]:
        """Record in the journal which guardian resumes the tasks.

        Args:
            actor: ID of the guardian, which is also the name of its lock. Pass it to
                ``Batch.guarded_by``.

        Returns:
            What else ``Guarded`` needs in the guardian process, as JSON values.

        Raises:
            JournalError: The journal cannot be written.
        """

    def closed(self) -> bool:
        """Return whether the journal shows the window as closed. Then no guardian is started."""

    def left(self) -> float:
        """Return the seconds until the lease ends; 0 when it has ended."""

    def late(self) -> bool:
        """Return whether to log a warning because the lease ends soon."""


class Watch:
    """Starts the guardian of a window, replaces it if it exits, and warns before the lease ends.

    Args:
        watched: The window.
        guarded: Whether the window has a guardian.

    Raises:
        ConfigurationError: The credentials cannot be used in the guardian process. Nothing was
            sent.
    """

    def __init__(self, watched: Watched, *, guarded: bool) -> None:
        self._watched = watched
        self._link: Link | None = None
        self._changing = threading.Lock()
        self._over = threading.Event()
        self._warned: dict[str, str] = {}  # The last warning of each kind.
        self._wait = TICK
        self._due = 0.0  # When another guardian may be started.
        self._sent = self._first_client() if guarded else None

    def _first_client(self) -> Any:
        try:
            client, lasting = self._watched.client()
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{error.message} So there can be no guardian for it: with guardian=False, only "
                "this program and recover() resume the tasks. Nothing was sent."
            ) from None
        if not lasting:
            logger.warning(
                "%s: the guardian has a token or a temporary key, which expires within 24 hours. "
                "If it expires before the tasks are resumed, they stay paused until recover runs "
                "with new credentials. An access key avoids this.",
                self._watched.name,
            )
        return client

    def start(self, parent: int | None) -> None:
        """Start the guardian, and wait until it is ready. Does nothing if ``guarded`` is false.

        Args:
            parent: ID of this process. The guardian resumes the tasks when that process has exited.
                None if the guardian keeps running until the lease ends.

        Raises:
            GuardianError: The guardian could not be started, or exited before it was ready.
            JournalError: The journal cannot be written.
        """
        if self._sent is None:
            return
        actor = uuid.uuid4().hex
        given = self._watched.appoint(actor)
        self._due = time.monotonic() + self._wait
        self._link = Link(
            {**given, "actor": actor, "parent": parent, "client": self._sent},
            self._watched.guardian,
        )

    def keep(self) -> None:
        """Start a thread that checks the lease and the guardian. ``end`` stops the thread.

        The thread logs a warning before the lease ends. It starts another guardian if the guardian
        has exited, and sends new credentials to the guardian.
        """
        threading.Thread(target=self._keep, name="taurusdb-starrocks-watch", daemon=True).start()

    def _keep(self) -> None:
        while not self._over.wait(TICK):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  # The program counts on this thread.
                if self._is_new("error", repr(error)):
                    logger.exception("%s: the watch goes on after an error", self._watched.name)
        if self._link is not None:
            self._link.close()

    def _look(self) -> None:
        late = self._watched.late()
        if self._is_new("lease", str(late)) and late:
            logger.warning(
                "%s: %.0f s of the lease are left", self._watched.name, self._watched.left()
            )
        if self._link is None:
            return
        client = self._client()  # Outside the lock: a program's credentials may take any time.
        with self._changing:
            if not self._over.is_set():
                self._renew(self._link, client)

    def _is_new(self, kind: str, text: str) -> bool:
        former = self._warned.get(kind)
        self._warned[kind] = text
        return former != text

    def _renew(self, link: Link, client: Any) -> None:
        """Start another guardian if it is gone, and pass on credentials that have changed."""
        changed, self._sent = client != self._sent, client
        if link.ended():
            if time.monotonic() >= self._due:
                self._replace(link)
        elif changed:
            link.tell({"client": client})

    def _client(self) -> Any:
        try:
            client, _ = self._watched.client()
        except Exception as error:  # noqa: BLE001  # A program's credentials raise anything.
            told = str(error) if isinstance(error, ReplicationError) else type(error).__name__
            if self._is_new("client", told):
                logger.warning(
                    "%s: the guardian keeps the credentials it has: %s", self._watched.name, told
                )
            return self._sent
        self._is_new("client", "")
        return client

    def _replace(self, link: Link) -> None:
        """Start another guardian, at growing intervals, unless nothing is left for it to do."""
        link.close()
        lived = time.monotonic() - self._due
        self._wait = TICK if lived > LAST_RETRY else min(self._wait * 2, LAST_RETRY)
        try:
            if self._watched.closed():
                self._link = None
                return
            logger.warning("%s: its guardian is gone, another is started", self._watched.name)
            self.start(os.getpid())
        except Exception:  # noqa: BLE001  # Whatever it is, the next attempt is not at once.
            self._due = time.monotonic() + self._wait
            logger.exception(
                "%s has no guardian; another attempt follows in %.0f s",
                self._watched.name,
                self._wait,
            )

    def tell(self, **what: Any) -> None:
        """Send a message to the guardian, if there is one.

        Args:
            **what: ``look=True``: read the journal again, because the program has changed it.
                ``over=True``: the program has closed the window; resume what is left.
        """
        if self._link is not None:
            self._link.tell(what)

    def ended(self) -> bool:
        """Return whether no guardian is running."""
        return self._link is None or self._link.ended()

    def part(self) -> None:
        """Close the connection to the guardian. The guardian keeps running."""
        if self._link is not None:
            self._link.close()

    def end(self) -> None:
        """Stop the thread that ``keep`` started. A guardian that exits is not replaced."""
        self._over.set()
        with self._changing:  # One that is being started is told what comes next.
            pass


class WatchedWindow:
    """A durable window, or a hold.

    Args:
        journal: The journal.
        window: ID of the window.
        term: Its lease.
        client: The client whose settings the guardian has.
        waiting: How the guardian waits.
        name: The window, as a warning names it.
    """

    guardian = "taurusdb_starrocks.durable._guardian"

    def __init__(
        self,
        journal: Journal,
        window: str,
        term: Term,
        client: Client | AsyncClient,
        *,
        waiting: Mapping[str, Any],
        name: str,
    ) -> None:
        self.name = name
        self._journal = journal
        self._window = window
        self._term = term
        self._client = client
        self._waiting = waiting

    def client(self) -> tuple[Any, bool]:
        """How the client is built again."""
        rebuild = self._client.rebuild()
        return rebuild.to_document(), rebuild.lasting

    def appoint(self, actor: str) -> dict[str, Any]:
        """Write the guardian into the row of the window."""
        self._journal.write(
            lambda c: c.execute(
                "UPDATE window SET guardian = ? WHERE id = ?", (actor, self._window)
            )
        )
        return {
            "journal": str(self._journal.path),
            "window": self._window,
            "waiting": _recovery.portable(self._waiting),
        }

    def closed(self) -> bool:
        """Whether its row is closed."""
        row = self._journal.read(lambda c: _records.find(c, self._window))
        return row["closed_wall"] is not None

    def left(self) -> float:
        """Seconds until the lease ends."""
        return self._term.left

    def late(self) -> bool:
        """Whether four fifths of the lease are over."""
        return self._term.late
