"""The steps that a decision can yield, and the functions that run them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeVar

from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._operations import Operation

T = TypeVar("T")
Steps = Generator[Any, Any, T]


class Latch(Protocol):
    """An event that another thread or coroutine sets once."""

    def wait(self, seconds: float) -> bool:
        """Block until it is open; return False after a timeout."""

    def then(self, callback: Callable[[], object]) -> None:
        """Call a function when it is open, in the thread that opens it, or now if it is open."""


class Send(NamedTuple):
    """Send a request once. The result is a ``Reply``, or ``Unanswered`` is raised."""

    request: Request


class Sleep(NamedTuple):
    """Wait for a number of seconds."""

    seconds: float


class Wait(NamedTuple):
    """Wait for a latch. The result is whether it opened before the deadline of the call."""

    latch: Latch


class Change(NamedTuple):
    """Request a change of a task. The result is a ``Job``.

    The call must end before the clock reads ``deadline``.
    """

    operation: Operation
    instance_id: str
    task_name: str
    deadline: float | None = None


class ReadPage(NamedTuple):
    """Read one page of an instance's tasks. The result is the service's total and the entries."""

    instance_id: str
    offset: int
    limit: int
    deadline: float | None = None


class Read(NamedTuple):
    """Read data of an instance. The result depends on the operation."""

    operation: Operation
    instance_id: str
    task_name: str | None = None
    deadline: float | None = None


class Record(NamedTuple):
    """Call a method of a recorder, which may block. The result is its return value."""

    act: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


def once(step: Any) -> Steps[Any]:
    """A single step."""
    return (yield step)


def run(steps: Steps[T], perform: Callable[[Any], Any]) -> T:
    """Run the steps and return their result."""
    try:
        step = next(steps)
        while True:
            try:
                answer = perform(step)
            except BaseException as error:  # noqa: BLE001  # The steps handle it.
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration carries the T of Steps.
    finally:
        steps.close()


async def arun(steps: Steps[T], perform: Callable[[Any], Awaitable[Any]]) -> T:
    """The same for coroutines."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await perform(step)
            except BaseException as error:  # noqa: BLE001  # The steps handle it.
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # As above.
    finally:
        steps.close()
