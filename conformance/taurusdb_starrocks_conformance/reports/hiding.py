"""A run without the token, for reports."""

from __future__ import annotations

from dataclasses import replace

from taurusdb_starrocks_conformance.exchange import Exchange, Reply, Request
from taurusdb_starrocks_conformance.findings import Finding
from taurusdb_starrocks_conformance.run import Outcome

from .secrets import Secrets


def hidden(outcome: Outcome) -> Outcome:
    """The same run with markers instead of the token."""
    secrets = Secrets(outcome.target.token)
    copies = {id(exchange): _exchange(exchange, secrets) for exchange in outcome.exchanges}

    def finding(original: Finding) -> Finding:
        examples = [
            replace(
                example,
                message=secrets.hide(example.message),
                exchange=copies.get(id(example.exchange)),
            )
            for example in original.examples
        ]
        return replace(original, examples=examples)

    return replace(
        outcome,
        exchanges=list(copies.values()),
        ended=outcome.ended and secrets.hide(outcome.ended),
        findings=[finding(original) for original in outcome.findings],
    )


def _exchange(exchange: Exchange, secrets: Secrets) -> Exchange:
    request, reply = exchange.request, exchange.reply
    return replace(
        exchange,
        request=Request(
            request.method,
            secrets.hide(request.path),
            _headers(request.headers, secrets),
            _body(request.body, secrets),
        ),
        reply=reply
        and Reply(reply.status, _headers(reply.headers, secrets), _body(reply.body, secrets)),
        error=exchange.error and secrets.hide(exchange.error),
    )


def _headers(headers: tuple[tuple[str, str], ...], secrets: Secrets) -> tuple[tuple[str, str], ...]:
    return tuple((name, secrets.hide(value)) for name, value in headers)


def _body(body: bytes, secrets: Secrets) -> bytes:
    return secrets.hide(body.decode("latin-1")).encode("latin-1")
