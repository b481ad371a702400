"""Windows: blocks of code during which tasks are paused.

``_decisions/window.py`` decides the steps of a window. This module runs them in a ``with``
statement and makes sure that no step is lost:

- A ``KeyboardInterrupt`` can be raised at any instruction, even between the end of the block and
  the first instruction that resumes the tasks. In these places it is delayed.
- A process forked inside a window has a copy of the window. The copy does nothing.
- If a window is still open when the interpreter exits, ``_alerts.py`` logs its tasks.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar

from taurusdb_starrocks import _alerts, _sigint
from taurusdb_starrocks._decisions.steps import arun, run
from taurusdb_starrocks._decisions.window import WindowSteps, with_block_error
from taurusdb_starrocks._errors import ConfigurationError, NotResumedError, ReplicationError

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("taurusdb_starrocks")

P = ParamSpec("P")
T = TypeVar("T")
Seen = TypeVar("Seen", covariant=True)  # noqa: PLC0105  # A Task, or a list of them.


class _Window(Generic[Seen]):
    """Base class of both kinds of windows: the steps of one window, in one process."""

    _holds = False  # Whether the window delays SIGINT.
    _held = False  # Whether a SIGINT is waiting to be raised.

    def __init__(self, make: Callable[[], WindowSteps], perform: Any, *, single: bool) -> None:
        self._make = make
        self._perform = perform
        self._single = single
        self._steps = make()
        self._process = 0  # The process that opened it.

    @property
    def found_paused(self) -> tuple[str, ...]:
        """Names of the tasks that were already paused when the window opened."""
        return self._steps.found_paused

    def _begin(self) -> None:
        if self._process:
            raise ConfigurationError("A window can be used only once: create a new one.")
        self._process = os.getpid()
        _alerts.opened(self._steps)

    @property
    def _unfinished(self) -> bool:
        """Whether the window still has to be closed; false in a forked process."""
        return self._process == os.getpid() and self._steps.unfinished

    def _warn(self) -> None:
        if self.found_paused:
            logger.warning(
                "window on instance=%s: these tasks were already paused, and the window %s: %s",
                self._steps.instance_id,
                "leaves them paused" if self._steps.keeps else "resumes them when it closes",
                ", ".join(self.found_paused),
            )

    def _seen(self, tasks: Any) -> Any:
        return tasks[0] if self._single and isinstance(tasks, list) else tasks

    def _came_to(self, failure: BaseException, block_error: BaseException | None) -> BaseException:
        told = isinstance(failure, ReplicationError) and not isinstance(failure, NotResumedError)
        if block_error is not None and told:  # All tasks run: do not replace the error.
            block_error.add_note(str(failure))
            return block_error
        if isinstance(failure, NotResumedError):
            try:
                _alerts.alert("tasks not resumed", failure)
            except BaseException as interrupt:  # noqa: BLE001  # It becomes the block error.
                block_error = block_error or interrupt
        return with_block_error(failure, block_error)

    def _deliver(self) -> None:
        if self._held:
            self._held = False
            raise KeyboardInterrupt

    def _end(self) -> None:
        # A signal handler's exception can end the closing before its first step.
        if not self._steps.unfinished:
            _alerts.closed(self._steps)


class Window(_Window[Seen]):
    """A block during which tasks are paused, created by ``Client.paused``.

    Use it once in a ``with`` statement, or as a decorator. Each call of the decorated function then
    opens its own window.
    """

    _performing = False  # Whether a step is being performed, which an interrupt can end.
    _raised = False  # Whether an interrupt was raised in this step and has not ended it.

    @_sigint.guarded
    def __enter__(self) -> Seen:
        self._begin()
        self._holds = _sigint.handler.hold()
        try:
            try:
                seen = self._seen(run(self._steps.open(), self._careful))
            finally:
                self._warn()
            self._deliver()
        except BaseException as error:
            failure = self._close(error)
            if failure is not None:
                raise failure  # noqa: B904  # It has its cause already.
            raise
        return seen  # type: ignore[no-any-return]  # A task, or a list of them.

    @_sigint.guarded
    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        failure = self._close(error)
        if failure is not None:
            raise failure

    def _close(self, error: BaseException | None) -> BaseException | None:
        """Resume the tasks; return the exception to raise instead of the block's, if any.

        After SIGINT is no longer delayed, nothing is called here that would let another interrupt
        replace a ``NotResumedError``.
        """
        early, self._held = self._held, False
        ordinary = error is None or isinstance(error, Exception)
        failure: BaseException | None = None
        try:
            if self._unfinished:
                run(self._steps.close(interrupted=early or not ordinary), self._careful)
        except BaseException as raised:  # noqa: BLE001  # It is returned.
            interrupt = KeyboardInterrupt() if early or self._held else None
            failure = self._came_to(raised, error or interrupt)
            if failure is error:
                failure = None
        self._end()
        try:
            if self._holds:
                _sigint.handler.release()
        except KeyboardInterrupt:
            early = True
        if failure is None and ordinary and (early or self._held):
            failure = KeyboardInterrupt()
        return failure

    def _careful(self, step: Any) -> Any:
        """Perform a step. An interrupt during the step is raised from the step.

        Python drops an exception that is raised in a finalizer or in a weak reference's callback.
        An interrupt that was dropped there is raised when the step has ended.
        """
        try:
            self._performing = True
            self._deliver()
            result = self._perform(step)
            if self._raised:
                raise KeyboardInterrupt  # noqa: TRY301  # As if it came at the end of the step.
        except KeyboardInterrupt:
            self._raised = False
            raise
        else:
            return result
        finally:
            self._performing = False
            self._held, self._raised = self._held or self._raised, False

    def signaled(self) -> None:
        """Called for a SIGINT in the middle of this window's own code."""
        if self._performing:
            self._raised = True
            raise KeyboardInterrupt
        self._held = True

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Wrap a function so that each call runs in a new window."""
        call = getattr(type(function), "__call__", None)  # noqa: B004  # Of an object's class.
        if any(kind(one) for kind in _DEFERRED for one in (function, call)):
            raise ConfigurationError(
                "A window cannot decorate a coroutine or generator function: calling it returns "
                "before its body runs. Put a with statement into the body instead."
            )

        @wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> T:
            with Window(self._make, self._perform, single=self._single):
                return _complete(function(*args, **kwargs))

        return inside


class AsyncWindow(_Window[Seen]):
    """A block during which tasks are paused, created by ``AsyncClient.paused``.

    Use it once in an ``async with`` statement, or as a decorator of a coroutine function.
    """

    _loop: asyncio.AbstractEventLoop
    _task: asyncio.Task[Any] | None
    _busy = False  # Whether the window is opening or closing.

    @_sigint.guarded
    async def __aenter__(self) -> Seen:
        import asyncio  # noqa: PLC0415  # Programs that use only threads need not load it.

        self._begin()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        # Tasks that were cancelled instead of raising KeyboardInterrupt.
        self._cancelled: list[asyncio.Task[Any]] = []
        self._holds = _sigint.handler.hold(self)
        self._busy = True
        try:
            try:
                seen = self._seen(await arun(self._steps.open(), self._careful))
            finally:
                self._warn()
            self._deliver()
        except BaseException as error:
            failure = await self._close(error)
            if failure is not None:
                raise failure  # noqa: B904  # It has its cause already.
            raise
        self._busy = False
        return seen  # type: ignore[no-any-return]  # A task, or a list of them.

    @_sigint.guarded
    async def __aexit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> None:
        failure = await self._close(error)
        if failure is not None:
            raise failure

    async def _close(self, error: BaseException | None) -> BaseException | None:
        """Resume the tasks; return the exception to raise instead of the block's, if any."""
        import asyncio  # noqa: PLC0415  # As above.

        self._busy = True
        current = asyncio.current_task(self._loop)
        self._task = current or self._task  # It can be another task than at the beginning.
        # Without a task, nothing can be awaited: the coroutine is being collected.
        abandoned = current is None and isinstance(error, GeneratorExit)
        early, self._held = self._held, False
        ordinary = error is None or isinstance(error, Exception)
        failure: BaseException | None = None
        try:
            if self._unfinished:
                with _shielded():
                    steps = self._steps.close(interrupted=early or not ordinary)
                    await arun(steps, _abandoned if abandoned else self._careful)
        except BaseException as raised:  # noqa: BLE001  # It is returned.
            interrupt = KeyboardInterrupt() if early or self._held else None
            failure = self._came_to(raised, error or interrupt)
            if failure is error:
                failure = None
        self._end()
        try:
            self._busy = False
            if self._holds:
                _sigint.handler.release(self)
        except KeyboardInterrupt:
            early = True
        if self._cancelled or ((early or self._held) and ordinary):
            failure = self._interrupt_of(failure)
        return failure

    def _interrupt_of(self, failure: BaseException | None) -> BaseException:
        """The exception to raise after a Ctrl-C that asyncio did not turn into a cancellation."""
        for task in self._cancelled:
            task.uncancel()
        return failure if isinstance(failure, Exception) else KeyboardInterrupt()

    async def _careful(self, step: Any) -> Any:
        self._deliver()
        return await self._perform(step)

    def signaled(self) -> None:
        """Called for a SIGINT that would raise a ``KeyboardInterrupt`` in this window's code."""
        self._held = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    def takes(self) -> bool:
        """Take an interrupt that would be raised in the event loop or while the window waits.

        If it were raised there, the loop could lose a callback, and a task would wait forever.
        An interrupt is not taken if the window's task cannot be cancelled.
        """
        import asyncio  # noqa: PLC0415  # As above.

        if not self._loop.is_running() or self._task is None or self._task.done():
            return False
        in_the_loop = asyncio.current_task(self._loop) is None
        if not self._busy and not in_the_loop:
            return False
        self.signaled()
        return True

    def _cancel(self) -> None:
        """Cancel the asyncio task of the window, unless the interrupt has been handled already."""
        if self._held and self._task is not None and self._task.cancel():
            self._held = False
            self._cancelled.append(self._task)

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """Wrap a coroutine function so that each call runs in a new window."""
        if not inspect.iscoroutinefunction(function):
            raise ConfigurationError(
                "A window of an AsyncClient can decorate only coroutine functions. Put an async "
                "with statement into the body instead."
            )

        @wraps(function)
        async def inside(*args: P.args, **kwargs: P.kwargs) -> T:
            async with AsyncWindow(self._make, self._perform, single=self._single):
                return await function(*args, **kwargs)

        return inside


# Functions whose body does not run when they are called.
_DEFERRED = (
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)


def _complete(result: T) -> T:
    """Return a function's result. Raise if the body has not run: some functions hide that."""
    if inspect.iscoroutine(result):
        result.close()
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise ConfigurationError(
            "The decorated function returned something that has not run yet and would run after "
            "the window. Put a with statement into its body instead."
        )
    return result


async def _abandoned(_step: Any) -> NoReturn:
    """Perform a step of a window whose coroutine is being collected."""
    raise GeneratorExit


def _shielded() -> Any:
    """Keep a cancelled AnyIO scope from cancelling each ``await`` while the window closes.

    A program can be inside such a scope only if it has loaded AnyIO.
    """
    if "anyio" not in sys.modules:
        return nullcontext()
    import asyncio  # noqa: PLC0415  # Only coroutines come here.

    import anyio  # noqa: PLC0415  # Only if the program has loaded it.

    try:
        return anyio.CancelScope(shield=True) if asyncio.current_task() else nullcontext()
    except RuntimeError:  # No event loop is running.
        return nullcontext()
