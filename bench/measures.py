"""What is measured, and the targets."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.processes import (
    HTTPX,
    OFFICIAL,
    OURS,
    PEERS,
    Server,
    Worker,
    Workplace,
    tls_server,
)

CLIENT = (
    "from taurusdb_starrocks import Client, TokenAuth; "
    f"Client(region='ap-southeast-3', project_id={'0' * 32!r}, auth=TokenAuth('token'))"
)
# Programs whose start is measured: environment and code.
STARTS = {
    "python": (HTTPX, "pass"),
    "import httpx": (HTTPX, "import httpx"),
    "from taurusdb_starrocks import Client": (OURS, "from taurusdb_starrocks import Client"),
    "httpx.Client()": (HTTPX, "import httpx; httpx.Client()"),
    "Client(TokenAuth)": (OURS, CLIENT),
}
# Programs that make one call over TLS.
ONCE = {
    "ours": (OURS, "ours"),
    "official": (OFFICIAL, "official"),
    "httpx": (HTTPX, "bare_httpx"),
    "http.client": (HTTPX, "standard"),
}
# Many calls: client, measure, and calls in a round. Clients that are compared run side by side.
MANY = [
    ("ours", "sequential", 1500),
    ("httpx", "sequential", 1500),
    ("http.client", "sequential", 3000),
    ("official", "sequential", 800),
    ("ours", "sequential_signed", 1000),
    ("httpx", "in_flight", 320),
    ("httpx-aiohttp", "in_flight", 3200),
    ("ours", "in_flight", 3200),
    ("official", "threads", 1600),
    ("ours", "threads", 3200),
    ("ours", "in_flight_signed", 3200),
]
LAYERS = ["network", "attempts", "bridge", "generated", "verbs"]

Seen = dict[str, list[dict[str, float]]]


@dataclass
class Results:
    """The measurements of each round."""

    starts: Seen = field(default_factory=dict)
    once: Seen = field(default_factory=dict)
    many: Seen = field(default_factory=dict)
    layers: Seen = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    ceiling: dict[str, float] = field(default_factory=dict)
    busy: float = 0.0
    seconds: float = 0.0
    load: float = field(default_factory=lambda: os.getloadavg()[0])


@dataclass(frozen=True)
class Must:
    """A ratio and its target."""

    label: str
    bound: float
    at_most: bool
    value: Callable[[Results], float]

    def met_by(self, value: float) -> bool:
        """Whether a value meets the target."""
        return value <= self.bound if self.at_most else value >= self.bound

    @property
    def bound_text(self) -> str:
        """The target as shown in a table."""
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


def _over_python(name: str, other: str) -> Callable[[Results], float]:
    """Ratio of the CPU of two programs, without the CPU of Python itself."""

    def value(results: Results) -> float:
        starts = results.starts
        bare = median(one["cpu_ms"] for one in starts["python"])
        return median(
            (a["cpu_ms"] - bare) / (b["cpu_ms"] - bare)
            for a, b in zip(starts[name], starts[other], strict=True)
        )

    return value


def _of(kind: str, what: str, name: str, other: str) -> Callable[[Results], float]:
    """Ratio of the figures of two clients, which are measured side by side in each round."""

    def value(results: Results) -> float:
        seen: Seen = getattr(results, kind)
        return median(a[what] / b[what] for a, b in zip(seen[name], seen[other], strict=True))

    return value


MUSTS = [
    Must(
        "CPU to import and create `Client(TokenAuth)`, relative to `httpx.Client()`",
        1.25,
        True,
        _over_python("Client(TokenAuth)", "httpx.Client()"),
    ),
    Must(
        "CPU of `from taurusdb_starrocks import Client`, relative to `import httpx`",
        1.25,
        True,
        _over_python("from taurusdb_starrocks import Client", "import httpx"),
    ),
    Must(
        "time of a process with one call over TLS, relative to the official SDK",
        0.40,
        True,
        _of("once", "wall_ms", "ours", "official"),
    ),
    Must(
        "CPU of a sequential call, relative to httpx",
        0.85,
        True,
        _of("many", "cpu_us", "ours sequential", "httpx sequential"),
    ),
    Must(
        "calls/s with 64 coroutines, relative to the official SDK with 8 threads",
        1.8,
        False,
        _of("many", "per_s", "ours in_flight", "official threads"),
    ),
    Must(
        "calls/s with 8 threads, relative to the official SDK with 8 threads",
        1.3,
        False,
        _of("many", "per_s", "ours threads", "official threads"),
    ),
    Must(
        "calls/s with 64 coroutines, relative to httpx-aiohttp",
        0.8,
        False,
        _of("many", "per_s", "ours in_flight", "httpx-aiohttp in_flight"),
    ),
    Must(
        "peak memory of a process with one call, relative to the official SDK",
        0.50,
        True,
        _of("once", "peak_mb", "ours", "official"),
    ),
    Must(
        "additional memory for a 64 MB response body, in MB",
        16,
        True,
        lambda results: results.memory["ours large"] - results.memory["ours"],
    ),
    Must(
        "additional memory for a 200 MB gzip response, in MB",
        16,
        True,
        lambda results: results.memory["ours bomb"] - results.memory["ours"],
    ),
]


def measure(*, rounds: int, share: float, say: Callable[[str], None]) -> Results:
    """Measure everything: alternating, each round in the other order than the one before.

    Args:
        rounds: How often.
        share: Of the calls of a full round.
        say: Tells what is being done.
    """
    results = Results()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        say("building")
        workplace = Workplace(folder)
        say("starting and single calls")
        _single(workplace, stack.enter_context(tls_server(workplace, folder)), rounds, results)
        _hostile(workplace, results)
        server = stack.enter_context(Server("plain"))
        workers = {
            name: stack.enter_context(Worker(workplace, peer, server.url))
            for name, peer in PEERS.items()
        }
        results.ceiling = server.ceiling(int(40_000 * share))
        for at in range(rounds):
            say(f"many calls, round {at + 1} of {rounds}")
            for name, what, calls in MANY[:: 1 if at % 2 else -1]:
                busy, since = server.cpu(), time.monotonic()
                seen = workers[name].measure(what, int(calls * share))
                results.many.setdefault(f"{name} {what}", []).append(seen)
                results.busy = max(results.busy, (server.cpu() - busy) / (time.monotonic() - since))
            for layer in LAYERS[:: 1 if at % 2 else -1]:
                seen = workers["layers"].measure(layer, int(1000 * share))
                results.layers.setdefault(layer, []).append(seen)
    results.seconds = time.monotonic() - began
    return results


def _single(workplace: Workplace, server: Server, rounds: int, results: Results) -> None:
    for at in range(-1, 2 * rounds):  # The first fills the caches of the disk.
        order = 1 if at % 2 else -1
        for name, (environment, code) in list(STARTS.items())[::order]:
            seen = workplace.run(environment, code)
            if at >= 0:
                results.starts.setdefault(name, []).append(seen)
        if at >= rounds:
            continue
        for name, (environment, function) in list(ONCE.items())[::order]:
            seen = workplace.run(environment, f"from once import *; {function}({server.url!r})")
            if at >= 0:
                results.once.setdefault(name, []).append(seen)


def _hostile(workplace: Workplace, results: Results) -> None:
    for kind in ("plain", "large", "bomb"):
        with Server(kind) as server:
            for name, environment, function in (
                ("ours", OURS, "ours" if kind == "plain" else "ours_refusing"),
                ("official", OFFICIAL, "official"),
                ("httpx", HTTPX, "bare_httpx"),
            ):
                seen = workplace.run(environment, f"from once import *; {function}({server.url!r})")
                key = name if kind == "plain" else f"{name} {kind}"
                results.memory[key] = seen["peak_mb"]
