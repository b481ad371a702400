"""JSON as a body must be: no more than the standard has."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["Malformed", "check_content_type", "strict_json"]

_JSON = re.compile(r'application/json(?:\s*;\s*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)


class Malformed(Exception):  # noqa: N818 - an error of the caller, not of the program
    """The call does not fit the contract; the text says where."""


def check_content_type(sent: list[str]) -> None:
    """Nothing, if a call with these content types has JSON in UTF-8.

    Raises:
        Malformed: It has none, another one, or more than one.
    """
    if len(sent) != 1 or _JSON.fullmatch(sent[0]) is None:
        raise Malformed("the content type is not application/json in UTF-8")


def strict_json(body: bytes) -> Any:
    """The document in a body of JSON in UTF-8, with nothing that JSON does not have.

    Raises:
        Malformed: Another encoding, not JSON, a key that is there twice, `NaN` or `Infinity`, or
            nested too deeply.
    """
    try:
        text = body.decode()
        document = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constants)
        if "\\u" in text:  # An escaped half of a surrogate pair is JSON, but no text.
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
