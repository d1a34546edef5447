"""How far something long has come: a bar on a terminal, a line with the seconds elsewhere; always on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from barsmith.cli.printing import say

BETWEEN = 2.0  # seconds between two lines, where nobody sees a bar


@contextlib.contextmanager
def timed(what: str) -> Iterator[Callable[..., None]]:
    """`with timed("training lstm") as tell: ... tell(0.3, "stop 1.05")`: the share that is done, and what stands beside the bar."""
    began = time.monotonic()
    with Steps() as steps:
        yield lambda share, says="": steps.tell(f"{what}: {says}" if says else what, share)
    say(f"{what}: {time.monotonic() - began:.1f} s")


@contextlib.contextmanager
def rounds(what: str) -> Iterator[Callable[[float, int, Mapping[str, float]], None]]:
    """What a training's `progress` may be: rounds done, rounds in all, numbers. The bar on a terminal; elsewhere a line for a round that is
    whole, two seconds or more after the line before.
    """
    with timed(what) as tell:
        told = time.monotonic()

        def progress(done: float, total: int, numbers: Mapping[str, float]) -> None:
            nonlocal told
            tell(done / total, in_words(numbers))
            is_whole, now = done == int(done), time.monotonic()
            if is_whole and now - told >= BETWEEN and not sys.stderr.isatty():
                told = now
                say(f"{what}: {int(done)} of {total}, {in_words(numbers)}")

        yield progress


def in_words(numbers: Mapping[str, float]) -> str:
    """What a training tells of a round.

    >>> in_words({"train": 1.0523, "stop": 1.0711, "stop_accuracy": 0.478, "rows_per_second": 1234.5, "seconds_left": 95.0})
    'train 1.0523, stop 1.0711, stop accuracy 0.4780, 1,234 rows/s, 1 min 35 s left at most'
    """
    words = [f"{name.replace('_', ' ')} {value:.4f}" for name, value in numbers.items() if name not in ("rows_per_second", "seconds_left")]
    if "rows_per_second" in numbers:
        words.append(f"{numbers['rows_per_second']:,.0f} rows/s")
    if "seconds_left" in numbers:
        minutes, seconds = divmod(round(numbers["seconds_left"]), 60)
        words.append((f"{minutes} min " if minutes else "") + f"{seconds} s left at most")  # it may stop early
    return ", ".join(words)


class Steps:
    """`tell(what)` begins a step, `tell(what, share)` moves its bar."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def tell(self, what: str, share: float | None = None) -> None:
        if share is None:
            self.close()
            say(what)
        elif sys.stderr.isatty():
            self.move(what, share)

    def move(self, what: str, share: float) -> None:
        if self.bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task(what, total=1.0)
        self.bar.update(self.task, completed=share, description=what)
        if share >= 1.0:
            self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
