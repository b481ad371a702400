"""The program's side of a guardian: starts it, starts another when it is gone, hands it news."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from taurusdb_starrocks import AsyncClient, Client, ConfigurationError
from taurusdb_starrocks.durable import _recovery
from taurusdb_starrocks.durable._errors import JournalError
from taurusdb_starrocks.durable._journal import Journal
from taurusdb_starrocks.durable._link import GuardianError, Link
from taurusdb_starrocks.durable._sender import logger
from taurusdb_starrocks.durable._term import Term

TICK = 0.5  # Seconds between looks at the lease and the guardian.


class Watch:
    """Warns before a lease ends, and keeps a guardian there.

    Args:
        journal: The journal.
        window: ID of the window.
        term: Its lease.
        client: The client whose settings the guardian has.
        guarded: Whether there is a guardian.
        waiting: How it is to wait.
        about: The window, as a warning names it.
    """

    def __init__(
        self,
        journal: Journal,
        window: str,
        term: Term,
        client: Client | AsyncClient,
        *,
        guarded: bool,
        waiting: Mapping[str, Any],
        about: str,
    ) -> None:
        self._journal = journal
        self._window = window
        self._term = term
        self._client = client
        self._waiting = waiting
        self._about = about
        self._link: Link | None = None
        self._changing = threading.Lock()
        self._over = threading.Event()
        self._sent = self._settings() if guarded else None  # What cannot travel is refused early.

    def _settings(self) -> dict[str, Any]:
        try:
            rebuild = self._client.rebuild()
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{error.message} So there can be no guardian for it: with guardian=False, only "
                "this program and recover() resume the tasks. Nothing was sent."
            ) from None
        if not rebuild.lasting:
            logger.warning(
                "%s: the guardian gets a token whose end is unknown (tokens live 24 hours); once "
                "it has ended, only this program can resume the tasks",
                self._about,
            )
        return rebuild.to_document()

    def start(self, parent: int | None) -> None:
        """Start the guardian, if there is to be one, and wait until it is ready.

        Args:
            parent: The process whose end it waits for; None if it stays by itself.

        Raises:
            GuardianError: It does not start.
            JournalError: The journal cannot be written.
        """
        if self._sent is None:
            return
        actor = uuid.uuid4().hex
        self._journal.write(
            lambda c: c.execute(
                "UPDATE window SET guardian = ? WHERE id = ?", (actor, self._window)
            )
        )
        self._link = Link(
            {
                "journal": str(self._journal.path),
                "window": self._window,
                "actor": actor,
                "parent": parent,
                "client": self._sent,
                "waiting": _recovery.portable(self._waiting),
            }
        )

    def keep(self) -> None:
        """Warn before the lease ends and keep the guardian there, in a thread, until the end."""
        threading.Thread(target=self._keep, name="taurusdb-starrocks-watch", daemon=True).start()

    def _keep(self) -> None:
        warned = None
        while not self._over.wait(TICK):
            if self._term.late and warned != self._term.end:
                warned = self._term.end
                logger.warning("%s: %.0f s of the lease are left", self._about, self._term.left)
            with self._changing:
                if not self._over.is_set() and self._link is not None:
                    self._renew(self._link)
        if self._link is not None:
            self._link.close()

    def _renew(self, link: Link) -> None:
        """Start another guardian if it is gone, and hand it credentials that have changed."""
        try:
            rebuild = self._client.rebuild().to_document()
        except ConfigurationError as error:
            logger.warning("%s: the guardian keeps the credentials it has: %s", self._about, error)
            rebuild = self._sent or {}
        changed, self._sent = rebuild != self._sent, rebuild
        if link.ended():
            logger.warning("%s: its guardian is gone, another is started", self._about)
            try:
                self.start(os.getpid())
            except (GuardianError, JournalError):
                logger.exception("%s has no guardian; another attempt follows", self._about)
        elif changed:
            link.tell({"client": rebuild})

    def tell(self, **what: Any) -> None:
        """Tell the guardian something, if there is one."""
        if self._link is not None:
            self._link.tell(what)

    def part(self) -> None:
        """Leave a guardian that stays by itself."""
        if self._link is not None:
            self._link.close()

    def end(self) -> None:
        """Start no other guardian any more."""
        self._over.set()
        with self._changing:  # One that is being started is told what comes next.
            pass
