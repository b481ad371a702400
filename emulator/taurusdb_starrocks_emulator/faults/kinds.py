"""Kinds of faults. Each kind is one declaration with its behavior.

    @OnResponse.declare("html-502", "a proxy's page and status 502", {"applied": False})
    def html_502(fault: Fault, response: Response, request_id: str) -> Response: ...

The subclass determines when the behavior runs and its arguments. There is no other list of kinds.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from taurusdb_starrocks_emulator import contract
from taurusdb_starrocks_emulator.connection import Connection, Delivery
from taurusdb_starrocks_emulator.listing import Listing
from taurusdb_starrocks_emulator.records import Change
from taurusdb_starrocks_emulator.response import Response

if TYPE_CHECKING:
    from .fault import Fault

__all__ = [
    "KINDS",
    "OPERATIONS",
    "Kind",
    "OnConnect",
    "OnConnection",
    "OnList",
    "OnResponse",
    "OnTask",
]

OPERATIONS = (*contract.OPERATIONS.values(), "login", "projects")
_kinds: dict[str, Kind[Any]] = {}
KINDS: Mapping[str, Kind[Any]] = MappingProxyType(_kinds)

A = TypeVar("A", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[A]):
    """A kind of fault.

    Attributes:
        name: Name of the kind.
        summary: What the caller sees, for the reference.
        parameters: Its parameters of a `Fault`, with their defaults.
        act: The behavior.
        before_body: Whether it happens before the body is read, so that nothing is decided.
        reused_only: Whether it affects only calls on a reused connection.
        silent: Whether the caller gets no status.
        keeps_connection: Whether the connection can be used for more calls.
        needs_tls: Whether it needs HTTPS.
        operations: The calls that it can affect.
    """

    meets: ClassVar[tuple[str, ...]] = OPERATIONS
    needs_connection: ClassVar[bool] = False

    name: str
    summary: str
    parameters: Mapping[str, Any]
    act: A
    before_body: bool = False
    reused_only: bool = False
    silent: bool = False
    keeps_connection: bool = False
    needs_tls: bool = False
    operations: tuple[str, ...]

    @classmethod
    def declare(
        cls, name: str, summary: str, parameters: Mapping[str, Any] | None = None, **more: Any
    ) -> Callable[[A], A]:
        """Declare a kind with the decorated function as its behavior."""

        def register(act: A) -> A:
            if name in _kinds:
                raise ValueError(f"two faults have the name {name!r}")
            given = MappingProxyType(dict(parameters or {}))
            _kinds[name] = cls(
                name=name,
                summary=summary,
                parameters=given,
                act=act,
                **{"operations": cls.meets, **more},
            )
            return act

        return register


class OnConnect(Kind[Callable[[Connection], None]]):
    """Runs when a connection is opened. It counts connections, not calls."""

    meets = ()
    needs_connection = True


class OnConnection(Kind[Callable[["Fault", Response, Delivery], Awaitable[None]]]):
    """Runs instead of the response, or while it is sent, directly on the connection."""

    needs_connection = True


class OnResponse(Kind[Callable[["Fault", Response, str], Response]]):
    """Returns another response. The function also gets the request ID."""


class OnList(Kind[Callable[["Fault", Listing, random.Random], None]]):
    """Changes the list in place."""

    meets = ("list",)


class OnTask(Kind[Callable[["Fault", Change], Change]]):
    """Changes what happens to the task. Can affect a call together with another class."""

    meets = ("pause", "resume")
