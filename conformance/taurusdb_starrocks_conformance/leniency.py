"""What HTTP, JSON and plain parsers leave open: pure functions of a request."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from .contract import LANGUAGES
from .exchange import Exchange, Request, is_task_name

JSON = re.compile(r"application/json\s*(?:;.*)?", re.IGNORECASE)
_INTEGER = re.compile(r"\s*[+-]?\d[\d_]*(?:\.0*)?\s*")
_BOUNDS = {"limit": (1, 100), "offset": (0, 2147483647)}
# From these sizes on common servers refuse with 413, 414, 431 or by hanging up.
LONG_PATH = 4_000
LONG_HEADERS = 7_000
LONG_BODY = 60_000


def may_be_dropped(request: Request) -> bool:
    """Whether HTTP itself lets a server refuse a request before the service sees it.

    Headers with bytes that HTTP does not allow there, and what is longer than common servers take.
    """
    return (
        any(_is_odd(value) for _, value in request.headers)
        or len(request.path) > LONG_PATH
        or sum(len(name) + len(value) for name, value in request.headers) > LONG_HEADERS
        or len(request.body) > LONG_BODY
        or not request.path.isascii()
    )


def _is_odd(value: str) -> bool:
    return not (value.isascii() and all(char == "\t" or " " <= char <= "~" for char in value))


def is_http_of_its_own(exchange: Exchange, base: str) -> bool:
    """Whether a 5xx is HTTP's way to say that a server has no such method (RFC 9110, 15.6.2)."""
    return exchange.status == 501 and exchange.request.operation(base) is None


def reads_as_valid(request: Request) -> bool:
    """Whether a server that reads leniently sees nothing wrong in the query and the language.

    Numbers with a sign, spaces or digits of other scripts, a parameter given twice or without a
    value, and a language in capitals: the contract's schema refuses them as values, but between the
    text that is sent and the value stands a reading that it does not describe.
    """
    if request.method != "GET":
        return False
    sent = parse_qsl(request.query, keep_blank_values=True)
    if request.path.partition("?")[0].endswith("/configuration"):
        return any(name == "task_name" and is_task_name(value) for name, value in sent)
    for name, value in sent:
        bounds = _BOUNDS.get(name)
        if bounds and value and not (_INTEGER.fullmatch(value) and _within(value, *bounds)):
            return False
    language = request.header("X-Language")
    return language is None or language.strip().lower() in LANGUAGES | {""}


def _within(text: str, least: int, most: int) -> bool:
    try:
        return least <= int(float(text)) <= most
    except (ValueError, OverflowError):
        return False
