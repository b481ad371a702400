"""The output of commands: a table or JSON Lines on stdout, messages on stderr.

Only data goes to stdout. A terminal shows progress; a log gets one line before each wait.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from taurusdb_starrocks.cli import PROGRAM

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
Row = Mapping[str, Any]
# The heading of each column, and the function that makes its text from a row.
Columns = Mapping[str, Any]


class UnwrittenError(Exception):
    """Data could not be written to stdout; the cause says why."""


class Output:
    """Writes the data and the messages of a command.

    Args:
        form: ``table`` or ``json``.
        quiet: Whether to show only data, warnings and errors.
    """

    def __init__(self, form: Literal["table", "json"], *, quiet: bool) -> None:
        self.form = form
        self.quiet = quiet

    def rows(self, columns: Columns, rows: Iterable[Row], *, none: str = "") -> None:
        """Write rows as a table, or as JSON with an object on each line.

        Args:
            columns: The columns of the table. JSON has the complete rows.
            rows: The data.
            none: The message if there are no rows.

        Raises:
            UnwrittenError: Standard output cannot be written.
        """
        if self.form == "json":
            for row in rows:
                self.line(row)
            return
        found = list(rows)
        if not found:
            self.say(none)
        elif sys.stdout.isatty():
            with _writing():
                console().print(table(columns, found))
        else:
            with _writing():
                sys.stdout.writelines(f"{line}\n" for line in plain(columns, found))

    def line(self, row: Row) -> None:
        """Write one object as a line of JSON.

        Raises:
            UnwrittenError: Standard output cannot be written.
        """
        with _writing():
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")

    def say(self, text: str) -> None:
        """Show a message on stderr, unless the output is quiet."""
        if text and not self.quiet:
            tell(f"{text}\n")

    def warn(self, text: str) -> None:
        """Show a warning on stderr."""
        tell(f"{PROGRAM}: {text}\n")

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Show what the command waits for, and on a terminal for how long."""
        if self.quiet or not sys.stderr.isatty():
            self.say(f"{text}.")
            yield
            return
        from rich.progress import (  # noqa: PLC0415  # Only a terminal needs it.
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (SpinnerColumn("line"), TextColumn(text, markup=False), TimeElapsedColumn())
        stderr = console(stderr=True)
        with cursor_shown(2), Progress(*columns, console=stderr, transient=True) as waiting:
            waiting.add_task(text, total=None)
            yield


@contextmanager
def cursor_shown(descriptor: int) -> Iterator[None]:
    """Show the cursor of a terminal again if SIGTERM or SIGHUP ends this process in the block.

    Progress hides the cursor. A signal that has a handler, or is ignored, is left alone.

    Args:
        descriptor: The terminal.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        with suppress(OSError):
            os.write(descriptor, b"\r\n\x1b[?25h")
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    ours = [each for each in ENDINGS if signal.getsignal(each) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, end)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _writing() -> Iterator[None]:
    """Write what the block writes to stdout."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        raise UnwrittenError from error


def tell(text: str) -> None:
    """Write to stderr. A stderr that cannot be written must not change the exit status."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def discard(descriptor: int) -> None:
    """Discard what is written to a descriptor from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def console(*, stderr: bool = False) -> Console:
    """The terminal, in its width. NO_COLOR is respected."""
    from rich.console import Console  # noqa: PLC0415  # Only a terminal needs it.

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def table(columns: Columns, rows: Sequence[Row]) -> Table:
    """A table that folds long texts on a narrow terminal."""
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
    """The lines of a table for a pipe or a file: no colors, no limit of width."""
    cells = [list(columns), *([str(show(row)) for show in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
