"""Carrying steps out: what a performer answers and raises goes to the steps, for both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from taurusdb_starrocks._decisions.steps import Steps, arun, once, run

Run = Callable[[Steps[Any], Callable[[Any], Any]], Any]


def async_run(steps: Steps[Any], perform: Callable[[Any], Any]) -> Any:
    async def performing(step: Any) -> Any:
        await asyncio.sleep(0)
        return perform(step)

    return asyncio.run(arun(steps, performing))


@pytest.fixture(params=[run, async_run], ids=["sync", "async"])
def carry_out(request: pytest.FixtureRequest) -> Iterator[Run]:
    return request.param  # type: ignore[no-any-return]


def test_answers_are_sent(carry_out: Run) -> None:
    """Each step is performed once, in order, and what the steps return is returned."""
    performed = []

    def steps() -> Steps[str]:
        first = yield 1
        second = yield 2
        return f"{first} {second}"

    def perform(step: int) -> str:
        performed.append(step)
        return f"answer {step}"

    assert carry_out(steps(), perform) == "answer 1 answer 2"
    assert performed == [1, 2]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()], ids=repr)
def test_errors_are_thrown(carry_out: Run, error: BaseException) -> None:
    """The steps decide what they mean, and may go on."""

    def steps() -> Steps[object]:
        try:
            yield "fails"
        except BaseException as caught:  # noqa: BLE001  # It is compared.
            assert (yield "goes on") == "answered"
            return caught

    def perform(step: str) -> str:
        if step == "fails":
            raise error
        return "answered"

    assert carry_out(steps(), perform) is error


def test_errors_that_are_not_caught_go_through(carry_out: Run) -> None:
    """And the steps are over."""
    ended = []

    def steps() -> Steps[None]:
        try:
            yield 1
        finally:
            ended.append(True)

    def perform(_step: object) -> object:
        raise LookupError

    with pytest.raises(LookupError):
        carry_out(steps(), perform)
    assert ended == [True]


def test_errors_of_the_steps_go_through(carry_out: Run) -> None:
    """Before the first step, and after one."""

    def steps(number: int) -> Steps[None]:
        for _ in range(number):
            yield 1
        raise LookupError

    for number in (0, 1):
        with pytest.raises(LookupError):
            carry_out(steps(number), lambda step: step)


def test_steps_without_a_step(carry_out: Run) -> None:
    """Nothing is performed."""

    def steps() -> Steps[str]:
        return "done"
        yield

    assert carry_out(steps(), pytest.fail) == "done"


def test_one_step_alone(carry_out: Run) -> None:
    """Its answer is the result."""
    assert carry_out(once(7), lambda step: step * 6) == 42


@pytest.mark.parametrize("carry", [run, arun])
def test_steps_are_closed_whatever_happens(carry: Any) -> None:
    """An interrupt between two steps ends them too."""
    ended = []

    class Interrupted:
        """Steps that an interrupt meets outside of a step."""

        def __init__(self) -> None:
            self.steps = self._steps()

        def _steps(self) -> Steps[None]:
            try:
                yield 1
            finally:
                ended.append(True)

        def __next__(self) -> Any:
            return next(self.steps)

        def send(self, _answer: Any) -> Any:
            raise KeyboardInterrupt

        def close(self) -> None:
            self.steps.close()

    async def perform(step: Any) -> Any:
        return step

    with pytest.raises(KeyboardInterrupt):
        if carry is run:
            run(Interrupted(), lambda step: step)  # type: ignore[arg-type]
        else:
            coroutine = arun(Interrupted(), perform)  # type: ignore[arg-type]
            coroutine.send(None)
    assert ended == [True]
