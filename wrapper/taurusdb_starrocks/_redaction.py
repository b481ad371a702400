"""Text that came over the wire, made fit to be shown: bounded, printable, and free of secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

# Headers of a request whose values a response must not carry into a message.
SECRET_HEADERS = frozenset(
    {"x-auth-token", "x-subject-token", "x-security-token", "authorization", "cookie"}
)
# The shortest piece of a secret that is hidden, and the shortest secret that is hidden whole.
PIECE = 8
SHORTEST = 4
# How many of its first and last characters tell that a secret is there at all.
EDGE = 24
LONGEST_MESSAGE = 500
LONGEST_ID = 128
HIDDEN = "[hidden]"
# Written in one way only: printable ASCII without quotes, backslashes and blanks.
PLAIN = re.compile(r"[!#-\[\]-~]*")


def secrets(headers: Mapping[str, str]) -> list[str]:
    """What a request's headers hold that nobody may see: tokens and the parts of a signature."""
    found = []
    for name, value in headers.items():
        if name.lower() not in SECRET_HEADERS:
            continue
        found.append(value)
        if name.lower() == "authorization":
            _scheme, _, credentials = value.partition(" ")
            # Whatever another scheme than ours sends is secret as a whole.
            found += re.findall(r"(?:Access|Signature)=([^,\s]+)", credentials) or [credentials]
    return found


def _written(secret: str) -> set[str]:
    """The ways in which a secret can stand in a text: as it is, escaped, or with blanks joined.

    A text can hold JSON that holds JSON, so what is escaped may be so twice.
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
    """The text without any of the secrets, nor any longer piece of one, nor control characters.

    ``error_msg`` of ``APIGW.0301`` can repeat parts of the request, cut anywhere.
    """
    return _Cleaner(hidden).clean(text, longest)


class _Cleaner:
    """Cleans texts of the same secrets.

    Args:
        hidden: The secrets.
        many: Whether there are many texts. The pieces are then noted first, which takes longer
            than to search for those of one text and bounds what the others take.
    """

    def __init__(self, hidden: Iterable[str], *, many: bool = False) -> None:
        whole = {form for secret in hidden for form in _written(secret) if len(form) >= SHORTEST}
        self._whole = sorted(whole, key=len, reverse=True)
        # What follows ``SDK-HMAC-SHA256`` has names in it that are no secrets; its parts stand for
        # it.
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
        """Where in the text a piece of a secret begins."""
        pieces = [text[at : at + PIECE] for at in range(len(text) - PIECE + 1)]
        if self._pieces is not None:
            return [piece in self._pieces for piece in pieces]
        # Whatever piece they share contains one of these: the usual case ends here.
        half = PIECE // 2
        halves = [text[at : at + half] for at in range(0, len(text) - half + 1, half)]
        if not any(part in form for form in self._long for part in halves):
            return []
        return [any(piece in form for form in self._long) for piece in pieces]


def printable(text: str) -> str:
    """The text with a blank for each character that a terminal would act on."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def mentions(text: str, hidden: Iterable[str]) -> bool:
    """Whether a long text repeats a secret, or the first or last characters of one.

    Quick enough for every response; what it finds is then cleaned piece by piece.
    """
    forms = {form for secret in hidden for form in _written(secret) if len(form) >= SHORTEST}
    return any(form[:EDGE] in text or form[-EDGE:] in text for form in forms)


class Cleaned(dict[str, Any]):
    """A JSON object that was cleaned: the body that it came in is not to be shown."""


def clean_document(value: Any, hidden: Iterable[str]) -> Any:
    """A JSON document with every text in it cleaned.

    Raises:
        RecursionError: It is nested too deep.
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
