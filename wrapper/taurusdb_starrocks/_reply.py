"""What a reply means: one pure function from a response to an error, or nothing.

The HTTP status comes first; codes only refine it, since the same number means other things
elsewhere in the vendor's services.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import httpx

from taurusdb_starrocks._errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReplicationError,
    ServerError,
    ServiceError,
    UnsupportedOperationError,
)

# Answered with status 400: the first on the vendor's pages of the two calls (and, there, in the
# example), the others in the code of its Terraform provider.
NOT_FOUND_CODES = frozenset({"DBS.200022", "DBS.05000044", "DBS.270022", "DBS.05000091"})
GATEWAY_PREFIXES = ("APIGW.", "APIG.")
# How the paths end of the calls that are answered with a job.
CHANGES = ("/starrocks/databases/replication/pause", "/starrocks/databases/replication/resume")
# How the paths end of the calls that only read, what they are called here, the version of the
# contract that they came with, and what their answers must have.
READS = (
    ("/starrocks/databases/replication", "the list of tasks", "1.1", "replications"),
    ("/starrocks/databases/replication/configuration", "configuration()", "1.2", None),
    ("/htap", "instances()", "1.2", "instances"),
)
# What a server answers that does not know a path, or not with this method.
UNKNOWN_PATH = frozenset({404, 405, 501})
# Far more entries, and tables of a task, than any answer has; what has more is not read.
MOST_ENTRIES = 1000
MOST_TABLES = 10_000
ERRORS_BY_STATUS: dict[int, type[ServiceError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}
# Headers of a request whose values an answer must not carry into a message.
SECRET_HEADERS = ("X-Auth-Token", "X-Subject-Token", "X-Security-Token", "Authorization")
# The shortest piece of a secret that is hidden.
PIECE = 8
LONGEST_MESSAGE = 500
HIDDEN = "[hidden]"
# Marks, among a request's extensions, one that only obtains a token: whatever becomes of it, the
# request of the call itself has not left. Its value is the secrets in the request's body.
LOGIN = "taurusdb_starrocks.login"


def judge(response: httpx.Response) -> ReplicationError | None:
    """The error that a whole, decoded reply stands for; None for a 200 with a JSON object.

    Every reply that the generated code could not parse is an error here.
    """
    status = response.status_code
    document = _document(response.content)
    code, message, request_id = _shape(document)
    request_id = response.headers.get("X-Request-Id") or request_id
    hidden = secrets(response.request)
    code = code and clean(code, hidden)
    message = message and clean(message, hidden)
    request_id = request_id and clean(request_id, hidden)

    if (missing := _missing(response, code)) is not None:
        return UnsupportedOperationError(
            f"{message or response.reason_phrase} {missing}".strip(),
            status=status,
            code=code,
            request_id=request_id,
        )
    if 400 <= status < 500:
        kind = ERRORS_BY_STATUS.get(status, ServiceError)
        if kind is BadRequestError and code in NOT_FOUND_CODES:
            kind = NotFoundError
        return kind(
            message or response.reason_phrase,
            status=status,
            code=code,
            request_id=request_id,
            retry_after=retry_after(response.headers.get("Retry-After"), time.time()),
        )

    if 500 <= status < 600:
        wait = retry_after(response.headers.get("Retry-After"), time.time())
        own = code is not None and not code.startswith(GATEWAY_PREFIXES)
        if own or (status == httpx.codes.SERVICE_UNAVAILABLE and wait is not None):
            return ServerError(
                message or response.reason_phrase,
                status=status,
                code=code,
                request_id=request_id,
                retry_after=wait,
            )

    wrong = _unusable(response, document)
    if wrong is None:
        return None
    said = f": {code or ''} {message or ''}".rstrip() if code or message else ""
    return OutcomeUnknownError(
        clean(f"{status} {wrong}", hidden) + said,
        status=status,
        code=code,
        request_id=request_id,
        harmless=response.request.method == "GET",
    )


def _missing(response: httpx.Response, code: str | None) -> str | None:
    """That the service lacks a call that only reads, if this is what the answer says."""
    own = code is not None and not code.startswith(GATEWAY_PREFIXES)
    if response.status_code not in UNKNOWN_PATH or own or response.request.method != "GET":
        return None
    for ending, name, since, _ in READS:
        if response.request.url.path.endswith(ending):
            return (
                f"This service does not have {name}: it follows an older contract than {since}, or "
                "it is another service. What it does have goes on working."
            )
    return None


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` header: seconds or a date; None for anything else."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,15}", value.strip()):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _unusable(response: httpx.Response, document: object) -> str | None:
    """Why the answer cannot be used; None for a 200 that can."""
    if response.is_redirect or 300 <= response.status_code < 400:
        return "is a redirect, which is never followed; check the endpoint"
    login = LOGIN in response.request.extensions
    if response.status_code != (httpx.codes.CREATED if login else httpx.codes.OK):
        return "is not an answer of the service's own"
    unread = response.extensions.get("unread")
    if isinstance(unread, str):
        return f"came with a body that {unread}"
    media_type = response.headers.get("Content-Type", "application/json").partition(";")[0]
    if media_type.strip().lower() != "application/json" or not isinstance(document, dict):
        return "came without a JSON object"
    return None if login else _lacking(response.request.url.path, document)


def _lacking(path: str, document: dict[str, Any]) -> str | None:
    """How the answer falls short of what was asked for; None if it does not."""
    if path.endswith(CHANGES):
        job_id = document.get("job_id")
        usable = isinstance(job_id, str) and job_id.strip()
        return None if usable else "came without a usable job_id"
    for ending, name, _, key in READS:
        if path.endswith(ending):
            return _too_long(document) or _lacking_entries(name, key, document)
    return None


def _too_long(document: dict[str, Any]) -> str | None:
    """That a list in the answer is longer than any can be, if one is: it is not looked at."""
    database = document.get("database_info")
    for part in (document, database if isinstance(database, dict) else {}):
        for name, value in part.items():
            most = MOST_TABLES if name == "table_infos" else MOST_ENTRIES
            if isinstance(value, list) and len(value) > most:
                return f"came with a list of more than {most} entries"
    return None


def _lacking_entries(name: str, key: str | None, document: dict[str, Any]) -> str | None:
    """How the answer of a call that only reads falls short; None if it does not."""
    entries = document.get(key) if key else None
    if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
        return None
    if entries is not None:
        return f"came with {key} that are none"
    code, message, _ = _shape(document)
    if code or message:
        return f"came with an error in place of {name}"
    # A list that is empty is there, or null, or counted.
    empty = key in document or document.get("total_count") in (0, "0")
    return None if key is None or empty else f"came without {key}"


def _document(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # Not JSON, not Unicode, or nested without end.
        return None


def _shape(document: object) -> tuple[str | None, str | None, str | None]:
    """Code, message and request ID in any of the shapes an error body has.

    The service and the gateway say ``error_code``/``error_msg``, IAM nests them under
    ``error``, siblings of this service say ``errorCode``/``errorMsg`` or ``code``/``message``.
    """
    body = document if isinstance(document, dict) else {}
    nested = body.get("error")
    if isinstance(nested, dict):
        return None, _text(nested.get("message")), _text(body.get("request_id"))
    code = _first(body, "error_code", "errorCode", "code")
    message = _first(body, "error_msg", "errorMsg", "message")
    return code, message, _text(body.get("request_id"))


def _first(body: dict[str, Any], *names: str) -> str | None:
    return next((text for name in names if (text := _text(body.get(name)))), None)


def _text(value: object) -> str | None:
    """The value as one line that is not too long, if it is a text or a whole number."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return " ".join(str(value)[: 4 * LONGEST_MESSAGE].split()) or None


def secrets(request: httpx.Request) -> list[str]:
    """What a request carries that nobody may see: tokens, a password, the parts of a signature."""
    values = [request.headers[name] for name in SECRET_HEADERS if name in request.headers]
    _scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    parts = re.findall(r"(?:Access|Signature)=([^,\s]+)", credentials)
    # Whatever another scheme sends is secret as a whole.
    return [*values, *(parts or [credentials]), *request.extensions.get(LOGIN, ())]


def clean(text: str, hidden: Iterable[str]) -> str:
    """The text without any of the secrets, nor any longer piece of one, nor control characters.

    ``error_msg`` of ``APIGW.0301`` can repeat parts of the request, cut anywhere.
    """
    whole = [secret for secret in hidden if len(secret) > 3]
    for secret in whole:
        text = text.replace(secret, HIDDEN)
    # What follows ``SDK-HMAC-SHA256`` has names in it that are none; its parts stand for it.
    pieces = [secret for secret in whole if "SignedHeaders=" not in secret]
    held = [
        any(text[start : start + PIECE] in secret for secret in pieces)
        for start in range(len(text) - PIECE + 1)
    ]
    covered = [any(held[max(0, at - PIECE + 1) : at + 1]) for at in range(len(text))]
    text = "".join(
        HIDDEN if secret else "".join(character for character, _ in run)
        for secret, run in groupby(zip(text, covered, strict=True), key=itemgetter(1))
    )
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}…"
