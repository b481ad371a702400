"""What is to happen, drawn from a seed: the faults of an emulator, and one window after another."""

from __future__ import annotations

import random
import signal
from dataclasses import asdict, dataclass, field
from typing import Any

from taurusdb_starrocks_emulator import FAULT_KINDS, Fault

# How likely each of the other kinds meets a call: about one call in eight has a fault.
ANY = 0.004
SETTLE = 0.8
TASKS = [f"task_{number}" for number in range(8)]
# Nobody can tell these apart from the truth together: a resume without effect, and a list that
# shows the stage from before. So an emulator has the one or the other.
LYING = "never-settles"
QUICK: dict[str, dict[str, Any]] = {
    "hang": {"seconds": 1.0},
    "drip-headers": {"seconds": 0.002},
    "drip-body": {"seconds": 0.002},
    "huge-body": {"size": 12 << 20},
    "gzip-bomb": {"size": 12 << 20},
}


def faults(seed: int, *, tls: bool, lies: bool) -> list[Fault]:
    """Every fault at random, late effects more often than the rest."""
    chosen = []
    without = "pause" if lies else "any"
    for kind in FAULT_KINDS:
        if kind in ("late-pause", "no-effect") or (kind == LYING and not lies):
            continue
        if kind.startswith("tls-") and not tls:
            continue
        variants: list[dict[str, Any]] = [QUICK.get(kind, {})]
        parameters = Fault(kind).behavior.parameters
        if "applied" in parameters:
            variants = [{**variants[0], "applied": applied} for applied in (False, True)]
            if parameters["applied"]:  # The response is a success, which then has no effect.
                variants[0]["operation"] = without
        if kind == "blocked":
            variants = [{**v, "status": status} for v in variants for status in (403, 404, 408)]
        chosen += [
            Fault(kind, probability=ANY / len(variants), seed=seed + len(chosen), **variant)
            for variant in variants
        ]
    late: list[tuple[float, Any]] = [
        (0.15, "refused"), (0.15, "ignored"), (0.5, "refused"), (0.5, "ignored"),
        (2.0, "refused"), (2.0, "ignored"),
    ]  # fmt: skip
    chosen += [
        Fault("late-pause", seconds=seconds, meanwhile=meanwhile, probability=0.02, seed=seed - at)
        for at, (seconds, meanwhile) in enumerate(late)
    ]
    return [*chosen, Fault("no-effect", operation=without, probability=0.02, seed=seed)]


@dataclass
class Plan:
    """One window, and what happens to it.

    Attributes:
        names: The tasks.
        verb: `window`, or `ensure` for pausing and resuming without a block.
        timeout: Of the window.
        inside: Seconds that the block takes.
        raises: Whether the block ends with an error.
        fork: Whether a child is forked in it, which leaves the block.
        aim: How long after the end of the block a signal comes, in microseconds.
        aimed: That signal.
        signals: Delays from the beginning, in seconds, and numbers of signals.
        cancels: Delays after which the coroutine is cancelled.
    """

    names: list[str]
    verb: str = "window"
    timeout: float = 1.2
    inside: float = 0.0
    raises: bool = False
    fork: bool = False
    aim: int | None = None
    aimed: int = signal.SIGINT
    signals: list[tuple[float, int]] = field(default_factory=list)
    cancels: list[float] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """It as JSON has it."""
        return asdict(self)


def draw(chance: random.Random, names: list[str], *, asynchronous: bool, ensure: bool) -> Plan:
    """The next window."""
    count = chance.choice([1, 1, 1, 2, 3, 5])
    plan = Plan(chance.sample(names, count), raises=chance.random() < 0.1)
    plan.timeout = chance.choice([0.3, 0.6, 1.2])
    plan.inside = chance.choice([0.0, 0.0, 0.01, 0.05])
    if ensure and chance.random() < 0.2:
        plan.verb = "ensure"
        return plan
    sudden = [chance.random() * chance.choice([0.05, 0.2, 1.5]) for _ in range(2)]
    kinds = ["peace", "aim", "interrupt", "twice", "terminate"]
    match chance.choice([*kinds, "aim", "cancel" if asynchronous else "fork"]):
        case "aim":
            plan.aim, plan.raises = chance.randrange(1, 120), False
            plan.aimed = chance.choice([signal.SIGINT, signal.SIGTERM])
        case "interrupt":
            plan.signals = [(sudden[0], signal.SIGINT)]
        case "twice":
            second = chance.choice([max(sudden), min(sudden) + chance.random() * 0.0015])
            plan.signals = [(min(sudden), signal.SIGINT), (second, signal.SIGINT)]
        case "terminate":
            plan.signals = [(sudden[0], signal.SIGTERM)]
        case "cancel":
            plan.cancels = sudden[: chance.choice([1, 2])]
        case "fork":
            plan.fork = True
    return plan
