"""The emulator as a Python program sees it."""

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
# seconds before each first look and ten between looks: each effect was seen at once or soon.
_REALISTIC = (2.0, 15.0)


def _now() -> float:
    """The time, looked up each time: a test may freeze it, and let it go on, at any moment."""
    return time.time()


class Emulator:
    """A service like the real one, on this machine.

    Entering it starts a server that is ready at once; leaving it stops the server, whatever
    hangs. It can be entered again and goes on with what it held. `app` works without a server.

    Args:
        seed: What it holds at first: a YAML file, or a mapping of the same shape. Without one,
            the seed of this package.
        db: SQLite file that keeps what it holds. One that is there already is gone on with, and
            not seeded again. Without one, everything is gone with the object.
        token: A token for all projects. Without one, a random one.
        mode: `lenient` accepts a pause of a paused task and a resume of a running one, as new
            jobs; `strict` refuses them. Which of the two the real service does is not published.
        delay: Seconds until a pause or a resume takes effect.
        realistic: Takes 2 to 15 seconds for that, as the real service did when the live tests of
            the vendor's Terraform provider watched it; the same times in every run.
        token_lifetime: Seconds that a token lives which was issued for a password.
        faults: What goes wrong: a YAML file, or faults, or mappings like those in the file.
        host: Address to listen on.
        port: Port to listen on; 0 for one that is free.
        contract: Version of the contract that it follows: `1.2`; `1.1`, which has no
            configuration and no instances; or `1.0`, which has no list either. What it lacks is
            a 404.
        clock: What tells the time, in seconds since the epoch; `time.time` by default.
        ssl_certfile: Certificate, for HTTPS.
        ssl_keyfile: Key of the certificate.

    Attributes:
        app: The service as an ASGI application.
        token: The token for all projects.
        faults: What goes wrong now; may be changed at any time.
        project_id: The first project of the seed; likewise the others.
        region: Name of that project.
        instance_id: The first instance.
        source_instance_id: The TaurusDB instance that it replicates from.
        task_name: The first task.
        account: Account of the first user.
        user: Name of the first user.
        password: Password of the first user.
        access_key: The first access key.
        secret_key: Its secret.

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
                raise ValueError(f"{name}: a time from 0 to {_DECADE} is needed, not {seconds!r}")
        if contract not in CONTRACTS:
            known = ", ".join(CONTRACTS)
            raise ValueError(f"contract: one of {known} is needed, not {contract!r}")
        if realistic and delay:
            raise ValueError("delay: there is none beside 'realistic'")
        if port not in range(65536):
            raise ValueError(f"port: a number up to 65535 is needed, not {port!r}")
        self.token = secrets.token_urlsafe(24) if token is None else token
        if not self.token or not self.token.isascii() or not self.token.isprintable():
            raise ValueError("token: printable ASCII is needed")
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
        """Name the first of everything, so that examples and tests are short."""
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
            raise RuntimeError("the emulator has been entered already")
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
        """Where the server listens. RuntimeError unless the emulator has been entered."""
        return self._entered().url

    def refusing(self) -> AbstractContextManager[None]:
        """A context in which nobody listens: connections are refused by the system itself.

        What is connected when it begins is hung up on. The port stays the same.
        """
        return self._entered().refusing()

    def journal(self) -> list[Call]:
        """Every call that was sent to the service, the oldest first; readable after leaving.

        A call whose sender left before it was whole is not in it, nor what was not HTTP.
        """
        return self._state.journal()

    def task(self, instance_id: str, name: str) -> TaskState:
        """How a task is now, whatever the service responds.

        Raises:
            LookupError: There is no such task.
        """
        row = self._state.task(instance_id, name)
        if row is None:
            raise LookupError(f"no task {name!r} of instance {instance_id!r}")
        return self._as_it_is(row)

    def tasks(self, instance_id: str | None = None) -> list[TaskState]:
        """How the tasks of an instance are now, or all, in the order of the list."""
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
            LookupError: There is no such instance.
            ValueError: The task is there already.
        """
        if self._state.project_of(instance_id) is None:
            raise LookupError(f"no instance {instance_id!r}")
        if self._state.task(instance_id, name) is not None:
            raise ValueError(f"task {name!r} of instance {instance_id!r} is there already")
        task = Task(
            name=name, source_database=name, stage=stage, resumes_to=resumes_to, status=status
        )
        self._state.add_task(instance_id, task)
        return self.task(instance_id, name)

    def set_stage(self, instance_id: str, name: str, stage: str) -> None:
        """Put a task into a stage at once, without a call.

        Raises:
            LookupError: There is no such task.
        """
        if not self._state.set_stage(instance_id, name, stage):
            raise LookupError(f"no task {name!r} of instance {instance_id!r}")

    def reset(self) -> None:
        """Go back to the seed: no journal, no jobs, no issued tokens, no faults.

        The token for all projects stays. A database that was there before gets this seed.
        """
        self.faults.clear()
        self._state.reset()

    def close(self) -> None:
        """Let go of the database; after that only the server's settings can be read.

        It happens by itself when the object is dropped.
        """
        self._state.close()

    def _entered(self) -> Server:
        if self._server is None:
            raise RuntimeError("the emulator has not been entered: there is no server")
        return self._server

    def _as_it_is(self, row: Row) -> TaskState:
        return TaskState(
            instance_id=row.instance_id,
            name=row.name,
            stage=row.stage_at(self._clock()),
            target=row.target,
            changes=row.changes,
        )
