"""What a kind of fault is: one declaration, which holds the behavior.

    @OnResponse.declare("html-502", "a proxy's page and status 502", {"applied": False})
    def html_502(fault: Fault, response: Response, request_id: str) -> Response: ...

The subclass says when the behavior runs and what it is given. Nothing else lists the kinds.
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
        name: What users call it.
        summary: What the caller meets, for the reference.
        parameters: Parameters of a `Fault` that belong to it, with their defaults.
        act: The behavior.
        before_body: Whether it meets a call before the body is read, and nothing is decided.
        reused_only: Whether it meets only a call on a connection that had one before.
        silent: Whether the caller gets no status.
        keeps_connection: Whether the connection is good for further calls.
        needs_tls: Whether it needs HTTPS.
        operations: Which calls it may meet.
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
        """Declare a kind whose behavior is the function below."""

        def register(act: A) -> A:
            if name in _kinds:
                raise ValueError(f"two faults are called {name!r}")
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
    """When a connection is made. It counts connections, not calls."""

    meets = ()
    needs_connection = True


class OnConnection(Kind[Callable[["Fault", Response, Delivery], Awaitable[None]]]):
    """In place of the response, or while it is sent: on the connection, past the server."""

    needs_connection = True


class OnResponse(Kind[Callable[["Fault", Response, str], Response]]):
    """Another response than the right one; the function is given the request's ID as well."""


class OnList(Kind[Callable[["Fault", Listing, random.Random], None]]):
    """Another list than the right one; the function changes it in place."""

    meets = ("list",)


class OnTask(Kind[Callable[["Fault", Change], Change]]):
    """What becomes of the task. Such a fault may meet a call together with one of another class."""

    meets = ("pause", "resume")
