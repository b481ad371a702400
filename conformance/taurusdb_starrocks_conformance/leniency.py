"""What HTTP, JSON and parsers leave open: pure functions of a request."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from .contract import LANGUAGES
from .exchange import Exchange, Request, is_task_name

JSON = re.compile(r"application/json\s*(?:;.*)?", re.IGNORECASE)
_INTEGER = re.compile(r"\s*[+-]?\d[\d_]*(?:\.0*)?\s*")
_BOUNDS = {"limit": (1, 100), "offset": (0, 2147483647)}
# From these sizes on, common servers reject with 413, 414 or 431, or close the connection.
LONG_PATH = 4_000
LONG_HEADERS = 7_000
LONG_BODY = 60_000


def may_be_dropped(request: Request) -> bool:
    """Whether HTTP allows a server to reject a request before the service gets it.

    This applies to headers with invalid bytes, and to requests longer than common servers accept.
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
    """Whether a 5xx means that a server does not know the method (RFC 9110, 15.6.2)."""
    return exchange.status == 501 and exchange.request.operation(base) is None


def reads_as_valid(request: Request) -> bool:
    """Whether a lenient server can accept the query and the language.

    Numbers with a sign, spaces or digits of other scripts, duplicate parameters or parameters
    without a value, and a language in uppercase: the schema does not allow these values, but it
    does not describe how the text of a request is parsed into values.
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
