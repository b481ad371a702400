"""JSON as a body must be: no more than the standard has."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["Malformed", "strict_json"]

_JSON = re.compile(r'application/json(?:\s*;\s*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)


class Malformed(Exception):  # noqa: N818 - an error of the caller, not of the program
    """The call does not fit the contract; the text says where."""


def strict_json(content_type: str | None, body: bytes) -> Any:
    """The document in a body of JSON in UTF-8, with nothing that JSON does not have.

    Raises:
        Malformed: Another or no content type, another encoding, not JSON, a key that is there
            twice, `NaN` or `Infinity`, or nested too deeply.
    """
    if content_type is None or _JSON.fullmatch(content_type) is None:
        raise Malformed("the content type is not application/json in UTF-8")
    try:
        document = json.loads(
            body.decode(), object_pairs_hook=_no_doubles, parse_constant=_no_constants
        )
        # An escaped half of a surrogate pair is JSON, but no text.
        json.dumps(document, ensure_ascii=False).encode()
    except ValueError as error:
        raise Malformed("the body is not JSON in UTF-8") from error
    except RecursionError as error:
        raise Malformed("the body is nested too deeply") from error
    return document


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Malformed("a key is there twice")
    return document


def _no_constants(name: str) -> Any:
    raise Malformed(f"{name} is not JSON")
