"""The token in texts: hidden in all reports, and restored by commands that have the token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from taurusdb_starrocks_conformance.echo import encoded, escaped

NAME = "TAURUSDB_FUZZ_TOKEN"
# Values that are almost the token are as secret as the token, unless they are too short.
SHORTEST = 7
# So many characters of the token in a row are in no report.
LONGEST_RUN = 12
PIECE = LONGEST_RUN // 2


@dataclass(frozen=True)
class Form:
    """A form of the token in requests.

    Attributes:
        text: The form.
        marker: Its replacement in reports.
        shell: A bash expression, for use in double quotes, that creates it from the variable.
    """

    text: str
    marker: str
    shell: str


class Secrets:
    """Hides a token in all the forms in which the suite sends it."""

    def __init__(self, token: str) -> None:
        forms = [
            Form(token, f"${NAME}", f"${{{NAME}}}"),
            Form(
                quote(token, safe=""),
                f"${NAME}:quoted",
                f"$(python3 -c 'import os, urllib.parse as u; "
                f'print(u.quote(os.environ["{NAME}"], safe=""))\')',
            ),
            Form(
                encoded(token), f"${NAME}:base64", f'$(printf %s "${NAME}" | base64 -w0 | tr -d =)'
            ),
            Form(
                token.swapcase(),
                f"${NAME}:swapped",
                f'$(printf %s "${NAME}" | tr A-Za-z a-zA-Z)',
            ),
            Form(token[:-1], f"${NAME}:shortened", f"${{{NAME}%?}}"),
        ]
        known: dict[str, Form] = {}
        for form in forms:
            if form.text == token or len(form.text) >= SHORTEST:
                known.setdefault(form.text, form)
        self._forms = known
        # If several forms match, use the longest.
        longest = sorted(known, key=len, reverse=True)
        texts = [*map(re.escape, longest), escaped(token).pattern]
        self._texts = re.compile("|".join(texts))
        self._escaped = Form("", f"${NAME}:escaped", f"${{{NAME}}}")
        self._is_long = len(token) >= LONGEST_RUN
        self._runs = [form.text for form in known.values() if len(form.text) >= LONGEST_RUN]
        self._marked = {form.marker: form for form in known.values()}
        markers = sorted(self._marked, key=len, reverse=True)
        self._markers = re.compile("|".join(map(re.escape, markers)))

    def hide(self, text: str) -> str:
        """A text with a marker for each form of the token."""
        return self._texts.sub(lambda match: self._forms.get(match[0], self._escaped).marker, text)

    def hide_runs(self, text: str) -> str:
        """A text without the parts of the token that are left of a message that was cut.

        A short token can be a word of the text, such as `test` in a JUnit report. Such a token is
        hidden only where it was sent or received, by `hide`.
        """
        if self._is_long:
            text = self.hide(text)
        for form in self._runs:
            # Each run of that length has a whole piece of half the length in it.
            for start in range(0, len(form) - PIECE + 1, PIECE):
                place = 0
                while (place := text.find(form[start : start + PIECE], place)) >= 0:
                    left, right = place, place + PIECE
                    first, last = start, start + PIECE
                    while left and first and text[left - 1] == form[first - 1]:
                        left, first = left - 1, first - 1
                    while right < len(text) and last < len(form) and text[right] == form[last]:
                        right, last = right + 1, last + 1
                    if right - left >= LONGEST_RUN:
                        text = f"{text[:left]}${NAME}:part{text[right:]}"
                        right = left
                    place = right
        return text

    def reveal(self, text: str) -> str:
        """Restore the hidden text."""
        return self._markers.sub(lambda match: self._marked[match[0]].text, text)

    def pieces(self, text: str) -> list[str | Form]:
        """Split a text into plain parts and forms of the token."""
        found: list[str | Form] = []
        end = 0
        for match in self._texts.finditer(text):
            found += [text[end : match.start()], self._forms.get(match[0], self._escaped)]
            end = match.end()
        return [piece for piece in (*found, text[end:]) if piece]
