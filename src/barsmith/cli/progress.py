"""How far something long has come: a bar on a terminal, a line with the seconds elsewhere; always on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from barsmith.cli.printing import say


@contextlib.contextmanager
def timed(what: str) -> Iterator[Callable[[float], None]]:
    """`with timed("training xgboost") as tell: ... tell(0.3)`: the share that is done."""
    began = time.monotonic()
    with Steps() as steps:
        yield lambda share: steps.tell(what, share)
    say(f"{what}: {time.monotonic() - began:.1f} s")


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
        self.bar.update(self.task, completed=share)
        if share >= 1.0:
            self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
