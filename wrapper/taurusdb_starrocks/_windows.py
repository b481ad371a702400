"""Windows: blocks of code during which tasks are paused.

What a window does is decided in ``_decisions/window.py``. Here it is tied to a ``with`` statement,
so that nothing between its first and its last step is lost:

- A ``KeyboardInterrupt`` can come at any instruction, also between the end of the block and the
  first instruction that would resume the tasks. It is held back in just those places.
- A process forked inside a window has a copy of it. The copy does nothing.
- A window that is still open when the interpreter exits says so, with the names of its tasks.
"""

from __future__ import annotations

import atexit
import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from taurusdb_starrocks import _sigint
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
    """What both kinds of windows are: the steps of one window, in one process."""

    _holds = False  # Whether it holds SIGINT back.
    _held = False  # Whether one is held back.
    _loses_errors = False  # Whether one more interrupt can take the place of what it raises.

    def __init__(self, make: Callable[[], WindowSteps], perform: Any, *, single: bool) -> None:
        self._make = make
        self._perform = perform
        self._single = single
        self._steps = make()
        self._process = 0  # The process that opened it.

    @property
    def found_paused(self) -> tuple[str, ...]:
        """Names of the tasks that were paused before the window opened; known inside."""
        return self._steps.found_paused

    def _begin(self) -> None:
        if self._process:
            raise ConfigurationError("A window is for one block: make another for the next.")
        self._process = os.getpid()
        _watch_exit()
        _open.add(self)

    @property
    def _unfinished(self) -> bool:
        """Whether it is to be closed; never in a forked process."""
        return self._process == os.getpid() and self._steps.unfinished

    def _warn(self) -> None:
        if self.found_paused:
            logger.warning(
                "window on instance=%s found paused already, and %s: %s",
                self._steps.instance_id,
                "leaves them so" if self._steps.keeps else "resumes them when it closes",
                ", ".join(self.found_paused),
            )

    def _seen(self, tasks: Any) -> Any:
        return tasks[0] if self._single and isinstance(tasks, list) else tasks

    def _came_to(self, failure: BaseException, block_error: BaseException | None) -> BaseException:
        told = isinstance(failure, ReplicationError) and not isinstance(failure, NotResumedError)
        if block_error is not None and told:  # All tasks run: it takes no error's place.
            block_error.add_note(str(failure))
            return block_error
        failure = with_block_error(failure, block_error)
        if isinstance(failure, NotResumedError):
            # Nobody may see what is raised after these.
            if isinstance(failure.block_error, GeneratorExit):
                logger.critical("window abandoned: %s", failure)
            elif self._loses_errors and not isinstance(failure.block_error, Exception | None):
                logger.critical("window interrupted: %s", failure)
        return failure

    def _deliver(self) -> None:
        if self._held:
            self._held = False
            raise KeyboardInterrupt

    def _end(self) -> None:
        # An exception raised by a signal handler can end the closing before its first step.
        if not self._steps.unfinished:
            _open.discard(self)

    def name_left(self) -> None:
        """Log the tasks that it leaves paused, if any."""
        if self._unfinished and self._steps.touched:
            logger.critical("window still open at exit: %s", self._steps.left_open())


_open: set[_Window[Any]] = set()


@cache
def _watch_exit() -> None:
    """Have the windows that are open at exit name their tasks; once in a process."""
    atexit.register(_name_left)


def _name_left() -> None:
    for window in list(_open):
        window.name_left()


class Window(_Window[Seen]):
    """A block in which tasks are paused, made by ``Client.paused``.

    Use it in a ``with`` statement, once, or as a decorator of a function, which then is the block
    each time it is called.
    """

    _performing = False  # Whether a step is being performed, which an interrupt may end.

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
        """Resume the tasks; return what is to be raised in place of what ended the block.

        After the signal is released, nothing is called that could let another one take the place
        of a ``NotResumedError``.
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
        """Perform a step; an interrupt that comes meanwhile is one of the step."""
        try:
            self._performing = True
            self._deliver()
            return self._perform(step)
        finally:
            self._performing = False

    def signaled(self) -> None:
        """Called for a SIGINT in the middle of this window's own code."""
        if self._performing:
            raise KeyboardInterrupt
        self._held = True

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """A function whose every call is a block of a window of its own."""
        call = getattr(type(function), "__call__", None)  # noqa: B004  # Of an object's class.
        if any(kind(one) for kind in _DEFERRED for one in (function, call)):
            raise ConfigurationError(
                "A window cannot decorate a coroutine or generator function: calling it returns "
                "before its body runs. Put a with statement into the body."
            )

        @wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> T:
            with Window(self._make, self._perform, single=self._single):
                return _complete(function(*args, **kwargs))

        return inside


class AsyncWindow(_Window[Seen]):
    """A block in which tasks are paused, made by ``AsyncClient.paused``.

    Use it in an ``async with`` statement, once, or as a decorator of a coroutine function.
    """

    _loop: asyncio.AbstractEventLoop
    _task: asyncio.Task[Any]
    _loses_errors = True
    _busy = False  # Whether it is opening or closing.
    _cancellations = 0  # How many times its task was cancelled in place of a KeyboardInterrupt.

    @_sigint.guarded
    async def __aenter__(self) -> Seen:
        import asyncio  # noqa: PLC0415  # Whoever has only threads does not pay for it.

        self._begin()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()  # type: ignore[assignment]  # A coroutine has one.
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
        """Resume the tasks; return what is to be raised in place of what ended the block."""
        self._busy = True
        early, self._held = self._held, False
        ordinary = error is None or isinstance(error, Exception)
        failure: BaseException | None = None
        try:
            if self._unfinished:
                with _shielded():
                    steps = self._steps.close(interrupted=early or not ordinary)
                    await arun(steps, self._careful)
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
        if self._cancellations or ((early or self._held) and ordinary):
            failure = self._interrupt_of(failure)
        return failure

    def _interrupt_of(self, failure: BaseException | None) -> BaseException:
        """What is raised after a Ctrl-C that asyncio did not turn into a cancellation."""
        for _ in range(self._cancellations):
            self._task.uncancel()
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
        """Take an interrupt that would be raised in the event loop itself, or while this waits.

        Raised there, it can cost the loop a callback, for which a task would then wait for ever.
        """
        import asyncio  # noqa: PLC0415  # As above.

        in_the_loop = self._loop.is_running() and asyncio.current_task(self._loop) is None
        if not self._busy and not in_the_loop:
            return False
        self.signaled()
        return True

    def _cancel(self) -> None:
        """Cancel the task that the window is in, unless the interrupt was dealt with meanwhile."""
        if self._held:
            self._held = False
            self._cancellations += 1
            self._task.cancel()

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """A coroutine function whose every call is a block of a window of its own."""
        if not inspect.iscoroutinefunction(function):
            raise ConfigurationError(
                "A window of an AsyncClient can decorate coroutine functions only. Put an async "
                "with statement into the body."
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
    """What a function returned, unless it has not run yet: not every such function shows it."""
    if inspect.iscoroutine(result):
        result.close()
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise ConfigurationError(
            "The decorated function returned something that has not run yet, and would run after "
            "the window. Put a with statement into its body."
        )
    return result


def _shielded() -> Any:
    """Keeps a cancelled scope of AnyIO from cancelling every single ``await`` of the closing.

    Only a program that has loaded AnyIO can be inside such a scope.
    """
    if "anyio" not in sys.modules:
        return nullcontext()
    import asyncio  # noqa: PLC0415  # Only coroutines come here.

    import anyio  # noqa: PLC0415  # As this says.

    try:
        return anyio.CancelScope(shield=True) if asyncio.current_task() else nullcontext()
    except RuntimeError:  # No event loop is running.
        return nullcontext()
