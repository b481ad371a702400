"""The requirements for all responses: a pure function of an exchange and the earlier ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .contract import IDENTIFIERS, Operation
from .echo import SHORTEST, carries
from .exchange import Exchange, Reply, Request, is_task_name, is_well_formed
from .leniency import JSON, is_http_of_its_own, may_be_dropped
from .oddity import oddity
from .target import Target

# Signs that the internals of a program are visible. No request contains any of them.
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


@dataclass(frozen=True)
class Misfit:
    """A problem of an exchange.

    Attributes:
        check: The failed check.
        message: What is wrong, with all details.
        cause: The cause, which is the same for all occurrences of a mistake.
        tolerated: Whether it is a habit of frameworks, and so only a warning.
    """

    check: str
    message: str
    cause: str = ""
    tolerated: bool = False


class Judge:
    """Judges exchanges one by one. Remembers request IDs, and operations that always fail."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._ids: dict[str, int] = {}
        self._down: set[str] = set()

    def misfits(self, exchange: Exchange) -> Iterator[Misfit]:
        """The problems of an exchange, security first."""
        reply = exchange.reply
        if reply is None:
            if not (exchange.expect and exchange.expect.may_drop) and not may_be_dropped(
                exchange.request
            ):
                yield Misfit(
                    "answers", f"there was no response: {exchange.error}", self._odd(exchange)
                )
            return
        yield from self._leaks(exchange.request, reply)
        base, expect = self._target.base, exchange.expect
        if expect is not None and reply.status in expect.tolerated:
            text = f"{expect.what}: returned {reply.status}"
            check = expect.check if reply.status < 500 else "not_a_server_error"
            yield Misfit(check, text, expect.slip or expect.what, tolerated=True)
            if reply.status >= 500:
                return  # Its format is not that of the service either.
        if reply.status >= 500 and not exchange.excused and not is_http_of_its_own(exchange, base):
            yield Misfit("not_a_server_error", f"returned {reply.status}", self._why(exchange))
        if exchange.expect is not None:
            yield from self._expected(exchange, reply)
        else:
            yield from self._accepted(exchange, reply)
        found = exchange.request.operation(base)
        if found is None or not is_well_formed(*found[1:]) or may_be_dropped(exchange.request):
            # An HTTP server or a router may have sent this response. If it has the format of the
            # service, it must have the header of the service.
            if isinstance(reply.document, dict) and "error_code" in reply.document:
                yield from self._request_id(exchange, reply)
            return
        yield from self._request_id(exchange, reply)
        if reply.status in found[0].documented:
            yield from self._meaning(found[0], reply)

    def _why(self, exchange: Exchange) -> str:
        """The cause of a failure; a general one if plain correct requests fail too."""
        odd, found = self._odd(exchange), exchange.request.operation(self._target.base)
        if found is not None and odd == "none":
            self._down.add(found[0].id)
        return "any request" if found is not None and found[0].id in self._down else odd

    def _odd(self, exchange: Exchange) -> str:
        return oddity(exchange.request, self._target)

    # Secrets

    def _leaks(self, request: Request, reply: Reply) -> Iterator[Misfit]:
        headers = "\n".join(f"{name}: {value}" for name, value in reply.headers)
        text = headers + "\n" + reply.body.decode("utf-8", "replace")
        for token, which in self._tokens(request):
            if carries(text, token):
                yield Misfit("token_not_echoed", f"the response carries {which}")
                break
        if match := INTERNALS.search(text):
            shown = f"the response shows the program's inside: {match[0][:80]!r}"
            yield Misfit("internals_not_leaked", shown)

    def _tokens(self, request: Request) -> Iterator[tuple[str, str]]:
        sent = request.header("X-Auth-Token")
        own = self._target.token
        # A token that is a plain word, like "token", can be part of a message by chance.
        if len(own) >= SHORTEST or not own.isalpha():
            yield own, "the token"
        if sent and sent != own and len(sent) >= SHORTEST:
            yield sent, "the wrong token that was sent"

    # Statuses

    def _expected(self, exchange: Exchange, reply: Reply) -> Iterator[Misfit]:
        """Whether the status is allowed."""
        expect = exchange.expect
        assert expect is not None
        status, what = reply.status, expect.what
        if status == 405 and expect.check == "unsupported_method" and not reply.header("Allow"):
            text = f"{what}: 405 without Allow (RFC 9110, 15.5.6)"
            yield Misfit("allow_header_conformance", text, "405 without Allow", tolerated=True)
        if status in expect.allowed or status >= 500:
            return  # A 5xx is judged like all other responses.
        cause = self._odd(exchange)
        if status in expect.tolerated:
            return
        found = exchange.request.operation(self._target.base)
        documented = found is not None and status in found[0].documented
        if documented or (reply.accepted and 200 not in expect.allowed):
            wanted = " or ".join(str(number) for number in sorted(expect.allowed))
            yield Misfit(expect.check, f"{what}: returned {status}, expected {wanted}", cause)
        elif not may_be_dropped(exchange.request):
            text = f"{what}: returned {status}, which is not documented"
            yield Misfit("status_code_conformance", text, str(status))

    def _accepted(self, exchange: Exchange, reply: Reply) -> Iterator[Misfit]:
        """Whether a request that must never be accepted got a 2xx."""
        found = exchange.request.operation(self._target.base)
        if found is None or not reply.accepted:
            return
        operation, project_id, instance_id = found
        cause, status = self._odd(exchange), reply.status
        for rule, value in zip(IDENTIFIERS.values(), (project_id, instance_id), strict=True):
            if not rule.fullmatch(value):
                yield Misfit("invalid_accepted", f"returned {status} for {value!r}", cause)
                return
        own = self._target
        if project_id != own.project_id or instance_id not in (
            own.instance(operation),
            own.other_instance_id,
        ):
            yield Misfit("unknown_is_refused", f"returned {status} for {instance_id!r}", cause)
        elif operation.names_task or operation.method == "POST":
            name = exchange.request.task_name
            if name is None:
                return  # There is no name: another check covers this.
            if not is_task_name(name):
                yield Misfit("invalid_accepted", f"returned {status} for {name!r}", cause)
            elif name != self._target.task_name:
                yield Misfit("unknown_is_refused", f"returned {status} for {name!r}", cause)

    # Meaning

    def _request_id(self, exchange: Exchange, reply: Reply) -> Iterator[Misfit]:
        own = reply.header("X-Request-Id")
        if not own or not own.strip():
            yield Misfit("request_id", "there is no X-Request-Id", "missing")
            return
        first = self._ids.setdefault(own, exchange.number)
        if first != exchange.number:
            text = f"X-Request-Id {own!r} was given before, in exchange {first}"
            yield Misfit("request_id", text, "given twice")
        document = reply.document
        inner = document.get("request_id") if isinstance(document, dict) else None
        if isinstance(inner, str) and inner != own:
            text = f"request_id in the body is {inner!r}, the header says {own!r}"
            yield Misfit("request_id", text, "another one in the body")

    def _meaning(self, operation: Operation, reply: Reply) -> Iterator[Misfit]:
        """Check the content type, the schema, and fields that the schema does not require.

        The vendor's pages declare no field as required. But an error without a reason and a job
        without an ID are useless, and the vendor's clients fail without a job ID.
        """
        kind = reply.header("Content-Type")
        document = reply.document
        if kind is None or not JSON.fullmatch(kind):
            media = (kind or "none").partition(";")[0].strip().lower()
            text = f"the content type of a {reply.status} is {kind!r}"
            yield Misfit("content_type_conformance", text, media)
            if document is None:
                return
        if document is None:
            text = f"the body of a {reply.status} is not JSON in UTF-8"
            yield Misfit("response_schema_conformance", text, "not JSON")
        elif misfit := operation.misfit(reply.status, document):
            where = re.sub(r"\[\d+\]", "[*]", misfit.partition(": ")[0])
            yield Misfit("response_schema_conformance", misfit, where)
        elif not reply.accepted:
            missing = [name for name in ("error_code", "error_msg") if not document.get(name)]
            if missing:
                text = f"a {reply.status} has no {' and no '.join(missing)}"
                yield Misfit("refusal_is_explained", text)
        elif operation.method == "POST" and not document.get("job_id"):
            yield Misfit("job_has_id", "there is no job_id")
