"""Decides whether a response is an error or has a usable document. Each response is judged once.

The HTTP status decides first. Error codes only refine it, because other services of the vendor use
the same numbers with other meanings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

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
from taurusdb_starrocks._messages import Reply
from taurusdb_starrocks._operations import Document, Operation
from taurusdb_starrocks._redaction import LONGEST_ID, Cleaned, clean, clean_document, mentions

# Codes with status 400. The first is on the vendor's pages of the two calls (as an example), the
# others are in the code of the Terraform provider.
NOT_FOUND_CODES = frozenset({"DBS.200022", "DBS.05000044", "DBS.270022", "DBS.05000091"})
GATEWAY_PREFIXES = ("APIGW.", "APIG.")
# A code of the service or its gateway, like DBS.200022 or APIGW.0301. A response without one may
# come from a proxy or a firewall.
CODE = re.compile(r"[A-Z][A-Za-z0-9]*\.[A-Za-z0-9.]+")
NO_REASON = "The response gives no reason."
# Statuses of a server that lacks a path, or a method for it.
UNKNOWN_PATH = frozenset({404, 405, 501})
ERRORS_BY_STATUS: dict[int, type[ServiceError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}


def judge(
    operation: Operation, reply: Reply, hidden: Collection[str], now: float
) -> Document | ReplicationError:
    """Return the document of a usable response; otherwise the error for the response.

    Args:
        operation: The operation of the request.
        reply: The response.
        hidden: Secrets that were sent. No message and no document may repeat them.
        now: Seconds since the epoch.
    """
    document = _document(reply, hidden)
    wrong = _unusable(operation, reply, document)
    if document is not None and wrong is None:
        return document
    code, message, request_id = _shape(document or {})
    request_id = reply.headers.get("x-request-id") or request_id
    code = code and clean(code, hidden, LONGEST_ID)
    message = message and clean(message, hidden)
    request_id = request_id and clean(request_id, hidden, LONGEST_ID)
    wait = retry_after(reply.headers.get("retry-after"), now)

    if _missing(operation, reply.status, code):
        return UnsupportedOperationError(
            f"{message or NO_REASON} This service does not have the call "
            f"{operation.name}: it implements an API version older than {operation.since}, or it "
            "is another service. Its other calls keep working.",
            status=reply.status,
            code=code,
            request_id=request_id,
        )
    kind = _kind(operation, reply.status, code, wait)
    if kind is not None:
        return kind(
            message or NO_REASON,
            status=reply.status,
            code=code,
            request_id=request_id,
            retry_after=wait,
            # A 5xx can come after the change was made.
            harmless=not operation.changes or reply.status < 500 or _put_off(reply.status, wait),
        )
    said = f": {code or ''} {message or ''}".rstrip(" .") if code or message else ""
    return OutcomeUnknownError(
        clean(f"The response with status {reply.status} {wrong}", hidden) + said,
        status=reply.status,
        code=code,
        request_id=request_id,
        harmless=not operation.changes,
    )


def _unusable(operation: Operation, reply: Reply, document: Document | None) -> str | None:
    """What is wrong with a response, as the end of a sentence; None if it is usable."""
    if reply.status != operation.status:
        return _unexpected(reply.status)
    if reply.unread is not None:
        return f"has a body that {reply.unread}"
    media_type = reply.headers.get("content-type", "application/json").partition(";")[0]
    if media_type.strip().lower() != "application/json" or document is None:
        return "has no JSON object"
    return operation.lacks(document)


def _unexpected(status: int) -> str:
    if 300 <= status < 400:
        return "is a redirect, and redirects are not followed; check the endpoint"
    if status == 408:
        return "says that a request timed out"
    if 400 <= status < 500:
        return "has no error code of the service"
    return "does not come from the service"


def _missing(operation: Operation, status: int, code: str | None) -> bool:
    """Whether a response shows that the service lacks a call of a newer contract."""
    return operation.since is not None and status in UNKNOWN_PATH and not _own(code)


def _known(code: str | None) -> bool:
    """Whether a code comes from the service or from the gateway in front of it."""
    return code is not None and CODE.fullmatch(code) is not None


def _own(code: str | None) -> bool:
    """Whether a code comes from the service and not from the gateway in front of it."""
    return code is not None and _known(code) and not code.startswith(GATEWAY_PREFIXES)


def explained(error: ServiceError) -> bool:
    """Whether an error has a reason in JSON that is not from the gateway in front of a service."""
    return error.message != NO_REASON and (error.code is None or _own(error.code))


def _put_off(status: int, wait: float | None) -> bool:
    """Whether a response says that nothing was done, and when to send the request again."""
    return status in {429, 503} and wait is not None


def _kind(
    operation: Operation, status: int, code: str | None, wait: float | None
) -> type[ServiceError] | None:
    """The error class for a status; None if the outcome is unknown."""
    if 400 <= status < 500:
        if status == 408:  # A gateway may send it while the service still works on the request.
            return None
        # A firewall may replace the response to a change that was made.
        if operation.changes and not _known(code) and not _put_off(status, wait):
            return None
        kind = ERRORS_BY_STATUS.get(status, ServiceError)
        return NotFoundError if kind is BadRequestError and code in NOT_FOUND_CODES else kind
    if 500 <= status < 600:
        return ServerError if _own(code) or _put_off(status, wait) else None
    return None


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from a ``Retry-After`` header with seconds or a date; otherwise None."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,100}", value.strip()):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
        # HTTP dates are in GMT, even if they do not say so.
        return max(0.0, when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _document(reply: Reply, hidden: Collection[str]) -> dict[str, Any] | None:
    """The JSON object in a response, without secrets; None if there is none."""
    try:
        text = reply.body.decode("utf-8-sig")  # JSON must be UTF-8; json.loads would guess.
        document: Any = json.loads(text)
        if not isinstance(document, dict):
            return None
        if "\\" in text:  # Some servers escape characters in tokens unnecessarily.
            text = json.dumps(document, ensure_ascii=False)
        if mentions(text, hidden):
            return Cleaned(clean_document(document, hidden))
    except (ValueError, RecursionError):  # Not JSON, not Unicode, or nested too deeply.
        return None
    return document


def _shape(body: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Code, message and request ID, from any known format of an error body.

    The service and the gateway use ``error_code``/``error_msg``. IAM nests them under ``error``.
    Related services use ``errorCode``/``errorMsg`` or ``code``/``message``.
    """
    nested = body.get("error")
    if isinstance(nested, dict):
        return None, _text(nested.get("message")), _text(body.get("request_id"))
    code = _first(body, "error_code", "errorCode", "code")
    message = _first(body, "error_msg", "errorMsg", "message")
    return code, message, _text(body.get("request_id"))


def _first(body: Mapping[str, Any], *names: str) -> str | None:
    return next((text for name in names if (text := _text(body.get(name)))), None)


def _text(value: object) -> str | None:
    """The value, if it is a non-empty string or an integer."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip() or None
