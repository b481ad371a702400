"""The methods of both clients, as steps that either client can perform.

Arguments are checked when the steps are created, before anything is sent.
"""

from __future__ import annotations

import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import attrs

from taurusdb_starrocks import _rules, _settings
from taurusdb_starrocks._decisions import ensuring, listing, paging
from taurusdb_starrocks._decisions.paging import Reading
from taurusdb_starrocks._decisions.polling import Chances, Patience, Poll, Waiting
from taurusdb_starrocks._decisions.recording import Earlier, WindowRecorder
from taurusdb_starrocks._decisions.retry import RetryPolicy
from taurusdb_starrocks._decisions.steps import Change, Read, Steps, once
from taurusdb_starrocks._decisions.window import AlreadyPaused, WindowSteps
from taurusdb_starrocks._errors import ConfigurationError
from taurusdb_starrocks._instances import Configuration, Instance
from taurusdb_starrocks._operations import CONFIGURATION, INSTANCES, Operation
from taurusdb_starrocks._rebuild import Rebuild
from taurusdb_starrocks._tasks import Job, Task

if TYPE_CHECKING:
    import ssl

    from taurusdb_starrocks._credentials import Credentials
    from taurusdb_starrocks._generated import AuthenticatedClient
    from taurusdb_starrocks._transport.plan import Plan, Transport

Names = str | list[str] | tuple[str, ...]


class Verbs(ABC):
    """Base class of both clients.

    Args:
        region: Region of the instance, for example ``ap-southeast-3``. The default is
            ``TAURUSDB_STARROCKS_REGION``.
        endpoint: Base URL, instead of a region: ``https://``, or ``http://`` for loopback. The
            default is ``TAURUSDB_STARROCKS_ENDPOINT``.
        project_id: ID of the project in that region. The default is
            ``HUAWEICLOUD_SDK_PROJECT_ID``, or else the project of the credentials.
        auth: Credentials: ``TokenAuth``, ``IamPasswordAuth``, ``AccessKeyAuth`` or your own
            ``Credentials``. By default, they are read from environment variables or from the
            profile file, and never from the network.
        language: Language of the service's messages.
        timeout: Timeout of a call in seconds, including all attempts and the waits between them. In
            a ``Client``, it does not limit DNS lookups.
        connect_timeout: Timeout for establishing a connection, in seconds.
        read_timeout: Maximum time to wait for the next bytes, in seconds.
        retry: When to retry.
        poll: When to poll; the default of all methods that wait.
        wait_timeout: Maximum time to wait for tasks, in seconds; the default of all methods that
            wait.
        settle: Maximum time, in seconds, to find out what happened to a request whose response was
            lost; the default of all methods that wait.
        max_connections: Maximum number of open connections. Additional calls wait in order, up to
            their ``timeout``.
        ca_file: PEM file with the certificate authorities to trust, for a private CA. The default
            is ``TAURUSDB_STARROCKS_CA_FILE``, and otherwise those of certifi.
        ssl_context: TLS settings instead of a ``ca_file``, for example with a client certificate.
            They cannot be passed to another process, such as a guardian.
        trust_env: If true, use the proxies in the environment (``HTTPS_PROXY``, ``NO_PROXY``, …).
            They are read once, when the client is created.
        transport: An httpx transport to use instead of the network, for example
            ``httpx.MockTransport``. An ``AsyncClient`` needs an asynchronous one;
            ``httpx.MockTransport`` is both. For tests.
        environ: Environment variables to use instead of those of the process.

    Raises:
        ConfigurationError: An argument is missing or malformed. Nothing was sent.
    """

    @_rules.discreet
    @_rules.keywords_only
    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        project_id: str | None = None,
        auth: Credentials | None = None,
        language: _rules.Language = "en-us",
        timeout: float = 60.0,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # Frozen.
        poll: Poll = Poll(),  # noqa: B008  # Frozen.
        wait_timeout: float = 1800.0,
        settle: float = 60.0,
        max_connections: int = 100,
        ca_file: str | os.PathLike[str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = True,
        transport: Transport | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = _settings.resolve(
            region=region, endpoint=endpoint, project_id=project_id, auth=auth, environ=environ
        )
        self._language = _rules.language(language)
        _rules.seconds("wait_timeout", wait_timeout)
        self._patience = Patience(timeout=wait_timeout, poll=poll, settle=settle)
        self._chances = Chances(time.monotonic, random.random)
        plan = _settings.plan(
            self._settings.endpoint,
            self._settings.auth,
            timeout=timeout,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retry=retry,
            max_connections=max_connections,
            ca_file=ca_file,
            ssl_context=ssl_context,
            trust_env=trust_env,
            transport=transport,
            environ=environ,
        )
        self._plan = plan
        self._api = self._connect(plan)

    @abstractmethod
    def _connect(self, plan: Plan) -> AuthenticatedClient:
        """Connect the low-level client.

        Generated code and httpx are imported here, because importing them is slow.
        """

    def __repr__(self) -> str:
        settings = self._settings
        return (
            f"{type(self).__name__}(endpoint={str(settings.endpoint)!r}, "
            f"project_id={settings.project_id!r})"
        )

    @property
    def endpoint(self) -> str:
        """Base URL of the service."""
        return str(self._settings.endpoint)

    @property
    def project_id(self) -> str:
        """ID of the project of the instances."""
        return self._settings.project_id

    @property
    def timeout(self) -> float:
        """Timeout of a call, in seconds. No request is sent after it expires."""
        return self._plan.timeout

    @property
    def wait_timeout(self) -> float:
        """The default ``timeout`` of all methods that wait, in seconds."""
        return self._patience.timeout

    @property
    def settle(self) -> float:
        """The default ``settle`` of all methods that wait, in seconds."""
        return self._patience.settle

    def rebuild(self) -> Rebuild:
        """Instructions to create a ``Client`` with these settings in another process.

        They contain the secrets of the credentials, so send them only through a pipe to that
        process. A retry policy of your own is left out.

        Raises:
            ConfigurationError: The credentials cannot be created again, or the client has an
                ``ssl_context`` or a ``transport``, which another process cannot get.
        """
        plan, patience = self._plan, self._patience
        if plan.ssl_context is not None and plan.ca_file is None:
            raise ConfigurationError(
                "A client with ssl_context= cannot be created in another process. To trust a "
                "private CA, pass ca_file= instead."
            )
        if plan.transport is not None:
            raise ConfigurationError(
                "A client with transport= cannot be created in another process."
            )
        auth = plan.auth.rebuild()
        if auth is None:
            raise ConfigurationError(
                f"{type(plan.auth).__name__} cannot be created in another process: add a rebuild() "
                "method to it, or use a password, an access key or a plain token."
            )
        policy = Rebuild("taurusdb_starrocks:RetryPolicy", attrs.asdict(plan.retry))
        own: dict[str, Any] = {"retry": policy} if type(plan.retry) is RetryPolicy else {}
        if plan.ca_file is not None:
            own["ca_file"] = plan.ca_file
        return Rebuild(
            "taurusdb_starrocks:Client",
            {
                "endpoint": self.endpoint,
                "project_id": self.project_id,
                "auth": auth,
                "language": self._language,
                "timeout": plan.timeout,
                "connect_timeout": plan.connect_timeout,
                "read_timeout": plan.read_timeout,
                "poll": Rebuild("taurusdb_starrocks:Poll", attrs.asdict(patience.poll)),
                "wait_timeout": patience.timeout,
                "settle": patience.settle,
                "max_connections": plan.max_connections,
                "environ": {
                    name: value
                    for name, value in plan.proxies.items()
                    if name.casefold().endswith("_proxy")
                },
                **own,
            },
            lasting=auth.lasting,
        )

    @property
    def api(self) -> AuthenticatedClient:
        """The low-level client: pass it to the functions of ``taurusdb_starrocks_api``.

        They then use this client's credentials, endpoint and limits, and raise its errors. A
        ``Client`` is for ``sync`` and ``sync_detailed``, an ``AsyncClient`` is for ``asyncio`` and
        ``asyncio_detailed``.
        """
        return self._api

    @property
    def sources(self) -> Mapping[str, str]:
        """Where ``endpoint``, ``project_id`` and ``auth`` were found.

        Each value is the name of an argument, an environment variable or a file. Secrets are not
        shown.
        """
        return dict(self._settings.sources)

    def _check(self, instance_id: object, *task_names: object) -> None:
        _rules.instance_id(instance_id)
        for name in task_names:
            _rules.task_name(name)

    def _names(self, instance_id: str, task_name: Names) -> list[str]:
        """The names of the tasks of a call, without duplicates."""
        several = isinstance(task_name, Iterable) and not isinstance(task_name, (str, bytes))
        names: list[Any] = list(task_name) if several else [task_name]
        if not names:
            raise ConfigurationError("Name at least one task.")
        self._check(instance_id, *names)
        return list(dict.fromkeys(map(_rules.plain, names)))

    def _waiting(self, options: Mapping[str, Any]) -> Patience:
        try:
            return attrs.evolve(self._patience, **options)
        except TypeError:
            unknown = sorted(options.keys() - Waiting.__annotations__.keys())
            raise ConfigurationError(
                f"Unknown argument: {', '.join(unknown)}. The arguments for waiting are "
                f"{', '.join(Waiting.__annotations__)}."
            ) from None

    def _changing(self, operation: Operation, instance_id: str, task_name: str) -> Steps[Job]:
        self._check(instance_id, task_name)
        return once(Change(operation, instance_id, task_name))

    def _ensuring(
        self,
        ensure: Callable[..., Steps[dict[str, Task]]],
        instance_id: str,
        task_name: Names,
        options: Mapping[str, Any],
        *known: Earlier,
    ) -> Steps[Any]:
        names = self._names(instance_id, task_name)
        steps = ensure(instance_id, names, self._waiting(options), self._chances, *known)
        return _picked(steps, names, single=isinstance(task_name, str))

    def _reaching(
        self, operation: Operation, instance_id: str, task_name: str, options: Mapping[str, Any]
    ) -> Steps[Task]:
        self._check(instance_id, task_name)
        return ensuring.wait_until(
            operation, instance_id, task_name, self._waiting(options), self._chances
        )

    def _finding(self, instance_id: str, task_name: str) -> Steps[Task]:
        self._check(instance_id, task_name)
        return listing.find(instance_id, task_name)

    def _reading_instances(self, instance_id: str) -> Steps[list[Instance]]:
        return once(Read(INSTANCES, _rules.source_instance_id(instance_id)))

    def _reading_configuration(self, instance_id: str, task_name: str) -> Steps[Configuration]:
        self._check(instance_id, task_name)
        return once(Read(CONFIGURATION, instance_id, task_name))

    def _listing(self, instance_id: str) -> Reading:
        self._check(instance_id)
        return paging.read()

    def _pausing(
        self,
        instance_id: str,
        task_name: Names,
        already_paused: AlreadyPaused,
        options: Mapping[str, Any],
    ) -> Callable[[], WindowSteps]:
        names = self._names(instance_id, task_name)
        if already_paused not in get_args(AlreadyPaused):
            raise ConfigurationError(
                f"already_paused must be one of {', '.join(get_args(AlreadyPaused))}, not "
                f"{already_paused!r}."
            )
        patience = self._waiting(options)
        if not isinstance(patience.recorder, WindowRecorder | None):
            raise ConfigurationError("recorder must have the methods of a WindowRecorder.")
        # A window is used once. A decorated function needs a new one for each call.
        return partial(
            WindowSteps,
            instance_id,
            names,
            patience,
            self._chances,
            already_paused,
        )

    def _call(self, step: Any) -> tuple[Any, Mapping[str, Any], Callable[[Any], Any]]:
        from taurusdb_starrocks import _generated  # noqa: PLC0415  # As in _connect.

        return _generated.call(step, self._api, self._settings.project_id, self._language)


def _picked(steps: Steps[dict[str, Task]], names: Sequence[str], *, single: bool) -> Steps[Any]:
    """The requested task, or the list of requested tasks."""
    seen = yield from steps
    return seen[names[0]] if single else [seen[name] for name in names]
