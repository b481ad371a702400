"""Strict JSON for request bodies, without extensions of the standard."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["Malformed", "check_content_type", "strict_json"]

# The documentation of IAM has `charset=utf8`.
_JSON = re.compile(r'application/json(?:\s*;\s*charset=(?:utf-?8|"utf-?8"))?', re.IGNORECASE)


class Malformed(Exception):  # noqa: N818 - an error of the caller, not of the program
    """The call does not match the contract. The message says where."""


def check_content_type(sent: list[str]) -> None:
    """Check that the content type is JSON in UTF-8.

    Raises:
        Malformed: There is no content type, another one, or more than one.
    """
    if len(sent) != 1 or _JSON.fullmatch(sent[0]) is None:
        raise Malformed("the content type is not application/json in UTF-8")


def strict_json(body: bytes) -> Any:
    """Parse a body of strict JSON in UTF-8.

    Raises:
        Malformed: The body has another encoding, is not JSON, has a duplicate key, `NaN` or
            `Infinity`, or is nested too deeply.
    """
    try:
        text = body.decode()
        document = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constants)
        if (
            "\\u" in text
        ):  # An escaped half of a surrogate pair is valid JSON but not valid Unicode.
            json.dumps(document, ensure_ascii=False).encode()
    except ValueError as error:
        raise Malformed("the body is not JSON in UTF-8") from error
    except RecursionError as error:
        raise Malformed("the body is nested too deeply") from error
    return document


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Malformed("a key is duplicate")
    return document


def _no_constants(name: str) -> Any:
    raise Malformed(f"{name} is not JSON")
