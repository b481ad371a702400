"""The token in texts: hidden in every report, and brought back by whoever has it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import quote

NAME = "TAURUSDB_FUZZ_TOKEN"
# What is nearly the token is as secret as the token, unless it is too short to tell.
SHORTEST = 7


@dataclass(frozen=True)
class Form:
    """A form that the token takes in what is sent.

    Attributes:
        text: The form.
        marker: What stands for it in reports.
        shell: What makes it of the variable, within double quotes of bash.
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
        # At one place the longest form is meant.
        longest = sorted(known, key=len, reverse=True)
        self._texts = re.compile("|".join(map(re.escape, longest)))
        self._marked = {form.marker: form for form in known.values()}
        markers = sorted(self._marked, key=len, reverse=True)
        self._markers = re.compile("|".join(map(re.escape, markers)))

    def hide(self, text: str) -> str:
        """A text with a marker for each form of the token."""
        return self._texts.sub(lambda match: self._forms[match[0]].marker, text)

    def reveal(self, text: str) -> str:
        """The text that was hidden."""
        return self._markers.sub(lambda match: self._marked[match[0]].text, text)

    def pieces(self, text: str) -> list[str | Form]:
        """A text in pieces: plain ones and forms of the token."""
        found: list[str | Form] = []
        end = 0
        for match in self._texts.finditer(text):
            found += [text[end : match.start()], self._forms[match[0]]]
            end = match.end()
        return [piece for piece in (*found, text[end:]) if piece]
