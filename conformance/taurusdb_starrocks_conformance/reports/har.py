"""All requests and responses of a run, as a HAR."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from taurusdb_starrocks_conformance.exchange import Exchange
from taurusdb_starrocks_conformance.run import Outcome
from taurusdb_starrocks_conformance.target import Target


def har(outcome: Outcome) -> dict[str, Any]:
    """The exchanges of a run, in order."""
    entries = [_entry(exchange, outcome.target) for exchange in outcome.exchanges]
    creator = {"name": "taurusdb-starrocks-conformance", "version": "1"}
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _entry(exchange: Exchange, target: Target) -> dict[str, Any]:
    request, reply = exchange.request, exchange.reply
    parts = urlsplit(target.url)
    milliseconds = exchange.seconds * 1000
    began = datetime.fromtimestamp(exchange.time, UTC).isoformat().replace("+00:00", "Z")
    query = request.path.partition("?")[2]
    sent: dict[str, Any] = {
        "method": request.method,
        "url": f"{parts.scheme}://{parts.netloc}{request.path}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": name, "value": value} for name, value in request.headers],
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        kind = request.header("Content-Type") or ""
        sent["postData"] = {"mimeType": kind, **_content(request.body, "_encoding")}
    status = reply.status if reply else 0
    got: dict[str, Any] = {
        "status": status,
        "statusText": _phrase(status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [
            {"name": name, "value": value} for name, value in (reply.headers if reply else ())
        ],
        "content": {
            "size": len(reply.body) if reply else 0,
            "mimeType": (reply.header("Content-Type") if reply else None) or "",
            **(_content(reply.body, "encoding") if reply else {}),
        },
        "redirectURL": (reply.header("Location") if reply else None) or "",
        "headersSize": -1,
        "bodySize": len(reply.body) if reply else -1,
    }
    return {
        "startedDateTime": began,
        "time": milliseconds,
        "request": sent,
        "response": got,
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": exchange.source
        + (f"; failed: {', '.join(exchange.failed)}" if exchange.failed else ""),
    }


def _content(body: bytes, key: str) -> dict[str, str]:
    body = body[:100_000]
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), key: "base64"}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
