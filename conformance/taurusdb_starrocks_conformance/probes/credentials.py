"""Credentials that are missing, wrong, or in the wrong place."""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from taurusdb_starrocks_conformance.contract import Operation
from taurusdb_starrocks_conformance.exchange import canary
from taurusdb_starrocks_conformance.target import is_loopback
from taurusdb_starrocks_conformance.wire import Wire

from .probe import TOO_LONG, UNPROVED, Probe, probe


def credentials(wire: Wire, operation: Operation, chance: random.Random) -> Iterator[Probe]:
    """Missing or wrong credentials: 401 or 403, even if the rest is correct."""
    check = "ignored_auth"
    token = wire.target.token

    def wrong() -> str:
        return canary(str(chance.random()))

    def without(what: str, *headers: tuple[str, str], query: str = "") -> Probe:
        request = wire.request(operation, headers=headers, without=["X-Auth-Token"], query=query)
        return probe(check, what, request, UNPROVED)

    yield without("no credentials")
    yield without("empty token", ("X-Auth-Token", ""))
    yield without("another token", ("X-Auth-Token", wrong()))
    yield without("one character more", ("X-Auth-Token", token + "x"))
    yield without("twice", ("X-Auth-Token", token + token))
    if len(token) > 1:
        yield without("one character less", ("X-Auth-Token", token[:-1]))
        yield without("first character", ("X-Auth-Token", token[0]))
    if token.swapcase() != token:
        yield without("capitals swapped", ("X-Auth-Token", token.swapcase()))
    yield without(
        "last character changed", ("X-Auth-Token", token[:-1] + ("a" if token[-1] != "a" else "b"))
    )
    yield without("token as bearer", ("Authorization", f"Bearer {token}"))
    yield without("token as Authorization", ("Authorization", token))
    yield without("token in another header", ("X-Subject-Token", token))
    yield without("token in a cookie", ("Cookie", f"X-Auth-Token={token}"))
    yield without("wrong bearer", ("Authorization", f"Bearer {wrong()}"))
    yield without("basic", ("Authorization", "Basic YTpi"))
    signature = f"Access=FUZZ{chance.randrange(10**12):012d}, SignedHeaders=host;x-sdk-date"
    yield without(
        "wrong signature",
        ("Authorization", f"SDK-HMAC-SHA256 {signature}, Signature={'0' * 64}"),
        ("X-Sdk-Date", "20250101T000000Z"),
    )
    yield without("algorithm without a signature", ("Authorization", "SDK-HMAC-SHA256"))
    yield without("words for true", ("X-Auth-Token", "null"))
    yield without("SQL", ("X-Auth-Token", "' OR '1'='1"))
    yield without("the token in quotes", ("X-Auth-Token", f'"{token}"'))
    yield without("bearer in front of the token", ("X-Auth-Token", f"Bearer {token}"))
    # Headers that proxies set for trusted callers do not authenticate anyone else.
    for name, value in (
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-User", "admin"),
        ("X-Project-Id", wire.target.project_id),
        ("X-Original-URL", "/"),
    ):
        yield without(f"{name} in place of a token", (name, value))
    if is_loopback(urlsplit(wire.target.url).hostname or ""):
        # In the query, the token would appear in logs.
        for name in ("X-Auth-Token", "token", "access_token"):
            yield without(
                f"the token as {name} of the query", query=f"{name}={quote(token, safe='')}"
            )
    # Invalid or too many bytes in a header: rejected by the first server that gets them.
    odd = {"beyond ASCII": wrong() + "\u00e9\u00ff", "long": wrong() * 500}
    for what, value in odd.items():
        request = wire.request(operation, headers=[("X-Auth-Token", value)])
        yield probe(check, what, request, TOO_LONG, may_drop=True)
    if operation.method == "GET":
        return
    yield without("a wrong token and a malformed body", ("X-Auth-Token", wrong()), ("X-Note", "1"))
