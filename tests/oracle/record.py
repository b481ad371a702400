"""Record the exchanges anew: run the suite on right servers and on each faulty one.

    python -m tests.oracle.record [--judge-again]

To be done when requests, the contract or the judgement change on purpose; the difference in what is
said is worth a look.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.run import Run
from taurusdb_starrocks_conformance.target import Target

from tests.conformance.emulated import fuzz_emulator
from tests.power.faults import FAULTS
from tests.power.server import INSTANCE, OTHER, PROJECT, TASK, TOKEN, Service, serving

from . import recorded
from .edges import edges
from .verdicts import said

RIGHT: tuple[dict[str, Any], ...] = ({}, {"strict": True, "router": True, "unsupported": 415})
LONGEST = 3_000
BEFORE = 6
SHOWN = 12
PHASES = ("examples", "coverage", "fuzzing", "stateful")


Recorded = tuple[Target, list[Exchange]]


def run(service: Service, **settings: Any) -> Recorded:
    """All exchanges of a run."""
    with serving(service) as url:
        target = Target(
            url=url,
            token=TOKEN,
            project_id=PROJECT,
            instance_id=INSTANCE,
            task_name=TASK,
            other_instance_id=OTHER,
            slowest=5,
            settle=0.5,
            hold=0.4,
        )
        running = Run(target, seed=1, examples=2, **settings)
        running.go()
    return target, running.wire.exchanges


def emulated() -> Recorded:
    """All exchanges of a run on a server that has every operation."""
    outcome = fuzz_emulator(seed=1, examples=2)
    return outcome.target, outcome.exchanges


def _is_short(exchange: Exchange) -> bool:
    request = exchange.request
    return len(request.body) + len(request.path) + sum(len(v) for _, v in request.headers) < LONGEST


def sample(exchanges: list[Exchange]) -> list[Exchange]:
    """What was made by hand, one of a kind, and some of what schemathesis made."""
    seen: set[object] = set()
    kept = []
    for number, exchange in enumerate(exchanges):
        if not _is_short(exchange):
            continue
        kind = exchange.source.partition(":")[0]
        key = (exchange.source, exchange.request, exchange.status)
        if kind in PHASES and number % 8:
            continue
        if key not in seen:
            seen.add(key)
            kept.append(exchange)
    return kept


def failing(exchanges: list[Exchange]) -> list[Exchange]:
    """The exchanges that have shown a fault, with some before each."""
    places = [place for place, exchange in enumerate(exchanges) if exchange.failed][:SHOWN]
    kept = sorted({near for place in places for near in range(place - BEFORE, place + 2)})
    return [
        exchanges[place]
        for place in kept
        if 0 <= place < len(exchanges) and _is_short(exchanges[place])
    ]


def servers() -> Iterator[Recorded]:
    """What right servers and faulty ones have said."""
    right = [run(Service(**settings)) for settings in RIGHT]
    for target, exchanges in (*right, emulated()):
        yield target, sample(exchanges)
    for fault in FAULTS:
        if fault.area != "slowness" and fault.check is not None:
            target, exchanges = run(fault.service(), first_only=not fault.warning)
            sys.stdout.write(f"{fault.area}: {fault.name}\n")
            yield target, failing(exchanges)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge-again", action="store_true", help="keep what servers have said")
    if parser.parse_args().judge_again:
        runs = [(run["target"], run["exchanges"]) for run in recorded.load() if run["server"]]
    else:
        runs = [packed(*run) for run in servers()]
    count = len(runs)
    runs += [packed(*run) for run in edges()]
    recorded.save(
        [
            {
                "server": number < count,
                "target": target,
                "exchanges": exchanges,
                "said": said(Target(**target), exchanges),
            }
            for number, (target, exchanges) in enumerate(runs)
        ]
    )


def packed(target: Target, exchanges: list[Exchange]) -> tuple[dict[str, Any], list[Any]]:
    """A run as JSON."""
    return recorded.packed_target(target), [recorded.packed(exchange) for exchange in exchanges]


if __name__ == "__main__":
    main()
