"""How a response may contain a token: as it is, in base64, or with the escapes of JSON."""

from __future__ import annotations

import base64
import re
from functools import cache

# A shorter token may be an ordinary word.
SHORTEST = 12


@cache
def escaped(token: str) -> re.Pattern[str]:
    r"""Matches a token of which any characters are escaped as in JSON: `\/`, `\u003d`, `\u002B`."""
    return re.compile(
        "".join(
            rf"(?:\\?{re.escape(char)}|\\u(?i:{ord(char):04x}))"
            if not char.isalnum()
            else rf"(?:{char}|\\u(?i:{ord(char):04x}))"
            for char in token
        )
    )


def encoded(token: str) -> str:
    """The token in base64, without padding."""
    return base64.b64encode(token.encode()).decode().rstrip("=")


def carries(text: str, token: str) -> bool:
    """Whether a text contains a token: a long one anywhere, a short one as a separate word."""
    if len(token) < SHORTEST:
        return re.search(rf"(?<![0-9A-Za-z]){re.escape(token)}(?![0-9A-Za-z])", text) is not None
    if token in text or encoded(token) in text:
        return True
    return "\\" in text and escaped(token).search(text) is not None
