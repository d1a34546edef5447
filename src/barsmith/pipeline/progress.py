"""What a user sees while stages run: a live table on a terminal, one line a stage elsewhere, always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from barsmith.pipeline.run_folder import CACHED, DONE, FAILED, PENDING, RUNNING, STOPPED, RunState, StageState

_MARKS = {PENDING: " ", RUNNING: "»", DONE: "✓", CACHED: "=", FAILED: "✗", STOPPED: "!"}


def line_of(stage: StageState) -> str:
    """`labeling done 1.2 s, 59,664 rows`."""
    rows = f", {stage.rows:,} rows" if stage.rows is not None else ""
    return f"{stage.name} {stage.status} {stage.seconds:.1f} s{rows}"


class Lines:
    """One line for each finished stage."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        return None

    def show(self, state: RunState, stage: StageState) -> None:
        if stage.status not in (PENDING, RUNNING):
            self.write(f"{state.symbol} {line_of(stage)}")


class Table:
    """A table that is redrawn in place."""

    def __init__(self, console: Any) -> None:
        from rich.live import Live

        self.live = Live(console=console, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self.live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.live.__exit__(kind, problem, trace)

    def show(self, state: RunState, stage: StageState) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.spinner import Spinner
        from rich.table import Table as Grid

        grid = Grid.grid(padding=(0, 2))
        for one in state.stages:
            mark: Any = Spinner("dots") if one.status == RUNNING else _MARKS[one.status]
            seconds = f"{one.seconds:.1f} s" if one.status in (DONE, CACHED, FAILED) else ""
            rows = f"{one.rows:,}" if one.rows is not None else ""
            memory = f"{one.peak_mib:,.0f} MiB" if one.peak_mib is not None else ""
            grid.add_row(mark, one.name, one.status if one.status != PENDING else "", seconds, rows, memory)
        done = sum(one.status in (DONE, CACHED) for one in state.stages)
        self.live.update(Group(grid, ProgressBar(len(state.stages), done, width=40)))


def progress(title: str, *, live: bool = True) -> Lines | Table:
    """The table where stderr is a terminal and nobody else writes there, lines elsewhere."""
    if live and sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
        console.print(title, highlight=False, markup=False)
        return Table(console)
    lines = Lines(lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201 (stderr is where progress belongs)
    lines.write(title)
    return lines
