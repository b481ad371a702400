"""What the command shows: tables for people, JSON Lines for programs, and words on stderr.

Nothing but data goes to stdout. What is for people only, like progress, is shown on a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from taurusdb_starrocks.cli import PROGRAM

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = Mapping[str, Any]
# Heading of each column, and the function that shows it of a row.
Columns = Mapping[str, Any]


class Output:
    """Where a command writes, and how.

    Args:
        form: ``table`` or ``json``.
        quiet: Whether to show nothing but data, warnings and errors.
    """

    def __init__(self, form: Literal["table", "json"], *, quiet: bool) -> None:
        self.form = form
        self.quiet = quiet

    def rows(self, columns: Columns, rows: Iterable[Row], *, none: str = "") -> None:
        """Write rows: each an object on a line of its own, or a table.

        Args:
            columns: What the table shows; JSON has the whole rows.
            rows: The data.
            none: What to tell people when there is none.
        """
        if self.form == "json":
            for row in rows:
                self.line(row)
            return
        found = list(rows)
        if not found:
            self.say(none)
        elif sys.stdout.isatty():
            console().print(table(columns, found))
        else:
            sys.stdout.writelines(f"{line}\n" for line in plain(columns, found))

    def line(self, row: Row) -> None:
        """Write one object."""
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Tell a person something that is no data."""
        if text and not self.quiet:
            _told(f"{text}\n")

    def warn(self, text: str) -> None:
        """Tell a person something that must not be missed."""
        _told(f"{PROGRAM}: {text}\n")

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Show on a terminal that something is being waited for, and how long already."""
        if self.quiet or not sys.stderr.isatty():
            yield
            return
        from rich.progress import (  # noqa: PLC0415  # Only a terminal needs it.
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (SpinnerColumn("line"), TextColumn(text, markup=False), TimeElapsedColumn())
        with Progress(*columns, console=console(stderr=True), transient=True) as waiting:
            waiting.add_task(text, total=None)
            yield


def _told(text: str) -> None:
    """Write to stderr. That nobody reads it any more must not change an exit status."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def console(*, stderr: bool = False) -> Console:
    """A terminal, as wide as it is; NO_COLOR is respected."""
    from rich.console import Console  # noqa: PLC0415  # Only a terminal needs it.

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def table(columns: Columns, rows: Sequence[Row]) -> Table:
    """A table that folds long texts where the terminal is narrow."""
    from rich.table import Table  # noqa: PLC0415  # As above.
    from rich.text import Text  # noqa: PLC0415  # As above.

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in columns:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        cells = [Text(str(show(row))) for show in columns.values()]
        for cell in cells:
            cell.highlight_words(["Paused"], "yellow")
            cell.highlight_words(["ABNORMAL", "needs repair"], "red")
        shown.add_row(*cells)
    return shown


def plain(columns: Columns, rows: Sequence[Row]) -> Iterator[str]:
    """The lines of a table for whoever reads a pipe or a file."""
    cells = [list(columns), *([str(show(row)) for show in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
