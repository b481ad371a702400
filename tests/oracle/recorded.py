"""Recorded exchanges of right and faulty servers, and what the suite says about them."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from taurusdb_starrocks_conformance.exchange import Exchange, Expectation, Reply, Request
from taurusdb_starrocks_conformance.target import Target

FILE = Path(__file__).with_name("recorded.json.gz")


@cache
def load() -> list[dict[str, Any]]:
    """The runs: the exchanges of each, and what was said about them."""
    runs: list[dict[str, Any]] = json.loads(gzip.decompress(FILE.read_bytes()))
    return runs


def save(runs: list[dict[str, Any]]) -> None:
    """Write them; the same runs make the same bytes."""
    text = json.dumps(runs, separators=(",", ":"))
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))


def packed_target(target: Target) -> dict[str, Any]:
    """What of a target matters to who judges."""
    names = ("url", "token", "project_id", "instance_id", "task_name")
    others = ("other_instance_id", "source_instance_id")
    return {name: getattr(target, name) for name in names + others}


def packed(exchange: Exchange) -> dict[str, Any]:
    """An exchange as JSON."""
    request, reply, expect = exchange.request, exchange.reply, exchange.expect
    return {
        "source": exchange.source,
        "request": [
            request.method,
            request.path,
            request.headers,
            request.body.decode("latin-1"),
        ],
        "reply": reply and [reply.status, reply.headers, reply.body.decode("latin-1")],
        "error": exchange.error,
        "excused": exchange.excused,
        "expect": expect
        and [
            expect.check,
            expect.what,
            sorted(expect.allowed),
            sorted(expect.tolerated),
            expect.may_drop,
            expect.slip,
        ],
    }


def unpacked(number: int, told: dict[str, Any]) -> Exchange:
    """The exchange again."""

    def headers(pairs: list[list[str]]) -> tuple[tuple[str, str], ...]:
        return tuple((name, value) for name, value in pairs)

    method, path, sent, body = told["request"]
    reply, expect = told["reply"], told["expect"]
    return Exchange(
        number,
        told["source"],
        Request(method, path, headers(sent), body.encode("latin-1")),
        reply and Reply(reply[0], headers(reply[1]), reply[2].encode("latin-1")),
        told["error"],
        excused=told["excused"],
        expect=expect
        and Expectation(
            expect[0], expect[1], frozenset(expect[2]), frozenset(expect[3]), *expect[4:]
        ),
    )
