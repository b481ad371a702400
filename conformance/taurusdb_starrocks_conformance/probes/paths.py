"""Paths and methods: identifiers, paths close to the operations, other methods."""

from __future__ import annotations

import random
from collections.abc import Iterator

from taurusdb_starrocks_conformance.contract import Operation
from taurusdb_starrocks_conformance.exchange import Request
from taurusdb_starrocks_conformance.near_misses import wrong_identifiers
from taurusdb_starrocks_conformance.wire import Wire

from .probe import (
    ABSENT,
    ACCEPTED,
    ANOTHER_METHOD,
    ANOTHER_PATH,
    FOREIGN,
    MALFORMED_PATH,
    TOO_LONG,
    Probe,
    probe,
)


def identifiers(wire: Wire, operation: Operation, chance: random.Random) -> Iterator[Probe]:
    """Identifiers that are almost correct, and valid identifiers that do not exist."""
    target = wire.target
    for name in ("project_id", "instance_id"):
        own = target.project_id if name == "project_id" else target.instance(operation)
        wrong = wrong_identifiers(own)
        if name == "instance_id":
            wrong |= {
                "suffix in uppercase": own[:32] + "IN17",
                "suffix of digits": own[:32] + "1717",
            }
        for what, value in wrong.items():
            request = wire.request(operation, **{name: value})
            allowed = TOO_LONG if what == "long" else MALFORMED_PATH
            yield probe("invalid_accepted", f"{name}, {what}", request, allowed)
    if (upper := own[:32].upper() + own[32:]) != own:
        request = wire.request(operation, instance_id=upper)
        yield probe("unknown_is_refused", "the instance ID in uppercase", request, ABSENT)
    if (upper := target.project_id.upper()) != target.project_id:
        request = wire.request(operation, project_id=upper)
        yield probe("unknown_is_refused", "the project ID in uppercase", request, FOREIGN)
    absent = f"{chance.getrandbits(128):032x}"
    refused = "unknown_is_refused"
    request = wire.request(operation, instance_id=absent + "in17")
    yield probe(refused, "an instance that does not exist", request, ABSENT)
    request = wire.request(operation, project_id=absent)
    yield probe(refused, "a project that does not exist", request, FOREIGN)
    request = wire.request(operation, project_id=absent, instance_id=absent + "in17")
    yield probe(refused, "neither is there", request, FOREIGN)
    flipped = ("0" if own[0] != "0" else "1") + own[1:]
    request = wire.request(operation, instance_id=flipped)
    yield probe(refused, "an instance ID with one character changed", request, ABSENT)
    # The calls do not accept the TaurusDB instance that the StarRocks instance replicates from.
    parent = own[:32] + ("in07" if own[32:] != "in07" else "in16")
    request = wire.request(operation, instance_id=parent)
    yield probe(refused, "an instance of another kind", request, ABSENT)


def paths(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Paths without an operation: `..`, encoded slashes, and paths close to an operation."""
    target = wire.target
    own = wire.request(operation)
    path, _, query = own.path.partition("?")
    own_instance = target.instance(operation)
    project, instance = f"/{target.project_id}/", f"/{own_instance}/"

    def changed(what: str, new: str, *, tolerated: frozenset[int] = frozenset()) -> Probe:
        new += f"?{query}" if query else ""
        request = Request(own.method, new, own.headers, own.body)
        return probe("path_is_exact", what, request, ANOTHER_PATH, tolerated=tolerated)

    yield changed("way up for the instance", path.replace(instance, "/../"))
    yield changed("encoded way up for the instance", path.replace(instance, "/%2e%2e/"))
    yield changed("encoded way up", path.replace(instance, f"/x%2F..%2F{own_instance}/"))
    yield changed("twice encoded slash", path.replace("/instances/", "%252Finstances%252F"))
    yield changed("backslashes", path.replace("/instances/", "\\instances\\"))
    yield changed("no project", path.replace(project, "/"))
    yield changed("another version", path.replace("/v3/", "/v2/"))
    yield changed("a segment more", path + "/now")
    yield changed("a letter more", path + "s")
    yield changed("a letter less", path[:-1])
    yield changed("NUL at the end", path + "%00")
    if "/starrocks/" in path:
        yield changed("another product", path.replace("/starrocks/", "/clickhouse/"))
    yield probe(
        "path_is_exact",
        "only a slash",
        Request(own.method, "/", own.headers, own.body),
        ANOTHER_PATH | ACCEPTED,
    )
    # Common habits of frameworks: decode before routing, match before a final line break,
    # tolerate a final slash or another case, merge slashes, resolve dots.
    for what, new in (
        ("encoded slash after the project", path.replace(project, project[:-1] + "%2F")),
        ("encoded letter", path.replace("/instances/", "/%69nstances/")),
        ("line break at the end", path + "%0A"),
        ("slash at the end", path + "/"),
        ("another case", path.replace("/instances/", "/Instances/")),
        ("two slashes", path.replace("/instances/", "//instances/")),
        ("dot segment", path.replace("/instances/", "/./instances/")),
        ("parameter of a segment", path + ";x=1"),
        ("question mark in disguise", path + "%3Flimit=1"),
    ):
        yield changed(what, new, tolerated=ACCEPTED)


def methods(wire: Wire, operation: Operation) -> Iterator[Probe]:
    """Methods that the contract does not have are refused."""
    own = wire.request(operation)
    check = "unsupported_method"
    others: tuple[str, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "LOCK")
    if operation.may_have_siblings and wire.target.is_remote:
        others = ("TRACE", "PROPFIND")
    for method in others:
        if method != operation.method:
            request = Request(method, own.path, own.headers, own.body if method != "TRACE" else b"")
            yield probe(check, method, request, ANOTHER_METHOD)
    # HTTP has HEAD for each GET, and OPTIONS for everything. Neither may change anything.
    allowed = {"HEAD": ANOTHER_METHOD | {200}, "OPTIONS": ANOTHER_METHOD | {200, 204}}
    for method, statuses in allowed.items():
        request = Request(method, own.path, own.headers, own.body)
        yield probe(check, method, request, statuses)
    lowercase = Request(own.method.lower(), own.path, own.headers, own.body)
    yield probe(check, "method in lowercase", lowercase, ANOTHER_METHOD, tolerated=ACCEPTED)
