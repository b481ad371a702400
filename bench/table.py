"""The results, as Markdown and as JSON."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.measures import LAYERS, MUSTS, Results, Seen

# How the tables show clients, kinds of calls, and layers.
CLIENTS = {"ours": "taurusdb-starrocks", "official": "official SDK"}
KINDS = {
    "sequential": "sequential",
    "sequential_signed": "sequential, signed",
    "in_flight": "64 coroutines",
    "in_flight_signed": "64 coroutines, signed",
    "threads": "8 threads",
}
SHOWN_LAYERS = {
    "network": "connections",
    "attempts": "attempts and retries",
    "bridge": "HTTP adapter for generated code",
    "generated": "generated code",
    "verbs": "`Client.pause`",
}


def machine() -> str:
    """Processor, number of cores, and Python."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{cpu}, {os.cpu_count()} cores, Linux, Python {platform.python_version()}"


def _median(seen: Seen, name: str, what: str) -> float:
    return median(one[what] for one in seen[name])


def _shown(name: str) -> str:
    """A client and its kind of calls, as the tables show them."""
    client, kind = name.split()
    return f"{CLIENTS.get(client, client)}, {KINDS[kind]}"


def _spread(seen: Seen, name: str, what: str) -> str:
    values = [one[what] for one in seen[name]]
    return f"{min(values):,.0f} to {max(values):,.0f}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def markdown(results: Results, date: str | None = None) -> str:
    """The tables of the documentation."""
    lines = [f"{machine()}; {date or datetime.now(UTC).date().isoformat()}.", ""]
    lines += _table(
        ["measure", "result", "target", "met"],
        [
            [
                must.label,
                f"{must.value(results):.2f}",
                must.bound_text,
                "yes" if must.met_by(round(must.value(results), 2)) else "**no**",
            ]
            for must in MUSTS
        ],
    )
    many = results.many
    lines += _table(
        ["client", "CPU per call, µs", "range", "calls/s"],
        [
            [
                _shown(name),
                f"{_median(many, name, 'cpu_us'):,.0f}",
                _spread(many, name, "cpu_us"),
                f"{_median(many, name, 'per_s'):,.0f}",
            ]
            for name in sorted(many, key=lambda name: name.split()[1:])
        ],
    )
    lines += _table(
        ["process with one call over TLS", "ms", "CPU, ms", "peak memory, MB"],
        [
            [
                CLIENTS.get(name, name),
                *(
                    f"{_median(results.once, name, what):.0f}"
                    for what in ("wall_ms", "cpu_ms", "peak_mb")
                ),
            ]
            for name in results.once
        ],
    )
    lines += _table(
        ["program", "CPU from start to exit, ms", "range"],
        [
            [
                f"`{name}`",
                f"{_median(results.starts, name, 'cpu_ms'):.0f}",
                _spread(results.starts, name, "cpu_ms"),
            ]
            for name in results.starts
        ],
    )
    memory = results.memory
    lines += _table(
        ["peak memory, MB", "normal response", "64 MB", "200 MB of gzip"],
        [
            [
                CLIENTS.get(name, name),
                *(f"{memory[key]:.0f}" for key in (name, f"{name} large", f"{name} bomb")),
            ]
            for name in ("ours", "official", "httpx")
        ],
    )
    costs = [_median(results.layers, layer, "cpu_us") for layer in LAYERS]
    lines += _table(
        ["layers of a call", "CPU, µs", "CPU of this layer, µs"],
        [
            [
                SHOWN_LAYERS[layer] if layer == LAYERS[0] else f"+ {SHOWN_LAYERS[layer]}",
                f"{cost:.0f}",
                f"{cost - below:.0f}",
            ]
            for layer, cost, below in zip(LAYERS, costs, [0.0, *costs], strict=False)
        ],
    )
    server = (
        f"The server handles {results.ceiling['per_s']:,.0f} requests/s from raw sockets. During "
        "each measurement, including its warm-up, the process of the server used the CPU for at "
        f"most {results.busy:.0%} of the time. The run took {results.seconds:.0f} s. Before it, "
        f"the load of the machine was {results.load:.1f}."
    )
    return "\n".join([*lines, server, ""])


def document(results: Results) -> dict[str, Any]:
    """The results of every round, for other programs."""
    return {
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": results.load,
        "musts": {
            must.label: {
                "value": must.value(results),
                "bound": must.bound,
                "at_most": must.at_most,
                "met": must.met_by(round(must.value(results), 2)),
            }
            for must in MUSTS
        },
        "starts": results.starts,
        "once": results.once,
        "many": results.many,
        "layers": results.layers,
        "memory_mb": results.memory,
        "server": {**results.ceiling, "busy": results.busy},
        "seconds": results.seconds,
    }
