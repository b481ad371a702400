"""A window as a decorator: the function's body is the block, each time it is called."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from scripted_service import INSTANCE, POLL, Service
from taurusdb_starrocks import AsyncClient, Client, ConfigurationError, TokenAuth


@pytest.fixture
def settings(service: Service) -> dict[str, Any]:
    return {
        "endpoint": "http://127.0.0.1:1",
        "project_id": "0" * 32,
        "auth": TokenAuth("token"),
        "transport": httpx.MockTransport(service),
        "poll": POLL,
    }


@pytest.fixture
def client(settings: dict[str, Any]) -> Iterator[Client]:
    """The client for threads, in place of both."""
    with Client(**settings) as opened:
        yield opened


def test_a_function(client: Client, service: Service) -> None:
    """Each call has a window of its own, and the function is otherwise the same."""

    @client.paused(INSTANCE, "orders_sync")
    def load(rows: int, *, twice: bool = False) -> int:
        """Load rows."""
        assert service.stages["orders_sync"] == "Paused"
        return rows * (1 + twice)

    for _ in range(2):
        assert load(3, twice=True) == 6
        assert service.stages["orders_sync"] == "Incremental"
    assert load.__name__ == "load"
    assert load.__doc__ == "Load rows."
    assert service.count("pause") == service.count("resume") == 2


def test_a_function_that_fails(client: Client, service: Service) -> None:
    """The task runs, and the error goes on."""

    @client.paused(INSTANCE, "orders_sync")
    def load() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        load()
    assert service.stages["orders_sync"] == "Incremental"


def test_a_coroutine_function(settings: dict[str, Any], service: Service) -> None:
    """With the client for coroutines, whose window is around its body."""

    async def main() -> None:
        async with AsyncClient(**settings) as client:

            @client.paused(INSTANCE, "orders_sync")
            async def load(rows: int) -> int:
                await asyncio.sleep(0)
                assert service.stages["orders_sync"] == "Paused"
                return rows

            for _ in range(2):
                assert await load(3) == 3
                assert service.stages["orders_sync"] == "Incremental"
            assert load.__name__ == "load"

    asyncio.run(main())


class Callable:
    async def __call__(self) -> None:
        pytest.fail("the body must not run")


async def coroutine() -> None:
    pytest.fail("the body must not run")


def generator() -> Iterator[int]:
    pytest.fail("the body must not run")
    yield 1


async def async_generator() -> Any:
    pytest.fail("the body must not run")
    yield 1


@pytest.mark.parametrize(
    "function",
    [
        coroutine,
        generator,
        async_generator,
        functools.partial(coroutine),
        functools.partial(generator),
        Callable(),
    ],
    ids=["coroutine", "generator", "async generator", "partial", "partial generator", "object"],
)
def test_what_does_not_run_when_it_is_called(
    client: Client, service: Service, function: Any
) -> None:
    """It is refused when it is decorated: its body would run unpaused."""
    with pytest.raises(ConfigurationError, match="Put a with statement into the body"):
        client.paused(INSTANCE, "orders_sync")(function)
    assert service.asked == []


@pytest.mark.parametrize(
    "make", [coroutine, generator, async_generator, asyncio.Future], ids=lambda make: make.__name__
)
def test_what_returns_something_that_has_not_run(
    client: Client, service: Service, make: Any
) -> None:
    """Not every function shows what it is: then the call is an error, and the body never runs."""
    loop = asyncio.new_event_loop()
    options = {"loop": loop} if make is asyncio.Future else {}
    load = client.paused(INSTANCE, "orders_sync")(lambda: make(**options))
    with pytest.raises(ConfigurationError, match="has not run yet"):
        load()
    assert service.stages["orders_sync"] == "Incremental"
    loop.close()


@pytest.mark.parametrize(
    "function", [lambda: None, generator, async_generator], ids=["function", "gen", "async gen"]
)
def test_only_coroutine_functions_have_async_windows(
    settings: dict[str, Any], service: Service, function: Any
) -> None:
    """Anything else is refused when it is decorated."""
    client = AsyncClient(**settings)
    with pytest.raises(ConfigurationError, match="only coroutine functions"):
        client.paused(INSTANCE, "orders_sync")(function)
    assert service.asked == []
