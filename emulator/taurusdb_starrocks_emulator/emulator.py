"""The Python interface of the emulator."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self, get_args

from starlette.types import ASGIApp

from .app import Service, asgi
from .auth import Authenticator
from .contract import CONTRACTS, read_contract
from .faults import Fault, Faults, read_faults
from .operations import Mode, Operations
from .records import Call, Row, TaskState
from .seed import Seed, Task, read_seed
from .server import Server, check_certificate
from .state import State

__all__ = ["Emulator"]

_DECADE = 10 * 365 * 86_400
# Those tests created, started, paused, resumed and deleted a task in 87 and 107 seconds, with five
# seconds before each first poll and ten between polls: each change took effect quickly.
_REALISTIC = (2.0, 15.0)


def _now() -> float:
    """The time, looked up at each call, because a test may freeze time and let it continue."""
    return time.time()


def _checked_token(token: str) -> str:
    """The token. Raises ValueError if no request can carry it."""
    if not token.isascii() or not token.isprintable():
        raise ValueError("token must be printable ASCII")
    if not token or token != token.strip():
        raise ValueError("token must not be empty, or start or end with a space")
    return token


class Emulator:
    """A local server that imitates the service, as far as its behavior is documented.

    `with Emulator() as emulator:` starts a server that is ready immediately. The end of the block
    stops the server, even if calls hang. You can enter it again; it keeps its state. `app` works
    without a server.

    Args:
        seed: Initial data: a YAML file, or a mapping with the same structure. The default is the
            seed of this package.
        db: SQLite file for the state. If the file exists, the emulator continues with the state in
            it and ignores the initial data. Without a file, the state is lost with the object.
        token: A token for all projects. The default is a random one.
        mode: `lenient` accepts a pause of a paused task and a resume of a running one, as new
            jobs; `strict` rejects them. Huawei Cloud does not document which of the two its service
            does.
        delay: Seconds until a pause or a resume takes effect. Cannot be combined with `realistic`.
        realistic: Changes take effect after 2 to 15 seconds, a range consistent with the live tests
            of Huawei Cloud's Terraform provider. The delays are the same in every run.
        token_lifetime: Lifetime, in seconds, of tokens that are issued for a password.
        faults: Faults to inject: a YAML file, or faults, or mappings like those in the file.
        host: Address to listen on.
        port: Port to listen on; 0 for a free port.
        contract: Version of the contract: `1.2`; `1.1`, which has no configuration and no
            instances; or `1.0`, which has no list either. Calls that it lacks return 404.
        clock: Returns the time in seconds since the epoch; `time.time` by default.
        ssl_certfile: Certificate, for HTTPS.
        ssl_keyfile: Key of the certificate.

    Attributes:
        app: The service as an ASGI application.
        token: The token for all projects.
        faults: The current faults. You can change them at any time.
        project_id: The first project of the seed.
        region: Name of that project, which is the name of its region.
        instance_id: The first instance of the seed.
        source_instance_id: The TaurusDB instance that it replicates from.
        task_name: The first task of the seed.
        account: Account of the first user.
        user: Name of the first user.
        password: Password of the first user.
        access_key: The first access key.
        secret_key: Its secret key.

    Raises:
        SeedError: The seed cannot be used.
        ValueError: Another argument cannot be used.
        OSError: A file cannot be read.
        sqlite3.Error: `db` is not a database, or cannot be opened.
    """

    def __init__(
        self,
        *,
        seed: str | Path | Mapping[str, Any] | None = None,
        db: str | Path | None = None,
        token: str | None = None,
        mode: Mode = "lenient",
        delay: float = 0.0,
        realistic: bool = False,
        token_lifetime: float = 86_400.0,
        faults: str | Path | Iterable[Fault | Mapping[str, Any]] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        contract: str = CONTRACTS[-1],
        clock: Callable[[], float] | None = None,
        ssl_certfile: str | None = None,
        ssl_keyfile: str | None = None,
    ) -> None:
        if mode not in get_args(Mode):
            raise ValueError(f"mode: 'lenient' or 'strict' is needed, not {mode!r}")
        for name, seconds in (("delay", delay), ("token_lifetime", token_lifetime)):
            if not 0 <= seconds <= _DECADE:
                raise ValueError(
                    f"{name} must be a time from 0 to {_DECADE} seconds, not {seconds!r}"
                )
        if contract not in CONTRACTS:
            known = ", ".join(CONTRACTS)
            raise ValueError(f"contract must be one of {known}, not {contract!r}")
        if realistic and delay:
            raise ValueError("delay cannot be combined with realistic")
        if port not in range(65536):
            raise ValueError(f"port must be a number from 0 to 65535, not {port!r}")
        if not host:
            raise ValueError("host must not be empty; 0.0.0.0 listens on all interfaces")
        if db == "":
            raise ValueError("db must not be empty; without it, the state is in memory")
        self.token = _checked_token(secrets.token_urlsafe(24) if token is None else token)
        check_certificate(ssl_certfile, ssl_keyfile)
        self.faults = Faults(read_faults(faults), tls=ssl_certfile is not None)
        held = read_seed(seed)
        self._state = State(db, held)
        self._clock = clock = clock or _now
        authenticator = Authenticator(
            self._state, token=self.token, lifetime=token_lifetime, clock=clock
        )
        operations = Operations(
            state=self._state,
            authenticator=authenticator,
            contract=read_contract(contract),
            mode=mode,
            delay=partial(Random(0).uniform, *_REALISTIC) if realistic else lambda: delay,  # noqa: S311
            clock=clock,
        )
        service = Service(
            state=self._state,
            authenticator=authenticator,
            contract=read_contract(contract),
            operations=operations,
            faults=self.faults,
            clock=clock,
        )
        self.app: ASGIApp = asgi(service)
        self._serve = partial(
            Server,
            self.app,
            host=host,
            port=port,
            faults=self.faults,
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
        )
        self._server: Server | None = None
        self._remember_firsts(held)

    def _remember_firsts(self, seed: Seed) -> None:
        """Set attributes for the first of everything, so that examples and tests are short."""
        project = next(iter(seed.projects), None)
        instances = [instance for project in seed.projects for instance in project.instances]
        task = next((task for instance in instances for task in instance.tasks), None)
        user, key = next(iter(seed.users), None), next(iter(seed.access_keys), None)
        self.project_id = project.id if project else ""
        self.region = project.name if project else ""
        self.instance_id = instances[0].id if instances else ""
        self.source_instance_id = (instances[0].source_instance_id or "") if instances else ""
        self.task_name = task.name if task else ""
        self.account = user.account if user else ""
        self.user = user.name if user else ""
        self.password = user.password if user else ""
        self.access_key = key.access_key if key else ""
        self.secret_key = key.secret_key if key else ""

    def __enter__(self) -> Self:
        if self._server is not None:
            raise RuntimeError("the emulator is already running")
        self._server = self._serve()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered().stop()
        self._server = None

    @property
    def url(self) -> str:
        """URL of the server. Raises RuntimeError if the emulator is not running."""
        return self._entered().url

    def refusing(self) -> AbstractContextManager[None]:
        """A context manager that refuses connections while its block runs.

        Open connections are closed when the block starts. The port stays the same.
        """
        return self._entered().refusing()

    def journal(self) -> list[Call]:
        """All calls to the service, oldest first. Also available after the `with` block.

        Incomplete requests and requests that are not HTTP are not included.
        """
        return self._state.journal()

    def task(self, instance_id: str, name: str) -> TaskState:
        """The real state of a task, independent of responses and faults.

        Raises:
            LookupError: The task does not exist.
        """
        row = self._state.task(instance_id, name)
        if row is None:
            raise LookupError(f"no task {name!r} of instance {instance_id!r}")
        return self._as_it_is(row)

    def tasks(self, instance_id: str | None = None) -> list[TaskState]:
        """The real state of the tasks of an instance, or of all tasks, in the order of the list."""
        return [self._as_it_is(row) for row in self._state.tasks(instance_id)]

    def add_task(
        self,
        instance_id: str,
        name: str,
        *,
        stage: str = "Incremental",
        resumes_to: str = "Incremental",
        status: str = "Yes",
    ) -> TaskState:
        """Add a task to an instance, at the end of its list.

        Raises:
            LookupError: The instance does not exist.
            ValueError: The task already exists.
        """
        if self._state.project_of(instance_id) is None:
            raise LookupError(f"no instance {instance_id!r}")
        if self._state.task(instance_id, name) is not None:
            raise ValueError(f"task {name!r} of instance {instance_id!r} already exists")
        task = Task(
            name=name, source_database=name, stage=stage, resumes_to=resumes_to, status=status
        )
        self._state.add_task(instance_id, task)
        return self.task(instance_id, name)

    def set_stage(self, instance_id: str, name: str, stage: str) -> None:
        """Set the stage of a task immediately, without a call.

        Raises:
            LookupError: The task does not exist.
        """
        if not self._state.set_stage(instance_id, name, stage):
            raise LookupError(f"no task {name!r} of instance {instance_id!r}")

    def reset(self) -> None:
        """Reset to the seed: no recorded calls, no jobs, no issued tokens, no faults.

        The token for all projects stays the same. A database file that already existed also gets
        the seed.
        """
        self.faults.clear()
        self._state.reset()

    def close(self) -> None:
        """Close the database. After that, the emulator cannot be used.

        Attributes such as `token` and `instance_id` can still be read.
        This happens automatically when the object is garbage-collected.
        """
        self._state.close()

    def _entered(self) -> Server:
        if self._server is None:
            raise RuntimeError("the emulator is not running: use it in a with statement")
        return self._server

    def _as_it_is(self, row: Row) -> TaskState:
        return TaskState(
            instance_id=row.instance_id,
            name=row.name,
            stage=row.stage_at(self._clock()),
            target=row.target,
            changes=row.changes,
        )
