"""What a decision can ask its performer to do, and how a performer carries the steps out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeVar

from taurusdb_starrocks._messages import Request
from taurusdb_starrocks._operations import Operation

T = TypeVar("T")
Steps = Generator[Any, Any, T]


class Latch(Protocol):
    """Something that is opened once, by another thread or coroutine."""

    def wait(self, seconds: float) -> bool:
        """Block until it is open; False when the time passed first."""

    def then(self, callback: Callable[[], object]) -> None:
        """Have a callback called once it is open, in whichever thread opens it; maybe at once."""


class Send(NamedTuple):
    """Send a request once; the answer is a ``Reply``, or ``Unanswered`` is thrown."""

    request: Request


class Sleep(NamedTuple):
    """Wait so many seconds."""

    seconds: float


class Wait(NamedTuple):
    """Wait until a latch is open; the answer is whether it was within the call's deadline."""

    latch: Latch


class Change(NamedTuple):
    """Ask the service to change a task; the answer is a ``Job``.

    ``deadline`` is the latest reading of the clock at which the call may end.
    """

    operation: Operation
    instance_id: str
    task_name: str
    deadline: float | None = None


class ReadPage(NamedTuple):
    """Read one page of an instance's tasks; the answer is the service's total and the entries."""

    instance_id: str
    offset: int
    limit: int
    deadline: float | None = None


class Read(NamedTuple):
    """Read something that is about an instance; the answer is what the operation gives."""

    operation: Operation
    instance_id: str
    task_name: str | None = None
    deadline: float | None = None


class Record(NamedTuple):
    """Call somebody who keeps a record, which may block; the answer is what it returns."""

    act: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


def once(step: Any) -> Steps[Any]:
    """One step alone."""
    return (yield step)


def run(steps: Steps[T], perform: Callable[[Any], Any]) -> T:
    """Carry the steps out and return what they come to."""
    try:
        step = next(steps)
        while True:
            try:
                answer = perform(step)
            except BaseException as error:  # noqa: BLE001  # The steps decide what it means.
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
            except BaseException as error:  # noqa: BLE001  # The steps decide what it means.
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # As above.
    finally:
        steps.close()
