"""What a verb found, as tables and sentences for people or as one JSON object for machines."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable


PIPED_WIDTH = 120
_answers: list[TextIO] = []


def answers() -> TextIO:
    """Where a verb's answer goes: the standard output that the command began with."""
    return _answers[-1] if _answers else sys.stdout


@contextlib.contextmanager
def prints_to_stderr() -> Iterator[None]:
    """While a verb works, whatever a user's own module prints goes to standard error: standard output is for the answer alone."""
    _answers.append(sys.stdout)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = _answers.pop()


@dataclass(frozen=True)
class Table:
    """Rows whose columns are the first row's keys. Numbers stand to the right."""

    rows: Sequence[Mapping[str, Any]]
    title: str = ""


@dataclass(frozen=True)
class Report:
    """The result of a verb. data: the object that `--json` prints. says: what a reader sees instead."""

    data: Mapping[str, Any]
    says: Sequence[str | Table] = ()
    exit_code: int = 0


def show(report: Report, *, as_json: bool) -> None:
    """The report on standard output."""
    if as_json:
        print_json(report.data)
        return
    console = console_of(sys.stdout)
    for part in report.says:
        if isinstance(part, str):
            console.print(printable(part), soft_wrap=True)
        else:
            console.print(grid_of(part))
    sys.stdout.flush()


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on one line, ASCII, so that no terminal and no encoding can misread it. NaN is a mistake of ours: ValueError."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, allow_nan=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A line on standard error: notes, warnings, progress."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def console_of(file: Any) -> Console:
    """No markup, no guessing of colours; of a fixed width where nobody looks: a page, whatever the terminal's."""
    from rich.console import Console

    width = None if file.isatty() else PIPED_WIDTH
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def grid_of(table: Table) -> RichTable:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    grid = RichTable(title=printable(table.title) or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in table.rows[0] if table.rows else ():
        values = [row.get(name) for row in table.rows]
        is_numeric = all(is_number(value) for value in values)
        grid.add_column(printable(str(name)), justify="right" if is_numeric else "left", overflow="fold")  # on the next line, never cut
    for row in table.rows:
        grid.add_row(*(printable(cell(row.get(name))) for name in table.rows[0]))
    return grid


def is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | list | tuple) and not isinstance(value, bool))


def cell(value: Any) -> str:
    """A value in a table: four digits of a number, [low, high] of an interval, `-` for nothing."""
    from barsmith.pipeline.page import shown

    return shown(value)


def printable(text: str) -> str:
    """The text with control characters, line ends and broken bytes escaped: a name cannot move the cursor or fake a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)
