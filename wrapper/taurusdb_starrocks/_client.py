"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from taurusdb_starrocks._decisions import ensuring
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
    """Synchronous client. Threads can share it, and you can use it after a fork."""

    def _connect(self, plan: Plan) -> AuthenticatedClient:
        from taurusdb_starrocks import _generated  # noqa: PLC0415  # As in Verbs.
        from taurusdb_starrocks._transport.bridge import connect  # noqa: PLC0415  # As in Verbs.

        self._http, self._within = connect(plan)
        api = _generated.connected()
        api.set_httpx_client(self._http)
        return api

    def pause(self, instance_id: str, task_name: str) -> Job:
        """Send a request to pause one synchronization task; return the accepted job.

        The service responds when it accepts the job, not when the task is paused. To wait until the
        task is paused, use ``ensure_paused``.

        Args:
            instance_id: StarRocks instance (36 characters, ends in ``in17``), not the TaurusDB
                instance it replicates from.
            task_name: 3 to 128 ASCII letters, digits or underscores.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            NotSentError: The service was not reached. Nothing changed.
            OutcomeUnknownError: The request was sent, but there was no usable response. The task
                may be pausing: check its stage before you retry.
            ServiceError: The service rejected the request; see ``code``. Nothing changed, except
                that the task may be pausing after a ``ServerError``.
        """
        return self._run(self._changing(PAUSE, instance_id, task_name))

    def resume(self, instance_id: str, task_name: str) -> Job:
        """Send a request to resume one paused synchronization task; return the accepted job.

        Arguments and errors are the same as for ``pause``. To wait until the task is running, use
        ``ensure_running``.
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
        """Pause tasks and wait until all are paused; return them as shown by the last poll.

        It is idempotent: tasks that are already paused are not paused again. If the response to a
        request is lost, or is a 400, the client polls to find out what happened. Whenever two polls
        in a row show no change, it sends the request again. After ``settle`` seconds it raises the
        error.

        If it fails, ``possibly_paused`` of the error has the tasks that may be paused now.

        Args:
            instance_id: StarRocks instance.
            task_name: One name or several; for several, the result is a list in the same order.
            **options: How to wait, see ``Waiting``.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            WaitTimeoutError: A task was not paused in time. It may still become paused.
            TaskFailedError: A task is abnormal or was cancelled.
            NotFoundError: The instance or one of the tasks does not exist.
            OutcomeUnknownError: A response was lost, and the polls did not show the result in time.
            ServiceError: The service rejected a request.
        """
        return self._run(self._ensuring(ensuring.ensure_paused, instance_id, task_name, options))

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
        """Resume tasks and wait until all are running; return them as shown by the last poll.

        It is idempotent. It always sends a request, even if the task is running, because the resume
        may cancel a pending pause. For each task, it waits until either the request was accepted
        and one poll shows the task running, or the request was rejected and two consecutive polls
        show it running. It cannot detect a pause that was requested earlier or by someone else:
        such a pause can still take effect after this method has returned.

        Args:
            instance_id: StarRocks instance.
            task_name: One name or several; for several, the result is a list in the same order.
            earlier: Earlier requests of a program that has exited, whose tasks you take over. The
                tasks are then resumed as at the end of a window, and temporary failures are
                retried.
            **options: How to wait, see ``Waiting``.

        If one of several tasks fails, the others are still resumed. An exception of ``progress`` or
        ``accepted`` is raised at the end.

        Raises:
            ReplicationError: As for ``ensure_paused``. The task may still be paused.
            NotResumedError: With several tasks, or with ``earlier``: tasks may still be paused, and
                the error lists them. It replaces the errors above. Its ``__cause__`` is the error
                of the first task.
        """
        if earlier is None:
            steps = self._ensuring(ensuring.ensure_running, instance_id, task_name, options)
        else:
            steps = self._ensuring(ensuring.take_over, instance_id, task_name, options, earlier)
        return self._run(steps)

    def tasks(self, instance_id: str) -> Iterator[Task]:
        """An iterator over all synchronization tasks of an instance, each once.

        Pages are requested while you iterate: nothing is sent before you request the first task,
        and errors are raised during the iteration. If the service lists a task twice with
        contradicting data, its stage is ``UNKNOWN``.

        Raises:
            ConfigurationError: The instance ID is malformed. Nothing was sent.
            ServiceError: The service rejected the request; see ``code``.
            NotSentError: The service was not reached.
            OutcomeUnknownError: There was no usable response, or the list is incomplete: it never
                ends, or it contains fewer tasks than its ``total_count``. The tasks before the
                error were yielded.
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
        """Return the current state of one synchronization task.

        Raises:
            NotFoundError: The instance or the task does not exist.
            ReplicationError: As for ``tasks``.
        """
        return self._run(self._finding(instance_id, task_name))

    def instances(self, instance_id: str) -> list[Instance]:
        """List the StarRocks and ClickHouse instances that replicate from a TaurusDB instance.

        Use it if you have the ID of the TaurusDB instance, which ends in ``in07``. All other calls
        take the ID of a StarRocks instance, which ends in ``in17``.

        Args:
            instance_id: TaurusDB instance (36 characters, ends in ``in07``).

        Raises:
            UnsupportedOperationError: The service implements an API version older than 1.2.
            NotFoundError: The TaurusDB instance does not exist.
            ReplicationError: As for ``tasks``. Reading changes nothing.
        """
        return self._run(self._reading_instances(instance_id))

    def configuration(self, instance_id: str, task_name: str) -> Configuration:
        """Return the configuration of a synchronization task, with its last schema error.

        Before a long pause, check ``binlog_retention_seconds``: do not pause a task for longer.
        After you change tables of the source, check ``last_error_of_alter_table``: a new message
        means that a change could not be replicated. An empty text proves nothing, because the
        service may not report the error. See also ``Task.needs_repair``.

        Args:
            instance_id: StarRocks instance (36 characters, ends in ``in17``).
            task_name: The task.

        Raises:
            UnsupportedOperationError: The service implements an API version older than 1.2.
            NotFoundError: The instance or the task does not exist.
            ReplicationError: As for ``tasks``. Reading changes nothing.
        """
        return self._run(self._reading_configuration(instance_id, task_name))

    def wait_until_paused(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """Poll until a task is paused; return it as shown by the last poll. Changes nothing.

        Polls that fail temporarily do not stop the wait.

        Args:
            instance_id: StarRocks instance.
            task_name: The task.
            **options: How to wait, see ``Waiting``.

        Raises:
            ConfigurationError: An argument is malformed. Nothing was sent.
            WaitTimeoutError: The task was not paused in time. ``task`` is its last known state.
            TaskFailedError: The task is abnormal or was cancelled.
            NotFoundError: Two polls in a row did not list the task.
            ServiceError: The service rejected a poll, and the error is not temporary.
        """
        return self._run(self._reaching(PAUSE, instance_id, task_name, options))

    def wait_until_running(
        self, instance_id: str, task_name: str, **options: Unpack[Waiting]
    ) -> Task:
        """Poll until a task is running (``FULL`` or ``INCREMENTAL``). Changes nothing.

        Arguments and errors are the same as for ``wait_until_paused``.
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
        """Pause tasks while a ``with`` block runs, and then resume them.

        The block runs after a poll shows every task paused. ``as`` binds the task, or a list if you
        passed several names. No matter how the block exits, even with an exception or Ctrl-C, the
        client resumes the tasks and waits until they are running. If one of several tasks cannot be
        paused, the client resumes the others and the block does not run. If a pause was requested
        but no poll showed it, it may still take effect, even if the task is running now. The client
        resumes such a task as soon as a poll shows it paused, or else after ``settle / 2`` seconds.
        If the outcome is still unclear after ``settle`` seconds, the error lists the task.

        The first Ctrl-C, in the block or while the tasks are being resumed, does not stop the
        resume, but limits it to ``settle`` seconds. A second Ctrl-C stops it. In the main thread,
        with Python's default handler for SIGINT, a Ctrl-C that arrives just before or just after
        the block is delayed until it is safe. If any other signal handler raises an exception at
        such a moment, the tasks stay paused, and the log names them when the interpreter exits. A
        handler that calls ``signal.raise_signal(signal.SIGINT)`` is as safe as Ctrl-C. It has no
        effect if SIGINT is ignored, as in a program that a script starts with ``&``: set
        ``signal.default_int_handler`` first.

        If the process is killed (SIGKILL, an unhandled SIGTERM or SIGHUP, or power loss), nothing
        resumes the tasks: check their stages. ``taurusdb_starrocks.durable.window`` resumes the
        tasks in these cases too; after a power loss, you must run ``recover``.

        Args:
            instance_id: StarRocks instance.
            task_name: One name or several.
            already_paused: What to do with tasks that are already paused: ``keep`` leaves them
                paused afterwards, ``resume`` resumes them with the others, ``error`` does not open
                the window. They are logged as a warning and listed in ``found_paused``.
            **options: How to wait, see ``Waiting``. The limits apply once to pausing all tasks and
                once to resuming them.

        Raises:
            ReplicationError: As for ``ensure_paused``. The block did not run, and this window left
                no task paused.
            AlreadyPausedError: ``already_paused`` is ``error``, and a task was already paused.
                Nothing changed.
            NotResumedError: The window has ended and tasks may still be paused. The error names
                them, and its ``block_error`` is the exception that ended the block.
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
        """Close the connections. Later calls raise ``ConfigurationError``."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
