"""A terminal that tests can read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def on_terminal(**variables: str) -> Iterator[Terminal]:
    """Stdout and stderr are a terminal of 60 columns."""
    stream = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NO_COLOR", raising=False)
        for name, value in ({"TERM": "xterm", "COLUMNS": "60"} | variables).items():
            patch.setenv(name, value)
        with redirect_stdout(stream), redirect_stderr(stream):
            yield stream
