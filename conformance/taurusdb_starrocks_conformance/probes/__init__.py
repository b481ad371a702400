"""Handwritten requests that schemathesis does not send."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from taurusdb_starrocks_conformance.contract import operations
from taurusdb_starrocks_conformance.wire import Wire

from . import bodies, credentials, headers, paths, queries, right
from .probe import Probe

__all__ = ["Group", "Probe", "groups"]


@dataclass(frozen=True)
class Group:
    """Probes of one kind for one operation.

    Attributes:
        effects: Whether to check the effect of each accepted request.
    """

    name: str
    verb: str
    probes: list[Probe]
    effects: bool = False


def groups(wire: Wire, seed: int, *, taken: frozenset[str] | None) -> Iterator[Group]:
    """All probes, in groups that do not change the named task.

    Args:
        wire: The wire to the target.
        seed: Seed of all random values.
        taken: Names of existing tasks, which no probe may use; None if unknown.
    """
    chance = random.Random(seed)
    for verb, operation in operations().items():
        if verb in wire.lacking:
            continue
        made = {
            "right requests": right.right(wire, operation),
            "credentials": credentials.credentials(wire, operation, chance),
            "identifiers": paths.identifiers(wire, operation, chance),
            "paths": paths.paths(wire, operation),
            "methods": paths.methods(wire, operation),
            "languages": headers.languages(wire, operation),
            "overrides": headers.overrides(wire, operation),
            "conditions": headers.conditions(wire, operation),
            "query values": queries.strange(wire, operation, chance),
        }
        if operation.method == "POST":
            made |= {
                "names": bodies.names(wire, operation, chance, taken),
                "bodies": bodies.bodies(wire, operation),
                "content types": headers.content_types(wire, operation),
                "sizes": queries.sizes(wire, operation),
            }
        elif operation.names_task:
            made["names"] = queries.names(wire, operation, chance, taken)
        elif verb == "list":
            made["limits"] = queries.limits(wire, operation)
        for kind, probes in made.items():
            effects = kind in ("overrides", "query values") and operation.method == "POST"
            yield Group(f"{kind}: {verb}", verb, list(probes), effects)
