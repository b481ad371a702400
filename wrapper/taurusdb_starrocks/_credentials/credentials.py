"""The base class of all credentials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import Any

from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import Document
from taurusdb_starrocks._rebuild import Rebuild

# Sends a login as a part of the call; given the request and the secrets in its body.
Login = Callable[[Request, list[str]], Generator[Any, Any, tuple[Reply, Document]]]


class Credentials(ABC):
    """What a request is authenticated with. Subclass it for a kind of your own.

    A subclass gives the ``headers`` of each attempt, as it is sent. They are never shown: no
    message, log line or pickle of this package repeats the values of ``X-Auth-Token``,
    ``X-Security-Token``, ``Authorization`` or ``Cookie``. Whatever ``headers`` raises ends the call
    before anything is sent: a ``ReplicationError`` as it is, anything else as a ``NotSentError``.

    Attributes:
        renewable: Whether other headers may succeed after a 401. They are then asked for once
            more, and sent if they differ.
        project_id: The project that they are for, if they are for one: that of a ``Client`` which
            is given no other.
    """

    renewable: bool = False
    project_id: str | None = None

    @abstractmethod
    def headers(self, request: Request, /) -> Mapping[str, str]:
        """The headers that authenticate one attempt.

        It must be quick, and safe for threads: coroutines and threads share the object.

        Args:
            request: The attempt, complete but for these headers, ``Host`` and ``Content-Length``.
        """

    def rebuild(self) -> Rebuild | None:
        """How these credentials are built again in a second process; None if they cannot be.

        The guardian of a durable window needs it. What is returned goes through a pipe, and nowhere
        else. A subclass whose headers change by themselves may return others each time.
        """
        return None

    def authenticate(
        self, request: Request, rejected: Mapping[str, str] | None, _login: Login, /
    ) -> Generator[Any, Any, Mapping[str, str] | None]:
        """The headers of an attempt, as steps, for what must be obtained first.

        Args:
            request: The attempt.
            rejected: The headers that a 401 has just rejected, if any.
            _login: Sends a login as a part of the call, for kinds that need one.

        Returns:
            The headers; None when there are no others than those rejected.
        """
        if rejected is not None and not self.renewable:
            return None
        headers = self.headers(request)
        return None if headers == rejected else headers
        yield  # A generator, though this kind takes no steps.
