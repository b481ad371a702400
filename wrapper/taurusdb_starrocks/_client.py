"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from taurusdb_starrocks._decisions import convergence
from taurusdb_starrocks._decisions.paging import Found, Reading, following
from taurusdb_starrocks._decisions.polling import Waiting
from taurusdb_starrocks._decisions.recording import Earlier
from taurusdb_starrocks._decisions.steps import ReadPage, Record, Sleep, Steps, run
from taurusdb_starrocks._decisions.window import AlreadyPaused
from taurusdb_starrocks._instances import Configuration, Instance
from taurusdb_starrocks._operations import PAUSE, RESUME
from taurusdb_starrocks._tasks import Job, Task
from taurusdb_starrocks._verbs import Names, Verbs
from taurusdb_starrocks._windows import Window

if TYPE_CHECKING:
    from taurusdb_starrocks._generated import AuthenticatedClient
    from taurusdb_starrocks._transport.plan import Plan

T = TypeVar("T")


class Client(Verbs):
    """Pauses and resumes synchronization tasks. May be shared by threads, and used after a fork."""

    def _connect(self, plan: Plan) -> AuthenticatedClient:
        from taurusdb_starrocks import _generated  # noqa: PLC0415  # As in Verbs.
        from taurusdb_starrocks._transport.bridge import connect  # noqa: PLC0415  # As in Verbs.

        self._http, self._within = connect(plan)
        api = _generated.connected()
        api.set_httpx_client(self._http)
        return api

    def pause(self, instance_id: str, task_name: str) -> Job:
        """Request a pause of one synchronization task; return the accepted job.

        The service responds when it has accepted the job, not when the task is paused. Use
        ``ensure_paused`` to wait for that.

        Args:
            instance_id: StarRocks instance (36 characters, ends in ``in17``), not the TaurusDB
                instance it replicates from.
            task_name: 3 to 128 ASCII letters, digits or underscores.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            NotSentError: The service was not reached. Nothing changed.
            OutcomeUnknownError: The request was sent, but there was no usable response. The task
                may be pausing: read its stage before you repeat the request.
            ServiceError: The service refused; ``code`` says why. Nothing changed, except that the
                task may be pausing after a ``ServerError``.
        """
        return self._run(self._changing(PAUSE, instance_id, task_name))

    def resume(self, instance_id: str, task_name: str) -> Job:
        """Request that one paused synchronization task continues; return the accepted job.

        It has the arguments and errors of ``pause``. Use ``ensure_running`` to wait until the task
        runs.
        """
        return self._run(self._changing(RESUME, instance_id, task_name))

    @overload
    def ensure_paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task: ...

    @overload
    def ensure_paused(
        self, instance_id: str, task_name: list[str] | tuple[str, ...], **options: Unpack[Waiting]
    ) -> list[Task]: ...

    def ensure_paused(self, instance_id: str, task_name: Names, **options: Unpack[Waiting]) -> Any:
        """Pause tasks that are not paused yet and wait until all are; return them as last seen.

        It is safe to repeat: a task that is paused is left alone. A request whose response was
        lost, or that was refused with 400, is settled by polling: for ``settle`` seconds it is
        repeated whenever two polls show that nothing happened, and then its error is raised.

        Args:
            instance_id: StarRocks instance.
            task_name: One name or several; for several, the result is a list in the same order.
            **options: How to wait, see ``Waiting``.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            WaitTimeoutError: A task was not seen paused in time. It may still become so.
            TaskFailedError: A task is or turned abnormal, or was cancelled.
            NotFoundError: The instance does not exist, or lists no such task.
            OutcomeUnknownError: A request's response was lost and could not be settled in time.
            ServiceError: The service refused. Tasks that were named before may be paused.
        """
        return self._run(self._ensuring(convergence.ensure_paused, instance_id, task_name, options))

    @overload
    def ensure_running(
        self,
        instance_id: str,
        task_name: str,
        *,
        earlier: Earlier | None = None,
        **options: Unpack[Waiting],
    ) -> Task: ...

    @overload
    def ensure_running(
        self,
        instance_id: str,
        task_name: list[str] | tuple[str, ...],
        *,
        earlier: Earlier | None = None,
        **options: Unpack[Waiting],
    ) -> list[Task]: ...

    def ensure_running(
        self,
        instance_id: str,
        task_name: Names,
        *,
        earlier: Earlier | None = None,
        **options: Unpack[Waiting],
    ) -> Any:
        """Resume tasks and wait until all run; return them as last seen.

        It is safe to repeat, and it always sends a request: that a task runs proves nothing while
        a pause may be under way. It ends when each request was accepted and the task seen running,
        or refused and the task seen running twice. It cannot know of a pause that was requested
        elsewhere, or earlier, and has not taken effect: such a task may still become paused
        afterwards.

        Args:
            instance_id: StarRocks instance.
            task_name: One name or several; for several, the result is a list in the same order.
            earlier: What is known of the requests of somebody who is gone and whose tasks these
                are. They are then resumed as a window does it: the others too when one fails, and
                again what failed in a way that may pass.
            **options: How to wait, see ``Waiting``.

        Raises:
            ReplicationError: As for ``ensure_paused``. The tasks may still be paused.
            NotResumedError: With ``earlier``, in place of these; it names the tasks.
        """
        if earlier is None:
            steps = self._ensuring(convergence.ensure_running, instance_id, task_name, options)
        else:
            steps = self._ensuring(convergence.take_over, instance_id, task_name, options, earlier)
        return self._run(steps)

    def tasks(self, instance_id: str) -> Iterator[Task]:
        """An iterator over all synchronization tasks of an instance, each once.

        It reads a page when the tasks of the one before are used up: nothing is sent before the
        first is taken, and errors come from taking the next. A task that the service shows in two
        ways that contradict each other has the stage ``UNKNOWN``.

        Raises:
            ConfigurationError: The instance ID is malformed. Nothing was sent.
            ServiceError: The service refused; ``code`` says why.
            NotSentError: The service was not reached.
            OutcomeUnknownError: No usable response came, or the list could not be read as a whole:
                it does not end, or shows fewer tasks than it counts. What it shows was given.
        """
        return self._all(instance_id, self._listing(instance_id))

    def _all(self, instance_id: str, reading: Reading) -> Iterator[Task]:
        step = following(reading)
        while step is not None:
            if isinstance(step, Found):
                yield from step.tasks
                step = following(reading)
            else:
                page = self._perform(ReadPage(instance_id, step.offset, step.limit))
                step = following(reading, page)

    def task(self, instance_id: str, task_name: str) -> Task:
        """One synchronization task as it is now.

        Raises:
            NotFoundError: The instance does not exist, or lists no such task.
            ReplicationError: As for ``tasks``.
        """
        return self._run(self._finding(instance_id, task_name))

    def instances(self, instance_id: str) -> list[Instance]:
        """The StarRocks and ClickHouse instances that replicate from a TaurusDB instance.

        Use it if you have the ID of the TaurusDB instance, which ends in ``in07``. All other calls
        take the ID of a StarRocks instance, which ends in ``in17``.

        Args:
            instance_id: TaurusDB instance (36 characters, ends in ``in07``).

        Raises:
            UnsupportedOperationError: The service follows a contract older than 1.2.
            NotFoundError: The TaurusDB instance does not exist.
            ReplicationError: As for ``tasks``. Nothing changes by reading.
        """
        return self._run(self._reading_instances(instance_id))

    def configuration(self, instance_id: str, task_name: str) -> Configuration:
        """The configuration of a synchronization task, and its last schema error.

        Before a long pause, read ``binlog_retention_seconds``: a task must not be paused longer.
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
        return self._run(self._reading_configuration(instance_id, task_name))

    def wait_until_paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """Poll until a task is paused; return it as last seen. Changes nothing.

        A poll that fails in a way that may pass does not end the wait.

        Args:
            instance_id: StarRocks instance.
            task_name: The task.
            **options: How to wait, see ``Waiting``.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            WaitTimeoutError: It was not seen so in time; ``task`` is how it was last seen.
            TaskFailedError: The task turned abnormal or was cancelled.
            NotFoundError: The task is not in the list, in two polls one after the other.
            ServiceError: A poll was refused in a way that does not pass.
        """
        return self._run(self._reaching(PAUSE, instance_id, task_name, options))

    def wait_until_running(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """Poll until a task runs: its stage is ``FULL`` or ``INCREMENTAL``. Changes nothing.

        It has the arguments and errors of ``wait_until_paused``.
        """
        return self._run(self._reaching(RESUME, instance_id, task_name, options))

    @overload
    def paused(
        self,
        instance_id: str,
        task_name: str,
        *,
        already_paused: AlreadyPaused = "keep",
        **options: Unpack[Waiting],
    ) -> Window[Task]: ...

    @overload
    def paused(
        self,
        instance_id: str,
        task_name: list[str] | tuple[str, ...],
        *,
        already_paused: AlreadyPaused = "keep",
        **options: Unpack[Waiting],
    ) -> Window[list[Task]]: ...

    def paused(
        self,
        instance_id: str,
        task_name: Names,
        *,
        already_paused: AlreadyPaused = "keep",
        **options: Unpack[Waiting],
    ) -> Window[Any]:
        """A block in which tasks are paused, and after which they run again.

        The block begins once every task is seen paused; ``as`` gives the task as it was seen (for
        several names, a list). Whatever ends the block, an exception or Ctrl-C included, the tasks
        are resumed and waited for until they run. If one of several cannot be paused, the others
        are resumed and the block never begins. A task whose pause was requested and never seen may
        be paused late, so it proves nothing that it runs: it is resumed once it is seen paused, and
        otherwise after half of ``settle`` seconds, and is named when they are over.

        Ctrl-C while the tasks are being resumed does not stop that, but bounds it to ``settle``
        seconds; a second one ends it. In the main thread, where Python's own handler for SIGINT is
        installed, it is held back in the instants between the window's first and last step and the
        block. Elsewhere, an exception that a signal handler raises in just these instants leaves
        the tasks paused; they are then named in the log when the interpreter exits. A handler that
        calls ``signal.raise_signal(signal.SIGINT)`` is as safe as Ctrl-C.

        Nothing resumes the tasks when the process is killed (SIGKILL, SIGTERM or SIGHUP without a
        handler, loss of power): read their stages then. ``taurusdb_starrocks.durable.window`` is a
        window whose tasks are resumed in these cases too.

        Args:
            instance_id: StarRocks instance.
            task_name: One name or several.
            already_paused: What to do about tasks that are found paused: ``keep`` leaves them
                paused afterwards, ``resume`` resumes them with the others, ``error`` does not open
                the window. They are logged as a warning, and in the window's ``found_paused``.
            **options: How to wait, see ``Waiting``: once for pausing all, and again for resuming.

        Raises:
            ReplicationError: As for ``ensure_paused``; the block did not begin, and the tasks run.
            AlreadyPausedError: ``already_paused`` is ``error``, and one was. Nothing changed.
            NotResumedError: The window is over and tasks may still be paused; the error names
                them, and has what ended the block as its ``block_error``.
        """
        make = self._pausing(instance_id, task_name, already_paused, options)
        return Window(make, self._perform, single=isinstance(task_name, str))

    def _run(self, steps: Steps[T]) -> T:
        return run(steps, self._perform)

    def _perform(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            return time.sleep(step.seconds)
        if isinstance(step, Record):
            return step.act(*step.arguments)
        call, arguments, read = self._call(step)
        with self._within(step.deadline):
            return read(call.sync_detailed(**arguments))

    def close(self) -> None:
        """Close the connections. A later call is a ``ConfigurationError``."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
