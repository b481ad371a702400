"""The token in texts: hidden in all reports, and restored by commands that have the token."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import quote

NAME = "TAURUSDB_FUZZ_TOKEN"
# Values that are almost the token are as secret as the token, unless they are too short.
SHORTEST = 7


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
        encoded = base64.b64encode(token.encode()).decode().rstrip("=")
        forms = [
            Form(token, f"${NAME}", f"${{{NAME}}}"),
            Form(
                quote(token, safe=""),
                f"${NAME}:quoted",
                f"$(python3 -c 'import os, urllib.parse as u; "
                f'print(u.quote(os.environ["{NAME}"], safe=""))\')',
            ),
            Form(encoded, f"${NAME}:base64", f'$(printf %s "${NAME}" | base64 -w0 | tr -d =)'),
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
        self._texts = re.compile("|".join(map(re.escape, longest)))
        self._marked = {form.marker: form for form in known.values()}
        markers = sorted(self._marked, key=len, reverse=True)
        self._markers = re.compile("|".join(map(re.escape, markers)))

    def hide(self, text: str) -> str:
        """A text with a marker for each form of the token."""
        return self._texts.sub(lambda match: self._forms[match[0]].marker, text)

    def reveal(self, text: str) -> str:
        """Restore the hidden text."""
        return self._markers.sub(lambda match: self._marked[match[0]].text, text)

    def pieces(self, text: str) -> list[str | Form]:
        """Split a text into plain parts and forms of the token."""
        found: list[str | Form] = []
        end = 0
        for match in self._texts.finditer(text):
            found += [text[end : match.start()], self._forms[match[0]]]
            end = match.end()
        return [piece for piece in (*found, text[end:]) if piece]
