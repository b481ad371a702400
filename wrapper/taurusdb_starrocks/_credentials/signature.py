"""SDK-HMAC-SHA256 request signatures.

From the vendor's guide to request signing. tests/peers compares it with the official signer.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import quote, unquote, unquote_plus

ALGORITHM = "SDK-HMAC-SHA256"


def sign(
    secret_key: str,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    date: str,
) -> tuple[str, str]:
    """The list of signed headers, and the signature in hexadecimal.

    Args:
        secret_key: Secret key.
        method: HTTP method in upper case.
        target: Path and query, as sent.
        headers: Name and value of each header to sign.
        body: Body, as sent.
        date: Value of ``X-Sdk-Date``, which must be among the headers.
    """
    path, _, query = target.partition("?")
    lines = sorted((name.lower(), value.strip()) for name, value in headers)
    signed = ";".join(name for name, _ in lines)
    canonical = "\n".join(
        (
            method,
            _canonical_path(path),
            _canonical_query(query),
            "".join(f"{name}:{value}\n" for name, value in lines),
            signed,
            hashlib.sha256(body).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{date}\n{digest}"
    return signed, hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _canonical_path(path: str) -> str:
    # Decode the whole path, like the official signer: it treats an encoded slash as a separator.
    encoded = quote(unquote(path), safe="/-_.~")
    return encoded if encoded.endswith("/") else f"{encoded}/"


def _canonical_query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    decoded = sorted((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in decoded
    )
