"""What is demanded of every answer, whatever was asked. Each check yields what is wrong.

Statuses are judged where it is known what was asked: in `probes` and by schemathesis.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from .contract import Operation
from .target import Target
from .wire import Exchange, Reply, Request, is_well_formed

# Signs that the inside of a program got out. Nothing that is sent looks like any of them.
INTERNALS = re.compile(
    r"""Traceback\ \(most\ recent
    | File\ \\?"[^"]+\\?",\ line\ \d+                               # Python
    | \b(?:Key|Type|Value|Attribute|Index|Runtime|Recursion|UnicodeDecode|UnicodeEncode
        |JSONDecode|Operational|Integrity|Programming|Assertion|ZeroDivision|Name|OS
        |FileNotFound|Lookup|Overflow|NotImplemented|Permission|Timeout|Connection
        |ModuleNotFound|Import|Reference|Syntax|Range)Error\b\s*[:(]
    | \b\w+Exception\b\s*[:(]
    | \bat\ [\w.$<>]+\ ?\([^()\s]+:\d+(?::\d+)?\)                   # Java, JavaScript
    | \bjava\.(?:lang|util|io|sql)\.|\borg\.springframework\.
    | goroutine\ \d+\ \[|panic:\ |panicked\ at                       # Go, Rust
    | \bon\ line\ \d+\b|Fatal\ error:                               # PHP
    | \bSELECT\s.+\sFROM\s|\bINSERT\s+INTO\s|\bUPDATE\s+\w+\s+SET\s|sqlite3?\.|ORA-\d{5}|SQLSTATE
    | site-packages
    | /(?:home|root|usr|opt|srv|var|app|tmp)/[\w./-]+\.(?:py|js|go|java|rb|php|db|sqlite)
    | -----BEGIN\ [A-Z ]+-----
    """,
    re.VERBOSE,
)
JSON = re.compile(r"application/json\s*(?:;.*)?", re.IGNORECASE)


class Judge:
    """Looks at exchanges one by one; remembers the request IDs it has seen."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._ids: dict[str, int] = {}
        self._innate = False

    def faults(self, exchange: Exchange) -> Iterator[tuple[str, str]]:
        """The names of the checks that an exchange fails, each with what is wrong."""
        reply = exchange.reply
        if reply is None:
            if exchange.source not in MAY_BE_DROPPED and not may_be_dropped(exchange.request):
                yield "answers", f"there was no answer: {exchange.error}"
            return
        yield from self._leaks(exchange.request, reply)
        base = self._target.base
        if reply.status >= 500 and not exchange.provoked and not is_http_of_its_own(exchange, base):
            yield "not_a_server_error", f"answered {reply.status}"
        found = exchange.request.operation(base)
        if found is None or not is_well_formed(*found[1:]) or may_be_dropped(exchange.request):
            # Not necessarily the service's own answer: an HTTP server or a router may have given
            # it. If it has the service's shape, it must have the service's header.
            if isinstance(reply.document, dict) and "error_code" in reply.document:
                yield from self._request_id(exchange, reply)
            return
        yield from self._request_id(exchange, reply)
        if exchange.request.method != "HEAD" and reply.status in found[0].documented:
            yield from self._meaning(found[0], reply)

    def _leaks(self, request: Request, reply: Reply) -> Iterator[tuple[str, str]]:
        headers = "\n".join(f"{name}: {value}" for name, value in reply.headers)
        text = headers + "\n" + reply.body.decode("utf-8", "replace")
        for token, which in self._tokens(request):
            if _carries(text, token):
                yield "token_not_echoed", f"the answer carries {which}"
                break
        if match := INTERNALS.search(text):
            yield (
                "internals_not_leaked",
                f"the answer shows the program's inside: {match[0][:80]!r}",
            )

    def _tokens(self, request: Request) -> Iterator[tuple[str, str]]:
        sent = request.header("X-Auth-Token")
        own = self._target.token
        # A token that is a plain word, like "token", may stand in a message by chance.
        if len(own) >= 12 or not own.isalpha():
            yield own, "the token"
        if sent and sent != own and len(sent) >= 12:
            yield sent, "the wrong token that was sent"

    def _request_id(self, exchange: Exchange, reply: Reply) -> Iterator[tuple[str, str]]:
        own = reply.header("X-Request-Id")
        if not own or not own.strip():
            yield "request_id", "there is no X-Request-Id"
            return
        first = self._ids.setdefault(own, exchange.number)
        if first != exchange.number:
            yield "request_id", f"X-Request-Id {own!r} was given before, in exchange {first}"
        document = reply.document
        inner = document.get("request_id") if isinstance(document, dict) else None
        if isinstance(inner, str) and inner != own:
            yield "request_id", f"request_id in the body is {inner!r}, the header says {own!r}"

    def _meaning(self, operation: Operation, reply: Reply) -> Iterator[tuple[str, str]]:
        """Type, schema, and what the schema leaves open because the vendor's pages do.

        The pages declare no field required. A refusal that does not say why, and a job without an
        ID, are of no use to anybody, and the vendor's own clients fail on the second.
        """
        kind = reply.header("Content-Type")
        if kind is None or not JSON.fullmatch(kind):
            yield "content_type_conformance", f"the content type is {kind!r}"
        document = reply.document
        if document is None:
            yield "response_schema_conformance", "the body is not JSON in UTF-8"
            return
        if misfit := operation.misfit(reply.status, document):
            yield "response_schema_conformance", misfit
            return
        if not reply.accepted:
            for name in ("error_code", "error_msg"):
                if not document.get(name):
                    yield "refusal_is_explained", f"there is no {name}"
        elif operation.method == "POST" and not document.get("job_id"):
            yield "job_has_id", "there is no job_id"


# Sources whose requests are so long that a server may hang up instead of answering.
MAY_BE_DROPPED = {"oversized"}


def may_be_dropped(request: Request) -> bool:
    """Whether HTTP itself lets a server refuse a request before the service sees it.

    Headers with bytes that HTTP does not allow there, and requests of a size that common servers
    refuse with 413, 414, 431 or by hanging up.
    """
    return (
        any(_is_odd(value) for _, value in request.headers)
        or len(request.path) > 4_000
        or sum(len(name) + len(value) for name, value in request.headers) > 7_000
        or len(request.body) > 60_000
        or not request.path.isascii()
    )


def _is_odd(value: str) -> bool:
    return not (value.isascii() and all(char == "\t" or " " <= char <= "~" for char in value))


def is_http_of_its_own(exchange: Exchange, base: str) -> bool:
    """Whether a 5xx is HTTP's way to say that a server has no such method (RFC 9110, 15.6.2)."""
    reply = exchange.reply
    return reply is not None and reply.status == 501 and exchange.request.operation(base) is None


def _carries(text: str, token: str) -> bool:
    """Whether a token is in a text: a long one anywhere, a short one as a word of its own."""
    if len(token) < 12:
        return re.search(rf"(?<![0-9A-Za-z]){re.escape(token)}(?![0-9A-Za-z])", text) is not None
    return token in text or base64.b64encode(token.encode()).decode().rstrip("=") in text
