"""Coverage of the contract by a run."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import tracecov
import yaml

from taurusdb_starrocks_conformance.contract import SPEC
from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.target import Target

# The methods of OpenAPI, and therefore of tracecov.
METHODS = {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"}
DIMENSIONS = ("operations", "parameters", "keywords", "examples", "responses")


def coverage_of(exchanges: Sequence[Exchange], target: Target) -> tracecov.CoverageMap:
    """The coverage of the contract by these exchanges."""
    schema = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    schema["servers"] = [{"url": "/"}]
    coverage = tracecov.CoverageMap.from_dict(schema, base_path=target.base or None)
    parts = urlsplit(target.url)
    for exchange in exchanges:
        request, reply = exchange.request, exchange.reply
        if request.method not in METHODS:
            continue
        coverage.record(
            tracecov.HttpRequest(
                method=request.method,
                url=f"{parts.scheme}://{parts.netloc}{request.path}",
                body=request.body or None,
                headers=dict(request.headers),
            ),
            None
            if reply is None
            else tracecov.HttpResponse(
                status_code=reply.status,
                elapsed=exchange.seconds,
                body=reply.body,
                headers=dict(reply.headers),
            ),
            exchange.time,
        )
    return coverage
