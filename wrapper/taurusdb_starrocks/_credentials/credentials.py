"""The base class of all credentials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import Any, NoReturn

from taurusdb_starrocks._messages import Reply, Request
from taurusdb_starrocks._operations import Document
from taurusdb_starrocks._rebuild import Rebuild

# Sends a login within the call. Takes the request and the secrets in its body.
Login = Callable[[Request, list[str]], Generator[Any, Any, tuple[Reply, Document]]]


class Credentials(ABC):
    """Base class of credentials. Subclass it for your own kind of credentials.

    A subclass returns the ``headers`` of each attempt when it is sent. They are never shown: no
    message, log line or pickle of this package contains the values of ``X-Auth-Token``,
    ``X-Security-Token``, ``Authorization`` or ``Cookie``. Credentials cannot be pickled or copied:
    create them in each process. If ``headers`` raises, the call ends before anything is sent: a
    ``ReplicationError`` is raised unchanged, any other exception as a ``NotSentError``.

    Attributes:
        renewable: True if new headers can succeed after a 401. If so, ``headers`` is called once
            more, and the result is sent if it differs.
        project_id: The project that the credentials are for, if they are for one. A ``Client``
            without a project uses it.
    """

    renewable: bool = False
    project_id: str | None = None

    def __reduce__(self) -> NoReturn:
        """Pickles would show the secrets to everyone who can read them."""
        raise TypeError(
            f"{type(self).__name__} cannot be pickled or copied, because it has secrets. Create it "
            "in the process that needs it."
        )

    @abstractmethod
    def headers(self, request: Request, /) -> Mapping[str, str]:
        """The headers that authenticate one attempt.

        It runs in the thread of the call, which with an ``AsyncClient`` is the thread of the event
        loop. So it must be fast and thread-safe, and it cannot be a coroutine function.

        Args:
            request: The request, complete except for these headers, ``Host`` and
                ``Content-Length``.
        """

    def rebuild(self) -> Rebuild | None:
        """Instructions to create these credentials in another process, or None if impossible.

        The guardian process of a durable window needs them. They are sent only through a pipe. For
        a class ``VaultAuth`` in the module ``my_package.auth``, return for example
        ``Rebuild("my_package.auth:VaultAuth", {"role": self.role})``. The other process must be
        able to import the class, and the arguments must be JSON values. Add ``lasting=False`` if
        they contain a token that expires. Each call may return different instructions.
        """
        return None

    def authenticate(
        self, request: Request, rejected: Mapping[str, str] | None, _login: Login, /
    ) -> Generator[Any, Any, Mapping[str, str] | None]:
        """The headers of an attempt, as steps, for credentials that need a login first.

        Args:
            request: The request.
            rejected: The headers that a 401 has just rejected, if any.
            _login: Sends a login within the call, for credentials that need one.

        Returns:
            The headers, or None if there are no others than the rejected ones.
        """
        if rejected is not None and not self.renewable:
            return None
        headers = self.headers(request)
        return None if headers == rejected else headers
        yield  # Makes this a generator, although it has no steps.
