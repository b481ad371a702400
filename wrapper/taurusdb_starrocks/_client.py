"""The clients: the one module that touches generated code."""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

import anyio
import attrs
import httpx
from taurusdb_starrocks_api import AuthenticatedClient
from taurusdb_starrocks_api.api.data_synchronization import (
    pause_star_rocks_data_replication as pause_call,
)
from taurusdb_starrocks_api.api.data_synchronization import (
    resume_star_rocks_data_replication as resume_call,
)
from taurusdb_starrocks_api.api.instances import list_htap_instance_info as instances_call
from taurusdb_starrocks_api.api.task_status import (
    list_star_rocks_data_replication_config as configuration_call,
)
from taurusdb_starrocks_api.api.task_status import list_star_rocks_data_replications as list_call
from taurusdb_starrocks_api.models import Job as WireJob
from taurusdb_starrocks_api.models import Language as WireLanguage
from taurusdb_starrocks_api.models import ReplicationList, SyncTask
from taurusdb_starrocks_api.types import Response

from taurusdb_starrocks import _credentials, _hosts, _http, _rules, _waiting
from taurusdb_starrocks._errors import ConfigurationError, NotFoundError
from taurusdb_starrocks._instances import (
    Configuration,
    Instance,
    ReadConfiguration,
    ReadInstances,
    advice,
    read_configuration,
    read_instances,
)
from taurusdb_starrocks._paging import Found, Reading, following, read
from taurusdb_starrocks._retry import RetryPolicy
from taurusdb_starrocks._tasks import Job, Task
from taurusdb_starrocks._waiting import Ask, Look, Patience, Sleep, Waiting, Window

if TYPE_CHECKING:
    import ssl

REGION = "TAURUSDB_STARROCKS_REGION"
ENDPOINT = "TAURUSDB_STARROCKS_ENDPOINT"

T = TypeVar("T")


class _Client(ABC):
    """What both clients are made of, resolved from arguments and the environment.

    Args:
        region: Region of the instance, like ``ap-southeast-3``; or ``TAURUSDB_STARROCKS_REGION``.
        endpoint: Base URL in place of a region, ``https://`` (``http://`` for loopback only); or
            ``TAURUSDB_STARROCKS_ENDPOINT``.
        project_id: Project in that region; or ``HUAWEICLOUD_SDK_PROJECT_ID``.
        auth: Who asks: ``TokenAuth``, ``IamPasswordAuth``, ``AccessKeyAuth`` or an ``httpx.Auth``
            of your own. Not given, it is looked for in the environment and in the profile file of
            the official client, never on the network.
        language: Language of the service's messages.
        timeout: Longest time of a call in seconds, all attempts and waits between them included.
        connect_timeout: Longest time to connect, in seconds.
        read_timeout: Longest time to wait for the next bytes, in seconds.
        retry: When to try again.
        ssl_context: TLS settings, for a private CA or a client certificate. The default verifies
            against certifi's list.
        trust_env: Whether proxies come from the environment (``HTTPS_PROXY``, ``NO_PROXY``, …).
        transport: Carries the requests in place of the network, for tests.
        environ: Environment variables, in place of the process's own.

    Raises:
        ConfigurationError: An argument is missing or malformed. Nothing was sent.
    """

    @_rules.discreet
    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        project_id: str | None = None,
        auth: httpx.Auth | None = None,
        language: _rules.Language = "en-us",
        timeout: float = 60.0,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # Frozen.
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = True,
        transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        if region is not None and endpoint is not None:
            raise ConfigurationError("Give region or endpoint, not both.")
        if region is None and endpoint is None:
            endpoint = environ.get(ENDPOINT) or None
            region = None if endpoint else environ.get(REGION) or None
        if endpoint is not None:
            endpoint = _hosts.endpoint("endpoint", endpoint)
        elif region is not None:
            endpoint = _hosts.service(region)
        else:
            raise ConfigurationError(
                f"No region. Pass region= or endpoint=, or set {REGION} or {ENDPOINT}."
            )
        if auth is None:
            found = _credentials.find(environ, region, project_id)
            auth, project_id = found.auth, project_id or found.project_id
            if auth is None:
                raise _credentials.nothing_found(environ)
        project_id = project_id or environ.get(_credentials.PROJECT) or None
        if project_id is None:
            raise ConfigurationError(
                f"No project. Pass project_id= or set {_credentials.PROJECT}; find_project_id() "
                "looks it up."
            )
        self._project_id = _rules.project_id(project_id)
        self._language = WireLanguage(_rules.language(language))
        # Without a base URL and a token of its own: it only works with the HTTP client below.
        self._api = AuthenticatedClient(base_url="", token="")
        self._connect(
            _http.plan(
                endpoint,
                auth,
                timeout=timeout,
                connect_timeout=connect_timeout,
                read_timeout=read_timeout,
                retry=retry,
                ssl_context=ssl_context,
                trust_env=trust_env,
                transport=transport,
            )
        )
        self._endpoint = endpoint

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(endpoint={self._endpoint!r}, project_id={self._project_id!r})"
        )

    @property
    def api(self) -> AuthenticatedClient:
        """The low-level client: pass it to the functions of ``taurusdb_starrocks_api``.

        They then have this client's identity, endpoint and limits, and raise its errors.
        """
        return self._api

    @abstractmethod
    def _connect(self, plan: _http.Plan) -> None: ...

    # What the verbs of both clients do, as steps that either can carry out. Arguments are checked
    # when the steps are made, before anything is sent.

    def _check(self, instance_id: object, *task_names: object) -> None:
        _rules.instance_id(instance_id)
        for name in task_names:
            _rules.task_name(name)

    def _changing(
        self, verb: _waiting.Verb, instance_id: str, task_name: str, wait: bool, options: Waiting
    ) -> _waiting.Steps[Job]:
        self._check(instance_id, task_name)
        if wait:
            return _waiting.change(verb, instance_id, task_name, Patience(**options))
        if options:
            raise ConfigurationError(f"{', '.join(options)}: only together with wait=True.")
        return _waiting.ask(verb, instance_id, task_name)

    def _reaching(
        self, verb: _waiting.Verb, instance_id: str, task_name: str, options: Waiting
    ) -> _waiting.Steps[Task]:
        self._check(instance_id, task_name)
        return _waiting.reach(verb, instance_id, task_name, Patience(**options))

    def _finding(self, instance_id: str, task_name: str) -> _waiting.Steps[Task]:
        self._check(instance_id, task_name)
        return _waiting.find(instance_id, task_name)

    def _listing(self, instance_id: str) -> Reading:
        self._check(instance_id)
        return read()

    def _pausing(
        self, instance_id: str, task_name: str | list[str] | tuple[str, ...], options: Waiting
    ) -> Callable[[], Window]:
        names = [task_name] if isinstance(task_name, str) else list(task_name)
        if not names:
            raise ConfigurationError("A window needs at least one task_name.")
        self._check(instance_id, *names)
        # A window is for one use; as a decorator, what is returned here is used many times.
        return partial(Window, instance_id, names, Patience(**options))

    def _reading_instances(self, instance_id: str) -> ReadInstances:
        return ReadInstances(_rules.source_instance_id(instance_id))

    def _reading_configuration(self, instance_id: str, task_name: str) -> ReadConfiguration:
        self._check(instance_id, task_name)
        return ReadConfiguration(instance_id, task_name)

    def _request(
        self, effect: Ask | Look | ReadConfiguration | ReadInstances
    ) -> tuple[Any, dict[str, Any], Callable[[Any], Any]]:
        """The generated module that has an effect, its arguments, and what reads its reply."""
        arguments = {
            "client": self._api,
            "project_id": self._project_id,
            "instance_id": _rules.plain(effect.instance_id),
            "x_language": self._language,
        }
        if isinstance(effect, Look):
            return list_call, {**arguments, **attrs.asdict(effect.page)}, _page
        if isinstance(effect, ReadInstances):
            return instances_call, arguments, _instances
        if isinstance(effect, ReadConfiguration):
            arguments["task_name"] = _rules.plain(effect.task_name)
            return configuration_call, arguments, _configuration
        call = pause_call if effect.verb == "pause" else resume_call
        return call, {**arguments, "body": SyncTask(task_name=_rules.plain(effect.task_name))}, _job


class Client(_Client):
    """Pauses and resumes synchronization tasks. May be shared by threads, and used after a fork."""

    def _connect(self, plan: _http.Plan) -> None:
        self._http = _http.HTTPClient(plan)
        self._api.set_httpx_client(self._http)

    def pause(
        self, instance_id: str, task_name: str, *, wait: bool = False, **options: Unpack[Waiting]
    ) -> Job:
        """Ask for one synchronization task to stop; return the job that stops it.

        The service answers when the job is accepted, not when it is done: with ``wait`` this
        returns only once the task is seen paused.

        Args:
            instance_id: StarRocks instance (36 characters, ends in ``in17``), not the TaurusDB
                instance it replicates from.
            task_name: 3 to 128 ASCII letters, digits or underscores.
            wait: Whether to wait until the task is paused. A request whose answer was lost is then
                settled by looking, and repeated only when the stage shows that nothing happened.
            **options: How to wait, see ``Waiting``.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            NotSentError: The service was not reached. Nothing changed.
            OutcomeUnknownError: The request left and no usable answer came. The task may be
                stopping: look at its stage before asking again.
            ServiceError: The service refused; ``code`` says why. Nothing changed, but after a
                ``ServerError`` the task may be stopping.
            WaitTimeoutError: The task was not seen paused in time. It may still become so.
            TaskFailedError: The task turned abnormal or was cancelled while it was waited for.
        """
        return self._run(self._changing("pause", instance_id, task_name, wait, options))

    def resume(
        self, instance_id: str, task_name: str, *, wait: bool = False, **options: Unpack[Waiting]
    ) -> Job:
        """Ask for one paused synchronization task to go on; return the job that restores it.

        The mirror image of ``pause``, in its arguments and errors: with ``wait`` this returns
        only once the task is seen running, in stage ``FULL`` or ``INCREMENTAL``.
        """
        return self._run(self._changing("resume", instance_id, task_name, wait, options))

    def tasks(self, instance_id: str) -> Iterator[Task]:
        """All synchronization tasks of an instance, each once, page by page as they are taken.

        A task that the service shows in two ways that contradict each other has the stage
        ``UNKNOWN``.

        Raises:
            ConfigurationError: The instance ID is malformed. Nothing was sent.
            ServiceError: The service refused; ``code`` says why.
            NotSentError: The service was not reached.
            OutcomeUnknownError: No usable answer came, or the list could not be read as a whole:
                it does not end, or shows fewer tasks than it counts. What it does show was taken.
        """
        return self._all(instance_id, self._listing(instance_id))

    def _all(self, instance_id: str, reading: Reading) -> Iterator[Task]:
        step = following(reading)
        while step is not None:
            if isinstance(step, Found):
                yield from step.tasks
                step = following(reading)
            else:
                step = following(reading, self._perform(Look(instance_id, step)))

    def task(self, instance_id: str, task_name: str) -> Task:
        """One synchronization task as it is now.

        Raises:
            NotFoundError: The instance does not exist, or lists no such task.
            ReplicationError: As for ``tasks``.
        """
        return self._run(self._finding(instance_id, task_name))

    def instances(self, instance_id: str) -> list[Instance]:
        """The StarRocks and ClickHouse instances that replicate from a TaurusDB instance.

        For when you have the ID of the TaurusDB instance, which ends in ``in07``: every other call
        takes the ID of a StarRocks instance, which ends in ``in17``.

        Args:
            instance_id: TaurusDB instance (36 characters, ends in ``in07``).

        Raises:
            UnsupportedOperationError: The service follows a contract older than 1.2.
            NotFoundError: The TaurusDB instance does not exist.
            ReplicationError: As for ``tasks``. Nothing changes by reading.
        """
        return self._perform(self._reading_instances(instance_id))  # type: ignore[no-any-return]  # What the effect says.

    def configuration(self, instance_id: str, task_name: str) -> Configuration:
        """How a synchronization task is configured, and what became of it.

        Before a long pause, ``binlog_retention_seconds`` is how long the task may stay paused.
        After tables of the source were changed, ``last_error_of_alter_table`` says whether the
        change could not be synchronized; see also ``Task.needs_repair``.

        Args:
            instance_id: StarRocks instance (36 characters, ends in ``in17``).
            task_name: The task.

        Raises:
            UnsupportedOperationError: The service follows a contract older than 1.2.
            NotFoundError: The instance or the task does not exist.
            ReplicationError: As for ``tasks``. Nothing changes by reading.
        """
        return self._perform(self._reading_configuration(instance_id, task_name))  # type: ignore[no-any-return]  # As above.

    def wait_until_paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """Look until a task is paused; return it as last seen. Asks for nothing.

        A look that fails in a way that may pass does not end the wait.

        Args:
            instance_id: StarRocks instance.
            task_name: The task.
            **options: How to wait, see ``Waiting``.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            WaitTimeoutError: It was not seen so in time; ``task`` is how it was last seen.
            TaskFailedError: The task turned abnormal or was cancelled.
            NotFoundError: The task is not in the list, in two looks one after the other.
            ServiceError: A look was refused in a way that does not pass.
        """
        return self._run(self._reaching("pause", instance_id, task_name, options))

    def wait_until_running(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """Look until a task is ``FULL`` or ``INCREMENTAL``; otherwise as ``wait_until_paused``."""
        return self._run(self._reaching("resume", instance_id, task_name, options))

    @overload
    def paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> AbstractContextManager[Task]: ...

    @overload
    def paused(
        self, instance_id: str, task_name: list[str] | tuple[str, ...], **options: Unpack[Waiting]
    ) -> AbstractContextManager[list[Task]]: ...

    def paused(
        self,
        instance_id: str,
        task_name: str | list[str] | tuple[str, ...],
        **options: Unpack[Waiting],
    ) -> AbstractContextManager[Any]:
        """A block in which a task is paused, and after which it runs again.

        The block begins once the task is seen paused; ``as`` gives it as it was seen (for several
        names, a list). Whatever ends the block, an exception, Ctrl-C or cancellation included,
        the task is resumed and waited for until it runs. Several tasks are paused and resumed
        together; those that were paused before are left paused. If one of several cannot be
        paused, the others are resumed and the block never begins.

        Nothing resumes the tasks when the process itself is killed: look at them then.

        Args:
            instance_id: StarRocks instance.
            task_name: One name or several.
            **options: How to wait, see ``Waiting``; once for pausing all, and again for resuming.

        Raises:
            ReplicationError: As for ``pause``; the block did not begin, and the tasks run.
            NotResumedError: The block is over and tasks may still be paused; the error names them.
            ExceptionGroup: The block, or pausing, failed and so did resuming: holds both.
        """
        return self._window(self._pausing(instance_id, task_name, options), task_name)

    @contextmanager
    def _window(self, make: Callable[[], Window], task_name: object) -> Iterator[Any]:
        window = make()
        try:
            tasks = self._run(window.open())
            yield tasks[0] if isinstance(task_name, str) else tasks
        except BaseException as error:
            try:
                self._run(window.close())
            except BaseException as failure:  # noqa: BLE001  # Raised again, with the first.
                raise _waiting.both(error, failure) from None
            raise
        self._run(window.close())

    def _run(self, steps: _waiting.Steps[T]) -> T:
        return _waiting.run(steps, self._perform)

    def _perform(self, effect: _waiting.Effect) -> Any:
        if isinstance(effect, Sleep):
            return time.sleep(effect.seconds)
        call, arguments, read = self._request(effect)
        with _advised(effect.instance_id):
            return read(call.sync_detailed(**arguments))

    def close(self) -> None:
        """Close the connections. A later call is a ``ConfigurationError``."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class AsyncClient(_Client):
    """The same verbs for coroutines. May be shared by coroutines of one event loop."""

    def _connect(self, plan: _http.Plan) -> None:
        self._http = _http.AsyncHTTPClient(plan)
        self._api.set_async_httpx_client(self._http)

    async def pause(
        self, instance_id: str, task_name: str, *, wait: bool = False, **options: Unpack[Waiting]
    ) -> Job:
        """As ``Client.pause``."""
        return await self._run(self._changing("pause", instance_id, task_name, wait, options))

    async def resume(
        self, instance_id: str, task_name: str, *, wait: bool = False, **options: Unpack[Waiting]
    ) -> Job:
        """As ``Client.resume``."""
        return await self._run(self._changing("resume", instance_id, task_name, wait, options))

    def tasks(self, instance_id: str) -> AsyncIterator[Task]:
        """As ``Client.tasks``, for ``async for``."""
        return self._all(instance_id, self._listing(instance_id))

    async def _all(self, instance_id: str, reading: Reading) -> AsyncIterator[Task]:
        step = following(reading)
        while step is not None:
            if isinstance(step, Found):
                for task in step.tasks:
                    yield task
                step = following(reading)
            else:
                step = following(reading, await self._perform(Look(instance_id, step)))

    async def task(self, instance_id: str, task_name: str) -> Task:
        """As ``Client.task``."""
        return await self._run(self._finding(instance_id, task_name))

    async def instances(self, instance_id: str) -> list[Instance]:
        """As ``Client.instances``."""
        return await self._perform(self._reading_instances(instance_id))  # type: ignore[no-any-return]  # What the effect says.

    async def configuration(self, instance_id: str, task_name: str) -> Configuration:
        """As ``Client.configuration``."""
        return await self._perform(self._reading_configuration(instance_id, task_name))  # type: ignore[no-any-return]  # As above.

    async def wait_until_paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """As ``Client.wait_until_paused``."""
        return await self._run(self._reaching("pause", instance_id, task_name, options))

    async def wait_until_running(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """As ``Client.wait_until_running``."""
        return await self._run(self._reaching("resume", instance_id, task_name, options))

    @overload
    def paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> AbstractAsyncContextManager[Task]: ...

    @overload
    def paused(
        self, instance_id: str, task_name: list[str] | tuple[str, ...], **options: Unpack[Waiting]
    ) -> AbstractAsyncContextManager[list[Task]]: ...

    def paused(
        self,
        instance_id: str,
        task_name: str | list[str] | tuple[str, ...],
        **options: Unpack[Waiting],
    ) -> AbstractAsyncContextManager[Any]:
        """As ``Client.paused``, for ``async with``.

        What cancels the block does not cancel the resuming. A further ``cancel()`` of the task
        while it resumes does: an exception group then holds it and the ``NotResumedError``.
        """
        return self._window(self._pausing(instance_id, task_name, options), task_name)

    @asynccontextmanager
    async def _window(self, make: Callable[[], Window], task_name: object) -> AsyncIterator[Any]:
        window = make()
        try:
            tasks = await self._run(window.open())
            yield tasks[0] if isinstance(task_name, str) else tasks
        except BaseException as error:
            try:
                with anyio.CancelScope(shield=True):
                    await self._run(window.close())
            except BaseException as failure:  # noqa: BLE001  # Raised again, with the first.
                raise _waiting.both(error, failure) from None
            raise
        with anyio.CancelScope(shield=True):
            await self._run(window.close())

    async def _run(self, steps: _waiting.Steps[T]) -> T:
        return await _waiting.arun(steps, self._perform)

    async def _perform(self, effect: _waiting.Effect) -> Any:
        if isinstance(effect, Sleep):
            return await anyio.sleep(effect.seconds)
        call, arguments, read = self._request(effect)
        with _advised(effect.instance_id):
            return read(await call.asyncio_detailed(**arguments))

    async def aclose(self) -> None:
        """Close the connections. A later call is a ``ConfigurationError``."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()


@contextmanager
def _advised(instance_id: str) -> Iterator[None]:
    """What is not found under a TaurusDB instance's ID says how to find what was meant."""
    try:
        yield
    except NotFoundError as error:
        error.message += advice(instance_id)
        raise


def _job(reply: Response[Any]) -> Job:
    # A reply without a usable job_id has been judged an error.
    assert isinstance(reply.parsed, WireJob)
    assert isinstance(reply.parsed.job_id, str)
    return Job(id=reply.parsed.job_id, request_id=reply.headers.get("X-Request-Id"))


def _page(reply: Response[Any]) -> tuple[object, list[dict[str, Any]]]:
    parsed = reply.parsed
    assert isinstance(parsed, ReplicationList)
    return parsed.total_count, [entry.to_dict() for entry in parsed.replications or []]


# What these two hold is read from the body itself: generated models cannot give back what is of
# another type than the contract says.


def _instances(reply: Response[Any]) -> list[Instance]:
    return read_instances(json.loads(reply.content))


def _configuration(reply: Response[Any]) -> Configuration:
    return read_configuration(json.loads(reply.content))
