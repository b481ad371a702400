"""Make received text safe to show: limited in length, printable, and without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

# Request headers whose values must not appear in a message, even if a response repeats them.
SECRET_HEADERS = frozenset(
    {"x-auth-token", "x-subject-token", "x-security-token", "authorization", "cookie"}
)
# The shortest part of a secret that is hidden, and the shortest secret that is hidden completely.
PIECE = 8
SHORTEST = 4
# Number of first and last characters that show that a secret is present.
EDGE = 24
LONGEST_MESSAGE = 500
LONGEST_ID = 128
HIDDEN = "[hidden]"
# Characters with only one spelling: printable ASCII without quotes, backslashes and spaces.
PLAIN = re.compile(r"[!#-\[\]-~]*")


def secrets(headers: Mapping[str, str]) -> list[str]:
    """The secrets in the headers of a request: tokens and the parts of a signature."""
    found = []
    for name, value in headers.items():
        if name.lower() not in SECRET_HEADERS:
            continue
        found.append(value)
        if name.lower() == "authorization":
            _scheme, _, credentials = value.partition(" ")
            # With any other authentication scheme, the whole value is a secret.
            found += re.findall(r"(?:Access|Signature)=([^,\s]+)", credentials) or [credentials]
    return found


def _written(secret: str) -> set[str]:
    """The ways in which a text can contain a secret: unchanged, escaped, or with spaces joined.

    A text can contain JSON that contains JSON, so a secret can be escaped twice.
    """
    if PLAIN.fullmatch(secret):
        return {secret}
    forms = {secret}
    for _ in range(2):
        forms |= {
            escape(form)[1:-1] for form in forms for escape in (json.dumps, _in_unicode, repr)
        }
    return forms | {" ".join(form.split()) for form in forms}


def _in_unicode(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def clean(text: str, hidden: Iterable[str], longest: int = LONGEST_MESSAGE) -> str:
    """Remove secrets, long parts of secrets and control characters from a text.

    The ``error_msg`` of ``APIGW.0301`` can repeat parts of the request, cut off anywhere.
    """
    return _Cleaner(hidden).clean(text, longest)


class _Cleaner:
    """Removes the same secrets from one or many texts.

    Args:
        hidden: The secrets.
        many: Whether there are many texts. The parts of the secrets are then indexed first. That
            takes longer than searching one text, but limits the time for each further text.
    """

    def __init__(self, hidden: Iterable[str], *, many: bool = False) -> None:
        whole = {form for secret in hidden for form in _written(secret) if len(form) >= SHORTEST}
        self._whole = sorted(whole, key=len, reverse=True)
        # The value after ``SDK-HMAC-SHA256`` contains names that are not secret. Its secret parts
        # are listed separately.
        self._long = [
            form for form in self._whole if "SignedHeaders=" not in form and len(form) >= PIECE
        ]
        self._pieces = (
            {form[at : at + PIECE] for form in self._long for at in range(len(form) - PIECE + 1)}
            if many
            else None
        )

    def clean(self, text: str, longest: int) -> str:
        text = " ".join(text[: 4 * longest].split())
        for form in self._whole:
            text = text.replace(form, HIDDEN)
        text = printable(self._without_pieces(text))
        return text if len(text) <= longest else f"{text[:longest]}…"

    def _without_pieces(self, text: str) -> str:
        held = self._held(text)
        if not any(held):
            return text
        covered = [any(held[max(0, at - PIECE + 1) : at + 1]) for at in range(len(text))]
        return "".join(
            HIDDEN if secret else "".join(character for character, _ in run)
            for secret, run in groupby(zip(text, covered, strict=True), key=itemgetter(1))
        )

    def _held(self, text: str) -> list[bool]:
        """Where in the text a part of a secret starts."""
        if self._pieces is None:
            # Any part that they share contains one of these. Usually the search ends here.
            half = PIECE // 2
            halves = [text[at : at + half] for at in range(0, len(text) - half + 1, half)]
            if not any(part in form for form in self._long for part in halves):
                return []
        pieces = [text[at : at + PIECE] for at in range(len(text) - PIECE + 1)]
        if self._pieces is not None:
            return [piece in self._pieces for piece in pieces]
        return [any(piece in form for form in self._long) for piece in pieces]


def printable(text: str) -> str:
    """Replace each character that a terminal would interpret by a space."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def mentions(text: str, hidden: Iterable[str]) -> bool:
    """Whether a long text repeats a secret, or the first or last characters of one.

    This is fast enough for every response. Only texts that it finds are cleaned in detail.
    """
    forms = {form for secret in hidden for form in _written(secret) if len(form) >= SHORTEST}
    return any(form[:EDGE] in text or form[-EDGE:] in text for form in forms)


class Cleaned(dict[str, Any]):
    """A JSON object from which secrets were removed. Do not show the original body."""


def clean_document(value: Any, hidden: Iterable[str]) -> Any:
    """Remove secrets from all strings of a JSON document.

    Raises:
        RecursionError: The document is nested too deeply.
    """
    return _cleaned(value, _Cleaner(hidden, many=True))


def _cleaned(value: Any, cleaner: _Cleaner) -> Any:
    if isinstance(value, str):
        return cleaner.clean(value, LONGEST_MESSAGE)
    if isinstance(value, list):
        return [_cleaned(one, cleaner) for one in value]
    if isinstance(value, dict):
        return {name: _cleaned(one, cleaner) for name, one in value.items()}
    return value
